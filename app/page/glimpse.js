// A glimpse of a moment: its picture moves, without sound, while a pointer rests on it. One at a time.
import { make } from './dom.js';
import { kindOf } from './question.js';

const REST_MS = 250; // a pointer that passes by plays nothing
const AFTER_S = 4; // it goes on so long behind the moment, then begins again
const SPARING = '(prefers-reduced-motion: reduce), (prefers-reduced-data: reduce)';
let shown = null;

/** Show a glimpse of `moment` over its picture while a mouse rests there, until `closed`. A touch plays it at once. */
export function glimpseOnHover(picture, moment, closed) {
  let waiting;
  const leave = () => {
    clearTimeout(waiting);
    if (picture.contains(shown)) endGlimpse();
  };
  picture.addEventListener('pointerenter', ({ pointerType }) => {
    clearTimeout(waiting);
    if (pointerType === 'mouse') waiting = setTimeout(() => startGlimpse(picture, moment, closed), REST_MS);
  });
  picture.addEventListener('pointerleave', leave);
  picture.addEventListener('click', leave);
}

/**
 * Play `moment` ({ video_id, file_name, start_s, end_s }) over `picture`, again and again; return the video. Return
 * null where a person spares motion or data, or nothing moves. What the browser cannot play comes as an excerpt.
 */
export function startGlimpse(picture, moment, closed) {
  endGlimpse();
  if (closed.aborted || spares() || kindOf({ type: '', name: moment.file_name }) === 'picture') return null;
  const there = `videos/${moment.video_id}`;
  const to_s = moment.end_s + AFTER_S;
  let from_s = moment.start_s;
  const video = make('video', { class: 'glimpse', muted: true, autoplay: true, playsInline: true, ariaHidden: 'true' });
  const takeExcerpt = () => {
    if (video.src.includes('/excerpt?')) return endGlimpse();
    video.src = `${there}/excerpt?start_s=${from_s}&end_s=${to_s}`;
    from_s = 0;
    return undefined;
  };
  const again = () => {
    video.currentTime = from_s;
    video.play().catch(() => {}); // it was taken away meanwhile
  };
  video.onerror = takeExcerpt;
  video.onloadedmetadata = () => video.videoWidth || takeExcerpt(); // only its sound can be decoded here
  video.onplaying = () => video.classList.add('moves');
  video.ontimeupdate = () => video.currentTime > to_s && again();
  video.onended = again;
  video.src = `${there}/original#t=${from_s}`;
  picture.insertBefore(video, picture.querySelector('.over'));
  shown = video;
  closed.addEventListener('abort', endGlimpse);
  return video;
}

/** Take the glimpse away, and what was loaded of it. */
export function endGlimpse() {
  if (!shown) return;
  shown.onerror = null;
  shown.pause();
  shown.removeAttribute('src');
  shown.load();
  shown.remove();
  shown = null;
}

function spares() {
  return matchMedia(SPARING).matches || Boolean(navigator.connection?.saveData);
}
