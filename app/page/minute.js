// Which minute of a recording is looked at, and which stretch of it asks: in whole seconds, as the service takes them.
import { loudestStart } from './waveform.js';

export const MINUTE_S = 60; // the most that is searched at once
const ASKED_S = 3; // how long the stretch is at first

/** Return a time of an address in whole seconds; undefined where it names none. */
function whole(text) {
  const time_s = text == null || text === '' ? NaN : Math.round(Number(text));
  return Number.isFinite(time_s) ? time_s : undefined;
}

/** Return { from_s, length_s, end_s }: the minute that begins at a time, or all of what is shorter. */
export function minuteFrom(time_s, duration_s) {
  const length_s = Math.min(MINUTE_S, duration_s);
  const from_s = Math.min(duration_s - length_s, Math.max(0, Math.round(time_s)));
  return { from_s, length_s, end_s: from_s + length_s };
}

/** Return the minute around a time. */
export function minuteAround(time_s, duration_s) {
  return minuteFrom(time_s - MINUTE_S / 2, duration_s);
}

/** Return the minute that an address means, else the one around the loudest stretch of all `peaks`. */
export function minuteOf(question, duration_s, peaks) {
  const from_s = whole(question.from);
  if (from_s !== undefined) return minuteFrom(from_s, duration_s);
  const loudest = () => (peaks.length ? loudestStart(peaks, duration_s, ASKED_S) : 0) + ASKED_S / 2;
  return minuteAround(whole(question.at) ?? whole(question.start) ?? loudest(), duration_s);
}

/** Return [start_s, end_s]: the stretch of the minute that an address means, else the loudest by its `peaks`. */
export function stretchOf(question, minute, peaks) {
  const length_s = Math.min(minute.length_s, Math.max(1, whole(question.length) || ASKED_S));
  const loudest = () => minute.from_s + (peaks.length ? loudestStart(peaks, minute.length_s, length_s) : 0);
  const wanted_s = whole(question.start) ?? whole(question.at) ?? loudest();
  const start_s = Math.min(minute.end_s - length_s, Math.max(minute.from_s, wanted_s));
  return [start_s, start_s + length_s];
}
