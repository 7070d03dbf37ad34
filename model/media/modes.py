"""Turn a Pillow image of any mode and colour profile into RGB."""

from __future__ import annotations

import io

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageCms

from model.media.ranges import to_8_bits

PROFILED_MODES = {"RGB": ("RGB",), "GRAY": ("L",), "CMYK": ("CMYK",), "Lab": ("LAB",)}
# A profile that moves no colour by more than this is sRGB under another name: the picture keeps its bits.
LARGEST_DRIFT = 3
PROBES = tuple((red, green, blue) for red in (0, 90, 255) for green in (0, 90, 255) for blue in (0, 90, 255))


def rgb_of(image: Image.Image) -> UInt8[np.ndarray, "height width 3"]:
    """Convert to sRGB: alpha over black, deep and float values by their range, the colour profile honoured."""
    if image.mode == "F" or image.mode.startswith("I"):  # convert() would clip them, not scale them
        return np.repeat(to_8_bits(_values(image))[..., np.newaxis], 3, axis=2)
    if image.has_transparency_data:
        rgba = np.asarray(image.convert("RGBA"))
        if image.mode in ("P", "PA", "RGB", "RGBA"):
            opaque = Image.fromarray(np.ascontiguousarray(rgba[..., :3]))
            colours = np.asarray(_to_srgb(opaque, image.info.get("icc_profile")))
        else:
            colours = rgba[..., :3]
        return np.asarray(colours.astype(np.uint16) * rgba[..., 3:] // 255, np.uint8)
    plain = image.convert("RGB") if image.mode == "P" else image
    shown = _to_srgb(plain, image.info.get("icc_profile"))
    return np.array(shown.convert("RGB"), np.uint8)


def _values(image: Image.Image) -> np.ndarray:
    values = np.asarray(image)
    tags = getattr(image, "tag_v2", {})
    if image.mode == "I" and tags.get(339, (1,)) in (1, (1,)) and values.min() < 0:  # SampleFormat: unsigned 32 bits
        values = values.view(np.uint32)
    if tags.get(262) == 0 and values.dtype.kind in "iu":  # PhotometricInterpretation: white is zero
        depth = to_8_bits(values)
        return 255 - depth
    return values.astype(np.int64) if values.dtype.kind in "iu" and values.dtype != np.uint8 else values


def _to_srgb(image: Image.Image, icc_profile: bytes | None) -> Image.Image:
    """Apply a colour profile; the image itself where it has none, a broken one, or one that is sRGB."""
    try:
        source = _profile(image, icc_profile)
        if source is None or image.mode not in PROFILED_MODES.get(source.profile.xcolor_space.strip(), ()):
            return image
        srgb = ImageCms.createProfile("sRGB")
        transform = ImageCms.buildTransform(source, srgb, image.mode, "RGB", ImageCms.Intent.RELATIVE_COLORIMETRIC)
        if image.mode == "RGB" and _drift(transform) <= LARGEST_DRIFT:
            return image
        converted = ImageCms.applyTransform(image, transform)
        return image if converted is None else converted
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return image


def _profile(image: Image.Image, icc_profile: bytes | None) -> ImageCms.ImageCmsProfile | None:
    if image.mode == "LAB":
        return ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
    return ImageCms.ImageCmsProfile(io.BytesIO(icc_profile)) if icc_profile else None


def _drift(transform: ImageCms.ImageCmsTransform) -> int:
    probes = np.array([PROBES], np.uint8)
    moved = np.asarray(ImageCms.applyTransform(Image.fromarray(probes), transform))
    return int(np.abs(moved.astype(int) - probes).max())
