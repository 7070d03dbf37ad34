// A clip with its sound and its picture as lanes: a window over one asks, the other answers while it plays.
import { address, make, speak } from './dom.js';
import { makeLane } from './lane.js';
import { makeMatrix } from './matrix.js';
import { makePick } from './pick.js';
import { post } from './service.js';
import { showLoading, showProblem } from './states.js';
import { loudestStart, makeWaveform } from './waveform.js';
import { clock, percent, stretch, withoutCommand } from './words.js';

const MINUTE_S = 60; // the most that is searched at once
const ASKED_S = 3; // how long the window is at first
const PEAKS_PER_S = 20;
const OVERVIEW_PEAKS = 600;
const FRAMES = 12;
const NAMED = 3; // the best windows, in words
const DIRECTIONS = {
  audio: { direction: 'a2v', asked: 'heard', found: 'seen', title: 'I hear it: where do I see it?' },
  visual: { direction: 'v2a', asked: 'seen', found: 'heard', title: 'I see it: where do I hear it?' },
};

/**
 * Show a clip. `question`: what the address says: `from` (the minute), `start`, `length`, `by`. `clip`: { name,
 * duration_s, original, excerpt(from_s, to_s), peaks(from_s, length_s, per_s), filmstrip(from_s, length_s, frames),
 * asked(from_s, length_s) }, the last being the form fields that say where to search.
 */
export async function openScene(main, question, closed, clip) {
  const by = question.by === 'visual' ? 'visual' : 'audio';
  const minute = await choose(question, clip);
  const peaks = await clip.peaks(minute.from_s, minute.length_s, PEAKS_PER_S);
  const end_s = minute.from_s + minute.length_s;
  const length_s = Math.min(minute.length_s, Number(question.length) || ASKED_S);
  const start_s = firstStart(question, minute, peaks, length_s);
  const answer = make('section', { class: 'stack', 'aria-label': 'The answer' });
  const player = makePlayer(clip, minute, closed);
  const go = (changed) => {
    Object.assign(question, changed);
    location.hash = address('localize', question);
  };
  let asking = new AbortController();

  async function ask(lane) {
    asking.abort();
    asking = new AbortController();
    const signal = AbortSignal.any([asking.signal, closed]);
    Object.assign(question, { from: minute.from_s, start: lane.start_s, length: lane.end_s - lane.start_s, by });
    history.replaceState(null, '', address('localize', question));
    showLoading(answer, 'Looking…');
    try {
      const fields = {
        ...clip.asked(minute.from_s, minute.length_s),
        direction: DIRECTIONS[by].direction,
        query_start_s: lane.start_s,
        query_length_s: lane.end_s - lane.start_s,
      };
      drawAnswer(await post('localize', fields, signal));
    } catch (error) {
      other.mark(null);
      if (!signal.aborted) showProblem(answer, error, () => ask(lane));
    }
  }

  const sound = makeWaveform(peaks);
  const strip = clip.filmstrip(minute.from_s, minute.length_s, FRAMES);
  const film = strip && make('img', { src: strip, alt: '', draggable: false });
  const lanes = {};
  for (const [modality, content] of [['audio', sound], ['visual', film]]) {
    const range = { from_s: minute.from_s, to_s: end_s, content };
    const label = `What is ${DIRECTIONS[by].asked}: the stretch that asks`;
    const window = { label, start_s, end_s: start_s + length_s };
    const moved = (lane) => {
      said.textContent = stretch(lane.start_s, lane.end_s);
      player.seek(lane.start_s);
    };
    lanes[modality] = makeLane(modality === by ? { ...range, ...window, oninput: moved, onchange: ask } : range);
    lanes[modality].node.classList.add(modality);
  }
  const other = lanes[by === 'audio' ? 'visual' : 'audio'];
  const said = make('b', {}, stretch(lanes[by].start_s, lanes[by].end_s));

  function drawAnswer(found) {
    other.mark(found.start_s, found.end_s);
    const matrix = makeMatrix(found, DIRECTIONS[by]);
    answer.replaceChildren(...tellAnswer(found, by, player), matrix.node);
    speak(answer.querySelector('h2').textContent);
    player.onmove = (time_s) => {
      for (const lane of Object.values(lanes)) lane.at(time_s);
      matrix.at(time_s);
    };
  }

  main.replaceChildren(
    make('div', { class: 'row' }, make('h1', { class: 'name' }, clip.name), makeDirections(by, go)),
    make(
      'div',
      { class: 'scene' },
      player.node,
      make(
        'div',
        { class: 'stack tight' },
        minute.overview && makeOverview(minute, clip, go),
        make('p', { class: 'quiet' }, `What is ${DIRECTIONS[by].asked} at `, said, '. Drag to change it.'),
        make('p', { class: 'quiet lane-name' }, 'Sound'),
        lanes.audio.node,
        make('p', { class: 'quiet lane-name' }, 'Picture'),
        lanes.visual.node,
      ),
    ),
    answer,
  );
  await ask(lanes[by]);
}

/** Return the minute that is looked at: what the address says, else the one around its `at`, else the loudest. */
async function choose(question, clip) {
  const { duration_s } = clip;
  if (duration_s <= MINUTE_S) return { from_s: 0, length_s: duration_s };
  const overview = await clip.peaks(0, duration_s, OVERVIEW_PEAKS / duration_s);
  let from_s = Number(question.from);
  if (question.from === undefined) {
    const at = question.at ?? loudestStart(overview, duration_s, ASKED_S) + ASKED_S / 2;
    from_s = Math.round(Number(at) - MINUTE_S / 2);
  }
  from_s = Math.min(duration_s - MINUTE_S, Math.max(0, from_s || 0));
  return { from_s, length_s: MINUTE_S, overview };
}

/** Return where the window lies at first: what the address says, else the loudest stretch of the minute. */
function firstStart(question, minute, peaks, length_s) {
  const given = question.start ?? question.at;
  const loudest = peaks.length ? minute.from_s + loudestStart(peaks, minute.length_s, length_s) : minute.from_s;
  const start_s = given === undefined ? loudest : Math.floor(Number(given)) || 0;
  return Math.min(minute.from_s + minute.length_s - length_s, Math.max(minute.from_s, start_s));
}

function makeOverview(minute, clip, go) {
  const lane = makeLane({
    from_s: 0,
    to_s: clip.duration_s,
    content: makeWaveform(minute.overview),
    label: 'The minute that is looked at',
    start_s: minute.from_s,
    end_s: minute.from_s + MINUTE_S,
    least_s: MINUTE_S,
    most_s: MINUTE_S,
    onchange: ({ start_s }) => go({ from: start_s, start: undefined, at: undefined }),
  });
  lane.node.classList.add('overview');
  return make('div', {}, make('p', { class: 'quiet lane-name' }, 'The whole recording'), lane.node);
}

function makeDirections(by, go) {
  const choices = Object.fromEntries(Object.entries(DIRECTIONS).map(([value, { title }]) => [value, title]));
  const onpick = (value) => go({ by: value });
  const pick = makePick({ title: 'Direction', name: 'by', choices, chosen: by, onpick, unseen: true });
  pick.classList.add('end');
  return pick;
}

/** Return { node, seek(time_s), play(time_s), onmove }: the clip; what the browser cannot play comes as an excerpt. */
function makePlayer(clip, minute, closed) {
  let shift_s = 0; // an excerpt begins with the minute
  const video = make('video', { controls: true, playsInline: true, src: `${clip.original}#t=${minute.from_s}` });
  video.ariaLabel = clip.name;
  const player = { node: video, onmove: () => {} };
  player.seek = (time_s) => (video.currentTime = time_s - shift_s);
  player.play = (time_s) => {
    player.seek(time_s);
    video.play().catch(() => {}); // the browser may want a press first
  };
  video.onerror = () => {
    const excerpt = clip.excerpt(minute.from_s, minute.from_s + minute.length_s);
    if (!excerpt || shift_s || video.src.includes('/excerpt?')) return;
    shift_s = minute.from_s;
    video.src = excerpt;
  };
  video.ontimeupdate = () => player.onmove(video.currentTime + shift_s);
  closed.addEventListener('abort', () => video.pause());
  return player;
}

/** Return the answer in words, and as bars: the longer, the more probable. */
function tellAnswer(found, by, player) {
  const { asked, found: verb } = DIRECTIONS[by];
  const what = `What is ${asked} at ${stretch(found.compared_start_s, found.compared_end_s)}`;
  const best = stretch(found.start_s, found.end_s);
  const title = found.stands_out ? `${what} is ${verb} at ${best}` : 'No window stands out';
  const cut = found.compared_end_s - found.compared_start_s < found.query_end_s - found.query_start_s;
  const ranked = found.windows.filter(({ distance }) => distance !== null);
  ranked.sort((one, two) => two.probability - one.probability);
  const button = ({ start_s, probability }) => {
    const onclick = () => player.play(start_s);
    return make('button', { type: 'button', onclick }, `${clock(start_s)} (${percent(probability)})`);
  };
  const likeliest = ranked.slice(0, NAMED).map(button);
  return [
    make('h2', {}, title),
    !found.stands_out && make('p', {}, `${what} is about as likely ${verb} anywhere; at ${best} a little more.`),
    cut && make('p', { class: 'quiet' }, 'Silent ends of what was chosen were left out.'),
    ...found.warnings.map((text) => make('p', { class: 'problem' }, withoutCommand(text))),
    ...found.notes.map((text) => make('p', { class: 'quiet' }, text)),
    make('div', { class: 'row' }, make('span', { class: 'quiet' }, 'Play the likeliest:'), ...likeliest),
    makeBars(found, player),
  ].filter(Boolean);
}

function makeBars(found, player) {
  const most = Math.max(...found.windows.map(({ probability }) => probability));
  const bars = found.windows.map(({ start_s, probability }) => {
    const bar = make('i', { style: { height: `${(100 * probability) / most}%` } });
    bar.title = `${clock(start_s)}: ${percent(probability)}`;
    if (start_s === found.start_s) bar.className = 'best';
    bar.onclick = () => player.play(start_s);
    return bar;
  });
  const said = `How probable each window is, by where it begins; the best ${percent(most)}`;
  const width = (100 * found.windows.length) / found.length_s;
  return make('div', { class: 'bars', role: 'img', 'aria-label': said, style: { width: `${width}%` } }, ...bars);
}
