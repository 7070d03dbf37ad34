// How probable each window is, as bars: the longer, the more probable.
import { makeCells } from './cells.js';
import { make } from './dom.js';
import { stretch } from './words.js';

const CHANCES = 3; // the full height is so many times chance: bars that are all alike end at a third of it

/** Return how many windows there can be: those without a silent second, or one without a picture. */
export function possible(found) {
  return found.windows.filter(({ distance }) => distance !== null).length;
}

/** Return a probability: "13 %", "1.7 %". */
export function finely(share) {
  return `${share < 0.0995 ? (100 * share).toFixed(1) : Math.round(100 * share)} %`;
}

/**
 * Return { node, choose(start_s) }. The bars have the width of the lanes of `minute`, each stands where its window
 * begins. `verb`: "seen" or "heard". `onchoose(start_s)`, `onplay(start_s)`: a person moved to a window, or picked it.
 */
export function makeBars(found, minute, verb, { onchoose, onplay }) {
  const { windows } = found;
  const chance = 1 / possible(found);
  const most = Math.max(...windows.map(({ probability }) => probability));
  const full = Math.max(most, Math.min(1, CHANCES * chance));
  const bars = windows.map(({ start_s, probability }) => {
    const [left, width] = [start_s - minute.from_s, 1].map((seconds) => `${(100 * seconds) / minute.length_s}%`);
    const style = { left, width: `calc(${width} - 1px)`, height: `${(100 * probability) / full}%` };
    return make('i', { class: start_s === found.start_s ? 'best' : '', style });
  });
  const line = make('div', { class: 'chance', style: { bottom: `${(100 * chance) / full}%` } });
  const frame = make('div', { class: 'bars' }, ...bars, line);
  const hand = make('p', { class: 'at-hand' });
  const length_s = found.end_s - found.start_s;
  const lacking = verb === 'heard' ? 'a second of it is silent' : 'a second of it has no picture';
  const cells = makeCells({
    frame,
    hand,
    wide: minute.length_s,
    columns: windows.length,
    label: `How probable each window is. Arrow keys move, Enter plays.`,
    say: (column) => {
      const { start_s, distance, probability } = windows[column];
      const told = distance === null ? lacking : `${finely(probability)}; chance ${finely(chance)}`;
      return `${stretch(start_s, start_s + length_s)} ${verb}: ${told}`;
    },
    onmove: (column) => onchoose(windows[column].start_s),
    onpick: (column) => onplay(windows[column].start_s),
  });
  const choose = (start_s) => cells.set(start_s - found.from_s);
  choose(found.start_s);
  const legend =
    `How probable each window is, by where it begins. The line is chance, ${finely(chance)}; ` +
    `the full height is ${finely(full)}.`;
  return { node: make('div', { class: 'stack tight' }, hand, frame, makeLegend('bars-legend', legend)), choose };
}

/** Return what explains a drawing. */
export function makeLegend(name, text) {
  return make('p', { class: `quiet ${name}` }, text);
}
