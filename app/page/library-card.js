// What the library is encoded by, and what it would gain from another front-end or from training.
import { address, make } from './dom.js';
import { lasting, many, withoutCommand } from './words.js';

const ENOUGH_VIDEOS = 6; // a training needs so many with both sound and picture
const FRONT_ENDS = {
  pretrained: 'by networks that have learnt the names of sounds and pictures from real recordings',
  raw: 'by plain sound spectra and small pictures, which suit drawn clips and little else',
};

/** Return the card's content. `start(order)` begins a job; `may`: whether this person may change the library. */
export function makeLibraryCard(library, start, may) {
  if (!library.videos) {
    const text = may
      ? 'Add recordings below. They stay on this machine. You can ask as soon as the first one is in.'
      : 'Nothing has been added yet, and your key does not allow it.';
    return [make('h1', {}, 'The library is empty'), make('p', {}, text)];
  }
  return [
    make('h1', {}, library.is_demonstration ? 'A demonstration' : 'Your library'),
    make('p', {}, `${many(library.videos, 'recording')}, ${lasting(library.duration_s)} in all.`),
    library.is_demonstration &&
      make('p', {}, 'All of it is drawn, and the model knows nothing else. Add your own footage to see more.'),
    make('p', { class: 'quiet' }, `Encoded ${FRONT_ENDS[library.front_end] ?? `by ${library.front_end}`}.`),
    make('p', { class: 'quiet' }, learnt(library)),
    lacking(library),
    ...odd(library),
    may && makeOffers(library, start),
  ].filter(Boolean);
}

function learnt({ model }) {
  if (!model) return 'No model serves yet.';
  if (!model.trained_videos) return 'The model has not been trained on your footage yet.';
  return `The model was trained on ${many(model.trained_videos, 'video')}.`;
}

function lacking({ problem }) {
  return problem && make('p', { class: 'problem' }, withoutCommand(problem));
}

function odd(library) {
  const lost = `of ${many(library.lossy, 'recording')}`;
  const lines = [
    library.lossy && `${lasting(library.loss_s)} ${lost} could not be decoded.`,
    library.missing && `The files of ${many(library.missing, 'recording')} are gone: they are not searched.`,
    library.incomplete && `${many(library.incomplete, 'recording')} are still being read.`,
    library.failed && `${many(library.failed, 'file')} could not be taken in.`,
  ];
  return lines.filter(Boolean).map((line) => make('p', { class: 'quiet' }, line));
}

/** Return buttons for what the library would gain. */
function makeOffers(library, start) {
  const offers = [];
  const other = library.front_ends.find(({ name, current }) => name === 'pretrained' && !current);
  if (other && library.warnings.length + Number(library.is_demonstration)) {
    const fetched = other.ready ? '' : ' Its weights are fetched first (4 MB).';
    offers.push(
      makeOffer(
        `Real footage needs the networks of real recordings. Searching goes on while all is read anew.${fetched}`,
        'Change to “pretrained”',
        () => start({ kind: 'reencode', frontend: 'pretrained' }),
      ),
    );
  }
  if (library.videos >= ENOUGH_VIDEOS && !library.is_demonstration) {
    offers.push(
      makeOffer(
        'Training learns from your own footage, without labels. Some videos are kept out, and the new model is used ' +
          'only if it does better on them.',
        'Train on this footage',
        () => start({ kind: 'train' }),
      ),
    );
  }
  offers.push(make('a', { class: 'quiet', href: address('quality') }, 'How good is it?'));
  return make('div', { class: 'stack tight' }, ...offers);
}

function makeOffer(text, title, onclick) {
  const button = make('button', { type: 'button', onclick }, title);
  return make('div', { class: 'stack tight' }, make('p', { class: 'quiet' }, text), button);
}
