// Waveforms: of a file of this machine, or of peaks that the service sends.
import { icon, make } from './dom.js';
import { read } from './service.js';

const MOST_BYTES = 60e6; // a larger file would take long to decode here
const BAR_PX = 3;
const BARS = 100; // of a stretch of the library

/** Return a canvas that draws peaks (0..1, evenly spaced in time), as wide and as high as its style says. */
export function makeWaveform(peaks) {
  const canvas = make('canvas', { class: 'waveform' });
  new ResizeObserver(() => draw(canvas, peaks)).observe(canvas);
  return canvas;
}

/**
 * Return { node, at(time_s) }: the waveform of a stretch of a video of the library, fetched when it comes into view;
 * `marked`: { start_s, end_s }, which is lifted out. `at` moves a playhead.
 */
export function makeStretchWaveform({ video_id, start_s, end_s, marked }, closed) {
  const head = make('span', { class: 'playhead', hidden: true });
  const node = make('span', { class: 'waved' }, icon('sound'));
  let length_s = end_s - start_s;
  const share = (time_s) => `${(100 * (time_s - start_s)) / length_s}%`;
  const load = async () => {
    const per_s = Math.min(100, BARS / length_s);
    const found = await read(`videos/${video_id}/peaks`, { start_s, length_s, per_s }, closed);
    length_s = found.length_s;
    const width = share(start_s + Math.min(marked.end_s, start_s + length_s) - marked.start_s);
    const lifted = make('span', { class: 'lifted', style: { left: share(marked.start_s), width } });
    node.replaceChildren(lifted, makeWaveform(found.peaks.map(Math.sqrt)), head); // nearer to how loud it sounds
  };
  const watcher = new IntersectionObserver(([{ isIntersecting }]) => {
    if (!isIntersecting) return;
    watcher.disconnect();
    load().catch(() => {}); // its sound is gone: the sign of a sound stays
  });
  watcher.observe(node);
  closed.addEventListener('abort', () => watcher.disconnect());
  const at = (time_s) => {
    head.hidden = !(time_s >= start_s && time_s <= start_s + length_s);
    head.style.left = share(time_s);
  };
  return { node, at };
}

/** Return { duration_s, peaks } of a sound or video file, 50 peaks a second; null where it cannot be decoded here. */
export async function peaksOf(file) {
  if (file.size > MOST_BYTES) return null;
  const context = new OfflineAudioContext(1, 1, 16_000);
  try {
    const sound = await context.decodeAudioData(await file.arrayBuffer());
    return { duration_s: sound.duration, peaks: loudest(sound, Math.ceil(50 * sound.duration)) };
  } catch {
    return null;
  }
}

/** Return where the loudest stretch of `length_s` begins, in whole seconds. */
export function loudestStart(peaks, duration_s, length_s) {
  const per_s = peaks.length / duration_s;
  const energy = (from, to) =>
    peaks.slice(Math.floor(from * per_s), Math.ceil(to * per_s)).reduce((sum, peak) => sum + peak * peak, 0);
  const starts = Array.from({ length: Math.max(1, Math.floor(duration_s - length_s) + 1) }, (_, start) => start);
  const energies = starts.map((start) => energy(start, start + length_s));
  return energies.indexOf(Math.max(...energies));
}

function loudest(sound, count) {
  const peaks = new Float32Array(count);
  for (let channel = 0; channel < sound.numberOfChannels; channel++) {
    const samples = sound.getChannelData(channel);
    for (let i = 0; i < samples.length; i++) {
      const bar = Math.min(count - 1, Math.floor((i * count) / samples.length));
      peaks[bar] = Math.max(peaks[bar], Math.min(1, Math.abs(samples[i])));
    }
  }
  return Array.from(peaks);
}

function draw(canvas, peaks) {
  const ratio = devicePixelRatio;
  const [width, height] = [Math.round(canvas.clientWidth * ratio), Math.round(canvas.clientHeight * ratio)];
  if (!width || !height) return;
  [canvas.width, canvas.height] = [width, height];
  const pen = canvas.getContext('2d');
  pen.fillStyle = getComputedStyle(canvas).color;
  const bars = Math.max(1, Math.min(peaks.length, Math.floor(canvas.clientWidth / BAR_PX)));
  for (let bar = 0; bar < bars; bar++) {
    const [from, to] = [Math.floor((bar * peaks.length) / bars), Math.ceil(((bar + 1) * peaks.length) / bars)];
    const high = Math.max(ratio, Math.max(...peaks.slice(from, to)) * height);
    pen.fillRect((bar * width) / bars, (height - high) / 2, Math.max(1, width / bars - ratio), high);
  }
}
