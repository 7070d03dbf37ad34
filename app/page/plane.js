// A plane of points that pans and zooms. Colours are told apart by colour-blind people (Okabe and Ito), marks by all.
import { make } from './dom.js';

const PALETTE = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#f0e442', '#7f7f7f'];
const NONE = '#9a9a9a';
const POINT_PX = 5;
const NEAR_PX = 12;
const CLICK_PX = 4; // a press that moves less is a click
const [LEAST_ZOOM, MOST_ZOOM] = [0.8, 60];

/** Return { node, colour(by), whole(), clear() }. `points`: { x, y, modality, label, cluster }. */
export function makePlane(points, { onhover, onpick, onlasso, closed }) {
  const canvas = make('canvas', { class: 'plane', tabIndex: 0, role: 'img' });
  canvas.ariaLabel = `${points.length} points; the clusters are listed below. Arrow keys pan, plus and minus zoom.`;
  const bounds = boundsOf(points);
  const view = { x: 0.5, y: 0.5, zoom: 1 };
  let colours = points.map(() => NONE);
  let lasso = null;
  let frame = 0;
  const later = () => (frame ||= requestAnimationFrame(draw));

  const side = () => Math.min(canvas.clientWidth, canvas.clientHeight) * 0.94;
  const place = (point) => {
    const scale = side() * view.zoom;
    const x = ((point.x - bounds.x) / bounds.size - view.x) * scale + canvas.clientWidth / 2;
    return [x, ((point.y - bounds.y) / bounds.size - view.y) * scale + canvas.clientHeight / 2];
  };

  function draw() {
    frame = 0;
    const ratio = devicePixelRatio;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (canvas.width !== Math.round(width * ratio)) canvas.width = Math.round(width * ratio);
    if (canvas.height !== Math.round(height * ratio)) canvas.height = Math.round(height * ratio);
    const pen = canvas.getContext('2d');
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    pen.globalAlpha = 0.75;
    for (let i = 0; i < points.length; i++) {
      const [x, y] = place(points[i]);
      if (x < -POINT_PX || y < -POINT_PX || x > width + POINT_PX || y > height + POINT_PX) continue;
      pen.fillStyle = colours[i];
      const high = points[i].modality === 'audio' ? POINT_PX : POINT_PX / 2;
      pen.fillRect(x - POINT_PX / 2, y - POINT_PX / 2, POINT_PX, high);
    }
    if (lasso) drawLasso(pen, lasso, getComputedStyle(canvas).color);
  }

  function colour(by) {
    const names = by === 'modality' ? ['audio', 'visual'] : frequent(points, by);
    const of = new Map(names.map((name, index) => [name, PALETTE[index % PALETTE.length]]));
    colours = points.map((point) => of.get(point[by]) ?? NONE);
    later();
    const said = { audio: 'sound', visual: 'picture' };
    const titled = (name) => (by === 'cluster' ? `cluster ${name + 1}` : (said[name] ?? name));
    const keys = names.map((name) => ({ name: titled(name), colour: of.get(name) }));
    keys.push({ name: by === 'modality' ? '' : 'others', colour: NONE });
    return keys.filter(({ name }) => name).map((key) => ({ ...key, mark: key.name === 'picture' ? '▬' : '■' }));
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
  const clear = () => {
    lasso = null;
    later();
  };
  listen(canvas, {
    zoomBy,
    panBy,
    hover: (at) => onhover(nearest(at)),
    pick: (at) => {
      const point = nearest(at);
      if (point) onpick(point);
    },
    draw: (outline) => {
      lasso = outline;
      later();
    },
    choose: (outline) => {
      const chosen = points.filter((point) => isInside(place(point), outline));
      if (chosen.length) onlasso(chosen);
      else clear();
    },
  });
  const watcher = new ResizeObserver(later);
  watcher.observe(canvas);
  closed.addEventListener('abort', () => watcher.disconnect());
  return { node: canvas, colour, whole, clear };
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
    down.set(event.pointerId, at(event));
    began = at(event);
    outline = event.shiftKey ? [at(event)] : null;
  };
  canvas.onpointermove = (event) => {
    const before = down.get(event.pointerId);
    if (!before) return act.hover(at(event));
    const now = at(event);
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
    if (outline) act.choose(outline);
    else if (began && Math.hypot(now[0] - began[0], now[1] - began[1]) < CLICK_PX) act.pick(now);
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
