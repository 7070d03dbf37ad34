// What the library is and can do; asked once for all views, and again a while after.
import { read } from './service.js';

const FRESH_MS = 10_000;
let known = null;
let since = 0;

/** Return the answer of GET /library, at most ten seconds old. Throws Problem. */
export function facts() {
  if (!known || performance.now() - since > FRESH_MS) {
    since = performance.now();
    known = read('library');
    known.catch(() => (known = null));
  }
  return known;
}

/** Forget what is known, since something was added, changed or deleted. */
export function forgetFacts() {
  known = null;
}
