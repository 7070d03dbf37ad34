// A picture, and a part of it that is asked by.
import { make } from './dom.js';

const LEAST = 0.08; // of the picture's side

/** Return a box over a picture: drag to choose a part of it, or use arrow keys, with Shift to size it.
 *
 * `onchange(box)`: {left, top, width, height} as shares of the picture, null for the whole.
 */
export function makeRegion(image, onchange) {
  const box = make('div', {
    class: 'region',
    tabIndex: 0,
    role: 'group',
    'aria-label': 'The part of the picture that is asked by. Arrow keys move it, with Shift they size it.',
  });
  const whole = make('button', { type: 'button', class: 'plain quiet', hidden: true }, 'Ask by the whole picture');
  const node = make('div', { class: 'stack tight' }, make('div', { class: 'regioned' }, image, box), whole);
  let chosen = { left: 0, top: 0, width: 1, height: 1 };

  function set(next) {
    const width = Math.min(1, Math.max(LEAST, next.width));
    const height = Math.min(1, Math.max(LEAST, next.height));
    const left = Math.min(1 - width, Math.max(0, next.left));
    const top = Math.min(1 - height, Math.max(0, next.top));
    chosen = { left, top, width, height };
    for (const [name, share] of Object.entries(chosen)) box.style[name] = `${100 * share}%`;
    whole.hidden = width === 1 && height === 1;
  }

  const rest = () => onchange(whole.hidden ? null : chosen);
  whole.onclick = () => {
    set({ left: 0, top: 0, width: 1, height: 1 });
    rest();
  };
  box.onkeydown = (event) => {
    const [x, y] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key] ?? [0, 0];
    if (!x && !y) return;
    event.preventDefault();
    const step = 0.05;
    if (event.shiftKey) set({ ...chosen, width: chosen.width + x * step, height: chosen.height + y * step });
    else set({ ...chosen, left: chosen.left + x * step, top: chosen.top + y * step });
    rest();
  };
  listenToDrags(node.firstChild, set, rest);
  set(chosen);
  return node;
}

/** Return the part of a picture as a file of its own, in the picture's own pixels. */
export async function cropped(image, box, name) {
  const [wide, high] = [image.naturalWidth, image.naturalHeight];
  const width = Math.max(1, Math.round(box.width * wide));
  const height = Math.max(1, Math.round(box.height * high));
  const canvas = make('canvas', { width, height });
  const [left, top] = [Math.round(box.left * wide), Math.round(box.top * high)];
  canvas.getContext('2d').drawImage(image, left, top, width, height, 0, 0, width, height);
  const blob = await new Promise((done) => canvas.toBlob(done, 'image/png'));
  return new File([blob], `part of ${name}.png`, { type: 'image/png' });
}

function listenToDrags(frame, set, rest) {
  let from = null;
  const place = (event) => {
    const { left, top, width, height } = frame.getBoundingClientRect();
    const within = (share) => Math.min(1, Math.max(0, share));
    return [within((event.clientX - left) / width), within((event.clientY - top) / height)];
  };
  frame.onpointerdown = (event) => {
    event.preventDefault();
    frame.setPointerCapture(event.pointerId);
    from = place(event);
  };
  frame.onpointermove = (event) => {
    if (!from) return;
    const [x, y] = place(event);
    const [left, top] = [Math.min(x, from[0]), Math.min(y, from[1])];
    set({ left, top, width: Math.abs(x - from[0]), height: Math.abs(y - from[1]) });
  };
  frame.onpointerup = frame.onpointercancel = () => {
    if (from) rest();
    from = null;
  };
}
