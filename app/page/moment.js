// The moment of a hit in its video: it opens in place and plays at its second, with what comes before and after.
import { icon, make } from './dom.js';
import { makeStretchWaveform } from './waveform.js';
import { clock } from './words.js';

const BEFORE_S = 2; // it begins so long before the hit, and goes on after it
const AFTER_S = 6;
let opened = null; // one plays at a time

/**
 * Open the moment of `hit` ({ video_id, file_name, start_s, end_s, links }) in `item`, in place of its picture `shot`.
 * A second call closes it. What the browser cannot play of the original plays as an excerpt that the service makes.
 */
export function openMoment(item, shot, hit, closed) {
  const again = opened?.item === item;
  opened?.close();
  if (again) return;
  const from_s = Math.max(0, hit.start_s - BEFORE_S);
  const excerpt = `videos/${hit.video_id}/excerpt?start_s=${from_s}&end_s=${hit.end_s + AFTER_S}`;
  const original = hit.links.original.split('#')[0];
  const seen = Boolean(hit.links.frame);
  const said = make('p', { class: 'quiet', role: 'status' });
  const player = make(seen ? 'video' : 'audio', { controls: true, playsInline: true, autoplay: true });
  const heard = { video_id: hit.video_id, start_s: from_s, end_s: hit.end_s + AFTER_S, marked: hit };
  const wave = seen ? null : makeStretchWaveform(heard, closed);
  player.ontimeupdate = () => wave?.at(player.currentTime + (player.src.includes('/excerpt?') ? from_s : 0));
  player.poster = hit.links.frame ?? '';
  player.src = `${original}#t=${from_s}`;
  player.ariaLabel = `${hit.file_name}, from ${clock(from_s)}`;
  player.onerror = () => {
    if (player.src.includes('/excerpt?')) {
      said.textContent = 'This moment cannot be played: its file may be gone.';
    } else {
      player.src = excerpt; // AVI, Matroska, ProRes and the like
    }
  };
  player.onloadedmetadata = () => {
    if (seen && !player.videoWidth && !player.src.includes('/excerpt?')) player.src = excerpt; // HEVC: sound over black
  };
  const close = make('button', { type: 'button', class: 'close', 'aria-label': 'Close the player' }, icon('close'));
  const node = make(
    'div',
    { class: 'moment' },
    wave && make('div', { class: 'shot' }, wave.node),
    player,
    close,
    make(
      'p',
      { class: 'row quiet' },
      make('a', { href: excerpt, download: '' }, `Download ${clock(from_s)}–${clock(hit.end_s + AFTER_S)}`),
      make('a', { href: original, target: '_blank', rel: 'noopener' }, 'Whole file'),
    ),
    said,
  );
  const shut = () => {
    player.pause();
    player.removeAttribute('src');
    player.load();
    node.replaceWith(shot);
    shot.setAttribute('aria-expanded', 'false');
    opened = null;
  };
  close.onclick = () => {
    shut();
    shot.focus();
  };
  node.onkeydown = (event) => {
    if (event.key === 'Escape') close.onclick(); // a handler must not return false: that swallows the key
  };
  opened = { item, close: shut };
  shot.setAttribute('aria-expanded', 'true');
  shot.replaceWith(node);
  player.focus();
  player.play().catch(() => {}); // the browser may want a press first
}
