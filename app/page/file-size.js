// Files that cannot be sent: told before anything of them is.
import { Problem } from './service.js';
import { size } from './words.js';

/** Throw Problem where a file is empty, or larger than the service takes. `most_bytes`: as GET /library says. */
export function checkSize(file, most_bytes) {
  if (!file.size) throw new Problem(`${file.name} is empty. Choose another file.`, { code: 'empty_file' });
  if (file.size <= most_bytes) return;
  const text = `${file.name} has ${size(file.size)}; the service takes at most ${size(most_bytes)} in one upload.`;
  throw new Problem(text, { code: 'too_large' });
}
