// Files that are chosen, dropped or pasted.
import { make } from './dom.js';

/** Return a zone that takes files: `ontake(files)`. `accept`: as of an input; `many`: several files at once. */
export function makeDrop({ title, hint, accept, many = false, ontake }) {
  const input = make('input', { type: 'file', accept, multiple: many });
  input.onchange = () => {
    if (input.files.length) ontake([...input.files]);
    input.value = '';
  };
  const zone = make('label', { class: 'drop' }, input, make('b', {}, title), make('span', { class: 'quiet' }, hint));
  const mark = (over) => (event) => {
    event.preventDefault();
    zone.classList.toggle('over', over);
  };
  zone.ondragover = mark(true);
  zone.ondragleave = mark(false);
  zone.ondrop = (event) => {
    mark(false)(event);
    if (event.dataTransfer.files.length) ontake([...event.dataTransfer.files]);
  };
  return zone;
}

/** Take files that are pasted anywhere but into a field, until `closed`. */
export function listenToPaste(ontake, closed) {
  const paste = (event) => {
    if (event.clipboardData.files.length && !event.target.closest?.('input, textarea')) {
      ontake([...event.clipboardData.files]);
    }
  };
  addEventListener('paste', paste, { signal: closed });
}
