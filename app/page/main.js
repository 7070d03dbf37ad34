// The views and their addresses: #/VIEW?NAME=VALUE. Back works, and a link can be sent.
import { make } from './dom.js';
import { Problem, UNANSWERED, read } from './service.js';
import { showProblem } from './states.js';

const TITLES = {
  ask: 'Ask',
  localize: 'Where in a clip',
  imagine: 'Imagine',
  library: 'Library',
  map: 'Map',
  quality: 'How good is it?',
};
const main = document.getElementById('main');
let closing = new AbortController();
let shown = null;

/** Return the view and the parameters that the address names. */
function place() {
  const [name, query] = location.hash.replace(/^#\/?/, '').split('?');
  return { name: name in TITLES ? name : 'ask', params: new URLSearchParams(query) };
}

/** Throw the Problem for which a view's file did not come; the browser's own words tell nothing but its name. */
async function tellWhy() {
  await read('library'); // a key may have been taken away
  throw new Problem(UNANSWERED);
}

/** Show the view of the address. Its `open(main, params, closed)` draws it; `closed` is aborted when another comes. */
async function show() {
  const { name, params } = place();
  const radio = shown === name && document.activeElement.type === 'radio' ? document.activeElement.name : null;
  closing.abort();
  closing = new AbortController();
  const { signal } = closing;
  document.title = `${TITLES[name]} · Echolens`;
  for (const link of document.querySelectorAll('nav a')) {
    link.ariaCurrent = link.hash === `#/${name}` ? 'page' : null;
  }
  const content = make('div', { class: `view ${name}` });
  main.replaceChildren(content);
  if (shown !== null) main.focus({ preventScroll: true }); // for screen readers and the keyboard
  if (shown !== name) scrollTo(0, 0);
  shown = name;
  try {
    const view = await import(`./${name}.js`).catch(tellWhy);
    if (!signal.aborted) await view.open(content, params, signal);
    if (radio && document.activeElement === main) content.querySelector(`[name=${radio}]:checked`)?.focus();
  } catch (error) {
    if (!signal.aborted) showProblem(content, error, show);
  }
}

addEventListener('hashchange', (event) => {
  if (new URL(event.newURL).hash !== '#main') show(); // the link that skips to the content is no view
});
// A file that misses its target must not replace the page.
addEventListener('dragover', (event) => event.target.type === 'file' || event.preventDefault());
addEventListener('drop', (event) => event.target.type === 'file' || event.preventDefault());
show();
