// How long a medium lasts.

/** Return how long the medium of a video or audio element lasts, in seconds; null where the browser cannot say. */
export function durationOf(player) {
  return new Promise((done) => {
    const tell = () => done(Number.isFinite(player.duration) ? player.duration : null);
    player.addEventListener('loadedmetadata', tell);
    player.addEventListener('error', () => done(null));
  });
}
