// What may be found: a label, a name, a folder, dates of the files, one video alone, one hit a video or all.
import { icon, make } from './dom.js';
import { facts } from './facts.js';

const FIELDS = {
  label: { title: 'Label', attributes: { type: 'text', maxLength: 200 } },
  name: { title: 'In the file name', attributes: { type: 'text', maxLength: 200 } },
  folder: { title: 'In the folder', attributes: { type: 'text', maxLength: 4000 } },
  modified_after: { title: 'File from', attributes: { type: 'date' } },
  modified_before: { title: 'File until', attributes: { type: 'date' } },
};
const SAID = {
  label: (value) => `label ${value}`,
  name: (value) => `“${value}” in the name`,
  folder: (value) => `folder ${value}`,
  modified_after: (value) => `from ${value}`,
  modified_before: (value) => `until ${value}`,
  video: () => 'this video alone',
  every: () => 'all seconds of each video',
};
const LATER_DAYS = { modified_after: 0, modified_before: 1 }; // the last day is asked with all its hours

/**
 * Return { node, fields() }. `question` holds what the address says; `change({name: value})` is called when a person
 * changes a filter. Those that are set are shown as chips, which take them away.
 */
export function makeFilters(question, change) {
  const chips = make('div', { class: 'row' });
  const labels = make('datalist', { id: 'labels' });
  const folders = make('datalist', { id: 'folders' });
  const lists = { label: 'labels', folder: 'folders' };
  const set = (name, value) => {
    question[name] = value || undefined;
    if (!value) delete question[name];
    drawChips();
    change({});
  };
  const inputs = Object.entries(FIELDS).map(([name, { title, attributes }]) => {
    const input = make('input', { ...attributes, list: lists[name], value: question[name] ?? '' });
    input.onchange = () => set(name, input.value.trim());
    return make('label', { class: 'stack tight quiet' }, title, input);
  });
  const every = make('input', { type: 'checkbox', checked: !question.every });
  every.onchange = () => set('every', every.checked ? '' : '1');

  function drawChips() {
    const given = Object.keys(SAID).filter((name) => question[name]);
    chips.replaceChildren(...given.map((name) => makeChip(SAID[name](question[name]), () => clear(name))));
    chips.hidden = !given.length;
  }
  const clear = (name) => {
    if (name === 'every') every.checked = true;
    const at = Object.keys(FIELDS).indexOf(name);
    if (at >= 0) inputs[at].querySelector('input').value = '';
    set(name, '');
    (chips.firstChild ?? every).focus(); // its own chip is gone
  };

  drawChips();
  facts().then(
    (library) => {
      labels.replaceChildren(...library.labels.map(({ label }) => make('option', { value: label })));
      folders.replaceChildren(...library.folders.map(({ folder }) => make('option', { value: folder })));
    },
    () => {}, // without suggestions the fields still work
  );
  const node = make(
    'div',
    { class: 'stack tight' },
    chips,
    make('label', { class: 'row' }, every, 'Only the best second of each video'),
    make(
      'details',
      {},
      make('summary', {}, 'Narrow it down'),
      make('div', { class: 'stack tight' }, ...inputs, labels, folders),
    ),
  );
  const fields = () => Object.fromEntries(Object.keys(FIELDS).map((name) => [name, sent(name, question[name])]));
  return { node, fields };
}

/** Return a filter as the service takes it: a day of this place begins at a moment, and ends where the next begins. */
function sent(name, value) {
  if (!value || !(name in LATER_DAYS)) return value;
  const day = new Date(`${value}T00:00`);
  if (Number.isNaN(day.valueOf())) return value; // the service says what is wrong with it
  day.setDate(day.getDate() + LATER_DAYS[name]);
  return day.toISOString();
}

function makeChip(text, remove) {
  return make(
    'button',
    { type: 'button', class: 'chip', 'aria-label': `Remove the filter: ${text}`, onclick: remove },
    text,
    icon('close'),
  );
}
