// Files that are being sent, a few at once. They go on while another view is open; the library shows their lines.
import { make } from './dom.js';
import { forgetFacts } from './facts.js';
import { checkSize } from './file-size.js';
import { Problem, form, parse, problemOf, read } from './service.js';
import { many, percent, withoutCommand } from './words.js';

const AT_ONCE = 3;
const POLL_MS = 500;
const ENDED = ['done', 'failed', 'cancelled'];
const TAKEN = { added: 'added', known: 'was in the library already' };
const STOPPED = 'stopped before it was sent';

const said = make('p', { class: 'quiet', role: 'status' });
const stop = make('button', { type: 'button', hidden: true, onclick: stopSending }, 'Stop sending');
const lines = make('ul', { class: 'stack tight uploads' });
let waiting = [];
let busy = 0;
let added = 0;
let refused = 0;
let stopping = new AbortController();
let came = forgetFacts;

/** Return what shows the files. `changed()` is called when they came in, until `closed`. */
export function showUploads(changed, closed) {
  came = changed;
  closed.addEventListener('abort', () => (came = forgetFacts));
  return make('div', { class: 'stack', role: 'group', ariaLabel: 'Files' }, said, stop, lines);
}

/** Send files with the same fields, after those that wait already. `onadded(video_id)`: one is in the library. */
export function uploadAll(files, fields, most_bytes, onadded) {
  for (const file of files) {
    const line = makeLine(file);
    lines.append(line.node);
    const work = async (stopped) => {
      const video_id = await upload(file, fields, most_bytes, line, stopped);
      if (!video_id) return (refused += 1);
      added += 1;
      return onadded?.(video_id);
    };
    waiting.push({ line, work });
  }
  for (let slot = 0; slot < AT_ONCE; slot++) next();
}

/** Show a line of its own, of what is not sent. */
export function tell(name, text, className) {
  const line = makeLine({ name });
  line.say(text, className);
  lines.append(line.node);
}

async function next() {
  say();
  if (busy >= AT_ONCE || !waiting.length) return;
  const { work } = waiting.shift();
  busy += 1;
  next();
  await work(stopping.signal);
  busy -= 1;
  next();
  if (!busy) came();
}

/** Give up what waits and what is being sent; what has been sent is taken in. */
function stopSending() {
  for (const { line } of waiting) line.say(STOPPED);
  waiting = [];
  stopping.abort();
  stopping = new AbortController();
  say();
}

function say() {
  const left = waiting.length + busy;
  const told = [added && `${many(added, 'file')} done`, refused && `${refused} not added`, left && `${left} to go`];
  said.textContent = told.filter(Boolean).join(', ');
  stop.hidden = !left;
}

addEventListener('beforeunload', (event) => busy && event.preventDefault()); // the browser asks before it ends them

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

/** Send a file and wait until it is in the library; return its id. The line tells how far that is, or what is wrong. */
async function upload(file, fields, most_bytes, line, stopped) {
  let video_id = null;
  try {
    checkSize(file, most_bytes);
    let job = await sent({ file, ...fields }, line, stopped);
    line.say('being read…');
    while (!ENDED.includes(job.state)) {
      await new Promise((done) => setTimeout(done, POLL_MS));
      job = await read(`jobs/${job.job_id}`);
      if (job.state === 'running') line.say(`being read… ${job.progress ? percent(job.progress) : ''}`);
    }
    if (job.state !== 'done') throw new Problem(job.result.detail ?? `It was ${job.state}.`);
    video_id = job.result.video_id;
    line.say([TAKEN[job.result.state] ?? job.result.state, job.result.note].filter(Boolean).join('; '));
  } catch (error) {
    line.say(withoutCommand(error.message), 'problem');
  }
  line.bar.hidden = true;
  return video_id;
}

/** Post a form and return its job. Unlike fetch, this tells how much has been sent. Throws Problem. */
function sent(fields, line, stopped) {
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
    request.onabort = () => failed(new Problem(STOPPED));
    stopped.addEventListener('abort', () => request.abort());
    request.send(form(fields));
  });
}
