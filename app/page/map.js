import { showEmpty } from './states.js';

export async function open(main) {
  showEmpty(main, 'Being built', 'This view is not there yet.');
}
