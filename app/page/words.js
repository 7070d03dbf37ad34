// Numbers as people write them, and what a hand can do.

/** Whether a finger is what points: it taps, and can neither hover nor drop files. */
export const byFinger = matchMedia('(hover: none)').matches;

/** Return "1 video", "2 videos", "1,204 videos". */
export function many(count, noun, plural = `${noun}s`) {
  return `${count.toLocaleString('en')} ${count === 1 ? noun : plural}`;
}

/** Return a time in a recording: "0:07", "12:03", "1:00:00". */
export function clock(time_s) {
  const whole = Math.floor(time_s);
  const [hours, minutes, seconds] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (number) => String(number).padStart(2, '0');
  return hours ? `${hours}:${two(minutes)}:${two(seconds)}` : `${minutes}:${two(seconds)}`;
}

/** Return a stretch of a recording: "0:07–0:08". */
export function stretch(start_s, end_s) {
  return `${clock(start_s)}–${clock(end_s)}`;
}

/** Return how long something lasts: "40 s", "12 min", "3 h 5 min". */
export function lasting(duration_s) {
  const seconds = Math.round(duration_s);
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 120) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h${minutes % 60 ? ` ${minutes % 60} min` : ''}`;
}

/** Return a size: "3.1 MB". */
export function size(bytes) {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB'];
  const power = Math.min(units.length - 1, bytes ? Math.floor(Math.log10(bytes) / 3) : 0);
  return `${(bytes / 1000 ** power).toFixed(power > 1 && bytes / 1000 ** power < 10 ? 1 : 0)} ${units[power]}`;
}

/** Return a message of the service without the command that it names: the page offers what that does. */
export function withoutCommand(text) {
  const at = text.indexOf('echolens ');
  return at < 0 ? text : text.slice(0, at).replace(/[;:,]\s[^;:,]*:?\s*$/, '');
}

/** Return a share as a percentage: "87 %". */
export function percent(share) {
  return `${Math.round(100 * share)} %`;
}
