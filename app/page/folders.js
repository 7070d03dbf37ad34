// The files of folders: what are recordings by their names, what is left out, what could not be read.

// As app/library/names.py has them; a test compares the two.
const ENDINGS =
  '360 3g2 3gp 3gpp aac ac3 aif aifc aiff alac amr ape apng arw asf au avi avif bmp caf cr2 cr3 dav divx dng dts ' +
  'dv dvr-ms eac3 f4v flac flv gif gsm heic heif insp insv ivf j2k jfif jp2 jpe jpeg jpg jxl m1v m2p m2t m2ts m2v ' +
  'm4a m4b m4v mj2 mjpeg mka mkv mod mov mp2 mp3 mp4 mpe mpeg mpg mpo mts mxf nef nut obu oga ogg ogv ogx opus ' +
  'orf pef png qt ra raf rf64 rm rmvb rw2 snd spx tif tiff tod trp ts tta vob voc w64 wav wave weba webm webp wma ' +
  'wmv wtv wv y4m';
const RECORDING = new RegExp(`\\.(${ENDINGS.replaceAll(' ', '|')})$`, 'i');
const OF_SYSTEMS = /(^|\/)(\.|(@eadir|@recycle|#recycle|#snapshot|\$recycle\.bin|__macosx|lost\+found)\/)/i;

/** Return the entries of what is dropped, where a folder is among it; null where there are files alone. */
export function foldersOf({ items }) {
  const entries = [...items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  return entries.some((entry) => entry.isDirectory) ? entries : null;
}

/** Return { files, skipped, unread } of dropped entries: files to take, and the paths of all others. */
export async function filesOfEntries(entries) {
  const found = { files: [], skipped: [], unread: [] };
  for (const entry of entries) await walk(entry, found, entry.isFile);
  return found;
}

/** Return { files, skipped, unread } of the files of a folder that was chosen. */
export function filesOfFolder(all) {
  const found = { files: [], skipped: [], unread: [] };
  for (const file of all) {
    if (isRecording(file.webkitRelativePath)) found.files.push(file);
    else found.skipped.push(file.name);
  }
  return found;
}

/** Note what an entry is, and all below a folder. `named`: a person gave this file itself, so that it is tried. */
async function walk(entry, found, named) {
  try {
    if (entry.isDirectory) {
      for (const one of await childrenOf(entry, found)) await walk(one, found, false);
    } else if (named || isRecording(entry.fullPath)) {
      found.files.push(await new Promise((...ends) => entry.file(...ends)));
    } else {
      found.skipped.push(entry.name);
    }
  } catch {
    found.unread.push(entry.fullPath.replace(/^\//, ''));
  }
}

/** Return what lies in a folder: as much of it as can be read. */
async function childrenOf(folder, found) {
  const reader = folder.createReader();
  const children = [];
  for (;;) {
    try {
      const some = await new Promise((...ends) => reader.readEntries(...ends)); // a hundred at a time
      if (!some.length) return children;
      children.push(...some);
    } catch {
      found.unread.push(folder.fullPath.replace(/^\//, ''));
      return children;
    }
  }
}

function isRecording(path) {
  return RECORDING.test(path) && !OF_SYSTEMS.test(path.replace(/^\/?[^/]*\//, '')); // below the folder that was given
}
