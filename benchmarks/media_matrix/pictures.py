"""Still pictures and animations."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.media_matrix.combination import Combination

MIDDLE = "-vf select='eq(n\\,12)' -frames:v 1"
STILLS = {
    "png-rgb": ("png", "-pix_fmt rgb24"),
    "png-rgba": ("png", "-pix_fmt rgba"),
    "png-gray": ("png", "-pix_fmt gray"),
    "png-pal8": ("png", "-pix_fmt pal8"),
    "png-rgb48": ("png", "-pix_fmt rgb48be"),
    "png-gray16": ("png", "-pix_fmt gray16be"),
    "jpg-420": ("jpg", "-q:v 2 -pix_fmt yuvj420p"),
    "jpg-422": ("jpg", "-q:v 2 -pix_fmt yuvj422p"),
    "jpg-444": ("jpg", "-q:v 2 -pix_fmt yuvj444p"),
    "bmp-rgb": ("bmp", "-pix_fmt bgr24"),
    "bmp-bgra": ("bmp", "-pix_fmt bgra"),
    "bmp-rgb565": ("bmp", "-pix_fmt rgb565le"),
    "tiff-rgb": ("tiff", "-pix_fmt rgb24"),
    "tiff-lzw": ("tiff", "-compression_algo lzw -pix_fmt rgb24"),
    "tiff-deflate": ("tiff", "-compression_algo deflate -pix_fmt gray"),
    "tiff-rgb48": ("tiff", "-pix_fmt rgb48le"),
    "tiff-gray16": ("tiff", "-pix_fmt gray16le"),
    "webp-lossy": ("webp", "-c:v libwebp -quality 90"),
    "webp-lossless": ("webp", "-c:v libwebp -lossless 1 -pix_fmt bgra"),
    "jp2-rgb": ("jp2", "-c:v libopenjpeg -pix_fmt rgb24"),
    "avif-420": ("avif", "-c:v libaom-av1 -still-picture 1 -crf 10 -pix_fmt yuv420p"),
    "avif-444": ("avif", "-c:v libaom-av1 -still-picture 1 -crf 10 -pix_fmt yuv444p"),
}
ANIMATIONS = {
    "gif": ("gif", "-vf split[a][b],[a]palettegen[p],[b][p]paletteuse"),
    "gif-12": ("gif", "-r 12.5"),
    "apng": ("apng", "-pix_fmt rgb24 -plays 0"),
    "png-apng": ("png", "-f apng -plays 1 -pix_fmt rgba"),
}


def pictures() -> Iterator[Combination]:
    """Yield them all."""
    for name, (suffix, encoding) in STILLS.items():
        yield Combination(
            "still",
            name,
            suffix,
            picture=f"{MIDDLE} {encoding}",
            muxer="-update 1" if suffix in ("png", "jpg", "bmp", "tiff", "jp2") else "",
        )
    for name, (suffix, encoding) in ANIMATIONS.items():
        yield Combination("animation", name, suffix, picture=encoding, rate_hz="25")
