"""Still pictures of every kind: whole, upright, in sRGB, by their range, and cut short."""

from __future__ import annotations

import io
import struct
import zlib
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pillow_heif
import pytest
from media_samples import gradient, write_picture
from PIL import Image, ImageCms, ImageFile

from model.errors import Damaged, NotAMedium, TooLarge
from model.media import cuts
from model.media.encoding import encode_wav
from model.media.medium import Limits, Medium, open_medium
from model.media.pictures import Picture, read_head, read_picture
from model.media.ranges import to_8_bits

RED = (220, 30, 30)
SHARED = Path(__file__).parents[4] / "shared" / "media_cases"
EXIF_ORIENTATION = 0x0112
SHOWN = {  # EXIF 2.32, 4.6.4: what is done to the stored picture
    1: lambda p: p,
    2: lambda p: p[:, ::-1],
    3: lambda p: np.rot90(p, 2),
    4: lambda p: p[::-1],
    5: lambda p: p.swapaxes(0, 1),
    6: lambda p: np.rot90(p, -1),
    7: lambda p: np.rot90(p, 2).swapaxes(0, 1),
    8: np.rot90,
}


def shown(path: Path, limits: Limits = Limits()) -> np.ndarray:  # noqa: B008
    medium = open_medium(path, limits)
    assert (medium.kind, medium.has_sound) == ("picture", False)
    (segment,) = medium.segments()
    assert segment.frame is not None
    return segment.frame.astype(int)


def read(path: Path, most_loss: float = 0.5) -> Picture:
    open_medium(path)
    return read_picture(path, 10**7, most_loss)


def noisy(width: int = 200, height: int = 150) -> np.ndarray:
    """Return a picture without two rows alike, which no codec makes very small."""
    noise = np.random.default_rng(0).integers(0, 60, (height, width, 3))
    return (gradient(width, height) * 0.75 + noise).astype(np.uint8)


def write_heif(path: Path, pixels: np.ndarray, **options: object) -> Path:
    pillow_heif.from_pillow(Image.fromarray(pixels)).save(path, quality=90, **options)
    return path


def test_a_heif_of_tiles_is_one_picture(tmp_path: Path) -> None:
    """A grid of 12 tiles, whose last ones are cropped, is the whole picture and no video."""
    path = write_heif(tmp_path / "p.heic", gradient(200, 150), tile_size=64)
    assert pillow_heif.open_heif(path).info["tiling"]["num_columns"] == 4
    assert np.abs(shown(path) - gradient(200, 150)).mean() < 4
    assert open_medium(path).media_type == "image/heic"


def test_a_burst_is_its_primary_picture(tmp_path: Path) -> None:
    """Of several pictures in a file, the one is taken that the file calls its primary."""
    burst = pillow_heif.from_pillow(Image.new("RGB", (64, 48), (0, 0, 255)))
    burst.add_from_pillow(Image.new("RGB", (96, 64), RED))
    burst.save(tmp_path / "p.heic", primary_index=1, quality=90)
    picture = shown(tmp_path / "p.heic")
    assert picture.shape == (64, 96, 3)
    assert np.abs(picture - RED).max() <= 6


@pytest.mark.shared
def test_real_photographs_in_heif_are_whole() -> None:
    """An iPhone's photograph of 48 tiles, and a burst."""
    if not SHARED.is_dir():
        pytest.skip("the shared media are not beside this checkout")
    arrow = shown(SHARED / "arrow.heic")
    assert arrow.shape == (4032, 3024, 3)
    assert arrow[200:3900, 100:2900].reshape(-1, 3).mean(0).min() > 120  # paper with lines, in every part of it
    assert min(part.mean() for rows in np.array_split(arrow, 8) for part in np.array_split(rows, 6, axis=1)) > 100
    assert shown(SHARED / "zPug_3.heic").shape == (64, 64, 3)


@pytest.mark.parametrize("bits_lost", [0, 2, 30])
def test_a_heif_cut_short_is_taken_or_damaged(bits_lost: int, tmp_path: Path) -> None:
    """What is missing at the end is black or grey; without its head it is damaged, never a foreign error."""
    path = write_heif(tmp_path / "p.heic", noisy())
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * (100 - bits_lost) // 100])
    picture = read(path)
    assert picture.whole is (bits_lost == 0)
    assert picture.lost == pytest.approx(bits_lost / 100, abs=0.01)
    path.write_bytes(data[:200])
    with pytest.raises(Damaged):
        shown(path)


@pytest.mark.parametrize("suffix", ["heic", "avif"])
def test_a_makers_trailer_is_no_loss(suffix: str, tmp_path: Path) -> None:
    """Bytes behind the last box, as some phones append them, do not make a whole picture a cut one."""
    path = tmp_path / f"p.{suffix}"
    write_heif(path, noisy()) if suffix == "heic" else write_picture(path, noisy())
    path.write_bytes(path.read_bytes() + struct.pack(">I4s", 10**6, b"SEFH") + bytes(100))
    assert (read(path).whole, read(path).lost) == (True, 0.0)


def test_a_few_bytes_that_declare_many_are_not_padded(tmp_path: Path) -> None:
    """A head that announces 400 MB of pixels costs no 400 MB."""
    path = write_heif(tmp_path / "p.heic", noisy())
    data = bytearray(path.read_bytes())
    at = data.index(b"mdat") - 4
    data[at : at + 4] = struct.pack(">I", 400_000_000)
    path.write_bytes(data)
    assert cuts.pad(path) is None


def test_a_heif_without_pictures_is_damaged(tmp_path: Path) -> None:
    """Its brand says HEIF: no other decoder may take a tile of it for a video."""
    path = tmp_path / "p.heic"
    path.write_bytes(struct.pack(">I4s4sI4s4s", 24, b"ftyp", b"heic", 0, b"mif1", b"heic") + bytes(100))
    with pytest.raises(Damaged, match="HEIF"):
        open_medium(path)


@pytest.mark.parametrize("orientation", SHOWN)
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif", "avif", "heic"])
def test_every_orientation_is_obeyed_once(orientation: int, suffix: str, tmp_path: Path) -> None:
    """The eight orientations of EXIF; HEIF and AVIF say them in boxes of their own, beside the EXIF."""
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = orientation
    path, expected = tmp_path / f"p.{suffix}", SHOWN[orientation](gradient()).astype(int)
    if suffix == "heic":
        write_heif(path, gradient(), exif=exif.tobytes())
    else:
        write_picture(path, exif=exif)
    picture = shown(path)
    assert picture.shape == expected.shape
    assert np.abs(picture - expected).mean() < 8


@pytest.mark.parametrize("suffix", ["heic", "avif"])
@pytest.mark.parametrize(("transfer", "white"), [(16, 0.5807), (18, 0.75)])
def test_high_range_stills_are_mapped(suffix: str, transfer: int, white: float, tmp_path: Path) -> None:
    """White of PQ and HLG is white, of HEIF and AVIF alike."""
    path = tmp_path / f"p.{suffix}"
    pixels = np.full((48, 64, 3), round(255 * white), np.uint8)
    if suffix == "heic":
        write_heif(path, pixels, color_primaries=9, transfer_characteristics=transfer, matrix_coefficients=9)
    else:
        write_picture(path, pixels, quality=95)
        data = bytearray(path.read_bytes())
        at = data.index(b"colrnclx") + 8
        data[at : at + 4] = struct.pack(">HH", 9, transfer)
        path.write_bytes(data)
    assert np.abs(shown(path) - 255).max() <= 14


@pytest.mark.parametrize(("primaries", "wide"), [("p3", True), ("srgb", False)])
def test_a_colour_profile_is_honoured(primaries: str, wide: bool, tmp_path: Path) -> None:
    """Red of a wide profile is redder on an ordinary screen; a picture whose profile is sRGB keeps its bits."""
    profile = _matrix_profile(primaries)
    path = write_picture(tmp_path / "p.png", np.full((20, 20, 3), (200, 60, 60), np.uint8), icc_profile=profile)
    red, green, _ = shown(path)[0, 0]
    # CSS Color 4: color(display-p3 0.784 0.235 0.235) is rgb(218, 35, 52)
    assert (red > 210 and green < 50) if wide else (red, green) == (200, 60)


def _matrix_profile(primaries: str) -> bytes:
    """Return sRGB's ICC profile; for "p3" its colorants are those of Display P3, adapted to D50."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    if primaries == "p3":
        colorants = {
            b"rXYZ": (0.5151, 0.2412, -0.0011),
            b"gXYZ": (0.2919, 0.6922, 0.0419),
            b"bXYZ": (0.1572, 0.0666, 0.7841),
        }
        for tag, xyz in colorants.items():
            at = data.index(tag)
            offset = struct.unpack_from(">I", data, at + 4)[0]
            struct.pack_into(">3i", data, offset + 8, *(round(value * 65536) for value in xyz))
    return bytes(data)


def test_a_broken_colour_profile_is_ignored(tmp_path: Path) -> None:
    """It is no reason to refuse the picture."""
    path = write_picture(tmp_path / "p.png", np.full((20, 20, 3), RED, np.uint8), icc_profile=b"no profile at all")
    assert shown(path)[0, 0].tolist() == list(RED)


RAMP = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (48, 1))


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("p.tif", RAMP),
        ("p.tif", RAMP * 255),
        ("p.tif", RAMP * 65535),
        ("p.tif", (RAMP * 4095).astype(np.uint16)),
        ("p.tif", (RAMP * 65535).astype(np.uint16)),
        ("p.png", (RAMP * 4095).astype(np.uint16)),
        ("p.png", (RAMP * 65535).astype(np.uint16)),
        ("p.tif", (RAMP * 65535).astype(np.int32)),
        ("p.tif", RAMP * 500 - 250),
        ("p.pgm", (RAMP * 65535).astype(np.uint16)),
    ],
    ids=["f 1", "f 255", "f 65535", "12 bits", "16 bits", "png 12", "png 16", "32 bits", "negative", "pgm"],
)
def test_deep_pictures_are_scaled_by_their_range(name: str, values: np.ndarray, tmp_path: Path) -> None:
    """A ramp from the least to the greatest is a ramp from black to white."""
    picture = shown(write_picture(tmp_path / name, values))
    assert np.abs(picture - np.linspace(0, 255, 64)[:, np.newaxis]).max() <= 2


def test_what_is_no_number_is_black(tmp_path: Path) -> None:
    """NaN is black, infinity is the brightest, a little ringing below black is clipped, and all NaN is all black."""
    values = RAMP.copy()
    values[:20, :] = np.nan
    values[20, 0], values[21, 0], values[22, 0] = np.inf, -np.inf, -0.05
    picture = shown(write_picture(tmp_path / "p.tif", values))
    assert not picture[:20].any()
    assert picture[20:23, 0, 0].tolist() == [255, 0, 0]
    assert np.abs(picture[30] - np.linspace(0, 255, 64)[:, np.newaxis]).max() <= 1
    assert not to_8_bits(np.full((2, 2), np.nan)).any()


def test_twelve_bits_of_three_colours_are_not_black(tmp_path: Path) -> None:
    """Pillow keeps the upper eight of sixteen bits; FFmpeg is asked where nothing is left in them."""
    colour = np.full((20, 20, 3), [value * 4095 // 255 for value in RED], "<u2")
    (tmp_path / "p.tif").write_bytes(_tiff(colour))
    assert np.abs(shown(tmp_path / "p.tif") - RED).max() <= 2


def _tiff(pixels: np.ndarray) -> bytes:
    """Return 16-bit RGB as an uncompressed TIFF of one strip."""
    height, width, _ = pixels.shape
    fields = [(256, 3, 1, width), (257, 3, 1, height), (258, 3, 3, 146), (259, 3, 1, 1), (262, 3, 1, 2)]
    fields += [(273, 4, 1, 152), (277, 3, 1, 3), (278, 3, 1, height), (279, 4, 1, pixels.nbytes), (339, 3, 1, 1)]
    head = b"II*\0" + struct.pack("<IH", 8, len(fields)) + b"".join(struct.pack("<HHII", *f) for f in fields)
    return (head + bytes(4)).ljust(146, b"\0") + struct.pack("<3H", 16, 16, 16) + pixels.tobytes()


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("p.png", "1"), ("p.tif", "1"), ("p.png", "L"), ("p.png", "LA"), ("p.png", "P"), ("p.tif", "CMYK"),
        ("p.jpg", "CMYK"), ("p.tif", "LAB"), ("p.tif", "YCbCr"), ("p.tif", "RGBA"), ("p.webp", "RGBA"),
        ("p.ppm", "RGB"), ("p.pgm", "L"), ("p.pbm", "1"), ("p.qoi", "RGB"), ("p.pcx", "RGB"), ("p.tga", "RGB"),
        ("p.ico", "RGB"), ("p.jp2", "RGB"), ("p.bmp", "RGB"), ("p.sgi", "RGB"), ("p.tga", "RGBA"),
    ],
)  # fmt: skip
def test_every_mode_and_format_keeps_its_colour(name: str, mode: str, tmp_path: Path) -> None:
    """Half white, half red or grey, whatever the file is and however its pixels are stored."""
    pixels = np.full((32, 32, 3), 255, np.uint8)
    pixels[:, 16:] = RED
    image = Image.fromarray(pixels)
    if mode == "LAB":
        srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        image = ImageCms.applyTransform(image, ImageCms.buildTransform(srgb, lab, "RGB", "LAB"))
    else:
        image = image.convert(mode, dither=Image.Dither.NONE, palette=Image.Palette.ADAPTIVE)
    options = {"sizes": [(32, 32)]} if name == "p.ico" else {}
    image.save(tmp_path / name, **options)
    picture = shown(tmp_path / name)
    dark = {"1": (0, 0, 0), "L": (87, 87, 87), "LA": (87, 87, 87)}.get(mode, RED)
    assert np.abs(picture[4:-4, 4:12] - 255).mean() <= 3
    assert np.abs(picture[4:-4, 20:28] - dark).mean() <= 4


@pytest.mark.parametrize(
    ("name", "share"),
    [("p.jpg", 0.7), ("p.png", 0.7), ("i.png", 0.7), ("p.gif", 0.7), ("p.webp", 0.7), ("p.bmp", 0.7), ("p.avif", 0.7)],
)
def test_a_picture_cut_short_is_taken_with_what_is_there(name: str, share: float, tmp_path: Path) -> None:
    """Seven tenths of the bytes give about seven tenths of the picture, and the loss is told; a quarter is refused."""
    path = write_picture(tmp_path / name, noisy())
    whole, data = shown(path), path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    picture = read(path)
    right = (np.abs(picture.pixels.astype(int) - whole).max(axis=2) < 40).mean()
    assert 0.6 < right < 0.95
    assert picture.lost == pytest.approx(0.3, abs=0.08)
    assert not picture.whole
    assert picture.notes
    path.write_bytes(data[: len(data) // 4])
    with pytest.raises(Damaged):
        shown(path)


@pytest.mark.parametrize("name", ["p.jpg", "p.png", "p.gif", "p.webp", "p.avif"])
def test_a_picture_without_its_last_two_bytes_is_taken(name: str, tmp_path: Path) -> None:
    """Nearly nothing is missing, and next to nothing is lost."""
    path = write_picture(tmp_path / name, noisy())
    whole = shown(path)
    path.write_bytes(path.read_bytes()[:-2])
    assert np.abs(read(path).pixels.astype(int) - whole).mean() < 1
    assert read(path).lost < 0.02


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_the_loss_of_a_turned_jpeg_is_that_of_its_stored_rows(orientation: int, tmp_path: Path) -> None:
    """A phone stores an upright photograph lying, and the missing rows are columns once it is shown."""
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = orientation
    path = write_picture(tmp_path / "p.jpg", noisy(), exif=exif)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 7 // 10])
    assert read(path).lost == pytest.approx(0.3, abs=0.08)
    path.write_bytes(data[: len(data) // 4])
    with pytest.raises(Damaged, match="lost"):
        shown(path)


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_white_paper_is_no_loss(mode: str, tmp_path: Path) -> None:
    """A page that is mostly white lacks only the mark of its end; with three tenths cut off it lacks those."""
    page = np.full((160, 200, 3), 255, np.uint8)
    page[48:112] = noisy(200, 64)
    path = tmp_path / "p.jpg"
    Image.fromarray(page).convert(mode).save(path)
    data = path.read_bytes()
    path.write_bytes(data[:-2])
    assert (read(path).lost, read(path).whole) == (0.0, False)
    path.write_bytes(data[: len(data) * 7 // 10])
    assert 0.3 < read(path).lost <= 0.5


def test_a_png_with_a_wrong_checksum_has_lost_nothing(tmp_path: Path) -> None:
    """All pixels of a white page are there."""
    path = write_picture(tmp_path / "p.png", np.full((64, 64, 3), 255, np.uint8))
    data = bytearray(path.read_bytes())
    data[data.rfind(b"IEND") - 9] ^= 0xFF  # the last byte of the checksum of zlib
    path.write_bytes(data)
    assert read(path).lost == 0.0


def test_a_progressive_jpeg_cut_short_lacks_only_detail(tmp_path: Path) -> None:
    """The whole picture is there, coarser: nothing of it is lost, and it is not whole."""
    path = write_picture(tmp_path / "p.jpg", noisy(), progressive=True)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 7 // 10])
    assert (read(path).lost, read(path).whole) == (0.0, False)


def test_how_much_may_be_lost_is_a_setting(tmp_path: Path) -> None:
    """With `most_loss` of a tenth, a picture of which three tenths are missing is refused by name."""
    path = write_picture(tmp_path / "p.jpg", noisy())
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 7 // 10])
    with pytest.raises(Damaged, match=r"p\.jpg .* 10%"):
        shown(path, Limits(most_loss=0.1))
    (segment,) = open_medium(path).segments()
    assert not segment.frame_whole


def test_a_png_with_a_broken_middle_gives_its_beginning(tmp_path: Path) -> None:
    """Bytes overwritten in the packed pixels: what was before them is taken."""
    path = write_picture(tmp_path / "p.png", noisy())
    whole, data = shown(path), bytearray(path.read_bytes())
    at = len(data) * 3 // 4
    data[at : at + 64] = bytes(64)
    path.write_bytes(data)
    assert np.abs(read(path).pixels.astype(int) - whole)[:70].max() == 0


def test_a_large_png_is_never_inflated_past_its_size(tmp_path: Path) -> None:
    """A cut PNG that would inflate to far more than its head says is bounded by its head."""
    path = write_picture(tmp_path / "p.png", np.zeros((64, 64, 3), np.uint8))
    data = path.read_bytes()
    bomb = zlib.compress(bytes(50_000_000))
    path.write_bytes(data[:33] + struct.pack(">I", len(bomb)) + b"IDAT" + bomb[:-8])
    assert shown(path).shape == (64, 64, 3)


@pytest.mark.parametrize("kind", ["exr", "dpx", "jpegls", "sunrast", "pfm"])
def test_what_pillow_does_not_know_ffmpeg_does(kind: str, tmp_path: Path) -> None:
    """OpenEXR, DPX, JPEG-LS, Sun raster and float maps are pictures, too."""
    path = tmp_path / "nameless"
    path.write_bytes(_encoded(kind))
    picture = shown(path)
    assert picture.shape == (48, 64, 3)
    red, green, blue = picture[24, 32]
    assert red > 200 > 100 > max(green, blue)


def _encoded(kind: str) -> bytes:
    context = av.CodecContext.create(kind, "w")
    formats = {"exr": "gbrpf32le", "pfm": "gbrpf32le", "dpx": "rgb24", "jpegls": "rgb24", "sunrast": "bgr24"}
    context.width, context.height, context.pix_fmt = 64, 48, formats[kind]
    context.time_base = Fraction(1, 25)
    frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), RED, np.uint8), format="rgb24")
    packets = [*context.encode(frame.reformat(format=formats[kind])), *context.encode(None)]
    return b"".join(bytes(packet) for packet in packets)


@pytest.mark.parametrize("kind", ["exr", "dpx"])
def test_pictures_of_ffmpeg_keep_to_the_limit_of_pixels(kind: str, tmp_path: Path) -> None:
    """The limit holds before anything is decoded."""
    path = tmp_path / "nameless"
    path.write_bytes(_encoded(kind))
    with pytest.raises((TooLarge, NotAMedium, Damaged)):
        open_medium(path, Limits(pixels=3000))


@pytest.mark.parametrize("head", [b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n"])
def test_jpeg_xl_is_refused_by_name(head: bytes, tmp_path: Path) -> None:
    """No decoder here knows it: the error says so, and what to do."""
    (tmp_path / "p").write_bytes(head + bytes(100))
    with pytest.raises(NotAMedium, match="JPEG XL"):
        open_medium(tmp_path / "p")


def test_the_first_page_of_a_tiff_is_taken(tmp_path: Path) -> None:
    """The pages of a document are no animation."""
    first, second = Image.new("RGB", (32, 32), RED), Image.new("RGB", (32, 32), (0, 0, 255))
    first.save(tmp_path / "p.tif", save_all=True, append_images=[second])
    assert shown(tmp_path / "p.tif")[0, 0].tolist() == list(RED)


@pytest.mark.parametrize("suffix", ["gif", "webp", "png"])
def test_an_animation_cut_short_gives_the_frames_that_decode(suffix: str, tmp_path: Path) -> None:
    """Four frames of a second, of which the last is cut."""
    frames = [Image.fromarray(np.roll(noisy(), 20 * number, axis=1)) for number in range(4)]
    path = tmp_path / f"a.{suffix}"
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=1000)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 9 // 10])
    medium: Medium = open_medium(path)
    assert medium.kind == "video"
    assert 3 <= len(list(medium.segments())) <= 4


def test_pillows_own_switch_is_left_alone(tmp_path: Path) -> None:
    """LOAD_TRUNCATED_IMAGES holds for the whole process: other threads would take damaged pictures for whole."""
    path = write_picture(tmp_path / "p.jpg", noisy())
    path.write_bytes(path.read_bytes()[:-200])
    read(path)
    assert not ImageFile.LOAD_TRUNCATED_IMAGES
    with pytest.raises(OSError, match="truncated"):
        Image.open(io.BytesIO(path.read_bytes())).load()


def test_a_sound_is_not_tried_as_every_kind_of_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its first bytes say that it is none; another file of the same container is looked at."""
    sound, other = tmp_path / "sound.jpg", tmp_path / "picture.wav"
    sound.write_bytes(encode_wav(np.zeros(16_000, np.float32)))
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(other, "WEBP")
    head = read_head(other, 1000)
    assert head is not None
    assert (head.media_type, other.read_bytes()[:4]) == ("image/webp", b"RIFF")
    monkeypatch.setattr(Image, "open", None)
    assert read_head(sound, 1000) is None
