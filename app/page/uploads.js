// Adding footage: files and folders of this computer, or a directory of the server; a line for each file.
import { make } from './dom.js';
import { makeDrop } from './drop.js';
import { Problem, form, parse, problemOf, read } from './service.js';
import { many, percent, size } from './words.js';

const AT_ONCE = 3;
const POLL_MS = 500;
const PASSED_OVER = /^(\.|thumbs\.db$|desktop\.ini$)/i; // what systems leave in folders
const ENDED = ['done', 'failed', 'cancelled'];
const TAKEN = { added: 'added', known: 'was in the library already' };

/** Return the section. `start(order)` begins a job, `changed()` is called when files came in. */
export function makeUploads({ library, start, changed, closed }) {
  const label = make('input', { type: 'text', maxLength: 200 });
  const said = make('p', { class: 'quiet', role: 'status' });
  const lines = make('ul', { class: 'stack tight uploads' });
  const waiting = [];
  let busy = 0;
  let done = 0;

  const say = () => {
    const left = waiting.length + busy;
    said.textContent = left ? `${many(done, 'file')} done, ${left} to go` : done ? `${many(done, 'file')} done` : '';
  };
  async function next() {
    say();
    if (busy >= AT_ONCE || !waiting.length || closed.aborted) return;
    const work = waiting.shift();
    busy += 1;
    next();
    await work();
    busy -= 1;
    done += 1;
    next();
    if (!busy) changed();
  }
  function take(files) {
    const given = files.filter((file) => !PASSED_OVER.test(file.name));
    for (const file of given) {
      const line = makeLine(file);
      lines.append(line.node);
      const most = library.most_upload_bytes;
      waiting.push(() => upload(file, { label: label.value.trim() }, most, line, closed));
    }
    for (let slot = 0; slot < AT_ONCE; slot++) next();
  }
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
    said,
    lines,
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

function makeLine(file) {
  const state = make('span', { class: 'quiet' }, 'waits');
  const bar = make('progress', { max: 1, value: 0, hidden: true, ariaLabel: `Upload of ${file.name}` });
  const node = make('li', {}, make('span', { class: 'name' }, file.name), bar, state);
  const say = (text, className = 'quiet') => {
    state.textContent = text;
    state.className = className;
  };
  return { node, bar, say };
}

/** Send a file and wait until it is in the library; the line tells how far that is, or what went wrong. */
async function upload(file, fields, most_bytes, line, closed) {
  try {
    if (file.size > most_bytes) {
      throw new Problem(`It has ${size(file.size)}; the service takes at most ${size(most_bytes)} in one upload.`);
    }
    let job = await sent({ file, ...fields }, line, closed);
    line.say('being read…');
    while (!ENDED.includes(job.state)) {
      await new Promise((done) => setTimeout(done, POLL_MS));
      job = await read(`jobs/${job.job_id}`, {}, closed);
      if (job.state === 'running') line.say(`being read… ${job.progress ? percent(job.progress) : ''}`);
    }
    if (job.state !== 'done') throw new Problem(job.result.detail ?? `It was ${job.state}.`);
    line.say([TAKEN[job.result.state] ?? job.result.state, job.result.note].filter(Boolean).join('; '));
  } catch (error) {
    if (!closed.aborted) line.say(error.message, 'problem');
  }
  line.bar.hidden = true;
}

/** Post a form and return its job. Unlike fetch, this tells how much has been sent. Throws Problem. */
function sent(fields, line, closed) {
  return new Promise((done, failed) => {
    const request = new XMLHttpRequest();
    request.open('POST', 'videos');
    request.upload.onprogress = ({ loaded, total }) => {
      line.bar.hidden = false;
      line.bar.value = loaded / total;
      line.say(`${percent(loaded / total)} sent`);
    };
    request.onload = () => {
      if (request.status < 300) done(parse(request.responseText, request.responseURL));
      else failed(problemOf(request.status, request.responseText, request.getResponseHeader('retry-after')));
    };
    request.onerror = () => failed(new Problem('It was not sent: the service does not answer, or hung up.'));
    closed.addEventListener('abort', () => request.abort());
    request.send(form(fields));
  });
}
