"""Files that lost something: packets, 4 KiB in the middle, the last eighth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from benchmarks.media_matrix.combination import Combination
from benchmarks.media_matrix.films import film
from benchmarks.media_matrix.sounds import sound

FILMS = (
    ("mp4", "h264b", "aac", "-movflags +faststart"),
    ("mov", "mjpeg", "s16", "-movflags +faststart"),
    ("mkv", "h264b", "aac", ""),
    ("mkv", "ffv1", "flac", ""),
    ("webm", "vp8", "vorbis", ""),
    ("webm", "vp9", "opus", ""),
    ("avi", "mpeg4", "mp3", ""),
    ("avi", "mjpeg", "s16", ""),
    ("ts", "h264b", "aac", ""),
    ("ts", "mpeg2b", "mp2", ""),
    ("mpg", "mpeg2b", "mp2", ""),
    ("vob", "mpeg2b", "ac3", ""),
    ("flv", "h264b", "aac", ""),
    ("wmv", "wmv2", "wmav2", ""),
    ("mxf", "mpeg2b", "s16", ""),
    ("ogv", "theora", "vorbis", ""),
    ("nut", "mpeg4b", "mp3", ""),
    ("3gp", "h263", "aac", "-movflags +faststart"),
    ("mp4", "hevc", "ac3", "-movflags frag_keyframe+empty_moov"),
)
STREAMS = (
    ("ts", "h264b", "aac", 188),
    ("ts", "h264b", "ac3", 188),
    ("ts", "mpeg2b", "mp2", 188),
    ("ts", "hevc", "eac3", 188),
    ("m2ts", "h264b", "ac3", 192),
)
SOUNDS = (
    "wav-s16 flac-flac mp3-mp3 aac-aac ac3-ac3 ogg-vorbis opus-opus mka-flac m4a-alac aiff-s16be au-s16be wma-wmav2 "
    "wv-wavpack"
)


def losses() -> Iterator[Combination]:
    """Yield them all."""
    for suffix, picture, track, size in STREAMS:
        for share in ("0.002", "0.01", "0.05"):
            name = f"{suffix}-{picture}-{track}-{share}"
            better = "-b:v 2M -maxrate 2M -bufsize 1M" if picture.startswith("mpeg2") else "-crf 12"
            damage = f"lost {share} {size}"
            yield film("lost packets", suffix, picture, track, name, picture_more=better, damage=damage)
    whole = [film("", *given[:3], muxer=given[3]) for given in FILMS]
    whole += [sound("", *name.split("-")) for name in SOUNDS.split()]
    for combination in whole:
        yield replace(combination, kind="hole", damage="hole")
        yield replace(combination, kind="cut off", damage="cut")
