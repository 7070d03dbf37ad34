// Ask: a sound, a picture, a video, a second of the library or words; then the hits.
import { makeAnswer } from './answer.js';
import { makeAsked } from './asked.js';
import { address, make } from './dom.js';
import { makeFilters } from './filters.js';
import { openStart } from './start.js';
import { showProblem } from './states.js';

const ASKED = ['file', 'segment', 'text'];

export async function open(main, params, closed) {
  const question = Object.fromEntries(params);
  if (!ASKED.some((name) => question[name])) return openStart(main, closed);
  const side = make('section', { class: 'stack', 'aria-label': 'The question' });
  const answer = makeAnswer(closed);
  main.replaceChildren(make('div', { class: 'sides' }, side, answer.node));

  const search = () => answer.ask(question, asked.fields, filters.fields());
  let moving = false;
  const change = (changed) => {
    Object.assign(question, changed);
    const again = moving; // a window that moves key by key is one step of Back
    moving = 'at' in changed;
    history[again && moving ? 'replaceState' : 'pushState'](null, '', address('ask', question));
    search();
  };
  const filters = makeFilters(question, change);
  let asked;
  try {
    asked = await makeAsked(question, change, closed);
  } catch (error) {
    if (!closed.aborted) showProblem(main, error, () => (location.hash = address('ask')));
    return;
  }
  side.append(
    make(
      'div',
      { class: 'row' },
      make('h1', { class: 'small' }, 'You ask'),
      make('a', { class: 'end', href: address('ask') }, 'Ask something else'),
    ),
    asked.node,
    filters.node,
  );
  search();
}
