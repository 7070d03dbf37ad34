"""Small instances of published data sets: each lists three media, of which the third is not there."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import h5py
from media_samples import grey_frame, tone, write_video

from app.datasets.names import DatasetName

ONE, TWO, GONE = "-aaaaaaaaaa", "bbbbbbbbb_b", "ccccccccccc"


@dataclass(frozen=True)
class Clips:
    """Hold two short clips of different content, to be linked to wherever a layout wants a medium."""

    one: Path
    two: Path

    def put(self, first: Path, second: Path) -> None:
        """Link both."""
        for clip, path in ((self.one, first), (self.two, second)):
            path.parent.mkdir(parents=True, exist_ok=True)
            os.link(clip, path)


def film_clips(directory: Path, seconds: float = 2.0) -> Clips:
    """Write the two clips: a darker one with a low tone, a brighter one with a high tone."""
    for name, grey, hz in (("one", 2.0, 300.0), ("two", 6.0, 900.0)):
        sound = tone(seconds, 44100, hz)
        frame = grey_frame(grey)
        write_video(directory / f"{name}.mp4", seconds, frame_rate_hz=5, frame_at=lambda _, f=frame: f, samples=sound)
    return Clips(directory / "one.mp4", directory / "two.mp4")


def ave(root: Path, clips: Clips) -> None:
    """Write AVE's lists, with a header, Windows line ends, a comma in a category, and both kinds of splits."""
    rows = [f"Church bell&{ONE}&good&0&2", f"Male speech, man speaking&{TWO}&good&1&2", f"Bark&{GONE}&good&0&9"]
    head = "Category&VideoID&Quality&StartTime&EndTime"
    (root / "Annotations.txt").write_text("\r\n".join((head, *rows)), newline="")
    for name, row in zip(("train", "val", "test"), rows, strict=True):
        (root / f"{name}Set.txt").write_text(f"{row}\n")
    for name, order in (("train", [0, 1]), ("val", []), ("test", [2])):
        with h5py.File(root / f"{name}_order.h5", "w") as file:
            file["order"] = order
    clips.put(root / "AVE" / f"{ONE}.mp4", root / "AVE" / f"{TWO}.mp4")


def vggsound(root: Path, clips: Clips) -> None:
    """Write its CSV without a header; the first clip is cut out, the second is a whole video."""
    lines = (f'{ONE},30,"dog, barking",train', f"{TWO},1,playing harp,test", f"{GONE},7,rain,test")
    (root / "vggsound.csv").write_text("\n".join(lines) + "\n")
    clips.put(root / "video" / f"{ONE}_000030.mp4", root / "test" / f"{TWO}.mp4")


def audioset(root: Path, clips: Clips) -> None:
    """Write two of its lists, with comment lines and several labels, and the names of the labels."""
    head = "# Segments csv created Sun Mar  5 10:54:25 2017\n# YTID, start_seconds, end_seconds, positive_labels\n"
    row = f'{ONE}, 30.000, 40.000, "/m/09x0r,/t/dd00088"\n'
    (root / "balanced_train_segments.csv").write_text(head + row)
    rows = f'{TWO}, 1.000, 2.000, "/m/04rlf"\n{GONE}, 0.000, 10.000, "/m/04rlf"\n'
    (root / "eval_segments.csv").write_text(head + rows)
    names = 'index,mid,display_name\n0,/m/09x0r,"Speech"\n1,/t/dd00088,"Gush"\n2,/m/04rlf,"Music, any"\n'
    (root / "class_labels_indices.csv").write_text(names)
    clips.put(root / "audio" / f"{ONE}_30.mp4", root / "video" / "eval" / f"{TWO}.mp4")


def vegas(root: Path, clips: Clips) -> None:
    """Make two class folders; there is no list, so nothing can be missing."""
    clips.put(root / "baby_cry/videos/video_00000.mp4", root / "dog/videos/video_00003.mp4")
    (root / "dog" / "img").mkdir()


def voxceleb(root: Path, clips: Clips) -> None:
    """Write iden_split.txt of VoxCeleb1; what an utterance is in is found by its content."""
    lines = (f"1 id10001/{ONE}/00001.wav", f"3 id10002/{TWO}/00012.wav", f"2 id10002/{GONE}/00001.wav")
    (root / "iden_split.txt").write_text("\n".join(lines))
    clips.put(root / "wav" / "id10001" / ONE / "00001.wav", root / "test" / "wav" / "id10002" / TWO / "00012.m4a")


def music(root: Path, clips: Clips) -> None:
    """Write the lists of solos and duets."""
    (root / "MUSIC_solo_videos.json").write_text(json.dumps({"videos": {"flute": [ONE, GONE]}}))
    (root / "MUSIC_duet_videos.json").write_text(json.dumps({"videos": {"cello violin": [TWO]}}))
    clips.put(root / "flute" / f"{ONE}.mp4", root / "videos" / f"{TWO}.mp4")


def greatest_hits(root: Path, clips: Clips) -> None:
    """Write strokes of three recordings, and which are for training."""
    strokes = {
        "2015-01": "0.2 None hit None\n0.5 wood hit static\n0.9 metal scratch static\n1.1 wood scratch deform\n",
        "2015-02": "0.3 cloth hit deform\n",
        "2015-03": "0.3 cloth hit deform\n",
    }
    for name, lines in strokes.items():
        (root / f"{name}_times.txt").write_text(lines)
    (root / "train.txt").write_text("2015-01\n")
    clips.put(root / "2015-01_denoised.mp4", root / "2015-02_mic.mp4")


def folder(root: Path, clips: Clips) -> None:
    """Write a CSV with splits beside the media, and a file that is no medium."""
    rows = ("one.mp4,dog,0,1,train", "sub/two.mp4,cat,,,", "gone.mp4,cat,,,")
    lines = ("file,label,event_start_s,event_end_s,split", *rows)
    (root / "labels.csv").write_text("\n".join(lines))
    (root / "notes.nfo").write_text("no medium")
    clips.put(root / "one.mp4", root / "sub" / "two.mp4")


def jsonl(root: Path, clips: Clips) -> None:
    """Write an object a line."""
    rows = (
        {"path": "one.mp4", "label": ["dog", "bark"], "start_s": 0, "end_s": 1.5, "split": "val"},
        {"path": "sub/two.mp4"},
        {"path": "gone.mp4", "label": "cat"},
    )
    (root / "set.jsonl").write_text("\n".join(map(json.dumps, rows)))
    clips.put(root / "one.mp4", root / "sub" / "two.mp4")


LAYOUTS: dict[DatasetName, Callable[[Path, Clips], None]] = {
    "ave": ave,
    "vggsound": vggsound,
    "audioset": audioset,
    "vegas": vegas,
    "voxceleb": voxceleb,
    "music": music,
    "greatest-hits": greatest_hits,
    "folder": folder,
    "jsonl": jsonl,
}
