// Imagine: the sound and the look that the model makes up for a sound or a picture.
import { address, make } from './dom.js';
import { makeDrop } from './drop.js';
import { facts } from './facts.js';
import { checkSize } from './file-size.js';
import { keep, kept, kindOf } from './question.js';
import { post, read } from './service.js';
import { showEmpty, showLoading, showProblem } from './states.js';
import { byFinger, clock } from './words.js';

export async function open(main, params, closed) {
  const library = await facts();
  if (!library.can_imagine) {
    const text =
      'This library is encoded by a network that recognizes sounds and pictures, but cannot draw or play them. ' +
      'Libraries with the front-end “raw”, such as the demonstration, can.';
    return showEmpty(main, 'This library cannot imagine', text, make('a', { class: 'button', href: '#/ask' }, 'Ask'));
  }
  const file = kept(params.get('file'));
  const result = make('section', { class: 'stack', 'aria-label': 'What the model imagines' });
  main.replaceChildren(
    make(
      'section',
      { class: 'stack start' },
      make('h1', {}, 'What the model imagines'),
      make('p', { class: 'quiet' }, 'It makes up a sound and a picture for what you give it. None of it was recorded.'),
      makeDrop({
        title: `${byFinger ? 'Choose' : 'Drop'} a sound, a picture or a video${byFinger ? '' : ' here'}`,
        hint: byFinger ? 'it asks what belongs to it' : 'or click to choose one',
        accept: 'audio/*,video/*,image/*',
        ontake: ([given]) => (location.hash = address('imagine', { file: keep(given) })),
      }),
    ),
    result,
  );
  if (file || params.get('segment')) await imagine(result, file, params.get('segment'), closed);
}

async function imagine(node, file, segment, closed) {
  showLoading(node, 'Imagining…');
  try {
    const second = segment && (await read(`segments/${encodeURIComponent(segment)}`, {}, closed));
    if (file) checkSize(file, (await facts()).most_upload_bytes);
    const by = second ? (second.links.sound ? 'audio' : 'visual') : kindOf(file) === 'picture' ? 'visual' : 'audio';
    const made = await post('generate', { file, segment_id: segment, query_modality: by }, closed);
    const of = second ? `${second.file_name}, ${clock(second.start_s)}` : file.name;
    node.replaceChildren(
      make('h2', {}, `Imagined for ${of}, by its ${by === 'audio' ? 'sound' : 'look'}`),
      make(
        'div',
        { class: 'cards' },
        made.frame_png && makeImagined('A picture', make('img', { src: data('image/png', made.frame_png), alt: '' })),
        made.sound_wav &&
          makeImagined('A sound', make('audio', { src: data('audio/wav', made.sound_wav), controls: true })),
      ),
    );
  } catch (error) {
    if (!closed.aborted) showProblem(node, error, () => imagine(node, file, segment, closed));
  }
}

function makeImagined(what, medium) {
  medium.classList.add('query');
  const caption = make('figcaption', { class: 'quiet' }, `${what}, imagined`);
  return make('figure', { class: 'panel stack tight' }, medium, caption);
}

/** Return the address of a file that came as base64; the page's policy allows blobs, and no data in addresses. */
function data(type, base64) {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  return URL.createObjectURL(new Blob([bytes], { type }));
}
