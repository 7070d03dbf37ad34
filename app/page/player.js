// The player of a clip: the original, or an excerpt of the minute where the browser cannot play that; or why neither.
import { address, make } from './dom.js';

const REST_MS = 300; // who drags the player's handle passes many places

/**
 * Return { node, show(minute, start_s), seek(time_s), play(time_s), onmove, onrest }. `clip`: as of openScene.
 *
 * `show` tells which minute is looked at, and moves there unless `start_s` is left out. `onmove(time_s, paused)` is
 * called while it plays or is sought, `onrest(time_s)` once it was sought or paused.
 */
export function makePlayer(clip, closed) {
  const video = make('video', { controls: true, playsInline: true, preload: 'metadata', ariaLabel: clip.name });
  const said = make('div', { class: 'quiet stack tight', role: 'status' });
  const player = { node: make('div', { class: 'player stack tight' }, video, said), onmove() {}, onrest() {} };
  let minute = null;
  let wanted_s = 0; // where it was last to go
  let shift_s = 0; // an excerpt begins with the minute
  let cut = false; // an excerpt plays
  let resting;

  const load = (url) => (video.src = `${url}#t=${wanted_s - shift_s}`);
  const excerpt = () => clip.excerpt(minute.from_s, minute.end_s);
  player.seek = (time_s) => {
    wanted_s = time_s;
    video.currentTime = time_s - shift_s;
  };
  player.play = (time_s) => {
    player.seek(time_s);
    video.play().catch(() => {}); // the browser may want a press first, or the file is gone
  };
  player.show = (shown, start_s) => {
    const moved = minute?.from_s !== shown.from_s;
    minute = shown;
    if (start_s === undefined) return;
    wanted_s = start_s;
    if (!video.src) load(clip.original);
    else if (cut && moved) loadExcerpt();
    else player.seek(start_s);
  };
  function loadExcerpt() {
    cut = true;
    shift_s = minute.from_s;
    load(excerpt());
  }
  async function fail() {
    if (closed.aborted) return;
    if (!cut && (await clip.isGone())) tellGone();
    else if (!cut && excerpt()) loadExcerpt();
    else tell('This browser cannot play it. Where something is seen or heard is found all the same.');
  }
  function tell(...words) {
    video.hidden = true;
    said.replaceChildren(...words.map((word) => (typeof word === 'string' ? make('p', {}, word) : word)));
  }
  function tellGone() {
    tell(
      `The file of ${clip.name} is no longer where it was taken in from, so nothing can be played.`,
      'What is seen and heard in it is still known: the lanes answer. To play it, put the file back where it was, or ' +
        'add it again from where it is now.',
      make('a', { class: 'button', href: address('library') }, 'To the library'),
    );
  }
  video.onerror = fail;
  video.onloadedmetadata = () => {
    if (video.videoWidth || cut) return;
    if (excerpt()) loadExcerpt(); // such as HEVC: it would sound, and stay black
    else said.replaceChildren('This browser plays its sound, but cannot show its picture.');
  };
  const rest = () => {
    clearTimeout(resting);
    resting = setTimeout(() => closed.aborted || player.onrest(video.currentTime + shift_s), REST_MS);
  };
  video.onseeked = video.onpause = rest;
  video.ontimeupdate = () => player.onmove(video.currentTime + shift_s, video.paused);
  closed.addEventListener('abort', () => video.pause());
  return player;
}
