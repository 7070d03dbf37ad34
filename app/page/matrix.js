// The matrix: each second that was asked against each second that was searched; strong is near.
import { makeLegend } from './bars.js';
import { makeCells } from './cells.js';
import { make } from './dom.js';
import { clock } from './words.js';

const ROW_PX = 22;

/**
 * Return { node, at(time_s), choose(start_s) }: `at` frames the second that plays, `choose` outlines a window. Its
 * columns are those of the lanes of `minute`. `verbs`: { asked, found }. `onchoose(start_s)`, `onplay(time_s)`: a
 * person moved to a window, or picked a second.
 */
export function makeMatrix(found, minute, { asked, found: verb }, { onchoose, onplay }) {
  const rows = found.distances.length;
  const known = found.distances.flat().filter((distance) => distance !== null);
  const scale = { near: Math.min(...known), far: Math.max(...known) };
  const canvas = make('canvas', { class: 'matrix', style: { height: `${ROW_PX * rows}px` } });
  const now = make('div', { class: 'now', hidden: true });
  const frame = make('div', { class: 'matrix-frame' }, canvas, now);
  const hand = make('p', { class: 'at-hand' });
  const first = found.compared_start_s - found.query_start_s; // the row that a window begins with
  let chosen_s = found.start_s;
  const redraw = () => draw(canvas, found, minute, scale, chosen_s);
  const cells = makeCells({
    frame,
    hand,
    wide: minute.length_s,
    columns: found.length_s,
    rows,
    label: `${rows} s ${asked} against ${found.length_s} s ${verb}. Arrow keys move, Enter plays.`,
    say: (column, row) => {
      const distance = found.distances[row][column];
      const [one, two] = [clock(found.query_start_s + row), clock(found.from_s + column)];
      const told = distance === null ? 'silent, or without a picture' : `distance ${distance.toFixed(2)}`;
      return `${one} ${asked}, ${two} ${verb}: ${told}`;
    },
    onmove: (column, row) => {
      // The window in which this second asked meets this second found; at an end of the stretch the nearest one.
      const start_s = found.from_s + column - (row - first);
      chosen_s = Math.min(found.windows.at(-1).start_s, Math.max(found.from_s, start_s));
      redraw();
      onchoose(chosen_s);
    },
    onpick: (column) => onplay(found.from_s + column),
  });
  cells.set(found.start_s - found.from_s, first);
  new ResizeObserver(redraw).observe(canvas);
  const legend =
    `Rows: the seconds ${asked}, from ${clock(found.query_start_s)}. Columns: the seconds ${verb}, as in the lanes. ` +
    `Strong is near (${scale.near.toFixed(2)}), faint is far (${scale.far.toFixed(2)}); empty is silent or has no ` +
    'picture; the outline is the chosen window.';
  return {
    node: make('div', { class: 'stack tight' }, hand, frame, makeLegend('matrix-legend', legend)),
    choose: (start_s) => {
      chosen_s = start_s;
      cells.set(start_s - found.from_s, first);
      redraw();
    },
    at: (time_s) => {
      const column = Math.floor(time_s) - minute.from_s;
      now.hidden = column < 0 || column >= minute.length_s;
      now.style.left = `${(100 * column) / minute.length_s}%`;
      now.style.width = `${100 / minute.length_s}%`;
    },
  };
}

function draw(canvas, found, minute, { near, far }, chosen_s) {
  const ratio = devicePixelRatio;
  [canvas.width, canvas.height] = [canvas.clientWidth * ratio, ROW_PX * found.distances.length * ratio];
  const [wide, high] = [canvas.width / minute.length_s, ROW_PX * ratio];
  const pen = canvas.getContext('2d');
  const style = getComputedStyle(canvas);
  [pen.fillStyle, pen.strokeStyle, pen.lineWidth] = [style.color, style.outlineColor, 2 * ratio];
  found.distances.forEach((row, r) =>
    row.forEach((distance, c) => {
      pen.globalAlpha = distance === null ? 0 : 1 - (0.94 * (distance - near)) / (far - near || 1);
      pen.fillRect(wide * c, high * r, wide - ratio, high - ratio);
    }),
  );
  pen.globalAlpha = 1;
  for (let step = 0; step < found.end_s - found.start_s; step++) {
    const r = found.compared_start_s - found.query_start_s + step;
    const c = chosen_s - minute.from_s + step;
    pen.strokeRect(wide * c + ratio, high * r + ratio, wide - 3 * ratio, high - 3 * ratio);
  }
}
