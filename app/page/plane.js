// A plane of points that pans and zooms. Colours are told apart by colour-blind people (Okabe and Ito), marks by all.
import { make } from './dom.js';

const PALETTE = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#f0e442', '#7f7f7f'];
const NONE = '#9a9a9a';
const NOT_CHOSEN = '#9a9a9a40';
const POINT_PX = 5;
const ALPHA = 'd7';
const NEAR_PX = 12;
const CLICK_PX = 4; // a press that moves less is a click
const STEPS = 8; // a lasso ends where it began, but after more of them
const [LEAST_ZOOM, MOST_ZOOM] = [0.8, 60];

/**
 * Return { node, colour(by), whole(), clear(), choose(points), draws(lasso) }. `points`: { x, y, modality, label,
 * cluster }. `onhover(point, at)`: null where none is near; `onpick(point, at, touched)`; `onlasso(points)`.
 */
export function makePlane(points, { onhover, onpick, onlasso, closed }) {
  const canvas = make('canvas', { class: 'plane', tabIndex: 0, role: 'img' });
  canvas.ariaLabel = `${points.length} points; the clusters are listed below. Arrow keys pan, plus and minus zoom.`;
  const bounds = boundsOf(points);
  const view = { x: 0.5, y: 0.5, zoom: 1 };
  let colours = points.map(() => NONE);
  let lasso = null;
  let chosen = null;
  let draws = false; // a drag draws a lasso, and does not pan
  let frame = 0;
  let image = null;
  const later = () => (frame ||= requestAnimationFrame(draw));

  const side = () => Math.min(canvas.clientWidth, canvas.clientHeight) * 0.94;
  /** Return what places a point; the canvas is measured once, not for each point. */
  const placer = () => {
    const [scale, midX, midY] = [side() * view.zoom, canvas.clientWidth / 2, canvas.clientHeight / 2];
    const [perUnit, x, y] = [scale / bounds.size, midX - view.x * scale, midY - view.y * scale];
    return (point) => [(point.x - bounds.x) * perUnit + x, (point.y - bounds.y) * perUnit + y];
  };

  function draw() {
    frame = 0;
    const ratio = devicePixelRatio;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight].map((size) => Math.round(size * ratio));
    if (!width || !height) return;
    if (canvas.width !== width) canvas.width = width;
    if (canvas.height !== height) canvas.height = height;
    const pen = canvas.getContext('2d');
    if (image?.width !== width || image.height !== height) image = pen.createImageData(width, height);
    const shown = chosen ? colours.map((one, index) => (chosen.has(points[index]) ? one : NOT_CHOSEN)) : colours;
    drawPoints(image, points, shown, placer(), ratio);
    pen.putImageData(image, 0, 0);
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    if (lasso) drawLasso(pen, lasso, getComputedStyle(canvas).color);
  }

  function colour(by) {
    const names = by === 'modality' ? ['audio', 'visual'] : frequent(points, by);
    const of = new Map(names.map((name, index) => [name, PALETTE[index % PALETTE.length]]));
    colours = points.map((point) => of.get(point[by]) ?? NONE);
    later();
    const others = points.filter((point) => !of.has(point[by]));
    return [
      ...names.map((name) => ({ name, colour: of.get(name), points: points.filter((point) => point[by] === name) })),
      ...(others.length ? [{ name: null, colour: NONE, points: others }] : []),
    ];
  }

  function zoomBy(factor, [x, y]) {
    const zoom = Math.min(MOST_ZOOM, Math.max(LEAST_ZOOM, view.zoom * factor));
    const [dx, dy] = [x - canvas.clientWidth / 2, y - canvas.clientHeight / 2];
    const change = (1 / view.zoom - 1 / zoom) / side();
    Object.assign(view, { x: view.x + dx * change, y: view.y + dy * change, zoom });
    later();
  }
  function panBy(dx, dy) {
    view.x -= dx / (side() * view.zoom);
    view.y -= dy / (side() * view.zoom);
    later();
  }
  const nearest = ([x, y]) => {
    const place = placer();
    let found = null;
    let least = NEAR_PX ** 2;
    for (const point of points) {
      const [px, py] = place(point);
      const far = (px - x) ** 2 + (py - y) ** 2;
      if (far < least) [found, least] = [point, far];
    }
    return found;
  };
  const whole = () => {
    Object.assign(view, { x: 0.5, y: 0.5, zoom: 1 });
    later();
  };
  const choose = (some) => {
    chosen = new Set(some);
    later();
  };
  const clear = () => {
    lasso = chosen = null;
    later();
  };
  listen(canvas, {
    zoomBy,
    panBy,
    draws: () => draws,
    hover: (at) => onhover(at && nearest(at), at),
    pick: (at, touched) => {
      const point = nearest(at);
      if (point) onpick(point, at, touched);
      else onhover(null);
    },
    draw: (outline) => {
      lasso = outline;
      later();
    },
    choose: (outline) => {
      const place = placer();
      const inside = points.filter((point) => isInside(place(point), outline));
      clear();
      if (inside.length) onlasso(inside);
    },
  });
  const watcher = new ResizeObserver(later);
  watcher.observe(canvas);
  closed.addEventListener('abort', () => watcher.disconnect());
  return { node: canvas, colour, whole, clear, choose, draws: (lassoes) => (draws = lassoes) };
}

/** Turn what pointers, the wheel and keys do into pans, zooms, picks and lassos. */
function listen(canvas, act) {
  const down = new Map();
  let began = null;
  let outline = null;
  const at = (event) => [event.offsetX, event.offsetY];
  canvas.onwheel = (event) => {
    event.preventDefault();
    act.zoomBy(Math.exp(-event.deltaY / 400), at(event));
  };
  canvas.onpointerdown = (event) => {
    canvas.setPointerCapture(event.pointerId);
    act.hover(null);
    down.set(event.pointerId, at(event));
    began = at(event);
    outline = down.size === 1 && (event.shiftKey || act.draws()) ? [at(event)] : null;
    if (down.size > 1) act.draw(null); // a second finger zooms
  };
  canvas.onpointerleave = ({ pointerType }) => pointerType === 'touch' || down.size || act.hover(null);
  canvas.onpointermove = (event) => {
    const before = down.get(event.pointerId);
    const now = at(event);
    if (!before) return act.hover(now);
    if (outline) {
      outline.push(now);
      act.draw(outline);
    } else if (down.size === 2) {
      const [other] = [...down.entries()].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
      const apart = (place) => Math.hypot(place[0] - other[0], place[1] - other[1]);
      act.zoomBy(apart(now) / Math.max(1, apart(before)), other);
    } else {
      act.panBy(now[0] - before[0], now[1] - before[1]);
    }
    down.set(event.pointerId, now);
    return undefined;
  };
  canvas.onpointerup = canvas.onpointercancel = (event) => {
    const now = at(event);
    down.delete(event.pointerId);
    const still = began && Math.hypot(now[0] - began[0], now[1] - began[1]) < CLICK_PX;
    if (still && !(outline?.length > STEPS)) {
      if (outline) act.draw(null);
      act.pick(now, event.pointerType === 'touch');
    } else if (outline) {
      act.choose(outline);
    }
    outline = began = null;
  };
  canvas.onkeydown = (event) => {
    const pan = { ArrowLeft: [40, 0], ArrowRight: [-40, 0], ArrowUp: [0, 40], ArrowDown: [0, -40] }[event.key];
    const zoom = { '+': 1.3, '=': 1.3, '-': 1 / 1.3 }[event.key];
    if (pan) act.panBy(...pan);
    else if (zoom) act.zoomBy(zoom, [canvas.clientWidth / 2, canvas.clientHeight / 2]);
    else return;
    event.preventDefault();
  };
}

/** Write the points into an image, pixel by pixel: 20,000 rectangles of the canvas take longer than a frame. */
function drawPoints({ data, width, height }, points, colours, place, ratio) {
  const pixels = new Uint32Array(data.buffer);
  const painted = new Map([...new Set(colours)].map((colour) => [colour, pixelOf(colour)]));
  const wide = Math.max(2, Math.round(POINT_PX * ratio));
  pixels.fill(0);
  for (let i = 0; i < points.length; i++) {
    const [x, y] = place(points[i]);
    const high = points[i].modality === 'audio' ? wide : Math.ceil(wide / 2);
    const [left, top] = [Math.round(x * ratio - wide / 2), Math.round(y * ratio - high / 2)];
    const [from, to] = [Math.max(0, left), Math.min(width, left + wide)];
    if (from >= to) continue;
    const end = Math.min(height, top + high);
    for (let row = Math.max(0, top); row < end; row++) {
      pixels.fill(painted.get(colours[i]), row * width + from, row * width + to);
    }
  }
}

/** Return the pixel of a colour "#rrggbb" or "#rrggbbaa": its bytes are red, green, blue, alpha in this order. */
function pixelOf(colour) {
  const bytes = [1, 3, 5, 7].map((at) => Number.parseInt(colour.slice(at, at + 2) || ALPHA, 16));
  return new Uint32Array(new Uint8Array(bytes).buffer)[0];
}

function boundsOf(points) {
  let [left, right, top, bottom] = [Infinity, -Infinity, Infinity, -Infinity];
  for (const { x, y } of points) {
    [left, right, top, bottom] = [Math.min(left, x), Math.max(right, x), Math.min(top, y), Math.max(bottom, y)];
  }
  const size = Math.max(right - left, bottom - top) || 1;
  return { x: (left + right - size) / 2, y: (top + bottom - size) / 2, size };
}

function frequent(points, by) {
  const counts = new Map();
  for (const point of points) if (point[by] !== null) counts.set(point[by], (counts.get(point[by]) ?? 0) + 1);
  const names = [...counts.keys()].sort((one, two) => counts.get(two) - counts.get(one));
  return names.slice(0, PALETTE.length - 1);
}

function isInside([x, y], outline) {
  let inside = false;
  for (let i = 0, j = outline.length - 1; i < outline.length; j = i++) {
    const [[xi, yi], [xj, yj]] = [outline[i], outline[j]];
    if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) inside = !inside;
  }
  return inside;
}

function drawLasso(pen, outline, colour) {
  pen.globalAlpha = 1;
  pen.strokeStyle = colour;
  pen.setLineDash([5, 4]);
  pen.beginPath();
  for (const [x, y] of outline) pen.lineTo(x, y);
  pen.closePath();
  pen.stroke();
  pen.setLineDash([]);
}
