// The curve of a training: how good the model was on held-out videos after each epoch, the mean over its runs.
import { make } from './dom.js';

const SVG = 'http://www.w3.org/2000/svg';
const [WIDTH, HEIGHT] = [300, 80];

/** Return a picture with the figures in words. `result`: of a training job, with its `curve`. */
export function makeCurve({ curve, serving, new: after }) {
  const means = meansOf(curve);
  const values = [...means, serving?.mrr, after?.mrr].filter((value) => value !== undefined);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const y = (value) => HEIGHT - 6 - ((HEIGHT - 12) * (value - low)) / (high - low || 1);
  const x = (index) => 4 + ((WIDTH - 8) * index) / Math.max(1, means.length - 1);
  const said = `After ${means.length} epochs: ${means.at(-1).toFixed(3)}, at the best ${Math.max(...means).toFixed(3)}`;
  const size = `0 0 ${WIDTH} ${HEIGHT}`;
  const svg = element('svg', { viewBox: size, role: 'img', 'aria-label': said, class: 'curve' });
  const points = means.map((value, index) => `${x(index)},${y(value)}`).join(' ');
  svg.append(element('polyline', { points }));
  if (serving) {
    const level = y(serving.mrr);
    svg.append(element('line', { x1: 0, x2: WIDTH, y1: level, y2: level, class: 'before' }));
  }
  const dashed = serving ? '; dashed: the model before' : '';
  const caption = `How well held-out sounds and pictures find their own video, by epoch${dashed}.`;
  return make('figure', {}, svg, make('figcaption', { class: 'quiet' }, `${caption} ${said}.`));
}

function meansOf(curve) {
  const epochs = new Map();
  for (const { epoch, held_out_mrr } of curve) epochs.set(epoch, [...(epochs.get(epoch) ?? []), held_out_mrr]);
  const ordered = [...epochs.keys()].sort((one, other) => one - other);
  return ordered.map((epoch) => epochs.get(epoch).reduce((sum, mrr) => sum + mrr, 0) / epochs.get(epoch).length);
}

function element(tag, attributes) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}
