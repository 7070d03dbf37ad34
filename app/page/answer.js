// The answer to a question: first whether anything matches, then the hits, more of them on scroll.
import { makeDemonstrationNote } from './demonstration.js';
import { address, make, speak } from './dom.js';
import { facts } from './facts.js';
import { makeHit } from './hit.js';
import { post } from './service.js';
import { showLoading, showProblem } from './states.js';
import { makeTakeaway } from './takeaway.js';
import { many, withoutCommand } from './words.js';

const FIRST_HITS = 24;
const MOST_HITS = 1000;
const VERDICTS = {
  strong: (count) => `${count}, best first`,
  fair: (count) => `${count}, best first. The best is a fair match`,
  weak: (count) => `${count}. Only weak matches`,
  nothing: () => 'Nothing here matches',
};

/** Return { node, ask(question, fields, filters) }: the list of hits. `fields()` gives the form fields of the query. */
export function makeAnswer(closed) {
  const node = make('section', { class: 'stack answer', 'aria-label': 'The answer' });
  let asking = new AbortController();

  async function ask(question, fields, filters) {
    asking.abort();
    asking = new AbortController();
    const signal = AbortSignal.any([asking.signal, closed]);
    showLoading(node, 'Searching…');
    try {
      const answered = async (k) => post('retrieve', { ...(await fields()), ...asked(question, filters), k }, signal);
      const [answer, library] = await Promise.all([answered(FIRST_HITS), facts().catch(() => null)]);
      show({ node, question, library, answer, answered, signal });
    } catch (error) {
      if (!signal.aborted) showProblem(node, error, () => ask(question, fields, filters));
    }
  }
  return { node, ask };
}

function asked(question, filters) {
  return {
    target: question.find,
    group_by: question.every ? 'segment' : 'video',
    fold_twins: true,
    video_id: question.video,
    ...filters,
  };
}

function show({ node, question, library, answer, answered, signal }) {
  const noun = question.find === 'visual' ? 'picture' : 'sound';
  const title = answer.verdict
    ? VERDICTS[answer.verdict](many(answer.hits.length, noun))
    : `${many(answer.hits.length, noun)}, nearest first`;
  const list = make('ol', { class: 'cards hits' });
  const context = { question, answer, library, nearest: answer.hits[0]?.distance, closed: signal };
  const add = (hits) => list.append(...hits.map((hit) => makeHit(hit, context)));
  const heading = make('h2', {}, answer.hits.length ? title : 'Nothing found');
  const isForeign = library?.is_demonstration && !question.segment; // it was asked by what is not the demonstration's
  node.replaceChildren(
    make('div', { class: 'row' }, heading, answer.hits.length ? makeTakeaway(question, list) : null),
    ...(isForeign ? [makeDemonstrationNote(library)] : []),
    ...told(answer),
    list,
  );
  speak(heading.textContent);
  if (!answer.hits.length) {
    list.replaceWith(make('p', { class: 'quiet' }, 'No second of the library passes these filters.'));
    return;
  }
  add(answer.hits);
  addMore({ node, list, add, count: answer.hits.length, answered, signal });
}

/** Return the lines between the heading and the hits. */
function told(answer) {
  const concepts = answer.query.concepts.map(({ concept }) => concept).join(', ');
  return [
    answer.verdict === 'nothing' && answer.hits.length && make('p', {}, 'The least far are:'),
    !answer.verdict && answer.hits.length && make(
      'p',
      { class: 'quiet' },
      'This model cannot tell a match from none: the longer a bar, the nearer, compared with the first.',
    ),
    concepts && make('p', { class: 'quiet' }, `Understood as: ${concepts}`),
    ...answer.warnings.map(makeWarning),
    ...answer.notes.map((text) => make('p', { class: 'quiet' }, text)),
  ].filter(Boolean);
}

/** Return a warning, which is about the model: the library's own view offers another. */
function makeWarning(text) {
  const link = make('a', { href: address('library') }, 'What to do');
  return make('p', { class: 'problem' }, `${withoutCommand(text)}. `, link);
}

/** Fetch more hits when the end of the list comes into view; the service answers from the first hit each time. */
function addMore({ node, list, add, count, answered, signal }) {
  if (count < FIRST_HITS) return; // all there are
  const end = make('p', { class: 'quiet', role: 'status' }, 'More…');
  node.append(end);
  let shown = count;
  let busy = false;
  const watcher = new IntersectionObserver(async ([entry]) => {
    if (!entry.isIntersecting || busy) return;
    busy = true;
    try {
      const k = Math.min(MOST_HITS, 2 * shown);
      const { hits } = await answered(k);
      add(hits.slice(shown));
      const ended = hits.length < k || k === MOST_HITS;
      shown = hits.length;
      if (ended) finish(`All ${many(shown, 'hit')} are shown.`);
    } catch (error) {
      if (!signal.aborted) finish(error.message);
    }
    busy = false;
    watcher.unobserve(end);
    watcher.observe(end); // it may still be in view
  });
  const finish = (text) => {
    end.textContent = text;
    watcher.disconnect();
  };
  signal.addEventListener('abort', () => watcher.disconnect());
  watcher.observe(end);
}
