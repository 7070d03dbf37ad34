// All of a long recording as a lane; its window is the minute that is looked at.
import { make } from './dom.js';
import { makeLane } from './lane.js';
import { MINUTE_S, minuteFrom, minuteOf } from './minute.js';
import { makeWaveform } from './waveform.js';

const OVERVIEW_PEAKS = 600;

/** Return { node, lane, peaks }. `onmove(minute)`: a person chose another. */
export async function makeOverview(clip, question, onmove) {
  const { duration_s } = clip;
  const peaks = await clip.peaks(0, duration_s, OVERVIEW_PEAKS / duration_s);
  const { from_s, end_s } = minuteOf(question, duration_s, peaks);
  const lane = makeLane({
    from_s: 0,
    to_s: duration_s,
    content: makeWaveform(peaks),
    label: 'The minute that is looked at',
    start_s: from_s,
    end_s,
    least_s: MINUTE_S,
    most_s: MINUTE_S,
    onchange: ({ start_s }) => onmove(minuteFrom(start_s, duration_s)),
  });
  lane.node.classList.add('overview');
  const node = make('div', {}, make('p', { class: 'quiet lane-name' }, 'The whole recording'), lane.node);
  return { node, lane, peaks };
}
