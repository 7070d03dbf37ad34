// The sound and the picture of a minute as lanes: a window over one asks, a mark over the other answers.
import { make } from './dom.js';
import { MOVES, makeLane } from './lane.js';
import { other } from './question.js';
import { makeWaveform } from './waveform.js';
import { stretch } from './words.js';

const NAMES = { audio: 'Sound', visual: 'Picture' };

/** Return { nodes, all, asked, mark(start_s, end_s, how) }; the lane `by` asks. `verbs`: of it; `how`: of `marks`. */
export function makeLanes({ minute, by, verbs: { asked, found }, peaks, film, start_s, end_s, oninput, onchange }) {
  const marks = { found: `${found} at`, likeliest: 'likeliest at', chosen: 'chosen:' };
  const [toldAsked, toldFound] = [make('b', { class: 'told-asked' }), make('b', { class: 'told-found' })];
  const tell = (lane) => (toldAsked.textContent = stretch(lane.start_s, lane.end_s));
  const moved = (lane) => {
    tell(lane);
    oninput(lane);
  };
  const wave = peaks.length ? makeWaveform(peaks) : null;
  const contents = { audio: makeContent(wave, 'sound'), visual: makeContent(film, 'pictures') };
  const window = { label: `What is ${asked}: the stretch that asks`, start_s, end_s, oninput: moved, onchange };
  const lanes = {};
  const nodes = Object.keys(NAMES).flatMap((modality) => {
    const range = { from_s: minute.from_s, to_s: minute.end_s, content: contents[modality] };
    lanes[modality] = makeLane(modality === by ? { ...range, ...window } : range);
    lanes[modality].node.classList.add(modality);
    const told = modality === by ? [`${asked} at `, toldAsked, `. Drag to change it${MOVES}.`] : [toldFound];
    return [make('p', { class: 'quiet lane-name' }, `${NAMES[modality]}: `, ...told), lanes[modality].node];
  });
  tell(lanes[by]);
  const answering = lanes[other(by)];
  const mark = (from_s, to_s, how = 'likeliest') => {
    answering.mark(from_s, to_s);
    answering.node.classList.toggle('firm', how === 'found');
    toldFound.textContent = from_s === null ? '…' : `${marks[how]} ${stretch(from_s, to_s)}`;
  };
  mark(null);
  return { nodes, all: Object.values(lanes), asked: lanes[by], mark };
}

/** Return what a lane shows: a drawing, or one that is to come, or why there is none. */
function makeContent(drawing, what) {
  const node = make('div', { class: 'content' });
  const text = `This browser cannot show its ${what}. All of it is searched all the same.`;
  const lacking = () => make('p', { class: 'quiet' }, text);
  Promise.resolve(drawing).then((drawn) => node.replaceChildren(drawn ?? lacking()));
  return node;
}
