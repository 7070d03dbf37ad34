// Adding footage: files and folders of this computer, or a directory of the server; a line for each file.
import { make } from './dom.js';
import { makeDrop } from './drop.js';
import { filesOfEntries, filesOfFolder } from './folders.js';
import { showUploads, tell, uploadAll } from './upload-queue.js';
import { byFinger, many } from './words.js';

const NAMED = 5; // of the files that are left out

/** Return the section. `start(order)` begins a job, `changed()` is called when files came in. */
export function makeUploads({ library, start, changed, closed }) {
  const label = make('input', { type: 'text', maxLength: 200 });
  const take = (files) => uploadAll(files, { label: label.value.trim() }, library.most_upload_bytes);
  const takeFound = (found) => {
    tellOthers(found);
    take(found.files);
  };
  const drop = makeDrop({
    title: 'Add footage',
    hint: byFinger ? 'tap to choose files' : 'drop files or folders here, or click to choose files',
    accept: 'audio/*,video/*,image/*,.mkv,.mxf,.ts,.mts',
    many: true,
    ontake: take,
    onfolders: async (entries) => takeFound(await filesOfEntries(entries)),
  });
  return make(
    'section',
    { class: 'stack', 'aria-label': 'Add footage' },
    drop,
    makeFolderButton((files) => takeFound(filesOfFolder(files))),
    make('label', { class: 'stack tight quiet' }, 'Label for these files, if you know one', label),
    library.ingest_roots.length > 0 && makeDirectory(library.ingest_roots, start),
    showUploads(changed, closed),
  );
}

/** Say in a line each what could not be read, and in one line what is left out. */
function tellOthers({ files, skipped, unread }) {
  for (const path of unread) {
    tell(path, 'The browser cannot read it: look at its rights, or whether it is still there.', 'problem');
  }
  if (skipped.length) {
    const more = skipped.length > NAMED ? ` and ${skipped.length - NAMED} more` : '';
    const names = skipped.slice(0, NAMED).join(', ');
    tell(`${many(skipped.length, 'file')} left out`, `No recordings, by their names: ${names}${more}`);
  }
  if (!files.length && !skipped.length && !unread.length) tell('The folder', 'Nothing lies in it.');
}

function makeFolderButton(take) {
  const input = make('input', { type: 'file', webkitdirectory: true, multiple: true });
  input.onchange = () => {
    take([...input.files]);
    input.value = '';
  };
  return make('label', { class: 'button file' }, input, 'Choose a folder');
}

function makeDirectory(roots, start) {
  const path = make('input', { type: 'text', value: roots[0], list: 'roots', required: true });
  const choices = make('datalist', { id: 'roots' }, ...roots.map((root) => make('option', { value: root })));
  const node = make(
    'form',
    { class: 'stack tight' },
    make('label', { class: 'stack tight quiet' }, 'Or a directory of the server: its files stay where they are', path),
    choices,
    make('button', {}, 'Take it in'),
  );
  node.onsubmit = (event) => {
    event.preventDefault();
    start({ kind: 'ingest', path: path.value });
  };
  return node;
}
