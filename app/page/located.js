// The answer to where something is seen or heard, in words.
import { finely, possible } from './bars.js';
import { make } from './dom.js';
import { clock, stretch, withoutCommand } from './words.js';

const NAMED = 3; // the best windows that have a button

/** Return the nodes. `verbs`: { asked, found }, such as "heard" and "seen"; `onplay(start_s)`. */
export function tellAnswer(found, { asked, found: verb }, onplay) {
  const what = `What is ${asked} at ${stretch(found.compared_start_s, found.compared_end_s)}`;
  const cut = found.compared_end_s - found.compared_start_s < found.query_end_s - found.query_start_s;
  const [title, text] = verdictOf(found, what, verb);
  return [
    make('h2', {}, title),
    text && make('p', {}, text),
    cut && make('p', { class: 'quiet' }, 'Silent ends of what was chosen were left out.'),
    ...found.warnings.map((warning) => make('p', { class: 'problem' }, withoutCommand(warning))),
    ...found.notes.map((note) => make('p', { class: 'quiet' }, note)),
    possible(found) > 1 && makeLikeliest(found, onplay),
  ].filter(Boolean);
}

function verdictOf(found, what, verb) {
  const best = stretch(found.start_s, found.end_s);
  if (found.length_s === 1) {
    return ['There is only one place', `It lasts 1 s: ${what.toLowerCase()} can be ${verb} nowhere else in it.`];
  }
  if (found.windows.length === 1) {
    const short = 'What asks is as long as what is searched. Choose a shorter stretch, or take a longer recording.';
    return ['There is only one place', short];
  }
  if (possible(found) === 1) {
    const elsewhere = verb === 'heard' ? 'everywhere else a second is silent' : 'everywhere else a picture is missing';
    return ['There is only one place', `It is ${best}: ${elsewhere}.`];
  }
  if (found.fit === 'nothing') {
    const like = verb === 'heard' ? 'sounds like' : 'looks like';
    return [`Nothing here ${like} what is ${what.slice('What is '.length)}`, `The least far is at ${best}.`];
  }
  if (!found.stands_out) {
    return ['No window stands out', `${what} is about as likely ${verb} at several places; at ${best} a little more.`];
  }
  if (found.fit === 'weak') {
    return [`${what} may be ${verb} at ${best}`, 'A weak match: many an unrelated recording has one that is as good.'];
  }
  return [`${what} is ${verb} at ${best}`, null];
}

/** Say whether there is a place that can be named. */
export function isFound(found) {
  return found.stands_out && found.fit !== 'nothing';
}

/** Return a button for each of the best windows; those that overlap with a better one are the same place. */
function makeLikeliest(found, onplay) {
  const length_s = found.end_s - found.start_s;
  const ranked = found.windows.filter(({ distance }) => distance !== null);
  ranked.sort((one, two) => two.probability - one.probability);
  const apart = [];
  for (const window of ranked) {
    if (apart.every(({ start_s }) => Math.abs(start_s - window.start_s) >= length_s)) apart.push(window);
  }
  const buttons = apart.slice(0, NAMED).map(({ start_s, probability }) => {
    const onclick = () => onplay(start_s);
    return make('button', { type: 'button', onclick }, `${clock(start_s)} (${finely(probability)})`);
  });
  return make('div', { class: 'row' }, make('span', { class: 'quiet' }, 'The likeliest places:'), ...buttons);
}
