// Files that are chosen, dropped or pasted.
import { make } from './dom.js';
import { foldersOf } from './folders.js';

/**
 * Return a zone that takes files: `ontake(files)`. `accept`: as of an input; `many`: several files at once.
 * `onfolders(entries)`: where folders are dropped; without it the zone says that it takes none.
 */
export function makeDrop({ title, hint, accept, many = false, ontake, onfolders }) {
  const said = make('span', { class: 'quiet', role: 'status' }, hint);
  const refuse = () => (said.textContent = 'That is a folder. Give one file; folders are added in the library.');
  const input = make('input', { type: 'file', accept, multiple: many });
  input.onchange = () => {
    if (input.files.length) ontake([...input.files]);
    input.value = '';
  };
  const zone = make('label', { class: 'drop' }, input, make('b', {}, title), said);
  const mark = (over) => (event) => {
    event.preventDefault();
    zone.classList.toggle('over', over);
  };
  zone.ondragover = mark(true);
  zone.ondragleave = mark(false);
  zone.ondrop = (event) => {
    mark(false)(event);
    const files = [...event.dataTransfer.files];
    const entries = foldersOf(event.dataTransfer);
    if (entries) (onfolders ?? refuse)(entries);
    else if (files.length > 1 && !many) said.textContent = `One file at a time: these are ${files.length}.`;
    else if (files.length) ontake(files);
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
