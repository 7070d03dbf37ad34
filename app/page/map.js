// Map: the library's seconds on a plane; alike lies close. Hover shows, Space plays, a click asks, a lasso labels.
import { address, make, speak } from './dom.js';
import { facts } from './facts.js';
import { makeGlance } from './map-glance.js';
import { makePick } from './pick.js';
import { makePlane } from './plane.js';
import { secondAddress } from './question.js';
import { read, send } from './service.js';
import { showEmpty, showLoading, showProblem } from './states.js';
import { byFinger, clock, many } from './words.js';

const POINTS = 20_000; // the most that the service draws
const LISTED = 12; // clusters, in words
const NAMED = 2; // labels or concepts in a cluster's name
const HINT = byFinger
  ? 'Tap a point to see and hear it; two fingers zoom. A name below chooses what has its colour.'
  : 'Hover over a point to see and hear it; a click asks with it, the wheel zooms. A name below chooses its points.';
const KEYS = 'Arrow keys move the map, + and − zoom. A name below chooses its points.';
const COLOURS = { modality: 'sound or picture', label: 'label', cluster: 'cluster' };
const PICK = { title: 'Colour by', name: 'colour', choices: COLOURS, chosen: 'modality', unseen: true };
const DRAG = { pan: 'drag to move', lasso: 'draw a lasso' };
const DRAGS = { title: 'Dragging', name: 'drag', choices: DRAG, chosen: 'pan', unseen: true };
const MODALITIES = { audio: 'sound', visual: 'picture' };

export async function open(main, params, closed) {
  showLoading(main, 'Drawing the map… this may take half a minute the first time');
  try {
    const [library, map] = await Promise.all([facts(), read('latents/map', { points: POINTS }, closed)]);
    if (!closed.aborted) draw(main, { ...map, points: pointsOf(map) }, library, closed);
  } catch (error) {
    if (closed.aborted) return;
    if (error.code === 'unmappable' || error.code === 'empty_library') {
      const add = make('a', { class: 'button main', href: address('library', { own: 1 }) }, 'Add footage');
      showEmpty(main, 'Too little for a map', 'It needs some seconds of footage to compare.', add);
    } else {
      showProblem(main, error, () => open(main, params, closed));
    }
  }
}

/** Return the points as objects, of the columns in which they travel. */
function pointsOf({ points, sounds, videos }) {
  return points.segment_id.map((segment_id, number) => ({
    segment_id,
    ...videos[points.video[number]],
    start_s: points.start_s[number],
    modality: number < sounds ? 'audio' : 'visual',
    x: points.x[number],
    y: points.y[number],
    cluster: points.cluster[number] < 0 ? null : points.cluster[number],
  }));
}

function draw(main, map, library, closed) {
  const says = make('p', { class: 'quiet map-says' }, HINT);
  const hears = make('input', { type: 'checkbox' });
  const glance = makeGlance(inWords, () => hears.checked, closed);
  const ask = ({ segment_id, modality }) => (location.hash = secondAddress(segment_id, modality));
  const plane = makePlane(map.points, {
    closed,
    onhover: (point, at) => {
      says.textContent = point ? inWords(point) : HINT;
      if (point) glance.show(point, at);
      else glance.hide();
    },
    onpick: (point, at, touched) => (touched ? glance.show(point, at, { tapped: true }) : ask(point)),
    onlasso: (points) => choose(points),
  });
  plane.node.addEventListener('focus', () => plane.node.matches(':focus-visible') && (says.textContent = KEYS));
  plane.node.addEventListener('blur', () => (says.textContent = HINT));
  const selection = makeSelection(library.scope === 'admin', () => plane.clear());
  const choose = (points) => {
    plane.choose(points);
    selection.show(points);
  };
  const pick = (points) => {
    choose(points);
    selection.enter();
  };
  const names = namesOf(map.clusters);
  const legend = make('ul', { class: 'row legend' });
  const colour = (by) => legend.replaceChildren(...plane.colour(by).map((key) => makeKey(key, by, names, pick)));
  const shown = many(map.points.length, 'point');
  const sample = map.sampled ? `a sample of ${shown} of ${map.total.toLocaleString('en')}` : shown;
  main.replaceChildren(
    make('div', { class: 'row' }, make('h1', {}, 'Map'), make('p', { class: 'quiet' }, sample)),
    make(
      'div',
      { class: 'row' },
      makePick({ ...PICK, onpick: colour }),
      makePick({ ...DRAGS, onpick: (what) => plane.draws(what === 'lasso') }),
      make('button', { type: 'button', onclick: plane.whole }, 'Show all'),
      !byFinger && make('label', { class: 'row quiet' }, hears, 'Play sounds on hover'),
    ),
    make('div', { class: 'plane-frame' }, plane.node, glance.node),
    says,
    legend,
    selection.node,
    makeClusters(map, names, pick),
  );
  colour('modality');
}

/** Return a button that names a colour, and chooses all that has it. */
function makeKey({ name, colour, points }, by, names, choose) {
  const numbered = `cluster ${name + 1}`;
  const of = { modality: () => MODALITIES[name], label: () => name, cluster: () => names[name] ?? numbered };
  const title = name === null ? 'others' : of[by]();
  const mark = name === 'visual' ? '▬' : '■';
  const swatch = make('span', { class: 'swatch', style: { color: colour }, 'aria-hidden': 'true' }, mark);
  const label = `Choose ${title}, ${many(points.length, 'point')}`;
  const key = { type: 'button', class: 'plain key', ariaLabel: label, onclick: () => choose(points) };
  return make('li', {}, make('button', key, swatch, title));
}

/** Return what each cluster is called: by its labels, else by what is heard and seen in it, else by its number. */
function namesOf(clusters) {
  const used = new Map();
  return clusters.map(({ labels, concepts }, number) => {
    const known = labels.length ? labels : concepts.map(({ concept }) => concept);
    if (!known.length) return `cluster ${number + 1}`;
    const name = known.slice(0, NAMED).join(', ');
    used.set(name, (used.get(name) ?? 0) + 1);
    return used.get(name) > 1 ? `${name} (${used.get(name)})` : name;
  });
}

function inWords({ modality, start_s, label, file_name }) {
  const kind = modality === 'audio' ? 'Sound' : 'Picture';
  return `${kind} at ${clock(start_s)} of ${file_name}${label ? `, ${label}` : ''}`;
}

/**
 * Return { node, show(points), enter() }: what a lasso or a cluster chose, and a field that labels its videos.
 * `enter` brings it into view and takes the keyboard there; it goes back when nothing is chosen any longer.
 */
function makeSelection(may, cleared) {
  const node = make('section', { class: 'panel stack tight', hidden: true, 'aria-label': 'What is chosen' });
  let from = null;
  function show(points) {
    from = null;
    const videos = [...new Set(points.map(({ video_id }) => video_id))];
    const label = make('input', { type: 'text', maxLength: 200, required: true, ariaLabel: 'Label' });
    const said = make('p', { class: 'quiet', role: 'status' });
    const button = make('button', { class: 'main' }, `Label ${many(videos.length, 'video')}`);
    const form = make('form', { class: 'row' }, label, button);
    form.onsubmit = async (event) => {
      event.preventDefault();
      try {
        for (const [done, video] of videos.entries()) {
          said.textContent = `${done} of ${videos.length} labelled`;
          await send('PATCH', `videos/${video}`, { label: label.value.trim() });
        }
        said.textContent = `${many(videos.length, 'video')} labelled ${label.value.trim()}`;
      } catch (error) {
        said.textContent = error.message;
      }
      speak(said.textContent);
    };
    const close = () => {
      node.hidden = true;
      cleared();
      from?.focus();
    };
    node.replaceChildren(
      make('p', {}, `${many(points.length, 'point')} of ${many(videos.length, 'video')} chosen.`),
      ...(may ? [form, make('p', { class: 'quiet' }, 'A label is the whole video’s; it replaces the old one.')] : []),
      said,
      make('button', { type: 'button', onclick: close }, 'Choose nothing'),
    );
    node.hidden = false;
    node.scrollIntoView({ block: 'nearest' }); // it lies below the map
  }
  function enter() {
    from = document.activeElement;
    node.scrollIntoView({ block: 'nearest' });
    if (!from.matches(':focus-visible')) return; // a finger would open the keyboard on the screen
    node.querySelector('input, button').focus({ preventScroll: true });
  }
  return { node, show, enter };
}

/** Return the clusters as a list, for those who cannot use the plane: what each holds, and its most typical seconds. */
function makeClusters({ points, clusters }, names, choose) {
  const shown = clusters.slice(0, LISTED);
  const makeItem = ({ size, concepts, labels, typical }, number) =>
    make(
      'li',
      { class: 'stack tight' },
      make(
        'p',
        { class: 'row' },
        make('b', {}, names[number]),
        make('span', { class: 'quiet' }, [many(size, 'point'), ...contentOf(concepts, labels)].join(', ')),
        make(
          'button',
          {
            type: 'button',
            class: 'plain',
            ariaLabel: `Choose the cluster ${names[number]}`,
            onclick: () => choose(points.filter(({ cluster }) => cluster === number)),
          },
          'Choose',
        ),
      ),
      make('ul', { class: 'row quiet' }, ...typical.map((point) => makeTypical(points[point]))),
    );
  return make(
    'details',
    {},
    make('summary', {}, `The ${many(shown.length, 'largest cluster', 'largest clusters')} in words`),
    make('ul', { class: 'stack' }, ...shown.map(makeItem)),
  );
}

function contentOf(concepts, labels) {
  return [...concepts.slice(0, 3).map(({ concept }) => concept), ...labels.map((label) => `label ${label}`)];
}

function makeTypical(point) {
  return make('li', {}, make('a', { href: secondAddress(point.segment_id, point.modality) }, inWords(point)));
}
