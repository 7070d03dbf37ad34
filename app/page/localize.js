// Where in a clip: of a video of the library, the minute that is looked at; or a clip of this computer.
import { address, icon, make } from './dom.js';
import { makeDrop } from './drop.js';
import { filmOf } from './film.js';
import { openOwnClip } from './own-clip.js';
import { keep, kept } from './question.js';
import { openScene } from './scene.js';
import { read } from './service.js';
import { showEmpty, showProblem } from './states.js';
import { byFinger, clock } from './words.js';

const SHOWN = 60;

export async function open(main, params, closed) {
  const question = Object.fromEntries(params);
  if (question.video) return openStored(main, question, closed);
  const file = kept(question.file);
  if (file) return openOwnClip(main, file, question, closed);
  return openChoice(main, closed);
}

async function openStored(main, question, closed) {
  const video = await read(`videos/${encodeURIComponent(question.video)}`, { segments: false }, closed);
  if (!video.has_sound || !video.has_picture) {
    const lacks = video.has_sound ? 'picture' : 'sound';
    const text = `${video.file_name} has no ${lacks}. Where in it something is seen or heard needs both.`;
    const choose = make('a', { class: 'button', href: address('localize') }, 'Choose another');
    return showEmpty(main, `No ${lacks}`, text, choose);
  }
  const here = `videos/${video.video_id}`;
  await openScene(main, question, closed, {
    name: video.file_name,
    duration_s: Math.max(1, Math.round(video.duration_s)),
    isGuessed: false,
    original: video.original,
    isGone: () => isGone(video),
    excerpt: (from_s, to_s) => `${here}/excerpt?start_s=${from_s}&end_s=${to_s}`,
    peaks: async (from_s, length_s, per_s) =>
      (await read(`videos/${video.video_id}/peaks`, { start_s: from_s, length_s, per_s }, closed)).peaks,
    film: ({ from_s, length_s }, frames) =>
      filmOf(`${here}/filmstrip.jpg?start_s=${from_s}&length_s=${length_s}&frames=${frames}&height=72`, frames),
    asked: ({ from_s, length_s }) => ({ video_id: video.video_id, from_s, length_s }),
    onrefused: () => false,
  });
}

/** Say whether the file of a video is not where it was taken in from; the library may not have noticed yet. */
async function isGone(video) {
  if (video.missing) return true;
  const answer = await fetch(video.original, { method: 'HEAD' }).catch(() => null);
  return answer?.status === 404;
}

async function openChoice(main, closed) {
  const list = make('ul', { class: 'cards' });
  const search = make('input', { type: 'search', placeholder: 'Search by name', ariaLabel: 'Search by name' });
  const look = async () => {
    try {
      const { videos } = await read('videos', { limit: SHOWN, q: search.value }, closed);
      const usable = videos.filter((video) => video.has_sound && video.has_picture);
      list.replaceChildren(...usable.map(makeChoice));
      if (!usable.length) list.append(makeNothing(search.value));
    } catch (error) {
      if (!closed.aborted) showProblem(list, error, look);
    }
  };
  search.oninput = look;
  main.replaceChildren(
    make(
      'section',
      { class: 'stack start' },
      make('h1', {}, 'Where in a clip?'),
      make('p', {}, 'You hear it: where do you see it? You see it: where do you hear it?'),
      makeDrop({
        title: `${byFinger ? 'Choose' : 'Drop'} a video of at most a minute`,
        hint: `${byFinger ? '' : 'or click to choose one; '}or take one of your library below, of any length`,
        accept: 'video/*',
        ontake: ([file]) => (location.hash = address('localize', { file: keep(file) })),
      }),
    ),
    make('div', { class: 'row' }, make('h2', {}, 'Of your library'), make('div', { class: 'end' }, search)),
    list,
  );
  await look();
}

/** Return what stands where no recording does; without a search there is none that could be asked. */
function makeNothing(searched) {
  const add = make('a', { class: 'button main', href: address('library') }, 'Add footage');
  const text = make('p', { class: 'quiet' }, 'No recording with sound and picture found.');
  return make('li', { class: 'stack tight' }, text, !searched && make('div', {}, add));
}

function makeChoice(video) {
  return make(
    'li',
    { class: 'card' },
    make(
      'a',
      { class: 'shot', href: address('localize', { video: video.video_id }), 'aria-label': `Open ${video.file_name}` },
      video.poster ? make('img', { src: video.poster, alt: '', loading: 'lazy' }) : icon('video'),
    ),
    make('p', { class: 'name', title: video.file_name }, video.file_name),
    make('p', { class: 'quiet' }, clock(video.duration_s)),
  );
}
