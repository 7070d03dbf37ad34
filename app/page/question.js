// What is asked. It stands in the address, so that Back works and a link can be sent; a file only this page knows.
import { address } from './dom.js';

const KINDS = {
  picture: /\.(jpe?g|png|gif|webp|bmp|tiff?|heic|heif|avif|jp2)$/i,
  sound: /\.(wav|mp3|flac|ogg|oga|opus|m4a|aac|aiff?|caf|wma|amr|au)$/i,
};
const files = new Map();

/** Keep a file while this page is open; return the name by which an address means it. */
export function keep(file) {
  const key = String(files.size + 1);
  files.set(key, file);
  return key;
}

/** Return the file of an address; undefined where the page was loaded anew since. */
export function kept(key) {
  return files.get(key);
}

/** Say what a file seems to be: "picture", "sound" or "video". The service looks at what it holds. */
export function kindOf(file) {
  const [type] = file.type.split('/');
  if (type === 'image') return 'picture';
  if (type === 'audio') return 'sound';
  if (type === 'video') return 'video';
  return Object.keys(KINDS).find((kind) => KINDS[kind].test(file.name)) ?? 'video';
}

/** Return the address at which a file is asked: a picture finds sounds, all else finds pictures. */
export function askAddress(file) {
  const by = kindOf(file) === 'picture' ? 'visual' : 'audio';
  return address('ask', { file: keep(file), by, find: other(by) });
}

/** Return the address at which a second of the library is asked: its sound finds pictures, its picture sounds. */
export function secondAddress(segment_id, by) {
  return address('ask', { segment: segment_id, by, find: other(by) });
}

/** Return the modality that is not this one. */
export function other(modality) {
  return modality === 'audio' ? 'visual' : 'audio';
}
