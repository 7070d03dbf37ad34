// Adding footage: files and folders of this computer, or a directory of the server; a line for each file.
import { make } from './dom.js';
import { makeDrop } from './drop.js';
import { showUploads, uploadAll } from './upload-queue.js';

const PASSED_OVER = /^(\.|thumbs\.db$|desktop\.ini$)/i; // what systems leave in folders

/** Return the section. `start(order)` begins a job, `changed()` is called when files came in. */
export function makeUploads({ library, start, changed, closed }) {
  const label = make('input', { type: 'text', maxLength: 200 });
  const take = (files) => {
    const given = files.filter((file) => !PASSED_OVER.test(file.name));
    uploadAll(given, { label: label.value.trim() }, library.most_upload_bytes);
  };
  const drop = makeDrop({
    title: 'Add footage',
    hint: 'drop files or folders here, or click to choose files',
    accept: 'audio/*,video/*,image/*,.mkv,.mxf,.ts,.mts',
    many: true,
    ontake: take,
  });
  drop.addEventListener('drop', (event) => takeFolders(event, take), { capture: true });
  return make(
    'section',
    { class: 'stack', 'aria-label': 'Add footage' },
    drop,
    makeFolderButton(take),
    make('label', { class: 'stack tight quiet' }, 'Label for these files, if you know one', label),
    library.ingest_roots.length > 0 && makeDirectory(library.ingest_roots, start),
    showUploads(changed, closed),
  );
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

/** Take the files of dropped folders, in place of the folders themselves. */
async function takeFolders(event, take) {
  const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.some((entry) => entry.isDirectory)) return;
  event.preventDefault();
  event.stopPropagation();
  event.currentTarget.classList.remove('over');
  take((await Promise.all(entries.map(filesOf))).flat());
}

async function filesOf(entry) {
  if (entry.isFile) return [await new Promise((done, failed) => entry.file(done, failed))];
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((done, failed) => reader.readEntries(done, failed));
    if (!some.length) break; // a reader gives a hundred at a time
    found.push(...some);
  }
  return (await Promise.all(found.map(filesOf))).flat();
}
