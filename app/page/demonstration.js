// What the demonstration says of itself, and the way to one's own footage.
import { address, make } from './dom.js';
import { many } from './words.js';

/** Return a note for a library that is the demonstration. */
export function makeDemonstrationNote({ videos }) {
  return make(
    'div',
    { class: 'panel row' },
    make(
      'p',
      {},
      make('b', {}, 'This is a demonstration. '),
      `Its ${many(videos, 'clip')} are drawn and its model knows nothing else: a real dog finds no dog here.`,
    ),
    make('a', { class: 'button main end', href: address('library', { own: 1 }) }, 'Use my own footage'),
  );
}
