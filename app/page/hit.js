// One hit: its picture, where it is, how well it fits, and what can be done with it.
import { address, icon, make } from './dom.js';
import { glimpseOnHover } from './glimpse.js';
import { openMoment } from './moment.js';
import { makeStretchWaveform } from './waveform.js';
import { clock, many, percent, stretch } from './words.js';

const FITS = { strong: 'strong match', fair: 'fair match', weak: 'weak match', nothing: 'no clear match' };
const SHOWN_CONCEPTS = 3;
const AROUND_S = 2; // of a sound, so much is drawn before and after its second

/**
 * Return a list item. `context`: { question, answer, library, nearest, closed }: what was asked, its answer and the
 * smallest distance in it, the library's facts, and what is aborted when the hits are shown no longer.
 */
export function makeHit(hit, context) {
  const what = `${hit.file_name}, ${clock(hit.start_s)}`;
  const shot = make(
    'button',
    { type: 'button', class: 'shot', 'aria-label': `Play ${what}`, 'aria-expanded': 'false' },
    hit.links.frame ? make('img', { src: hit.links.frame, alt: '', loading: 'lazy' }) : makeSound(hit, context.closed),
    make('span', { class: 'over' }, icon('play')),
  );
  const mark = make('input', { type: 'checkbox', class: 'mark', title: 'Mark, to take it away' });
  mark.ariaLabel = `Mark ${what}`;
  const item = make('li', { class: 'card hit' }, make('div', { class: 'place' }, shot, mark));
  item.hit = hit;
  shot.onclick = () => openMoment(item, shot, hit, context.closed);
  if (hit.links.frame) glimpseOnHover(shot, hit, context.closed);
  item.append(...makeFacts(hit, what), makeFit(hit, context), makeActions(hit, context, what));
  return item;
}

function makeSound({ video_id, start_s, end_s }, closed) {
  const around = { video_id, start_s: Math.max(0, start_s - AROUND_S), end_s: end_s + AROUND_S };
  return makeStretchWaveform({ ...around, marked: { start_s, end_s } }, closed).node;
}

function makeFacts(hit, what) {
  const [folder, name] = hit.file_path?.split('/').slice(-2) ?? [];
  const isUpload = name !== hit.file_name; // the library keeps it, under a name of its own
  const twins = hit.twins ?? [];
  return [
    make('p', { class: 'name', title: isUpload ? what : hit.file_path }, make('b', {}, hit.file_name)),
    make(
      'p',
      { class: 'row quiet' },
      stretch(hit.start_s, hit.end_s),
      folder && !isUpload && make('span', { class: 'name' }, folder),
      hit.label && make('span', { class: 'label end' }, hit.label),
    ),
    twins.length > 0 && makeTwins(twins),
  ].filter(Boolean);
}

function makeTwins(twins) {
  return make(
    'details',
    { class: 'quiet' },
    make('summary', {}, `The same ${many(twins.length, 'time')} more`),
    make('ul', {}, ...twins.map((twin) => make('li', { class: 'name' }, `${twin.file_name}, ${clock(twin.start_s)}`))),
  );
}

/** Return how well a hit fits, in words and as a bar that is longer when better; behind "why", how that was found. */
function makeFit(hit, { answer, nearest }) {
  const near = hit.distance > 0 ? nearest / hit.distance : 1;
  const share = hit.chance === null ? near : 1 - hit.chance;
  const bar = make('span', { class: `bar ${hit.fit ?? ''}` }, make('i', { style: { width: `${100 * share}%` } }));
  const shared = hit.reasons.slice(0, SHOWN_CONCEPTS).map(({ concept }) => concept).join(', ');
  const words = hit.fit ? FITS[hit.fit] : '';
  return make(
    'details',
    { class: 'fit' },
    make('summary', {}, bar, make('span', {}, words), make('span', { class: 'why' }, 'why')),
    shared && make('p', {}, `Both have: ${shared}`),
    makeWhy(hit, answer),
  );
}

function makeWhy(hit, { search, query, device, timings_ms }) {
  const rows = [
    hit.match !== null && ['probability that they belong together', percent(hit.match)],
    hit.chance !== null && ['chance that something unrelated looks as good here', percent(hit.chance)],
    ['distance', hit.distance.toFixed(3)],
    ['of it, between what was heard or seen', hit.parts.latent.toFixed(3)],
    ['of it, between what the model imagines', hit.parts.generated.toFixed(3)],
    [
      'was anything nearer overlooked?',
      search.certified
        ? `no: that is proved for all ${many(search.gallery_size, 'second')}`
        : `possibly: ${search.examined} of ${many(search.gallery_size, 'second')} were looked at`,
    ],
    ['model', query.fingerprint],
    ['time taken', `${Math.round(timings_ms.total)} ms`],
    ['computed on', device === 'cpu' ? 'the processor' : device],
  ];
  const lines = rows
    .filter(Boolean)
    .map(([name, value]) => make('div', {}, make('dt', {}, name), make('dd', {}, value)));
  return make('dl', { class: 'quiet' }, ...lines);
}

function makeActions(hit, { question, library }, what) {
  const like = (by) => address('ask', { segment: hit.segment_id, by, find: by });
  const link = (text, href) => make('a', { href, 'aria-label': `${text}: ${what}` }, text);
  const all = { ...question, video: hit.video_id, every: 1 };
  const there = { video: hit.video_id, at: hit.start_s, by: hit.links.sound ? 'audio' : 'visual' };
  return make(
    'div',
    { class: 'actions quiet' },
    hit.links.frame && link('Looks alike', like('visual')),
    hit.links.sound && link('Sounds alike', like('audio')),
    hit.links.frame && hit.links.sound && link('Where in this clip', address('localize', there)),
    !question.video && link('All of this video', address('ask', all)),
    library?.can_imagine && link('Imagine', address('imagine', { segment: hit.segment_id })),
  );
}
