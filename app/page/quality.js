// How good is it? Figures of this library, each beside what guessing would give, in words a person understands.
import { address, make } from './dom.js';
import { facts } from './facts.js';
import { read } from './service.js';
import { showEmpty, showLoading, showProblem } from './states.js';
import { many, withoutCommand } from './words.js';

export async function open(main, params, closed) {
  const library = await facts();
  if (!library.videos) {
    const add = make('a', { class: 'button main', href: address('library') }, 'Add footage');
    return showEmpty(main, 'Nothing to measure yet', 'The figures are of your own footage: add some first.', add);
  }
  showLoading(main, 'Measuring… this takes some seconds');
  try {
    const measured = await read('metrics/mrr', {}, closed);
    if (!closed.aborted) draw(main, measured, library);
  } catch (error) {
    if (closed.aborted) return undefined;
    if (error.status === 409) {
      const there = make('a', { class: 'button', href: address('library') }, 'To the library');
      return showEmpty(main, 'Too little to measure', withoutCommand(error.message), there);
    }
    showProblem(main, error, () => open(main, params, closed));
  }
  return undefined;
}

function draw(main, measured, library) {
  const own = measured.own_video.nine ?? measured.own_video.all;
  const seen = trained(measured.own_video.trained_on, own.mrr.AV.n);
  main.replaceChildren(
    ...[
      make('h1', {}, 'How good is it?'),
      library.is_demonstration && make('p', {}, 'On the demonstration: it says nothing about real footage.'),
      make(
        'p',
        {},
        `Each recording’s sound is asked, and its own picture has to be found among those of ${own.gallery} `,
        'recordings; then the other way round. ',
        'A bar that is full would mean: always found first. Half: on average second.',
      ),
      make('h2', {}, 'Does a recording find itself?'),
      makeFigure('By its sound, find its picture', own.mrr.AV, own.chance, seen),
      makeFigure('By its picture, find its sound', own.mrr.VA, own.chance, seen),
      makeRecall(measured.own_video),
      ...byLabel(measured),
      ...notes(measured),
    ].filter(Boolean),
  );
}

/** Return a table: how often a recording is among the first that are found, of all that were measured. */
function makeRecall({ all, recall_at: recallAt, trained_on: trainedOn }) {
  const depths = Object.keys(recallAt);
  const row = (name, shareOf) =>
    make('tr', {}, make('th', { scope: 'row' }, name), ...depths.map((k) => make('td', {}, shareOf(recallAt[k]))));
  const shareOf = (direction) => (at) => {
    const { mean, low, high } = at.recall[direction];
    if (mean === null) return 'not measured';
    const sure = low !== null && `${hundredths(low)} to ${hundredths(high)}`;
    return make('span', {}, `${hundredths(mean)} %`, sure && make('small', { class: 'quiet' }, sure));
  };
  const seen = trained(trainedOn, all.mrr.AV.n);
  return make(
    'table',
    { class: 'recall' },
    make(
      'caption',
      {},
      `How often it is among the first, of ${many(all.gallery, 'recording')}`,
      seen && make('span', { class: 'seen' }, ` (${seen})`),
      make('p', { class: 'quiet' }, 'The small figures: 95 % sure between these.'),
    ),
    make(
      'tr',
      {},
      make('td'),
      ...depths.map((k) => make('th', { scope: 'col' }, k === '1' ? 'first' : `among ${k}`)),
    ),
    row('By its sound', shareOf('AV')),
    row('By its picture', shareOf('VA')),
    row('By guessing', (at) => `${hundredths(at.chance)} %`),
  );
}

/** Return a share in hundredths, with two digits so that a rare thing is not 0: "87", "5.5", "0.23". */
function hundredths(share) {
  return (100 * share).toLocaleString('en', { maximumSignificantDigits: 2 });
}

/** Return the figures by label, where there are labels to measure by. */
function byLabel(measured) {
  const { echolens, chance } = measured;
  if (!echolens) {
    const text =
      'Label some recordings in the library, two or more of each kind, and it is measured here whether a sound finds ' +
      'pictures of its kind. Labels are used to measure, never to train.';
    return [make('h2', {}, 'Does a kind find its kind?'), make('p', { class: 'quiet' }, text)];
  }
  const seen = trained(measured.trained_on, measured.videos);
  const line = (text, of) => makeFigure(text, of(echolens), of(chance).mean, seen);
  return [
    make('h2', {}, `Does a kind find its kind? On ${many(measured.videos, 'labelled recording')}`),
    line('By a sound, find pictures of its label', ({ retrieval }) => retrieval.AV.mrr),
    line('By a picture, find sounds of its label', ({ retrieval }) => retrieval.VA.mrr),
    line('Heard: where in the clip is it seen?', ({ localization }) => localization.rolled.A2V.exact),
    line('Seen: where in the clip is it heard?', ({ localization }) => localization.rolled.V2A.exact),
  ];
}

/** Return what is said beside each figure of videos that the model has learnt from; nothing where it has not. */
function trained(count, of) {
  return count ? `${count} of the ${of} were used in training, so this is better than on new footage` : null;
}

function makeFigure(text, { mean, low, high }, chance, seen) {
  if (mean === null) return make('p', { class: 'quiet' }, `${text}: there was nothing to measure.`);
  const interval = low === null ? 'one recording alone decides it' : `95 % sure between ${two(low)} and ${two(high)}`;
  const guess = chance === null ? '' : `; guessing gives ${two(chance)}`;
  const bar = make('div', { class: 'gauge', 'aria-hidden': 'true' }, make('i', { style: { width: `${100 * mean}%` } }));
  if (low !== null) {
    const style = { left: `${100 * low}%`, width: `${100 * (high - low)}%` };
    bar.append(make('span', { class: 'sure', style }));
  }
  if (chance !== null) bar.append(make('b', { style: { left: `${100 * chance}%` } }));
  return make(
    'div',
    { class: 'figure' },
    make('p', {}, `${text}: `, make('b', {}, two(mean)), seen && make('span', { class: 'seen' }, ` (${seen})`)),
    bar,
    make('p', { class: 'quiet' }, `${interval}${guess}`),
  );
}

function two(value) {
  return value.toFixed(2);
}

/** Return the notes, but those that tell a command: what it does is offered on the page. */
function notes(measured) {
  const { recipe, trained_videos } = measured.model;
  const model = trained_videos
    ? `The model was trained on ${many(trained_videos, 'video')} (recipe ${recipe ?? 'not told'}).`
    : 'The model has not been trained on this library.';
  const lines = [model, ...measured.notes.filter((note) => !note.includes('echolens '))];
  return [
    make('h2', {}, 'What the figures do not say'),
    make('ul', { class: 'stack tight quiet' }, ...lines.map((line) => make('li', {}, line))),
    make(
      'details',
      { class: 'quiet' },
      make('summary', {}, 'In terms of the field'),
      make(
        'p',
        {},
        `Mean reciprocal rank of the own video, ${measured.galleries} galleries of one second of each video, seed `,
        `${measured.seed}, intervals over videos as queries and as items; localization: share of exact windows among `,
        `circular ones. Model ${measured.fingerprint}, catalogue ${measured.catalogue_version}.`,
      ),
    ),
  ];
}
