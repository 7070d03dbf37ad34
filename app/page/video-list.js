// The list of recordings. Only the rows in view are in the document, so that ten thousand scroll as ten do.
import { address, icon, make, put, speak } from './dom.js';
import { read, send } from './service.js';
import { showProblem } from './states.js';
import { clock, many, percent } from './words.js';

const MARGIN_ROWS = 6; // kept above and below the view
const PAGE = 500;
const TYPING_MS = 250;
const WHAT_STAYS = 'An uploaded file goes with it; one that was taken in where it lies stays there.';

/** Return { node, reload() }. `may`: whether labels may be changed and recordings deleted; `changed()`: one was. */
export function makeVideoList({ may, changed, closed }) {
  const search = make('input', { type: 'search', placeholder: 'Search by name', ariaLabel: 'Search by name' });
  const label = make('input', { type: 'search', placeholder: 'Label', ariaLabel: 'Only with this label' });
  const count = make('h2', {}, 'Recordings');
  const rows = make('ul', { class: 'rows' });
  const space = make('div', { class: 'space' }, rows);
  const problem = make('div');
  const node = make(
    'div',
    { class: 'stack' },
    make('div', { class: 'row' }, count, make('div', { class: 'row end' }, search, label)),
    problem,
    space,
  );
  let videos = [];
  let total = 0;
  let next = null;
  let fetching = null;
  let asking = new AbortController();

  async function reload() {
    asking.abort();
    asking = new AbortController();
    [videos, total, next, fetching] = [[], 0, null, null];
    await more();
    problem.replaceChildren();
    draw();
  }

  /** Fetch the next page; calls that come meanwhile wait for the same one. */
  function more() {
    const { signal } = asking;
    fetching ??= read('videos', { limit: PAGE, cursor: next, q: search.value, label: label.value }, signal).then(
      (page) => {
        videos = videos.concat(page.videos);
        page.videos.forEach(renew);
        [total, next, fetching] = [page.total, page.next, null];
        count.textContent = many(total, 'recording');
        space.style.height = `calc(${total} * var(--row))`;
      },
      (error) => {
        if (signal.aborted || closed.aborted) return;
        fetching = null;
        if (error.code === 'cursor_expired') reload(); // one before was deleted meanwhile
        else showProblem(problem, error, reload);
        throw error;
      },
    );
    return fetching;
  }

  /** Forget the row of a video that is not as it was. */
  function renew(video) {
    const kept = drawn.get(video.video_id);
    if (kept && !kept.isEditor && JSON.stringify(kept.video) !== JSON.stringify(video)) drawn.delete(video.video_id);
  }

  const drawn = new Map(); // rows and editors in the document, by video
  function draw() {
    const top = -space.getBoundingClientRect().top;
    const row_px = space.clientHeight / total || 1; // a phone has higher rows, and large text too
    const first = Math.max(0, Math.floor(top / row_px) - MARGIN_ROWS);
    const last = Math.min(total, Math.ceil((top + innerHeight) / row_px) + MARGIN_ROWS);
    if (last > videos.length && next) more().then(draw, () => {});
    const shown = videos.slice(first, last);
    rows.style.transform = `translateY(calc(${first} * var(--row)))`;
    put(
      rows,
      shown.map((video) => (drawn.get(video.video_id) ?? keep(video)).node),
    );
    const ids = new Set(shown.map(({ video_id }) => video_id));
    for (const [id, { isEditor }] of drawn) if (!ids.has(id) && !isEditor) drawn.delete(id);
  }

  /** Make a video's row, and keep it while it is in view. */
  function keep(video) {
    const kept = { video, node: makeRow(video, { may, edit, remove }) };
    drawn.set(video.video_id, kept);
    return kept;
  }

  function edit(video) {
    drawn.set(video.video_id, { isEditor: true, node: makeEditor(video, save, () => endEditing(video)) });
    draw();
  }

  function endEditing({ video_id }) {
    drawn.delete(video_id);
    draw();
    buttonsOf({ video_id })[0]?.focus();
  }

  /** Return the buttons of a video's row; none where it is not in view. */
  function buttonsOf(video) {
    return [...(drawn.get(video?.video_id)?.node.querySelectorAll('button') ?? [])];
  }

  async function save(video, change) {
    const saved = await send('PATCH', `videos/${video.video_id}`, change);
    videos = videos.map((one) => (one.video_id === saved.video_id ? saved : one));
    endEditing(saved);
    changed();
  }
  async function remove(video) {
    if (!confirm(`Delete ${video.file_name} from the library? ${WHAT_STAYS}`)) return;
    const at = videos.findIndex(({ video_id }) => video_id === video.video_id);
    const next = videos[at + 1] ?? videos[at - 1];
    try {
      await send('DELETE', `videos/${video.video_id}`);
      (buttonsOf(next).at(-1) ?? search).focus();
      speak(`${video.file_name} is deleted`);
      changed();
    } catch (error) {
      showProblem(problem, error, reload);
    }
  }

  let frame = 0;
  const later = () => {
    frame ||= requestAnimationFrame(() => {
      frame = 0;
      draw();
    });
  };
  addEventListener('scroll', later, { signal: closed, passive: true });
  addEventListener('resize', later, { signal: closed });
  let typing;
  search.oninput = label.oninput = () => {
    clearTimeout(typing);
    typing = setTimeout(() => reload().catch(() => {}), TYPING_MS);
  };
  reload().catch(() => {}); // shown where the rows would be
  return { node, reload: () => reload().catch(() => {}) };
}

function makeRow(video, { may, edit, remove }) {
  const row = make('li', { class: 'video' });
  const localize = video.has_sound && video.has_picture;
  row.append(
    video.poster
      ? make('img', { src: video.poster, alt: '', loading: 'lazy' })
      : make('span', { class: 'blank' }, icon('sound')),
    make(
      'div',
      {},
      make('p', { class: 'name', title: video.file_name }, video.file_name),
      make('p', { class: 'row quiet' }, ...factsOf(video)),
    ),
    make(
      'div',
      { class: 'row end quiet deeds' },
      localize && makeOpener(video),
      may && makeAction('Label', video, () => edit(video)),
      may && makeAction('Delete', video, () => remove(video)),
    ),
  );
  return row;
}

function makeOpener({ video_id, file_name }) {
  return make('a', { href: address('localize', { video: video_id }), ariaLabel: `Open ${file_name}` }, 'Open');
}

function makeAction(text, video, onclick) {
  return make('button', { type: 'button', class: 'plain', onclick, ariaLabel: `${text} ${video.file_name}` }, text);
}

function factsOf(video) {
  const lost = video.loss_s / video.duration_s;
  return [
    make('span', {}, clock(video.duration_s)),
    video.label && make('span', { class: 'label' }, video.label),
    !video.has_sound && make('span', {}, 'no sound'),
    !video.has_picture && make('span', {}, 'no picture'),
    video.missing && make('span', {}, 'its file is gone: not searched'),
    !video.complete && make('span', {}, 'still being read'),
    lost > 0.001 && make('span', {}, `${percent(lost)} lost`),
  ].filter(Boolean);
}

/** Return a form in place of a row: a label, and from when to when what it names happens. */
function makeEditor(video, save, cancel) {
  const field = (value, attributes) => make('input', { ...attributes, value: value ?? '' });
  const label = field(video.label, { type: 'text', maxLength: 200 });
  const from = field(video.event_start_s, { type: 'number', min: 0, step: 'any' });
  const to = field(video.event_end_s, { type: 'number', min: 0, step: 'any' });
  const problem = make('span', { class: 'problem', role: 'alert', hidden: true });
  const form = make(
    'form',
    { class: 'row' },
    make('label', {}, 'Label ', label),
    make('label', {}, 'from ', from),
    make('label', {}, 'to ', to),
    make('button', { class: 'main' }, 'Save'),
    make('button', { type: 'button', onclick: cancel }, 'Cancel'),
    problem,
  );
  const number = (input) => (input.value === '' ? null : Number(input.value));
  form.onsubmit = async (event) => {
    event.preventDefault();
    try {
      const name = label.value.trim() || null;
      await save(video, { label: name, event_start_s: number(from), event_end_s: number(to) });
    } catch (error) {
      problem.textContent = error.message;
      problem.hidden = false;
    }
  };
  form.onkeydown = (event) => {
    if (event.key === 'Escape') cancel(); // a handler must not return false: that swallows the key
  };
  setTimeout(() => label.focus());
  return make('li', { class: 'video', title: video.file_name }, form);
}
