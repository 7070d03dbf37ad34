// One of several: radio buttons side by side.
import { make } from './dom.js';

/** Return a choice. `choices`: { value: text }; `onpick(value)`; `unseen`: the title is for screen readers alone. */
export function makePick({ title, name, choices, chosen, onpick, unseen = false }) {
  const options = Object.entries(choices).map(([value, text]) => {
    const input = make('input', { type: 'radio', name, value, checked: value === chosen });
    input.onchange = () => onpick(value);
    return make('label', {}, input, text);
  });
  const legend = make('legend', { class: unseen ? 'unseen' : null }, title);
  return make('fieldset', {}, legend, make('div', { class: 'pick' }, options));
}
