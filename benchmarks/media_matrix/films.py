"""Films that are whole: every container with its codecs, frame rates, shapes, pixels and key frames."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.media_matrix.codecs import PICTURES, SOUNDS
from benchmarks.media_matrix.combination import Combination

CONTAINERS = {  # the pictures and sounds that are usual in each, the most usual first
    "mp4": ("h264b h264 hevc mpeg4b av1 vp9 mpeg2b mjpeg", "aac mp3 ac3 eac3 opus flac alac mp2 dts"),
    "mov": ("h264b hevc prores mjpeg mpeg4b dnxhr qtrle svq1 png", "s16 aac s16be s24 f32 alac adpcm_qt mulaw u8 mp3"),
    "mkv": (
        "h264b hevc vp8 vp9 av1 mpeg4b mpeg2b mjpeg ffv1 prores theora huffyuv raw snow",
        "aac opus vorbis flac ac3 eac3 mp3 mp2 s16 s24 f32 f64 u8 alac dts truehd wavpack tta mulaw adpcm_ms",
    ),
    "webm": ("vp9 vp8 av1", "opus vorbis"),
    "avi": (
        "mpeg4 xvid mpeg4b mjpeg h264 h264b ffv1 huffyuv utvideo raw wmv2 msmpeg4",
        "mp3 s16 ac3 mp2 u8 adpcm_ms adpcm_ima aac mulaw",
    ),
    "ts": ("h264b h264 hevc mpeg2b mpeg4", "aac mp2 ac3 mp3 eac3 opus s302m dts truehd"),
    "m2ts": ("h264b mpeg2b hevc", "ac3 bluray aac truehd dts"),
    "mpg": ("mpeg1 mpeg2b", "mp2 ac3 mp3"),
    "vob": ("mpeg2b mpeg2", "ac3 mp2 dvd dts"),
    "flv": ("h264b flv1 h264", "aac mp3 adpcm_swf speex nellymoser"),
    "wmv": ("wmv2 wmv1 msmpeg4 h264", "wmav2 wmav1 mp3"),
    "mxf": ("mpeg2b dnxhr h264", "s16 s24"),
    "ogv": ("theora", "vorbis opus flac speex"),
    "nut": ("h264b mpeg4b ffv1 vp9", "aac mp3 vorbis flac s16 opus"),
    "3gp": ("h263 mpeg4 h264", "aac"),
    "rm": ("rv20", "ac3"),
}
MUXERS = {"m2ts": "-f mpegts -mpegts_m2ts_mode 1", "vob": "-f vob", "mpg": "-f mpeg", "wmv": "-f asf"}
RATES_HZ = ("12", "24000/1001", "30000/1001", "50")
RATED = {  # container: (picture, sound)
    "mp4": ("h264b", "aac"),
    "mov": ("mjpeg", "s16"),
    "mkv": ("vp9", "opus"),
    "webm": ("vp8", "vorbis"),
    "avi": ("mpeg4", "mp3"),
    "ts": ("h264b", "ac3"),
    "mpg": ("mpeg2b", "mp2"),
    "flv": ("h264", "mp3"),
    "wmv": ("wmv2", "wmav2"),
    "nut": ("mpeg4b", "flac"),
}
VARIABLE = "-vf select='not(mod(n\\,3))+lt(mod(n\\,25)\\,8)' -fps_mode vfr"


def films() -> Iterator[Combination]:
    """Yield them all."""
    yield from crossed()
    yield from rates()
    yield from shapes()
    yield from pixels()
    yield from key_frames()
    yield from structures()


def film(kind: str, suffix: str, picture: str, sound: str, name: str = "", **more: object) -> Combination:
    """Return a combination with the usual arguments of a container and two codecs."""
    muxer = f"{MUXERS.get(suffix, '')} {more.pop('muxer', '')}".strip()
    added_to_picture, added_to_sound = more.pop("picture_more", ""), more.pop("sound_more", "")
    return Combination(
        kind=kind,
        name=name or f"{suffix}-{picture}-{sound}",
        suffix=suffix,
        picture=f"{PICTURES[picture]} {added_to_picture}".strip(),
        sound=f"{SOUNDS[sound]} {added_to_sound}".strip(),
        muxer=muxer,
        **more,  # type: ignore[arg-type]
    )


def crossed() -> Iterator[Combination]:
    """Every picture codec of a container with its two most usual sounds, every sound with its two usual pictures."""
    for suffix, (pictures, sounds) in CONTAINERS.items():
        for p, picture in enumerate(pictures.split()):
            for s, sound in enumerate(sounds.split()):
                if p < 2 or s < 1 or (p + s) % 7 == 0:
                    yield film("codecs", suffix, picture, sound)
    yield film("codecs", "dv", "dv25", "dv16")
    yield film("codecs", "dv", "dvntsc", "dv16", rate_hz="30000/1001")
    yield film("codecs", "avi", "dv25", "dv16")
    yield film("codecs", "mov", "dv25", "dv16")
    yield film("codecs", "mxf", "dv25", "dv16")


def rates() -> Iterator[Combination]:
    """Films at slow, fast and odd frame rates, and at a varying one."""
    for suffix, (picture, sound) in RATED.items():
        for rate_hz in RATES_HZ:
            if suffix != "mpg" or rate_hz != "12":
                name = f"{suffix}-{picture}-{rate_hz.replace('/', '-')}"
                yield film("rates", suffix, picture, sound, name, rate_hz=rate_hz)
        if suffix not in ("avi", "mpg"):  # they have none
            yield film("rates", suffix, picture, sound, f"{suffix}-{picture}-varying", picture_more=VARIABLE)


def shapes() -> Iterator[Combination]:
    """Interlaced films, turned ones, and those whose pixels are not square."""
    for suffix, picture, sound in (("ts", "mpeg2b", "mp2"), ("mpg", "mpeg2", "mp2"), ("mkv", "mpeg2b", "ac3")):
        for field, flags in (("top", "-flags +ildct+ilme -top 1"), ("bottom", "-flags +ildct+ilme -top 0")):
            name = f"{suffix}-{picture}-{field}-field"
            yield film("interlaced", suffix, picture, sound, name, picture_more=flags)
    for suffix, sound in (
        ("ts", "ac3"),
        ("mp4", "aac"),
        ("mkv", "aac"),
        ("mov", "s16"),
        ("m2ts", "ac3"),
        ("avi", "mp3"),
    ):
        for field in ("tff", "bff"):
            more = f"-x264-params {field}=1"
            yield film("interlaced", suffix, "h264", sound, f"{suffix}-h264-{field}", picture_more=more)
    for suffix in ("mp4", "mov", "3gp"):
        for degrees in (90, 180, 270):
            more = f"-metadata:s:v rotate={degrees}"
            yield film("turned", suffix, "h264", "aac", f"{suffix}-{degrees}", picture_more=more)
    squares = (
        ("mp4", "h264b"),
        ("mkv", "h264b"),
        ("ts", "mpeg2b"),
        ("avi", "mpeg4"),
        ("mov", "mjpeg"),
        ("mpg", "mpeg2"),
    )
    for suffix, picture in squares:
        for across in ("4/3", "2/1", "8/9"):
            more = f"-vf setsar={across}"
            if picture.startswith("mpeg2"):
                more = f"-aspect {'16:9' if across != '8/9' else '4:3'} -vf scale=176:144:flags=neighbor"
            sound = {"avi": "mp3", "ts": "mp2", "mpg": "mp2"}.get(suffix, "aac")
            name = f"{suffix}-{picture}-{across.replace('/', '-')}"
            yield film("pixel aspect", suffix, picture, sound, name, picture_more=more)


def pixels() -> Iterator[Combination]:
    """Films of many pixel formats, and of sizes whose colours go by another matrix."""
    formats = {
        "h264": "yuv420p yuv422p yuv444p yuv420p10le yuv422p10le yuv444p10le yuvj420p yuvj444p gray",
        "hevc": "yuv420p yuv422p yuv444p yuv420p10le yuv444p12le gray gbrp",
        "ffv1": "yuv420p yuv422p yuv444p yuv420p10le yuv444p16le gbrp10le gray gray16le rgb48le bgra yuva420p yuv411p",
        "vp9": "yuv420p yuv422p yuv444p yuv420p10le gbrp",
        "prores": "yuv422p10le yuv444p10le yuva444p10le",
        "mjpeg": "yuvj420p yuvj422p yuvj444p",
        "raw": "yuv420p yuyv422 uyvy422 rgb24 bgr24 rgb555le nv12 gray",
        "huffyuv": "yuv422p rgb24 bgra",
        "utvideo": "yuv420p yuv422p yuv444p gbrp gbrap",
        "png": "rgb24 rgba gray pal8 rgb48be monob",
    }
    for picture, names in formats.items():
        suffix = "avi" if picture in ("huffyuv", "utvideo", "raw") else "mkv"
        for name in names.split():
            more = f"-pix_fmt {name}"
            sound = "s16" if suffix == "avi" else "flac"
            yield film("pixels", suffix, picture, sound, f"{picture}-{name}", picture_more=more)
    for size in ("720:576", "1280:720"):
        for matrix, tag in (("bt601", "smpte170m"), ("bt709", "bt709")):
            scale = f"-vf scale={size}:flags=neighbor:out_color_matrix={matrix}:out_range=tv -t 3"
            name = f"{size.split(':')[1]}-{matrix}"
            yield film("colours", "mp4", "h264", "aac", f"{name}-tagged", picture_more=f"{scale} -colorspace {tag}")
        usual = "bt709" if size == "1280:720" else "bt601"
        scale = f"-vf scale={size}:flags=neighbor:out_color_matrix={usual}:out_range=tv -t 3"
        yield film("colours", "mp4", "h264", "aac", f"{size.split(':')[1]}-untagged", picture_more=scale)
    full = "-vf scale=out_range=pc -pix_fmt yuv420p -color_range pc"
    for suffix, picture in (("mp4", "h264"), ("mkv", "hevc"), ("mkv", "ffv1"), ("ts", "h264")):
        yield film("colours", suffix, picture, "aac", f"{suffix}-{picture}-full-range", picture_more=full)


def key_frames() -> Iterator[Combination]:
    """Films of key frames alone, of one key frame, of open groups, and with many frames to wait for."""
    settings = {"every": "-g 1 -bf 0", "12": "-g 12", "one": "-g 600"}
    for suffix, picture, sound in (
        ("mp4", "h264b", "aac"),
        ("mkv", "h264b", "aac"),
        ("ts", "h264b", "aac"),
        ("avi", "mpeg4", "mp3"),
        ("mov", "mpeg4b", "aac"),
        ("webm", "vp8", "opus"),
    ):
        for name, more in settings.items():
            if not (picture == "mpeg4b" and name == "every"):
                yield film("key frames", suffix, picture, sound, f"{suffix}-{picture}-{name}", picture_more=more)
    for suffix in ("mp4", "mkv", "ts", "flv"):
        deep = "-x264-params open-gop=1:bframes=8:b-pyramid=normal:rc-lookahead=20"
        yield film("key frames", suffix, "h264b", "aac", f"{suffix}-h264-deep", picture_more=deep)


def structures() -> Iterator[Combination]:
    """The same tracks in files that were streamed, cut into fragments, or have no index."""
    for name, suffix, muxer in (
        ("mp4-fragments", "mp4", "-movflags frag_keyframe+empty_moov"),
        ("mp4-dash", "mp4", "-movflags dash+frag_keyframe"),
        ("mp4-faststart", "mp4", "-movflags +faststart"),
        ("mp4-no-edits", "mp4", "-use_editlist 0"),
        ("mp4-negative-offsets", "mp4", "-movflags +negative_cts_offsets"),
        ("mov-fragments", "mov", "-movflags frag_keyframe"),
        ("mkv-live", "mkv", "-live 1"),
        ("webm-dash", "mkv", "-dash 1"),
        ("ts-latm", "ts", "-mpegts_flags latm"),
        ("ts-no-delay", "ts", "-muxdelay 0 -muxpreload 0"),
        ("flv-no-duration", "flv", "-flvflags no_duration_filesize"),
    ):
        yield film("structure", suffix, "h264b", "aac", name, muxer=muxer)
