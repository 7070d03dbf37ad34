// Hits to take away: a table, or an edit list that an editing program opens; those that are marked, else all shown.
import { make, speak } from './dom.js';
import { fetchFile } from './service.js';
import { many } from './words.js';

const FORMATS = {
  csv: 'Table (CSV)',
  edl: 'Edit list (CMX 3600 EDL)',
  fcpxml: 'Edit list (Final Cut Pro XML)',
};

/** Return a menu. `list`: the list of hits, each item with its `hit` and a box to mark it. */
export function makeTakeaway(question, list) {
  const said = make('p', { class: 'quiet', role: 'status' });
  const take = async (format) => {
    const items = [...list.children];
    const marked = items.filter((item) => item.querySelector('.mark')?.checked);
    const hits = (marked.length ? marked : items).map((item) => item.hit);
    said.textContent = `Writing ${many(hits.length, 'hit')}…`;
    try {
      save(await fetchFile('edit-list', { method: 'POST', ...asked(format, question, hits) }));
      said.textContent = `${many(hits.length, 'hit')} written`;
      close();
    } catch (error) {
      said.textContent = error.message;
    }
    speak(said.textContent);
  };
  const buttons = Object.entries(FORMATS).map(([format, title]) =>
    make('button', { type: 'button', onclick: () => take(format) }, title),
  );
  const head = make('summary', { class: 'button' }, 'Take away');
  const menu = make(
    'details',
    { class: 'menu' },
    head,
    make('div', { class: 'panel stack tight' }, 'The marked hits, or all that are shown, as', ...buttons),
  );
  const close = () => {
    menu.open = false;
    head.focus();
  };
  menu.onkeydown = (event) => {
    if (event.key === 'Escape') close();
  };
  return make('div', { class: 'row end' }, said, menu);
}

/** Let the browser save a file. */
export function save(file) {
  const url = URL.createObjectURL(file);
  make('a', { href: url, download: file.name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

function asked(format, question, hits) {
  const cuts = hits.map(({ video_id, start_s, end_s, label }) => ({ video_id, start_s, end_s, note: label }));
  const title = question.text ?? 'Echolens';
  return { body: JSON.stringify({ format, title, cuts }), headers: { 'Content-Type': 'application/json' } };
}
