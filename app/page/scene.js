// A clip with its sound and its picture as lanes: a stretch of one asks, the other answers while it plays.
import { makeBars } from './bars.js';
import { address, make, put, speak } from './dom.js';
import { picturesIn } from './film.js';
import { makeLanes } from './lanes.js';
import { isFound, tellAnswer } from './located.js';
import { makeMatrix } from './matrix.js';
import { MINUTE_S, minuteAround, minuteFrom, minuteOf, stretchOf } from './minute.js';
import { makeOverview } from './overview.js';
import { makePick } from './pick.js';
import { makePlayer } from './player.js';
import { other } from './question.js';
import { post } from './service.js';
import { showLoading, showProblem } from './states.js';
import { clock } from './words.js';

const PEAKS_PER_S = 20;
const NEAR_S = 0.5; // a player stops a little before or behind where it was told to
const DIRECTIONS = {
  audio: { direction: 'a2v', asked: 'heard', found: 'seen', title: 'I hear it: where do I see it?' },
  visual: { direction: 'v2a', asked: 'seen', found: 'heard', title: 'I see it: where do I hear it?' },
};

/**
 * Show a clip. `question`: what the address says: `from` (the minute), `start`, `length`, `by`. `clip`: { name,
 * duration_s, isGuessed (how long it is only the answer tells), original, isGone(), excerpt(from_s, to_s),
 * peaks(from_s, length_s, per_s), film(minute, count), asked(minute), onrefused(error) }: `asked` gives the form fields
 * that say where to search, `onrefused` returns whether it showed the problem.
 */
export async function openScene(main, question, closed, clip) {
  const by = question.by === 'visual' ? 'visual' : 'audio';
  const verbs = DIRECTIONS[by];
  const player = makePlayer(clip, closed);
  const isLong = clip.duration_s > MINUTE_S;
  const overview = isLong ? await makeOverview(clip, question, (minute) => look(minute)) : null;
  const place = make('div', { class: 'lanes stack tight' });
  const words = make('section', { class: 'stack tight told', 'aria-label': 'The answer' });
  const plots = make('div', { class: `plots stack ${other(by)}` });
  const offer = makeOffer((time_s) => follow(time_s));
  let asking = new AbortController();
  let minute = minuteOf(question, clip.duration_s, overview?.peaks ?? []);
  let lanes = null;
  let matrix = null;

  function afresh() {
    asking.abort();
    asking = new AbortController();
    return AbortSignal.any([asking.signal, closed]);
  }

  /** Look at a minute and ask. `given`: the stretch, else the loudest; `stays`: the player is where it should be. */
  async function look(next, given = { length: question.length }, stays = false) {
    const signal = afresh();
    const moved = lanes && next.from_s !== minute.from_s;
    minute = next;
    try {
      const peaks = await clip.peaks(minute.from_s, minute.length_s, PEAKS_PER_S);
      if (signal.aborted) return;
      const [start_s, end_s] = stretchOf(given, minute, peaks);
      if (moved) history.pushState(null, '', addressOf(start_s, end_s)); // Back returns to the minute before
      drawLanes(peaks, start_s, end_s);
      player.show(minute, stays ? undefined : start_s);
      offer.hide();
    } catch (error) {
      if (!signal.aborted) showProblem(words, error, () => look(next, given, stays));
      return;
    }
    await ask();
  }

  function addressOf(start_s, end_s) {
    Object.assign(question, { from: minute.from_s, start: start_s, length: end_s - start_s, by });
    return address('localize', question);
  }

  function drawLanes(peaks, start_s, end_s) {
    const oninput = (lane) => player.seek(lane.start_s);
    const film = clip.film(minute, picturesIn(place.clientWidth));
    lanes = makeLanes({ minute, by, verbs, peaks, film, start_s, end_s, oninput, onchange: ask });
    put(place, [overview?.node, ...lanes.nodes].filter(Boolean)); // the overview keeps the keyboard
    overview?.lane.set(minute.from_s, minute.end_s);
  }

  async function ask() {
    const signal = afresh();
    const { start_s, end_s } = lanes.asked;
    history.replaceState(null, '', addressOf(start_s, end_s));
    showLoading(words, 'Looking…');
    try {
      const fields = { ...clip.asked(minute), direction: verbs.direction };
      Object.assign(fields, { query_start_s: start_s, query_length_s: end_s - start_s });
      const found = await post('localize', fields, signal);
      if (clip.isGuessed) await learn(found.length_s, start_s, end_s);
      drawAnswer(found);
    } catch (error) {
      if (signal.aborted) return;
      lanes.mark(null);
      plots.replaceChildren();
      if (!clip.onrefused(error)) showProblem(words, error, ask);
    }
  }

  /** Draw the lanes as long as the clip turned out to be. */
  async function learn(length_s, start_s, end_s) {
    clip.isGuessed = false;
    clip.duration_s = length_s;
    minute = minuteFrom(0, length_s);
    drawLanes(await clip.peaks(0, length_s, PEAKS_PER_S), start_s, end_s);
  }

  function drawAnswer(found) {
    const length_s = found.end_s - found.start_s;
    const mark = (start_s) => {
      const how = start_s !== found.start_s ? 'chosen' : isFound(found) ? 'found' : 'likeliest';
      lanes.mark(start_s, start_s + length_s, how);
    };
    const play = (start_s) => {
      choose(start_s);
      player.play(start_s);
    };
    const choose = (start_s) => {
      mark(start_s);
      bars.choose(start_s);
      matrix.choose(start_s);
    };
    const chosenIn = (plot) => (start_s) => {
      mark(start_s);
      plot().choose(start_s);
    };
    const bars = makeBars(found, minute, verbs.found, { onchoose: chosenIn(() => matrix), onplay: player.play });
    matrix = makeMatrix(found, minute, verbs, { onchoose: chosenIn(() => bars), onplay: player.play });
    mark(found.start_s);
    words.replaceChildren(...tellAnswer(found, verbs, play));
    plots.replaceChildren(...(found.windows.length > 1 ? [bars.node, matrix.node] : []));
    speak(words.querySelector('h2').textContent);
  }

  const isOutside = (time_s) => time_s < minute.from_s - NEAR_S || time_s > minute.end_s + NEAR_S;
  const follow = (time_s) => {
    const given = { start: Math.floor(time_s), length: question.length };
    look(minuteAround(time_s, clip.duration_s), given, true);
  };
  // Who seeks to a place, or pauses at one, means that place: lanes and question go there. Who only listens on keeps
  // the question and its answer, which would else be taken away in the middle of looking at them; a button goes along.
  player.onrest = (time_s) => isOutside(time_s) && follow(time_s);
  player.onmove = (time_s, paused) => {
    for (const lane of [overview?.lane, ...(lanes?.all ?? [])]) lane?.at(time_s);
    matrix?.at(time_s);
    if (!paused && isOutside(time_s)) offer.show(time_s);
    else offer.hide();
  };
  const go = (changed) => (location.hash = address('localize', { ...question, ...changed }));
  main.replaceChildren(
    make('div', { class: 'row' }, make('h1', { class: 'name' }, clip.name), makeDirections(by, go)),
    make('div', { class: 'scene' }, make('div', {}, player.node, offer.node), place, words, plots),
  );
  await look(minute, question);
}

function makeDirections(by, go) {
  const choices = Object.fromEntries(Object.entries(DIRECTIONS).map(([value, { title }]) => [value, title]));
  const onpick = (value) => go({ by: value });
  const pick = makePick({ title: 'Direction', name: 'by', choices, chosen: by, onpick, unseen: true });
  pick.classList.add('end');
  return pick;
}

/** Return { node, show(time_s), hide() }: what offers to go along with a player that has left the minute. */
function makeOffer(ongo) {
  let now_s = 0;
  const said = make('span', { class: 'quiet' });
  const button = make('button', { type: 'button', onclick: () => ongo(now_s) }, 'Look there');
  const node = make('p', { class: 'row', hidden: true }, said, button);
  const show = (time_s) => {
    now_s = time_s;
    said.textContent = `It plays at ${clock(time_s)}, outside of the lanes.`;
    node.hidden = false;
  };
  return { node, show, hide: () => (node.hidden = true) };
}
