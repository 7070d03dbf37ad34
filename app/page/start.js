// Where asking begins: drop, choose, record, take or type something, or take a second of the library.
import { makeDemonstrationNote } from './demonstration.js';
import { address, icon, make } from './dom.js';
import { listenToPaste, makeDrop } from './drop.js';
import { facts } from './facts.js';
import { askAddress, secondAddress } from './question.js';
import { makeCamera, makeRecorder } from './record.js';
import { read } from './service.js';
import { showEmpty, showProblem } from './states.js';
import { byFinger, clock } from './words.js';

const EXAMPLES = 12;
const CHOOSING = byFinger ? '' : 'or click to choose one, or paste one. ';

export async function openStart(main, closed) {
  const take = ([file]) => (location.hash = askAddress(file));
  const problem = make('p', { class: 'problem', role: 'alert', hidden: true });
  const onproblem = (text) => {
    problem.textContent = text;
    problem.hidden = !text;
  };
  const camera = make('div');
  const words = make('div');
  const examples = make('section', { class: 'stack', 'aria-label': 'Examples' });
  listenToPaste(take, closed);
  main.replaceChildren(
    make(
      'section',
      { class: 'stack start', 'aria-label': 'Ask' },
      make('h1', {}, 'See what you hear, hear what you see'),
      makeDrop({
        title: `${byFinger ? 'Choose' : 'Drop'} a sound, a picture or a video${byFinger ? '' : ' here'}`,
        hint: `${CHOOSING}A sound finds pictures, a picture finds sounds.`,
        accept: 'audio/*,video/*,image/*',
        ontake: take,
      }),
      make(
        'div',
        { class: 'row' },
        makeRecorder({ ontake: (file) => take([file]), onproblem, closed }),
        makeCamera({ ontake: (file) => take([file]), onproblem, place: camera, closed }),
        words,
      ),
      camera,
      problem,
    ),
    examples,
  );
  try {
    const library = await facts();
    if (library.can_text) words.replaceWith(makeWords(library));
    await showExamples(examples, library, closed);
  } catch (error) {
    if (!closed.aborted) showProblem(examples, error, () => openStart(main, closed));
  }
}

function makeWords({ knows_concepts: knowsConcepts }) {
  const placeholder = knowsConcepts ? 'dog barking, not rain' : 'a dog barks'; // a network reads "not" as any word
  const input = make('input', { type: 'text', maxLength: 1000, placeholder });
  const form = make(
    'form',
    { class: 'row words' },
    make('label', { class: 'row' }, make('span', { class: 'quiet' }, 'or say what it is'), input),
    make('button', {}, 'Ask'),
  );
  form.onsubmit = (event) => {
    event.preventDefault();
    if (input.value.trim()) location.hash = address('ask', { text: input.value.trim(), find: 'visual' });
  };
  return form;
}

async function showExamples(node, library, closed) {
  const add = make('a', { class: 'button main', href: address('library', { own: 1 }) }, 'Add your own footage');
  if (!library.videos) {
    showEmpty(node, 'The library is empty', 'Add some recordings: they are all that is searched.', add);
    return;
  }
  const { videos } = await read('videos', { limit: EXAMPLES }, closed);
  const heading = make('h2', {}, 'Or ask with a second of your library');
  const cards = make('ul', { class: 'cards' }, ...videos.filter((video) => !video.missing).map(makeExample));
  node.replaceChildren(...(library.is_demonstration ? [makeDemonstrationNote(library)] : []), heading, cards);
}

/** Return a card that asks with the middle second of a video. */
function makeExample(video) {
  const second = Math.floor(video.duration_s / 2);
  const ask = async () => {
    const { segment_id, links } = await read(`videos/${video.video_id}/seconds/${second}`);
    location.hash = secondAddress(segment_id, links.sound ? 'audio' : 'visual');
  };
  return make(
    'li',
    { class: 'card' },
    make(
      'button',
      { type: 'button', class: 'shot', 'aria-label': `Ask with ${video.file_name}`, onclick: ask },
      video.poster ? make('img', { src: video.poster, alt: '', loading: 'lazy' }) : icon('sound'),
    ),
    make('p', { class: 'name', title: video.file_name }, video.file_name),
    make('p', { class: 'quiet' }, [clock(video.duration_s), video.label].filter(Boolean).join(' · ')),
  );
}
