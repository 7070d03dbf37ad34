"""A stand-in for VoxCeleb1: generated speakers in its layout, for those who do not hold the data.

A person has two numbers that both voice and face show: build (low voice, broad face) and age (breathy voice, grey
hair). All else of voice and face is drawn apart. So how well the voice of a stranger finds the face was decided here,
in this code. Figures on the stand-in show that the study works; of real people they say nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image

from app.datasets.voxceleb import LIST
from app.datasets.voxceleb_faces import META, PUBLISHED, SCALE
from benchmarks.quality.voxceleb.face import Face, Scene, picture
from benchmarks.quality.voxceleb.voice import Voice, record, speak
from model.media.segments import SAMPLE_RATE_HZ

MARK = "GENERATED.txt"  # a folder with it is no VoxCeleb, and no figure of it may look as if
FIRST_ID = 10001
LETTERS = np.array(list("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"))
FRAME_RATE_HZ = 25  # by which pictures are numbered
PICTURE_QUALITY = 88  # of JPEG


@dataclass(frozen=True)
class Size:
    """Count the identities, those of them that are `test` of the verification split, and each one's videos by split."""

    identities: int = 60
    unseen: int = 20
    train: int = 8
    val: int = 2
    test: int = 8

    @property
    def numbers(self) -> list[int]:
        """Return the number of iden_split.txt of each video of an identity."""
        return [1] * self.train + [2] * self.val + [3] * self.test


@dataclass(frozen=True, eq=False)
class Speaker:
    """Hold a generated person."""

    id: str
    name: str
    voice: Voice
    face: Face

    @staticmethod
    def draw(number: int, seed: int) -> Speaker:
        """Draw the speaker of a number; others do not change it."""
        rng = np.random.default_rng([seed, number])
        build, age = rng.standard_normal(2)
        voice, face = Voice.draw(build, age, rng), Face.draw(build, age, rng)
        return Speaker(f"id{FIRST_ID + number}", f"Generated_{number + 1:03d}", voice, face)


def write_stand_in(directory: Path, size: Size, seed: int) -> None:
    """Write sounds, faces, iden_split.txt and vox1_meta.csv into an empty or new directory."""
    directory.mkdir(parents=True, exist_ok=True)
    if any(directory.iterdir()):
        raise FileExistsError(f"{directory} is not empty; an empty or a new directory expected")
    (directory / MARK).write_text(f"Generated voices and faces in the layout of VoxCeleb1, {size}, seed {seed}.\n")
    split, meta = [], ["VoxCeleb1 ID\tVGGFace1 ID\tGender\tNationality\tSet"]
    for number in range(size.identities):
        speaker = Speaker.draw(number, seed)
        part = "test" if number >= size.identities - size.unseen else "dev"
        meta.append(f"{speaker.id}\t{speaker.name}\t-\t-\t{part}")
        for video, of in enumerate(size.numbers):
            utterances = _write_video(directory, speaker, np.random.default_rng([seed, number, video]))
            split += [f"{of} {utterance}.wav" for utterance in utterances]
    (directory / LIST).write_text("\n".join(split) + "\n")
    (directory / META).write_text("\n".join(meta) + "\n")


def _write_video(directory: Path, speaker: Speaker, rng: np.random.Generator) -> Iterator[str]:
    """Write one to three utterances of two to four seconds, and faces that are not as many as their seconds."""
    video = "".join(rng.choice(LETTERS, 11))
    sounds, faces = directory / "wav" / speaker.id / video, directory / PUBLISHED / speaker.name / SCALE / video
    sounds.mkdir(parents=True)
    faces.mkdir(parents=True)
    lengths_s = rng.uniform(2.0, 4.0, int(rng.integers(1, 4)))
    heard = record(speak(speaker.voice, float(lengths_s.sum()), rng), rng)
    scene = Scene.draw(rng)
    for number in range(max(1, round(float(lengths_s.sum())) + int(rng.integers(-2, 3)))):
        face = Image.fromarray(picture(speaker.face, scene, rng))
        face.save(faces / f"{FRAME_RATE_HZ * (number + 1):07d}.jpg", quality=PICTURE_QUALITY)
    ends = np.rint(np.cumsum(lengths_s) * SAMPLE_RATE_HZ).astype(int)
    for number, part in enumerate(np.split(heard, ends[:-1]), start=1):
        soundfile.write(sounds / f"{number:05d}.wav", part, SAMPLE_RATE_HZ)
        yield f"{speaker.id}/{video}/{number:05d}"
