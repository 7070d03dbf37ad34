"""Sound alone: every container with its codecs, sample rates, layouts, and stereo in opposite phase."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.media_matrix.codecs import SOUNDS
from benchmarks.media_matrix.combination import Combination

CONTAINERS = {
    "wav": "s16 u8 s24 s32 f32 f64 mulaw alaw adpcm_ms adpcm_ima gsm g726 mp3",
    "w64": "s16 u8 s24 f32 mulaw",
    "aiff": "s16be s24be f32be mulaw",
    "au": "s16be f32be mulaw alaw",
    "caf": "s16 s16be s24 f32 alac mulaw aac",
    "flac": "flac",
    "mp3": "mp3",
    "mp2": "mp2",
    "ogg": "vorbis opus flac speex",
    "opus": "opus",
    "m4a": "aac alac",
    "aac": "aac",
    "latm": "aac",
    "ac3": "ac3",
    "eac3": "eac3",
    "dts": "dts",
    "mka": "aac flac vorbis opus s16 f32 mp3 ac3 alac wavpack tta",
    "wma": "wmav1 wmav2",
    "webm": "opus vorbis",
    "mp4": "aac mp3 flac opus",
    "wv": "wavpack",
    "tta": "tta",
    "voc": "u8 s16",
    "ts": "aac mp2",
    "avi": "s16 mp3",
    "flv": "aac mp3",
    "nut": "s16 vorbis",
}
MUXERS = {"latm": "-f latm", "wma": "-f asf", "mka": "-f matroska", "mp2": "-f mp2"}
RATES_HZ = {
    "wav-s16": (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 88200, 96000),
    "flac-flac": (8000, 16000, 22050, 44100, 96000),
    "mp3-mp3": (8000, 11025, 16000, 22050, 24000, 32000, 44100),
    "m4a-aac": (8000, 16000, 22050, 44100, 96000),
    "aac-aac": (16000, 44100),
    "ogg-vorbis": (8000, 16000, 44100, 96000),
    "opus-opus": (8000, 12000, 16000, 24000),
    "mka-s16": (8000, 11025, 44100, 96000),
    "ac3-ac3": (32000, 44100),
    "wma-wmav2": (16000, 22050),
}
LAYOUTS = {  # layout: the share of the truth in each channel
    "stereo": (0.9, 0.4),
    "2.1": (0.8, 0.5, 0.6),
    "3.0": (0.3, 0.3, 0.9),
    "quad": (0.7, 0.5, 0.3, 0.2),
    "5.0": (0.5, 0.4, 0.8, 0.2, 0.3),
    "5.1": (0.5, 0.4, 0.8, 0.6, 0.2, 0.3),
    "5.1(side)": (0.5, 0.4, 0.8, 0.6, 0.2, 0.3),
    "6.1": (0.5, 0.4, 0.8, 0.6, 0.3, 0.2, 0.3),
    "7.1": (0.5, 0.4, 0.8, 0.6, 0.2, 0.3, 0.2, 0.3),
}
LAID_OUT = {
    "wav-s16": "stereo 2.1 3.0 quad 5.0 5.1 5.1(side) 6.1 7.1",
    "flac-flac": "stereo 3.0 quad 5.0 5.1 5.1(side) 6.1 7.1",
    "m4a-aac": "stereo 3.0 5.0 5.1 7.1",
    "mka-f32": "stereo 2.1 5.1 7.1",
    "ac3-ac3": "stereo 3.0 5.0 5.1(side)",
    "ogg-vorbis": "stereo 3.0 quad 5.0 5.1 7.1",
    "opus-opus": "stereo 5.1 7.1",
    "caf-s16": "stereo 5.1",
    "aiff-s16be": "stereo 5.1",
}
ONE_CHANNEL = {"stereo": (0, 1), "5.1": (2, 0, 4), "7.1": (2, 6)}
OPPOSED = ("wav-s16", "wav-f32", "flac-flac", "m4a-aac", "mp3-mp3", "ogg-vorbis", "opus-opus", "mka-s16", "ac3-ac3")


def sounds() -> Iterator[Combination]:
    """Yield them all."""
    for suffix, codecs in CONTAINERS.items():
        for codec in codecs.split():
            yield sound("sound", suffix, codec)
    for name, rates_hz in RATES_HZ.items():
        for rate_hz in rates_hz:
            suffix, codec = name.split("-")
            yield sound("sample rates", suffix, codec, f"{name}-{rate_hz}", f"-ar {rate_hz}")
    yield from layouts()
    yield from structures()


def sound(kind: str, suffix: str, codec: str, name: str = "", more: str = "", **others: str) -> Combination:
    """Return a combination with the usual arguments of a container and a codec."""
    muxer = f"{MUXERS.get(suffix, '')} {others.pop('muxer', '')}".strip()
    encoding = f"{SOUNDS[codec]} {more}".strip()
    return Combination(kind, name or f"{suffix}-{codec}", suffix, sound=encoding, muxer=muxer, **others)  # type: ignore[arg-type]


def layouts() -> Iterator[Combination]:
    """Sound in several channels, in one of several, and in two that cancel each other."""
    for name, given in LAID_OUT.items():
        suffix, codec = name.split("-")
        for layout in given.split():
            shares = LAYOUTS[layout]
            yield sound("layouts", suffix, codec, f"{name}-{layout}", more=panned(layout, shares))
            for channel in ONE_CHANNEL.get(layout, ()):
                alone = tuple(0.9 * (number == channel) for number in range(len(shares)))
                yield sound("layouts", suffix, codec, f"{name}-{layout}-only-{channel}", more=panned(layout, alone))
    for name in OPPOSED:
        suffix, codec = name.split("-")
        yield sound("opposed", suffix, codec, name, panned("stereo", (0.9, -0.9)), mix="pan=mono|c0=c0")


def panned(layout: str, shares: tuple[float, ...]) -> str:
    """Return the filter that puts the truth into channels."""
    channels = "|".join(f"c{number}={share:g}*c0" for number, share in enumerate(shares))
    return f"-af 'pan={layout}|{channels}'"


def structures() -> Iterator[Combination]:
    """The same sound in files that were streamed, that are several in a row, or that only estimate their length."""
    yield sound("structure", "wav", "s16", "rf64", muxer="-rf64 always")
    yield sound("structure", "mp3", "mp3", "mp3-vbr-no-xing", more="-b:a 0 -q:a 4", muxer="-write_xing 0")
    yield sound("structure", "mp3", "mp3", "mp3-no-xing", muxer="-write_xing 0")
    yield sound("structure", "mp3", "mp3", "mp3-no-tags", muxer="-write_xing 0 -id3v2_version 0")
    yield sound("structure", "m4a", "aac", "m4a-fragments", muxer="-movflags frag_keyframe+empty_moov")
    yield sound("structure", "aac", "aac", "adts-with-crc", muxer="-write_id3v2 1")
    for suffix, codec in (("ogg", "vorbis"), ("opus", "opus"), ("mp3", "mp3"), ("aac", "aac"), ("ac3", "ac3")):
        yield sound("structure", suffix, codec, f"{suffix}-twice", damage="twice")
