// Elements made from data. Strings become text, never markup: file names and labels are untrusted.

const SVG = 'http://www.w3.org/2000/svg';
const ICONS = {
  play: 'M7 4.5v15l12-7.5z',
  stop: 'M6 6h12v12H6z',
  sound: 'M4 9.5v5h3.5L13 19V5L7.5 9.5zM16.5 8.5a5 5 0 0 1 0 7M19 6a8.5 8.5 0 0 1 0 12',
  picture: 'M3.5 5h17v14h-17zM3.5 16l5-5 4 4 3-2.5 5 4',
  video: 'M3.5 6h12v12h-12zM15.5 10.5l5-3v9l-5-3',
  microphone: 'M12 3.5a3 3 0 0 1 3 3v5a3 3 0 0 1-6 0v-5a3 3 0 0 1 3-3zM5.5 11.5a6.5 6.5 0 0 0 13 0M12 18v3',
  camera: 'M3.5 7.5h4l1.5-2.5h6l1.5 2.5h4v12h-17zM12 10a3.3 3.3 0 1 1 0 6.6 3.3 3.3 0 0 1 0-6.6',
  close: 'M6 6l12 12M18 6L6 18',
};

/**
 * Return an element. `attributes`: `on...` functions become listeners, `style` an object of CSS properties, names that
 * the element knows are set as properties, all others as attributes; null and undefined are left out.
 * `children`: nodes or strings; null, undefined and false are left out.
 */
export function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value == null) continue;
    if (name === 'class') node.className = value;
    else if (name === 'style') for (const [key, css] of Object.entries(value)) node.style.setProperty(key, css);
    else if (name in node && name !== 'list' && name !== 'form') node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children.flat().filter((child) => child != null && child !== false));
  return node;
}

/** Return a small picture that only decorates; a text or an aria-label beside it says what it means. */
export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('aria-hidden', 'true');
  svg.classList.add('icon');
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', ICONS[name]);
  svg.append(path);
  return svg;
}

/** Put nodes into a parent in place of what it has. Those that stay are not moved: what has the keyboard keeps it. */
export function put(parent, nodes) {
  const wanted = new Set(nodes);
  for (const node of [...parent.children]) if (!wanted.has(node)) node.remove();
  for (const [index, node] of nodes.entries()) {
    const there = parent.children[index];
    if (there !== node) parent.insertBefore(node, there ?? null);
  }
}

/** Say something to screen readers, which cannot see what changed. */
export function speak(text) {
  document.getElementById('spoken').textContent = text;
}

/** Return the address of a view, such as #/ask?segment=3; null and empty parameters are left out. */
export function address(view, params = {}) {
  const given = Object.entries(params).filter(([, value]) => value != null && value !== '' && value !== false);
  const query = new URLSearchParams(given).toString();
  return `#/${view}${query && `?${query}`}`;
}
