// The matrix: each second that was asked against each second that was searched; strong is near.
import { make } from './dom.js';
import { clock } from './words.js';

const ROW_PX = 22;

/** Return { node, at(time_s) }; `at` frames the second that plays. `verbs`: { asked, found }. */
export function makeMatrix(found, { asked, found: verb }) {
  const rows = found.distances.length;
  const canvas = make('canvas', { class: 'matrix' });
  canvas.role = 'img';
  canvas.ariaLabel = `${rows} seconds ${asked} against ${found.length_s} seconds ${verb}: strong is near`;
  canvas.style.height = `${ROW_PX * rows}px`;
  const now = make('div', { class: 'now', hidden: true });
  const node = make(
    'figure',
    { class: 'stack tight' },
    make('div', { class: 'matrix-frame' }, canvas, now),
    make(
      'figcaption',
      { class: 'quiet' },
      `Rows: the seconds ${asked}, from ${clock(found.query_start_s)}. Columns: the seconds ${verb}, as in the lanes. `,
      'Strong is near; empty is silent or has no picture; the outline is the best window.',
    ),
  );
  new ResizeObserver(() => draw(canvas, found)).observe(canvas);
  return {
    node,
    at: (time_s) => {
      const column = Math.floor(time_s) - found.from_s;
      now.hidden = column < 0 || column >= found.length_s;
      now.style.left = `${(100 * column) / found.length_s}%`;
      now.style.width = `${100 / found.length_s}%`;
    },
  };
}

function draw(canvas, found) {
  const ratio = devicePixelRatio;
  [canvas.width, canvas.height] = [canvas.clientWidth * ratio, ROW_PX * found.distances.length * ratio];
  const [wide, high] = [canvas.width / found.length_s, ROW_PX * ratio];
  const pen = canvas.getContext('2d');
  const known = found.distances.flat().filter((distance) => distance !== null);
  const low = Math.min(...known);
  const range = Math.max(...known) - low || 1;
  const style = getComputedStyle(canvas);
  [pen.fillStyle, pen.strokeStyle, pen.lineWidth] = [style.color, style.outlineColor, 2 * ratio];
  found.distances.forEach((row, r) =>
    row.forEach((distance, c) => {
      pen.globalAlpha = distance === null ? 0 : 1 - (0.94 * (distance - low)) / range;
      pen.fillRect(wide * c, high * r, wide - ratio, high - ratio);
    }),
  );
  pen.globalAlpha = 1;
  for (let step = 0; step < found.end_s - found.start_s; step++) {
    const r = found.compared_start_s - found.query_start_s + step;
    const c = found.start_s - found.from_s + step;
    pen.strokeRect(wide * c + ratio, high * r + ratio, wide - 3 * ratio, high - 3 * ratio);
  }
}
