// Library: what it is, adding footage, work that goes on, and the list of recordings.
import { make } from './dom.js';
import { facts, forgetFacts } from './facts.js';
import { makeJobs } from './jobs.js';
import { makeLibraryCard } from './library-card.js';
import { makeUploads } from './uploads.js';
import { makeVideoList } from './video-list.js';

export async function open(main, params, closed) {
  const library = await facts();
  const may = library.scope === 'admin';
  const card = make('section', { class: 'panel stack', 'aria-label': 'The library' });
  const draw = async () => card.replaceChildren(...makeLibraryCard(await facts(), jobs.start, may));
  const changed = () => {
    forgetFacts();
    list.reload();
    draw().catch(() => {}); // the next change draws it anew
  };
  const jobs = makeJobs({ may, changed, closed });
  const list = makeVideoList({ may, changed, closed });
  const uploads = may ? makeUploads({ library, start: jobs.start, changed, closed }) : null;
  main.replaceChildren(
    make(
      'div',
      { class: 'sides' },
      make('div', { class: 'stack' }, card, uploads, jobs.node),
      make('section', { class: 'stack', 'aria-label': 'Recordings' }, list.node),
    ),
  );
  await draw();
  if (params.get('own')) uploads?.querySelector('input').focus();
}
