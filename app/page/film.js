// A film: pictures of a stretch side by side, each cut to its column; of the library, or of a file of this computer.
import { make } from './dom.js';

const COLUMN_PX = 56;
const [FEWEST, MOST] = [4, 12];

/** Return how many pictures a film of a width has. */
export function picturesIn(width_px) {
  return Math.min(MOST, Math.max(FEWEST, Math.round(width_px / COLUMN_PX)));
}

/** Return a canvas of a strip that the service sends: `count` pictures of one width; nothing where there is none. */
export function filmOf(url, count) {
  const film = makeFilm(count);
  const strip = new Image();
  strip.onload = () => {
    const width = strip.naturalWidth / count;
    for (let i = 0; i < count; i++) film.add({ source: strip, left: i * width, width, height: strip.naturalHeight });
  };
  strip.src = url;
  return film.canvas;
}

/** Return a canvas of pictures that the browser takes of a file by itself; null where it cannot show any. */
export async function filmOfFile(url, { from_s, length_s }, count, closed) {
  const video = make('video', { muted: true, preload: 'auto', src: url });
  if (!(await came(video, 'loadeddata')) || !video.videoWidth) return null;
  const film = makeFilm(count);
  const take = async () => {
    for (let i = 0; i < count && !closed.aborted; i++) {
      video.currentTime = Math.min(video.duration, from_s + ((i + 0.5) * length_s) / count);
      if (!(await came(video, 'seeked'))) break;
      const source = await createImageBitmap(video);
      film.add({ source, left: 0, width: source.width, height: source.height });
    }
    video.removeAttribute('src');
  };
  take(); // they come one by one, and nothing waits for them
  return film.canvas;
}

function came(video, event) {
  return new Promise((done) => {
    video.addEventListener(event, () => done(true), { once: true });
    video.addEventListener('error', () => done(false), { once: true });
  });
}

function makeFilm(count) {
  const canvas = make('canvas', { class: 'film' });
  const pictures = [];
  const redraw = () => draw(canvas, pictures, count);
  new ResizeObserver(redraw).observe(canvas);
  const add = (picture) => {
    pictures.push(picture);
    canvas.dataset.frames = pictures.length;
    redraw();
  };
  return { canvas, add };
}

/** Draw pictures in their columns: each fills its own, and what is too wide or too high is cut off on both sides. */
function draw(canvas, pictures, count) {
  const ratio = devicePixelRatio;
  [canvas.width, canvas.height] = [canvas.clientWidth * ratio, canvas.clientHeight * ratio];
  const [wide, high] = [canvas.width / count, canvas.height];
  if (!wide || !high) return;
  const pen = canvas.getContext('2d');
  pictures.forEach(({ source, left, width, height }, i) => {
    const scale = Math.max(wide / width, high / height);
    const [w, h] = [wide / scale, high / scale];
    pen.drawImage(source, left + (width - w) / 2, (height - h) / 2, w, h, wide * i, 0, wide, high);
  });
}
