"""Which of a container's tracks is taken, and what is said of the others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition
from media_samples import (
    grey_frame,
    loudest_hz,
    restamped,
    tone,
    write_picture,
    write_sound,
    write_tracks,
    write_video,
)

from model.errors import NoSoundTrack
from model.media.medium import Medium, open_medium
from model.media.tracks import PictureTrack, SoundTrack, choose_picture, choose_sound, note_sounds

PLAIN = SoundTrack(index=1, number=1, decodable=True, with_picture=True, default=False, aside=False, channels=2)
PICTURE = PictureTrack(index=0, decodable=True, cover=False, default=False, width=320, height=240)


def sounds(*changes: dict[str, object]) -> list[SoundTrack]:
    """Return tracks 1, 2, ... that differ from the plain one in this."""
    return [replace(PLAIN, index=n, number=n, **change) for n, change in enumerate(changes, 1)]  # type: ignore[arg-type]


def heard_hz(medium: Medium) -> float:
    """Return the tone of the first second."""
    sound = next(medium.segments()).sound
    assert sound is not None
    return loudest_hz(sound)


@pytest.mark.parametrize(
    ("changes", "number"),
    [
        (({}, {}), 1),
        (({}, {"default": True}), 2),
        (({"aside": True}, {}), 2),
        (({"channels": 2}, {"channels": 6}), 2),
        (({"with_picture": False, "default": True}, {}), 2),
        (({"default": True}, {"channels": 6}), 1),
        (({"decodable": False, "default": True}, {}), 2),
        (({"channels": 0, "default": True}, {}), 2),
        (({"aside": True, "channels": 6}, {"channels": 1}), 2),
    ],
)
def test_the_rules_come_in_order(changes: tuple[dict[str, object], ...], number: int) -> None:
    """The picture's programme, the default, no comment, the most channels, the first."""
    chosen = choose_sound("a.mkv", sounds(*changes))
    assert chosen is not None
    assert chosen.number == number


def test_the_default_or_the_larger_picture_is_taken() -> None:
    """A cover is never taken, however large."""
    cover = replace(PICTURE, index=1, cover=True, width=3000, height=3000)
    large = replace(PICTURE, index=2, width=640, height=480)
    assert choose_picture([cover, PICTURE, large]) == large
    assert choose_picture([replace(PICTURE, default=True), large]) == replace(PICTURE, default=True)
    assert choose_picture([cover]) is None


def test_the_note_says_by_which_rule() -> None:
    """A person learns that there are others, and how to get at them."""
    tracks = sounds({"aside": True}, {}, {"default": True})
    (note,) = note_sounds(tracks, tracks[2])
    assert note == "sound track 3 of 3 was taken (the default); take another with --audio-track N or audio_track"
    assert note_sounds(tracks[:1], tracks[0]) == ()


def test_the_default_track_is_heard(tmp_path: Path) -> None:
    """A commentary that comes first is left aside, with a note; a number chooses it."""
    path = write_tracks(tmp_path / "a.mkv", [Disposition.comment, Disposition.default])
    assert heard_hz(open_medium(path)) == 1000
    assert "track 2 of 2" in open_medium(path).notes[0]
    assert heard_hz(open_medium(path, audio_track=1)) == 500
    assert open_medium(path, audio_track=1).notes == ()


@pytest.mark.parametrize("suffix", ["mp4", "mpegts", "avi"])
def test_a_number_counts_in_every_container(tmp_path: Path, suffix: str) -> None:
    """Sound tracks are counted from 1 in the order of the file."""
    path = write_tracks(tmp_path / "a", [Disposition.default, Disposition(0), Disposition(0)], suffix)
    assert [heard_hz(open_medium(path, audio_track=number)) for number in (1, 2, 3)] == [500, 1000, 1500]


def test_sound_of_another_programme_is_left_aside(tmp_path: Path) -> None:
    """A radio programme in a transport stream comes first and is not heard with the film."""
    path = write_tracks(tmp_path / "a.ts", [Disposition(0), Disposition(0)], "mpegts")
    path.write_bytes(split_programmes(path.read_bytes()))
    assert heard_hz(open_medium(path)) == 1000
    assert "programme" in open_medium(path).notes[0]


@pytest.mark.parametrize(("number", "words"), [(0, "give 1 to 2"), (3, "has 2 sound tracks"), (-1, "give 1 to 2")])
def test_a_number_out_of_range_is_refused(tmp_path: Path, number: int, words: str) -> None:
    """The error says how many there are."""
    path = write_tracks(tmp_path / "a.mkv", [Disposition.default, Disposition.comment])
    with pytest.raises(NoSoundTrack, match=words):
        open_medium(path, audio_track=number)


def test_a_picture_that_begins_late_in_a_transport_stream_is_found(tmp_path: Path) -> None:
    """It begins behind the five seconds that FFmpeg looks at by itself."""
    medium = open_medium(write_video(tmp_path / "a.ts", 12.0, picture_start_s=10.0))
    assert medium.kind == "video"
    assert [segment.start_s for segment in medium.segments() if segment.frame is not None] == [10, 11]


def test_a_picture_track_of_which_nothing_comes_is_left_aside(tmp_path: Path) -> None:
    """A transport stream may declare a picture and hold none: its sound is taken, and a note says so."""
    whole = write_video(tmp_path / "a.ts", 4.0)
    path = restamped(whole, tmp_path / "b.ts", lambda _, time_s: time_s, leave=lambda kind, _: kind == "video")
    medium = open_medium(path)
    assert (medium.kind, len(list(medium.segments()))) == ("sound", 4)
    assert medium.notes == ("nothing of the picture track can be decoded here: taken without picture",)


def test_files_of_one_or_no_sound_track_refuse_other_numbers(tmp_path: Path) -> None:
    """A sound file has track 1, a picture none."""
    assert open_medium(write_sound(tmp_path / "a.wav"), audio_track=1).has_sound
    with pytest.raises(NoSoundTrack, match="has one sound track, number 2"):
        open_medium(tmp_path / "a.wav", audio_track=2)
    with pytest.raises(NoSoundTrack, match="has no sound track, number 1"):
        open_medium(write_picture(tmp_path / "a.png"), audio_track=1)
    with pytest.raises(NoSoundTrack, match="has no sound track, number 1"):
        open_medium(write_video(tmp_path / "a.mp4", sound=False), audio_track=1)


def split_programmes(stream: bytes) -> bytes:
    """Make the first sound of a transport stream a programme of its own, picture and second sound another."""
    packets = [bytearray(stream[at : at + 188]) for at in range(0, len(stream), 188)]
    written = []
    for packet in packets:
        pid = (packet[1] & 0x1F) << 8 | packet[2]
        if pid == 0:
            programmes = b"".join(
                n.to_bytes(2, "big") + (0xE000 | at).to_bytes(2, "big") for n, at in ((1, 0x1000), (2, 0x1001))
            )
            packet[4:] = section(0x00, programmes)
        elif pid == 0x1000:
            written.append(packet.copy())
            written[-1][4:] = section(0x02, b"\xe1\x01\xf0\0" + b"\x0f\xe1\x01\xf0\0")
            packet[1:3] = (0x4000 | 0x1001).to_bytes(2, "big")
            packet[4:] = section(0x02, b"\xe1\0\xf0\0" + b"\x1b\xe1\0\xf0\0" + b"\x0f\xe1\x02\xf0\0", 2)
        written.append(packet)
    return b"".join(written)


def section(table: int, body: bytes, number: int = 1) -> bytes:
    """Return a packet's payload with one table of programme `number`."""
    head = bytes([table]) + (0xB000 | len(body) + 9).to_bytes(2, "big") + number.to_bytes(2, "big") + b"\xc1\0\0"
    crc = 0xFFFFFFFF
    for byte in head + body:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ 0x04C11DB7) & 0xFFFFFFFF if crc & 0x80000000 else crc << 1
    return (b"\0" + head + body + crc.to_bytes(4, "big")).ljust(184, b"\xff")


@pytest.mark.parametrize("picture_from_s", [12, None])
def test_a_picture_that_comes_late_or_never_is_no_reason_to_refuse(picture_from_s: int | None, tmp_path: Path) -> None:
    """MPEG-TS declares a picture whose size nobody knows until its first packet."""
    with av.open(str(tmp_path / "a.ts"), "w") as container:
        picture = container.add_stream("libx264", rate=25)
        picture.width, picture.height, picture.pix_fmt = 64, 48, "yuv420p"
        sound = container.add_stream("mp2", rate=16000, layout="mono")
        samples = (tone(14) * 32767).astype(np.int16)
        heard = av.AudioFrame.from_ndarray(samples[np.newaxis], format="s16", layout="mono")
        heard.sample_rate, heard.pts = 16000, 0
        packets = [*sound.encode(heard), *sound.encode()]
        for number in range(25 * picture_from_s, 25 * 14) if picture_from_s else ():
            seen = av.VideoFrame.from_ndarray(grey_frame(number / 25), format="rgb24")
            seen.pts = number
            packets += picture.encode(seen)
        packets += picture.encode()
        container.mux(sorted(packets, key=lambda packet: packet.dts * packet.time_base))
    segments = list(open_medium(tmp_path / "a.ts").segments())
    assert [segment.start_s for segment in segments if segment.sound is not None] == list(range(14))
    expected = list(range(picture_from_s, 14)) if picture_from_s else []
    assert [segment.start_s for segment in segments if segment.frame is not None] == expected
