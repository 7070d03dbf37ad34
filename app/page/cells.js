// Cells: seconds in a row or a table, with one cursor over them that keys, a finger or the mouse move.
import { make } from './dom.js';

const FAR = 10; // cells, by Page up and down

/**
 * Make the cells of `frame` reachable. Return { set(column, row) }, which moves the cursor and calls nothing.
 *
 * `wide`: columns that fill the frame; `columns`, `rows`: those that the cursor may take from left and top.
 * `label`: what the cells are. `say(column, row)`: what is in one, in words. `onmove(column, row)` is called when a
 * person moves the cursor, `onpick(column, row)` for Enter, a click or a tap. The words stand in `hand`, which shows
 * what is under the mouse meanwhile. To a screen reader this is a slider: it tells the value where the cursor comes.
 */
export function makeCells({ frame, hand, wide, columns, rows = 1, label, say, onmove, onpick }) {
  const box = make('div', { class: 'cursor' });
  const at = { column: 0, row: 0 };
  const limit = (most, value) => Math.min(most - 1, Math.max(0, value));

  function set(column, row = 0) {
    Object.assign(at, { column: limit(columns, column), row: limit(rows, row) });
    box.style.left = `${(100 * at.column) / wide}%`;
    box.style.top = `${(100 * at.row) / rows}%`;
    frame.ariaValueNow = at.column;
    frame.ariaValueText = hand.textContent = say(at.column, at.row);
  }

  function move(column, row) {
    set(column, row);
    onmove(at.column, at.row);
  }

  box.style.width = `${100 / wide}%`;
  box.style.height = `${100 / rows}%`;
  frame.append(box);
  Object.assign(frame, { role: 'slider', tabIndex: 0, ariaLabel: label, ariaValueMin: 0, ariaValueMax: columns - 1 });
  frame.onkeydown = (event) => {
    const goal = goalOf(event.key, at, columns, rows);
    const picks = event.key === 'Enter' || event.key === ' ';
    if (event.ctrlKey || event.altKey || event.metaKey || (!goal && !picks)) return;
    event.preventDefault();
    if (goal) move(...goal);
    else onpick(at.column, at.row);
  };
  const under = (event) => {
    const { left, top, width, height } = frame.getBoundingClientRect();
    const column = Math.floor((wide * (event.clientX - left)) / width);
    return [limit(columns, column), limit(rows, Math.floor((rows * (event.clientY - top)) / height))];
  };
  frame.onclick = (event) => {
    move(...under(event));
    onpick(at.column, at.row);
  };
  let before = null;
  frame.onpointerdown = () => (before = [at.column, at.row]);
  frame.onpointercancel = () => move(...before); // it was a scroll
  frame.onpointermove = (event) => {
    if (event.pointerType === 'mouse') hand.textContent = say(...under(event));
    else move(...under(event)); // a finger has nothing to hover with
  };
  frame.onpointerleave = () => (hand.textContent = say(at.column, at.row));
  return { set };
}

/** Return where a key moves the cursor; null for one that does not. In a single row up and down are right and left. */
function goalOf(key, { column, row }, columns, rows) {
  const by = { ArrowLeft: -1, ArrowRight: 1, PageUp: FAR, PageDown: -FAR }[key];
  if (by) return [column + by, row];
  if (key === 'Home') return [0, row];
  if (key === 'End') return [columns - 1, row];
  const up = { ArrowUp: 1, ArrowDown: -1 }[key];
  if (!up) return null;
  return rows > 1 ? [column, row - up] : [column + up, row];
}
