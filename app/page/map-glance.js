// What is seen and heard of a point of the map, beside it: its picture moves, its sound is a waveform; Space plays it.
import { make } from './dom.js';
import { endGlimpse, startGlimpse } from './glimpse.js';
import { kindOf, secondAddress } from './question.js';
import { makeStretchWaveform } from './waveform.js';

const REST_MS = 120; // a pointer that passes by loads nothing
const AROUND_S = 2; // of a sound, so much is drawn before and after its second
const AFTER_S = 3; // it is heard so long
const [WIDE_PX, HIGH_PX, GAP_PX] = [224, 284, 14];
const FIELDS = 'input, button, summary, a, select, textarea';

/** Return { node, show(point, at, options), hide() }. `inWords(point)`; `hears()`: do sounds play by themselves? */
export function makeGlance(inWords, hears, closed) {
  const node = make('div', { class: 'glance panel stack tight', hidden: true });
  const player = new Audio();
  let point = null;
  let waiting;
  let glimpse = null;
  let wave = null;

  function hide() {
    clearTimeout(waiting);
    player.pause();
    endGlimpse();
    point = glimpse = wave = null;
    node.hidden = true;
  }

  /** Show a point beside a place of the plane. `tapped`: by a finger, which cannot hover; it asks by a link. */
  function show(shown, [x, y], { tapped = false } = {}) {
    const { clientWidth, clientHeight } = node.parentElement;
    node.style.left = `${Math.max(0, x + GAP_PX + WIDE_PX > clientWidth ? x - GAP_PX - WIDE_PX : x + GAP_PX)}px`;
    node.style.top = `${Math.max(0, Math.min(y + GAP_PX, clientHeight - HIGH_PX))}px`;
    if (shown === point) return;
    hide();
    point = shown;
    waiting = setTimeout(() => draw(tapped), tapped ? 0 : REST_MS);
  }

  function draw(tapped) {
    const moment = { ...point, end_s: point.start_s + 1 };
    const shot = make('div', { class: 'shot' });
    const ask = make('a', { href: secondAddress(point.segment_id, point.modality) }, 'Ask with it');
    const hear = make('button', { type: 'button', onclick: toggle }, 'Play');
    const plays = !isPicture(point);
    const keys = plays ? 'Space plays it, a click asks with it.' : 'A click asks with it.';
    node.replaceChildren(
      shot,
      make('p', { class: 'quiet' }, inWords(point)),
      tapped ? make('div', { class: 'row' }, plays && hear, ask) : make('p', { class: 'quiet' }, keys),
    );
    node.classList.toggle('tapped', tapped);
    node.hidden = false;
    if (point.modality === 'visual') {
      shot.append(make('img', { src: `segments/${point.segment_id}/frame.jpg`, alt: '' }));
      glimpse = startGlimpse(shot, moment, closed);
      return;
    }
    const [start_s, end_s] = [Math.max(0, moment.start_s - AROUND_S), moment.end_s + AROUND_S];
    wave = makeStretchWaveform({ video_id: point.video_id, start_s, end_s, marked: moment }, closed);
    shot.append(wave.node);
    if (hears()) toggle();
  }

  /** Play what is shown, or be silent again: of a picture that moves its own sound. */
  function toggle() {
    if (isPicture(point)) return;
    if (glimpse?.isConnected) {
      glimpse.muted = !glimpse.muted;
      glimpse.currentTime = glimpse.src.includes('/excerpt?') ? 0 : point.start_s;
    } else if (player.paused) {
      player.src = `videos/${point.video_id}/original#t=${point.start_s}`;
      player.play().catch(() => {}); // the browser may want a press first, or cannot play it: see below
    } else {
      player.pause();
    }
  }
  player.onerror = () => {
    if (!point || player.src.includes('/excerpt?')) return;
    player.src = `videos/${point.video_id}/excerpt?start_s=${point.start_s}&end_s=${point.start_s + AFTER_S}`;
    player.play().catch(() => {}); // its file may be gone
  };
  player.ontimeupdate = () => {
    if (!point) return;
    const time_s = player.currentTime + (player.src.includes('/excerpt?') ? point.start_s : 0);
    wave?.at(time_s);
    if (time_s >= point.start_s + AFTER_S) player.pause();
  };
  const onkey = (event) => {
    if (!point || event.target.closest?.(FIELDS)) return;
    if (event.key === 'Escape') hide();
    if (event.key !== ' ' || node.hidden) return;
    event.preventDefault(); // else the page scrolls
    toggle();
  };
  document.addEventListener('keydown', onkey, { signal: closed });
  closed.addEventListener('abort', hide);
  return { node, show, hide };
}

function isPicture({ file_name }) {
  return kindOf({ type: '', name: file_name }) === 'picture';
}
