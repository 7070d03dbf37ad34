// Files that are chosen, dropped or pasted.
import { make } from './dom.js';

/** Return a zone that takes files: `ontake(files)`. `accept`: as of an input; `many`: several files at once. */
export function makeDrop({ title, hint, accept, many = false, ontake }) {
  const input = make('input', { type: 'file', accept, multiple: many });
  input.onchange = () => {
    if (input.files.length) ontake([...input.files]);
    input.value = '';
  };
  const problem = make('span', { class: 'problem', role: 'alert', hidden: true });
  const told = make('span', { class: 'quiet' }, hint);
  const zone = make('label', { class: 'drop' }, input, make('b', {}, title), told, problem);
  const mark = (over) => (event) => {
    event.preventDefault();
    zone.classList.toggle('over', over);
  };
  zone.ondragover = mark(true);
  zone.ondragleave = mark(false);
  zone.ondrop = (event) => {
    mark(false)(event);
    const files = [...event.dataTransfer.files];
    problem.textContent = many ? '' : tooMuch(files, [...event.dataTransfer.items]);
    problem.hidden = !problem.textContent;
    if (files.length && problem.hidden) ontake(files);
  };
  return zone;
}

/** Return what is wrong with what was dropped where one file is wanted; "" where it is one. */
function tooMuch(files, items) {
  if (items.some((item) => item.webkitGetAsEntry?.()?.isDirectory)) {
    return 'That is a folder. Drop one file of it here; the library takes whole folders.';
  }
  return files.length > 1 ? `One file at a time: these are ${files.length}.` : '';
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
