// A lane: a stretch of time from left to right, with a window over it that is dragged, or moved by keys.
import { make } from './dom.js';
import { byFinger, clock, stretch } from './words.js';

export const MOVES = byFinger ? '' : '; arrow keys move it, with Shift its end'; // said where the window is
const EDGE_PX = 12; // this near to an end of the window a drag moves that end alone
const FINGER_PX = 22; // half of what a finger needs: the middle of a window is as wide, where the window is
const TICK_PX = 64; // a time under a lane has so much room
const LAST_PX = 44; // and so much before the right edge, so that it is not cut off
const STEPS_S = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600];

/**
 * Return { node, set(start_s, end_s), mark(start_s, end_s), at(time_s), start_s, end_s }.
 *
 * `from_s`, `to_s`: the time that the lane shows. `content`: what is drawn in it, such as a waveform. `label`: what the
 * window is for; without it there is none. `least_s`, `most_s`: how long the window may be. `oninput(lane)` is called
 * while it moves, `onchange(lane)` once it rests. Arrow keys move the window by a second, with Shift its end; Home and
 * End move it to either side. `mark` shows a found stretch, `at` where a player is; null takes them away.
 */
export function makeLane({ from_s, to_s, content, label, start_s, end_s, least_s = 1, most_s, oninput, onchange }) {
  const longest_s = Math.min(most_s ?? Infinity, to_s - from_s);
  const playhead = make('div', { class: 'playhead', hidden: true });
  const found = make('div', { class: 'found', hidden: true });
  const track = make('div', { class: 'track' }, content, found, playhead);
  const node = make('div', { class: 'lane' }, track, makeTicks(from_s, to_s));
  const lane = { node, start_s, end_s, set, mark, at };
  const share = (time_s) => `${(100 * (time_s - from_s)) / (to_s - from_s)}%`;
  const place = (box, start, end) => {
    box.style.left = share(start);
    box.style.width = `${(100 * (end - start)) / (to_s - from_s)}%`;
  };

  function mark(start, end) {
    found.hidden = start === null;
    if (!found.hidden) place(found, start, end);
  }

  function at(time_s) {
    playhead.hidden = time_s === null || time_s < from_s || time_s > to_s;
    if (!playhead.hidden) playhead.style.left = share(time_s);
  }

  function set(start, end) {
    const length_s = Math.min(longest_s, Math.max(least_s, end - start));
    lane.start_s = Math.min(to_s - length_s, Math.max(from_s, start));
    lane.end_s = lane.start_s + length_s;
    place(shown, lane.start_s, lane.end_s);
    shown.ariaValueMin = from_s;
    shown.ariaValueMax = to_s;
    shown.ariaValueNow = lane.start_s;
    shown.ariaValueText = `${stretch(lane.start_s, lane.end_s)}, ${lane.end_s - lane.start_s} seconds`;
  }

  if (label === undefined) return lane;
  const shown = make('div', { class: 'window', role: 'slider', tabIndex: 0, 'aria-label': label });
  track.append(shown);
  track.classList.add('draggable');
  shown.onkeydown = (event) => {
    const moved = movedBy(event, lane, from_s, to_s);
    if (!moved) return;
    event.preventDefault();
    set(...moved);
    oninput?.(lane);
    onchange?.(lane);
  };
  listenToDrags(track, lane, { from_s, to_s, oninput, onchange });
  set(start_s, end_s);
  return lane;
}

/** Return where a key moves the window to; null for a key that does not. */
function movedBy(event, { start_s, end_s }, from_s, to_s) {
  const by_s = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10 }[event.key];
  if (by_s && event.shiftKey) return [start_s, Math.min(to_s, end_s + by_s)];
  if (by_s) return [start_s + by_s, end_s + by_s];
  if (event.key === 'Home') return [from_s, from_s + end_s - start_s];
  if (event.key === 'End') return [to_s - (end_s - start_s), to_s];
  return null;
}

/** Let a pointer draw a new window, move the one that is there, or move one of its ends. */
function listenToDrags(track, lane, { from_s, to_s, oninput, onchange }) {
  let drag = null;
  let before = null;
  const time = (event) => {
    const { left, width } = track.getBoundingClientRect();
    return from_s + ((to_s - from_s) * Math.min(width, Math.max(0, event.clientX - left))) / width;
  };
  const put = (start_s, end_s) => {
    lane.set(start_s, end_s);
    oninput?.(lane);
  };
  const move = (event) => {
    if (drag) put(...drag(time(event)));
  };
  track.onpointerdown = (event) => {
    if (event.button !== 0) return;
    track.setPointerCapture(event.pointerId);
    drag = begun(track, lane, event, time(event));
    before = [lane.start_s, lane.end_s];
    if (event.pointerType !== 'touch') move(event); // a finger may be about to scroll
  };
  track.onpointermove = move;
  track.onpointerup = (event) => {
    if (!drag) return;
    move(event);
    drag = null;
    onchange?.(lane);
  };
  track.onpointercancel = () => {
    if (drag) put(...before); // the page scrolls
    drag = null;
  };
}

/** Return what a drag that begins here does: a function of the time under the pointer to the window. */
function begun(track, lane, event, time_s) {
  const { left, right } = track.querySelector('.window').getBoundingClientRect();
  const { start_s, end_s } = lane;
  const isFinger = event.pointerType === 'touch';
  const outside_px = isFinger ? FINGER_PX : EDGE_PX;
  const inside_px = Math.min(EDGE_PX, Math.max(0, isFinger ? (right - left) / 2 - FINGER_PX : (right - left) / 4));
  const nearLeft = event.clientX > left - outside_px && event.clientX < left + inside_px;
  const nearRight = event.clientX > right - inside_px && event.clientX < right + outside_px;
  if (nearRight) return (now) => [start_s, Math.round(now)];
  if (nearLeft) return (now) => [Math.min(end_s - 1, Math.round(now)), end_s];
  if (event.clientX > left && event.clientX < right) {
    return (now) => [start_s + Math.round(now - time_s), end_s + Math.round(now - time_s)];
  }
  const anchor = Math.floor(time_s);
  return (now) => [Math.min(anchor, Math.floor(now)), Math.max(anchor + 1, Math.ceil(now))];
}

/** Return the times under a lane: as many as have room. */
function makeTicks(from_s, to_s) {
  const node = make('div', { class: 'ticks', 'aria-hidden': 'true' });
  const draw = () => {
    const most = Math.max(1, Math.floor(node.clientWidth / TICK_PX));
    const step_s = STEPS_S.find((step) => (to_s - from_s) / step <= most) ?? STEPS_S.at(-1);
    const times = [];
    const last_s = to_s - ((to_s - from_s) * LAST_PX) / node.clientWidth;
    for (let time_s = Math.ceil(from_s / step_s) * step_s; time_s <= last_s; time_s += step_s) times.push(time_s);
    node.replaceChildren(
      ...times.map((time_s) =>
        make('span', { style: { left: `${(100 * (time_s - from_s)) / (to_s - from_s)}%` } }, clock(time_s)),
      ),
    );
  };
  new ResizeObserver(draw).observe(node);
  return node;
}
