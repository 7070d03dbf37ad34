// The question as it is shown: a waveform with a window, a picture with a part, a second of the library, or words.
import { icon, make } from './dom.js';
import { durationOf } from './duration.js';
import { facts } from './facts.js';
import { checkSize } from './file-size.js';
import { MOVES, makeLane } from './lane.js';
import { makePick } from './pick.js';
import { kept, kindOf, other } from './question.js';
import { cropped, makeRegion } from './region.js';
import { Problem, read } from './service.js';
import { loudestStart, makeWaveform, peaksOf } from './waveform.js';
import { clock, stretch } from './words.js';

const MOST_S = 10; // the service takes no longer stretch as one question
const FIRST_S = 5; // of a sound that is longer, its loudest stretch of this length is asked first

/**
 * Return { node, fields() }: the question, and what to send for it. `change({by, find, at, length})` is called when a
 * person changes it. Throws Problem where a file is not known any longer, or a second is not in the library.
 */
export async function makeAsked(question, change, closed) {
  const asked = await opened(question, change, closed);
  const node = make('div', { class: 'stack panel' }, asked.node);
  const pickFind = makePick({
    title: 'Find',
    name: 'find',
    choices: { visual: 'pictures', audio: 'sounds' },
    chosen: question.find,
    onpick: (find) => change({ find }),
  });
  if (asked.modalities.length > 1) {
    const onpick = (by) => {
      change({ by, find: other(by) });
      pickFind.querySelector(`[value=${other(by)}]`).checked = true;
    };
    const choices = { audio: 'sound', visual: 'look' };
    node.append(makePick({ title: 'Ask by its', name: 'by', choices, chosen: question.by, onpick }));
  }
  node.append(pickFind);
  return { node, fields: asked.fields };
}

async function opened(question, change, closed) {
  if (question.text) return openText(question, change);
  if (question.segment) return openSecond(question, closed);
  const file = kept(question.file);
  if (!file) {
    throw new Problem('The file of this address was only known to the page that asked. Choose it again.', {
      code: 'file_forgotten',
    });
  }
  checkSize(file, (await facts()).most_upload_bytes);
  return kindOf(file) === 'picture' ? openPicture(file, change) : openRecording(file, question, change, closed);
}

function openText(question, change) {
  question.find ??= 'visual';
  const input = make('input', { type: 'text', value: question.text, maxLength: 1000, 'aria-label': 'What to find' });
  const node = make('form', { class: 'row' }, input, make('button', {}, 'Ask'));
  node.onsubmit = (event) => {
    event.preventDefault();
    if (input.value.trim()) change({ text: input.value.trim() });
  };
  return { node, modalities: [], fields: async () => ({ text: question.text }) };
}

async function openSecond(question, closed) {
  const second = await read(`segments/${encodeURIComponent(question.segment)}`, {}, closed);
  const modalities = [second.links.sound && 'audio', second.links.frame && 'visual'].filter(Boolean);
  if (!modalities.includes(question.by)) question.by = modalities[0];
  question.find ??= other(question.by);
  const node = make(
    'div',
    { class: 'stack tight' },
    second.links.frame && make('img', { class: 'query', src: second.links.frame, alt: '' }),
    second.links.sound && make('audio', { class: 'query', src: second.links.sound, controls: true }),
    make('p', { class: 'quiet' }, `${second.file_name}, second ${clock(second.start_s)}`),
  );
  return { node, modalities, fields: async () => ({ segment_id: second.segment_id, query_modality: question.by }) };
}

function openPicture(file, change) {
  const url = URL.createObjectURL(file);
  const image = make('img', { class: 'query', src: url, alt: 'The picture that is asked by', draggable: false });
  let part = null;
  const region = makeRegion(image, async (box) => {
    part = box && (await cropped(image, box, file.name));
    change({});
  });
  image.onerror = () => region.replaceWith(makeNoPreview('picture'));
  const node = make('div', { class: 'stack tight' }, region, make('p', { class: 'quiet name' }, file.name));
  return { node, modalities: [], fields: async () => ({ file: part ?? file, query_modality: 'visual' }) };
}

async function openRecording(file, question, change, closed) {
  const kind = kindOf(file);
  const url = URL.createObjectURL(file);
  closed.addEventListener('abort', () => URL.revokeObjectURL(url));
  const player = make(kind === 'video' ? 'video' : 'audio', { src: url, controls: true, playsInline: true });
  player.className = 'query';
  const place = make('div', { class: 'stack tight' });
  player.onerror = () => player.replaceWith(makeNoPreview(kind));
  const node = make('div', { class: 'stack tight' }, player, place, make('p', { class: 'quiet name' }, file.name));
  const sound = await peaksOf(file);
  const length_s = sound?.duration_s ?? (await durationOf(player));
  if (length_s !== null && length_s >= 2) place.append(...makeStretch({ sound, length_s, question, change, player }));
  const fields = async () => ({
    file,
    query_modality: kind === 'sound' ? 'audio' : question.by,
    at_s: question.at,
    length_s: question.at == null ? null : question.length,
  });
  return { node, modalities: kind === 'video' ? ['audio', 'visual'] : [], fields };
}

/** Return the lane of a recording, whose window is what is asked; first it lies on the loudest stretch. */
function makeStretch({ sound, length_s, question, change, player }) {
  const whole_s = Math.floor(length_s);
  if (question.at == null && whole_s > MOST_S) {
    question.length = FIRST_S;
    question.at = sound ? loudestStart(sound.peaks, sound.duration_s, FIRST_S) : 0;
  }
  const [start_s, asked_s] = [Number(question.at ?? 0), Number(question.length ?? whole_s)];
  const lane = makeLane({
    from_s: 0,
    to_s: whole_s,
    content: sound ? makeWaveform(sound.peaks) : null,
    label: 'The stretch that is asked by',
    start_s,
    end_s: start_s + asked_s,
    most_s: MOST_S,
    onchange: (moved) => {
      said.textContent = saying(moved);
      player.currentTime = moved.start_s;
      change({ at: moved.start_s, length: moved.end_s - moved.start_s });
    },
    oninput: (moved) => (said.textContent = saying(moved)),
  });
  const saying = (moved) =>
    `Asks by ${stretch(moved.start_s, moved.end_s)}. Drag over the lane to change that${MOVES}.`;
  const said = make('p', { class: 'quiet' }, saying(lane));
  player.ontimeupdate = () => lane.at(player.paused ? null : player.currentTime);
  return [lane.node, said];
}

function makeNoPreview(kind) {
  return make('p', { class: 'quiet' }, icon(kind), ' No preview in this browser');
}
