// Requests to the service. All paths are relative to the page, so that they work below any path of a proxy.

export const UNANSWERED =
  'Echolens does not answer. Is the service still running, and is this machine still connected?';
const LINKS = new Set(['frame', 'sound', 'original', 'poster', 'excerpt']); // relative to the request that answered

/** What went wrong, in the service's words. `code` as in /errors; "offline" where nothing answers. */
export class Problem extends Error {
  constructor(detail, { status = 0, code = 'offline', retryAfter_s = null } = {}) {
    super(detail);
    Object.assign(this, { status, code, retryAfter_s });
  }
}

/** Return the JSON at a path. `params`: its query; null and empty ones are left out. Throws Problem. */
export function read(path, params = {}, signal) {
  const given = Object.entries(params).filter(([, value]) => value != null && value !== '');
  const query = new URLSearchParams(given).toString();
  return asked('GET', query ? `${path}?${query}` : path, null, signal);
}

/** Send JSON and return the JSON that answers, null where none does. Throws Problem. */
export function send(method, path, body, signal) {
  return asked(method, path, body === undefined ? null : JSON.stringify(body), signal);
}

/** Send a form; null and undefined fields are left out. Return the JSON that answers. Throws Problem. */
export function post(path, fields, signal) {
  return asked('POST', path, form(fields), signal);
}

/** Return a form of fields; a list is sent as a field for each. */
export function form(fields) {
  const data = new FormData();
  for (const [name, value] of Object.entries(fields)) {
    for (const one of Array.isArray(value) ? value : [value]) if (one != null && one !== '') data.append(name, one);
  }
  return data;
}

/** Return the body of a path as a file, with the name that the service gives it. Throws Problem. */
export async function fetchFile(path, options = {}) {
  const answer = await answered(path, options);
  const name = /filename\*?="?(?:utf-8'')?([^";]+)/i.exec(answer.headers.get('content-disposition') ?? '')?.[1];
  return new File([await answer.blob()], name ? decodeURIComponent(name) : 'echolens', {
    type: answer.headers.get('content-type') ?? '',
  });
}

async function asked(method, path, body, signal) {
  const headers = typeof body === 'string' ? { 'Content-Type': 'application/json' } : {};
  const answer = await answered(path, { method, body, headers, signal });
  const text = await answer.text();
  return text ? parse(text, answer.url) : null;
}

async function answered(path, options) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Problem(UNANSWERED);
  }
  if (answer.ok) return answer;
  throw problemOf(answer.status, await answer.text().catch(() => ''), answer.headers.get('retry-after'));
}

/** Return the problem that an answer's status and body tell. */
export function problemOf(status, text, retryAfter = null) {
  let told = {};
  try {
    told = JSON.parse(text);
  } catch {
    // A proxy's own page: its status is all that is known.
  }
  if (status === 401) {
    return new Problem('The service wants a key, or the key has changed. Reload the page to enter it.', {
      status,
      code: told.code ?? 'unauthorized',
    });
  }
  const detail = told.detail ?? `The service, or a proxy before it, answered with status ${status}.`;
  const retryAfter_s = retryAfter === null ? null : Number(retryAfter);
  return new Problem(detail, { status, code: told.code ?? 'unknown', retryAfter_s });
}

/** Read JSON whose links are relative to the request. */
export function parse(text, url) {
  return JSON.parse(text, (key, value) =>
    LINKS.has(key) && typeof value === 'string' ? new URL(value, url).href : value,
  );
}
