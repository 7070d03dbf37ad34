// Work that goes on: taking in, training, encoding anew; with time left, stop, retry, and what went wrong in words.
import { make, put, speak } from './dom.js';
import { makeCurve } from './curve.js';
import { read, send } from './service.js';
import { lasting, many, percent } from './words.js';

const POLL_MS = 1000;
const REST_MS = 10_000; // while nothing goes on
const SHOWN = 8;
const KINDS = {
  ingest: ({ subject }) => `Taking in ${subject ?? 'footage'}`,
  train: () => 'Training on your footage',
  reencode: () => 'Encoding the library anew',
};
const GOING_ON = ['queued', 'running'];

/** Return { node, start(order) }. `changed()` is called when a job has ended; `may`: whether jobs may be changed. */
export function makeJobs({ may, changed, closed }) {
  const list = make('ul', { class: 'stack' });
  const problem = make('p', { class: 'problem', role: 'alert', hidden: true });
  const node = make('section', { class: 'stack', 'aria-label': 'Work' }, make('h2', {}, 'Work'), problem, list);
  node.hidden = true;
  const items = new Map();
  let timer;

  async function look() {
    clearTimeout(timer);
    if (closed.aborted) return;
    let going = false;
    try {
      const jobs = (await read('jobs', { limit: 50 }, closed)).filter(isWorthShowing).slice(0, SHOWN);
      going = jobs.some(({ state }) => GOING_ON.includes(state));
      await show(jobs);
    } catch {
      // The next look tells; a service that is gone shows itself wherever one asks it.
    }
    timer = setTimeout(look, going ? POLL_MS : REST_MS);
  }

  async function show(jobs) {
    for (const job of jobs) {
      const before = items.get(job.job_id);
      if (before?.updated_at === job.updated_at && before.at_hand === job.at_hand) continue;
      const detail = await read(`jobs/${job.job_id}`, {}, closed);
      const item = makeJob(detail, { may, act, open: before?.node.querySelector('details')?.open });
      const held = before?.node.contains(document.activeElement) && document.activeElement.localName;
      before?.node.replaceWith(item);
      if (held) (item.querySelector(held) ?? item).focus({ preventScroll: true });
      items.set(job.job_id, { ...job, node: item });
      if (before && before.state !== job.state && !GOING_ON.includes(job.state)) {
        speak(`${titleOf(job)}: ${job.state}`);
        changed();
      }
    }
    node.hidden = !jobs.length && problem.hidden;
    put(
      list,
      jobs.map(({ job_id }) => items.get(job_id).node),
    );
  }

  async function act(work) {
    problem.hidden = true;
    try {
      await work();
    } catch (error) {
      problem.textContent = error.message;
      problem.hidden = node.hidden = false;
    }
    look();
  }
  closed.addEventListener('abort', () => clearTimeout(timer));
  look();
  return { node, start: (order) => act(() => send('POST', 'jobs', order)) };
}

/** An upload has a line of its own where it was begun: only what goes on or went wrong is shown here. */
function isWorthShowing(job) {
  return job.kind !== 'ingest' || job.state !== 'done' || job.result.files !== undefined;
}

function titleOf(job) {
  return KINDS[job.kind]?.(job) ?? job.kind;
}

function makeJob(job, { may, act, open }) {
  const going = GOING_ON.includes(job.state);
  const stop = () => act(() => send('DELETE', `jobs/${job.job_id}`));
  const retry = () => act(() => send('POST', `jobs/${job.job_id}/retry`));
  return make(
    'li',
    { class: 'panel stack tight', tabIndex: -1 },
    make('p', { class: 'name' }, make('b', {}, titleOf(job))),
    going && make('progress', { max: 1, value: job.progress, ariaLabel: titleOf(job) }),
    make('p', { class: job.state === 'failed' ? 'problem' : 'quiet' }, stateOf(job)),
    job.at_hand && job.at_hand !== job.subject && make('p', { class: 'name quiet' }, `Reading ${job.at_hand}`),
    job.result.curve?.length > 1 && makeCurve(job.result),
    ...makeMessages(job, open),
    may && going && !job.cancelling && make('button', { type: 'button', onclick: stop }, 'Stop'),
    may && job.state === 'failed' && make('button', { type: 'button', onclick: retry }, 'Try again'),
  );
}

function stateOf(job) {
  const { result } = job;
  if (job.state === 'failed') return result.detail ?? 'It failed.';
  if (job.state === 'cancelled') return 'Stopped. What came in stays.';
  if (job.state === 'queued') return 'Waits for its turn';
  if (job.state === 'running') {
    if (job.cancelling) return 'Ends after this file or epoch';
    const left = job.time_left_s === null ? '' : `, about ${lasting(job.time_left_s)} left`;
    return `${percent(job.progress)}${filesDone(result)}${left}`;
  }
  return DONE[job.kind]?.(result) ?? 'Done';
}

function filesDone({ files, added = 0, known = 0, failed = 0 }) {
  return files ? `, ${added + known + failed} of ${many(files, 'file')}` : '';
}

const DONE = {
  ingest: (result) =>
    result.files === undefined
      ? 'Done'
      : `${many(result.added, 'file')} added, ${result.known} known already, ${result.failed} could not be used`,
  reencode: ({ videos }) => `Done: ${many(videos, 'recording')} encoded anew`,
  train: verdictOf,
};

/** Say whether the new model serves, and why: both figures are of videos that were kept out of the training. */
function verdictOf({ adopted, new: after, serving: before, basis }) {
  const figure = ({ mrr, chance }) => `${mrr.toFixed(2)} (chance ${chance.toFixed(2)})`;
  if (!before) return `The new model serves: ${figure(after)} on videos that it was not trained on.`;
  const same = basis === 'same held-out videos';
  const what = same ? 'on the same videos, kept out of training' : 'each on its own held-out videos';
  const found = `before ${figure(before)}, after ${figure(after)}, ${what}`;
  return adopted ? `The new model serves: ${found}.` : `The old model was kept, since it is as good: ${found}.`;
}

function makeMessages({ errors, notes, error_count }, open = false) {
  if (!errors.length && !notes.length) return [];
  const said = [errors.length && many(error_count, 'problem'), notes.length && many(notes.length, 'note')];
  return [
    make(
      'details',
      { class: 'quiet', open },
      make('summary', {}, said.filter(Boolean).join(', ')),
      make(
        'ul',
        { class: 'stack tight' },
        ...errors.map(({ file_name, detail }) => make('li', {}, make('b', {}, file_name), ` ${detail}`)),
        ...notes.map((note) => make('li', {}, note)),
      ),
    ),
  ];
}
