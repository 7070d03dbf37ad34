// A sound from the microphone, or a frame from the camera, as a file.
import { icon, make } from './dom.js';
import { clock } from './words.js';

const MOST_S = 30;
const REFUSED = {
  NotAllowedError: 'The browser was not allowed to use it. Allow it beside the address, then try again.',
  NotFoundError: 'None was found on this machine.',
  NotReadableError: 'Another program uses it.',
};

/** Return a button that records up to half a minute: press again to stop. `ontake(file)`, `onproblem(text)`. */
export function makeRecorder({ ontake, onproblem, closed }) {
  const button = make('button', { type: 'button' }, icon('microphone'), make('span', {}, 'Record a sound'));
  const label = button.lastChild;
  let stop = null;
  button.onclick = async () => {
    if (stop) return stop();
    onproblem('');
    const stream = await opened({ audio: true }, 'microphone', onproblem);
    if (!stream) return;
    const begun = performance.now();
    const recorder = new MediaRecorder(stream);
    const parts = [];
    const ticking = setInterval(() => {
      const since_s = (performance.now() - begun) / 1000;
      label.textContent = `Stop (${clock(since_s)})`;
      if (since_s >= MOST_S) stop();
    }, 200);
    label.textContent = 'Stop (0:00)';
    button.classList.add('recording');
    stop = () => recorder.state === 'recording' && recorder.stop();
    closed.addEventListener('abort', () => {
      recorder.onstop = null;
      ended();
    });
    recorder.ondataavailable = ({ data }) => parts.push(data);
    const ended = () => {
      clearInterval(ticking);
      for (const track of stream.getTracks()) track.stop();
      label.textContent = 'Record a sound';
      button.classList.remove('recording');
      stop = null;
    };
    recorder.onstop = () => {
      ended();
      const type = recorder.mimeType.split(';')[0];
      ontake(new File(parts, `recording.${type.split('/')[1]}`, { type }));
    };
    recorder.start();
  };
  return button;
}

/** Return a button that opens the camera, and takes a frame when it is pressed again. `place`: where it is shown. */
export function makeCamera({ ontake, onproblem, place, closed }) {
  const button = make('button', { type: 'button' }, icon('camera'), make('span', {}, 'Take a picture'));
  button.onclick = async () => {
    onproblem('');
    const stream = await opened({ video: { facingMode: 'environment' } }, 'camera', onproblem);
    if (!stream) return;
    const video = make('video', { autoplay: true, muted: true, playsInline: true, srcObject: stream });
    const end = () => {
      for (const track of stream.getTracks()) track.stop();
      place.replaceChildren();
      button.hidden = false;
    };
    closed.addEventListener('abort', end);
    const take = async () => {
      const canvas = make('canvas', { width: video.videoWidth, height: video.videoHeight });
      canvas.getContext('2d').drawImage(video, 0, 0);
      const frame = await new Promise((done) => canvas.toBlob(done, 'image/png'));
      end();
      ontake(new File([frame], 'camera.png', { type: 'image/png' }));
    };
    const shoot = make('button', { type: 'button', class: 'main', disabled: true, onclick: take }, 'Take it');
    video.onplaying = () => (shoot.disabled = false);
    const cancel = make('button', { type: 'button', onclick: end }, 'Cancel');
    button.hidden = true;
    place.replaceChildren(make('div', { class: 'stack tight' }, video, make('div', { class: 'row' }, shoot, cancel)));
  };
  return button;
}

/** Return a stream of the microphone or camera, or tell why there is none. Browsers give it on https and loopback. */
async function opened(what, name, onproblem) {
  if (!navigator.mediaDevices) {
    onproblem(`The ${name} can only be used over https, or on the machine that Echolens runs on.`);
    return null;
  }
  try {
    return await navigator.mediaDevices.getUserMedia(what);
  } catch (error) {
    onproblem(`The ${name} cannot be used. ${REFUSED[error.name] ?? error.message}`);
    return null;
  }
}
