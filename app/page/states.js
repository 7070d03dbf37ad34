// What stands where an answer will: something is loading, there is nothing, or something went wrong.
import { address, make, speak } from './dom.js';
import { withoutCommand } from './words.js';

const NEEDS_FOOTAGE = ['empty_library', 'untrained_library', 'checkpoint_mismatch', 'front_end'];

/** Show that something is being fetched; it appears only where that takes a moment. */
export function showLoading(node, text = 'Loading…') {
  node.replaceChildren(make('p', { class: 'loading quiet' }, text));
}

/** Show that there is nothing, and what to do: `actions` are links or buttons. */
export function showEmpty(node, title, text, ...actions) {
  node.replaceChildren(
    make('div', { class: 'empty' }, make('h2', {}, title), make('p', { class: 'quiet' }, text), ...actions),
  );
}

/** Show what went wrong, and offer to try again. */
export function showProblem(node, error, again) {
  const reload = error.status === 401;
  const retry = reload ? () => location.reload() : again;
  speak(error.message);
  node.replaceChildren(
    make(
      'div',
      { class: 'problem', role: 'alert' },
      make('p', {}, withoutCommand(error.message)),
      NEEDS_FOOTAGE.includes(error.code) && make('a', { class: 'button', href: address('library') }, 'To the library'),
      retry && make('button', { type: 'button', onclick: retry }, reload ? 'Reload the page' : 'Try again'),
    ),
  );
}
