// A clip of this computer: it is sent with each question and may last a minute. A longer one belongs in the library.
import { address, make } from './dom.js';
import { durationOf } from './duration.js';
import { facts } from './facts.js';
import { checkSize } from './file-size.js';
import { filmOfFile } from './film.js';
import { MINUTE_S } from './minute.js';
import { openScene } from './scene.js';
import { showUploads, uploadAll } from './upload-queue.js';
import { peaksOf } from './waveform.js';
import { clock } from './words.js';

const GUESSED_S = 3; // of a file that the browser cannot read: so much is asked, and the answer tells how long it is

export async function openOwnClip(main, file, question, closed) {
  checkSize(file, (await facts()).most_upload_bytes);
  const url = URL.createObjectURL(file);
  closed.addEventListener('abort', () => URL.revokeObjectURL(url));
  const lasts_s = await durationOf(make('video', { preload: 'metadata', src: url }));
  if (isTooLong(lasts_s)) return offerToAdd(main, file, clock(lasts_s), closed);
  const sound = await peaksOf(file);
  const known_s = lasts_s ?? sound?.duration_s;
  if (isTooLong(known_s)) return offerToAdd(main, file, clock(known_s), closed);
  await openScene(main, question, closed, {
    name: file.name,
    duration_s: known_s === undefined ? GUESSED_S : Math.max(1, Math.round(known_s)),
    isGuessed: known_s === undefined,
    original: url,
    isGone: async () => false,
    excerpt: () => null,
    peaks: async (from_s, length_s) => (sound ? part(sound, from_s, length_s) : []),
    film: (minute, count) => filmOfFile(url, minute, count, closed),
    asked: () => ({ video: file }),
    onrefused: (error) => {
      if (error.code === 'too_long') offerToAdd(main, file, 'over a minute', closed);
      return error.code === 'too_long';
    },
  });
}

function isTooLong(duration_s) {
  return Math.round(duration_s ?? 0) > MINUTE_S;
}

function part({ peaks, duration_s }, from_s, length_s) {
  const per_s = peaks.length / duration_s;
  return peaks.slice(Math.floor(from_s * per_s), Math.ceil((from_s + length_s) * per_s));
}

/** Say that a file is too long, and take it into the library, where any minute of it can be asked. */
async function offerToAdd(main, file, lasts, closed) {
  const { scope, most_upload_bytes } = await facts();
  if (closed.aborted) return;
  const open = (video_id) => closed.aborted || (location.hash = address('localize', { video: video_id }));
  const add = make('button', { type: 'button', class: 'main' }, 'Add it to the library');
  add.onclick = () => {
    add.replaceWith(showUploads(() => {}, closed));
    uploadAll([file], {}, most_upload_bytes, open);
  };
  main.replaceChildren(
    make(
      'div',
      { class: 'empty' },
      make('h1', { class: 'name' }, file.name),
      make(
        'p',
        {},
        `It lasts ${lasts}. A file of this computer may last a minute, and cannot be cut here. In the library it may `,
        'be of any length: then any minute of it can be asked.',
      ),
      scope === 'admin' ? add : make('p', { class: 'quiet' }, 'Your key may not add to the library: ask who runs it.'),
      make('a', { href: address('localize') }, 'Choose another'),
    ),
  );
}
