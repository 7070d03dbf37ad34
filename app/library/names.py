"""What the names in a directory tell: what systems and cameras leave beside footage, and what should be a medium."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import PurePath


def _endings(words: str) -> frozenset[str]:
    return frozenset(f".{word}" for word in words.split())


# What people know as films, sounds and pictures: below a directory such a file is a failure where it cannot be read.
FILMS = _endings(
    "360 3g2 3gp 3gpp asf avi divx dv dvr-ms f4v flv insv ivf m1v m2p m2t m2ts m2v m4v mj2 mjpeg mkv mov mp4 mpe mpeg "
    "mpg mts mxf nut obu ogv ogx qt rmvb trp vob webm wmv wtv y4m"
)
SOUNDS = _endings(
    "aac ac3 aif aifc aiff alac amr ape au caf dts eac3 flac gsm m4a m4b mka mp2 mp3 oga ogg opus ra rf64 snd spx tta "
    "voc w64 wav wave weba wma wv"
)
PICTURES = _endings(
    "apng arw avif bmp cr2 cr3 dng gif heic heif insp j2k jfif jp2 jpe jpeg jpg jxl mpo nef orf pef png raf rw2 tif "
    "tiff webp"
)
MEDIA = FILMS | SOUNDS | PICTURES
# Also the endings of programs, such as TypeScript: a text among them is no failure.
SHARED = _endings("dav mod rm tod ts")
# What stands beside a film of the same name: small copies, and what is about it; also beside a photograph.
SMALL = _endings("glv lrf lrv")
ABOUT = _endings("3gf bdm bim cpi gps ifo moi mpl pgi ppn sidx smi srt thm xml xmp")
# Copies and downloads on their way; who makes them renames them when they are whole.
UNFINISHED = _endings("!qb !ut crdownload download filepart opdownload part partial")
SYSTEM_FOLDERS = frozenset(
    {
        # network storage
        "#recycle", "#snapshot", "@eadir", "@recently-snapshot", "@recycle", "@sharebin", "@sharesnap", "@tmp",
        "@transcode", "~snapshot", "network trash folder", "temporary items",
        # Windows
        "$extend", "$recycle.bin", "$windows.~bt", "recycled", "recycler", "system volume information",
        "windowsimagebackup",
        # Linux, macOS, Android
        "lost+found", "__macosx", "backups.backupdb", "lost.dir",
        # programs that cut films
        "adobe premiere pro audio previews", "adobe premiere pro auto-save", "adobe premiere pro captured audio",
        "adobe premiere pro video previews", "cacheclip", "media cache", "media cache files", "peak files",
        "proxymedia",
    }
)  # fmt: skip
SYSTEM_PATTERN = re.compile(r"found\.\d{3}|.*\.lrdata|.*\.lrcat-data|.*\.cocatalogdb|.*\.capture cache", re.IGNORECASE)
# Folders of small copies and stills, by the folder of a camera or a program that they stand in.
SIDE_FOLDERS = {
    "m4root": {"general", "sub", "thmbnl"},
    "xdroot": {"general", "sub", "thmbnl"},
    "bpav": {"general", "sub", "thmbnl"},
    "contents": {"icon", "proxy"},  # of a P2 card
    "dcim": {"canonmsc"},
    ".fcpbundle": {"analysis files", "render files", "transcoded media", "thumbnail media"},
    ".imovielibrary": {"analysis files", "render files", "transcoded media", "thumbnail media"},
}
# Of a library of photographs only these folders hold what was taken; the others hold what is made of it.
PHOTOGRAPHS = (".photoslibrary", ".photolibrary", ".aplibrary", ".migratedphotolibrary")
ORIGINALS = frozenset({"originals", "masters"})
SMALL_OF_GOPRO = re.compile(r"gl(\d+)")
SMALL_OF_360, FILM_OF_360 = re.compile(r"lrv_(\d{8}_\d{6})_.*"), re.compile(r"vid_(\d{8}_\d{6})_.*")
XML_OF_SONY = re.compile(r"(.+)m\d\d")
HEAD_BYTES = 4096


def is_hidden(name: str) -> bool:
    """Say whether a name is one that file managers hide, such as .DS_Store, and ._X, which macOS puts beside X."""
    return name.startswith(".")


def is_unfinished(name: str) -> bool:
    """Say whether a name is one that programs give to a copy or download on its way."""
    return os.path.splitext(name.lower())[1] in UNFINISHED


def is_system_folder(name: str, parent: str) -> bool:
    """Say whether a folder, in another, holds what was deleted, what a system keeps, or small copies."""
    folder, around = name.lower(), parent.lower()
    if folder in SYSTEM_FOLDERS or SYSTEM_PATTERN.fullmatch(folder):
        return True
    if around.endswith(PHOTOGRAPHS):
        return folder not in ORIGINALS
    kind = PurePath(around).suffix if around.endswith((".fcpbundle", ".imovielibrary")) else around
    return folder in SIDE_FOLDERS.get(kind, ())


def is_named_as_medium(name: str) -> bool:
    """Say whether people take a file of this name for a sound, a picture or a film."""
    return PurePath(name).suffix.lower() in MEDIA


def is_shared_ending(name: str) -> bool:
    """Say whether both films and quite other files have this ending."""
    return PurePath(name).suffix.lower() in SHARED


def looks_like_text(head: bytes) -> bool:
    """Say whether a file that begins so is a text; the head may end within a letter."""
    if b"\0" in head:
        return False
    try:
        head.decode()
    except UnicodeDecodeError as error:
        return len(head) - error.start < 4
    return True


def side_files(names: Iterable[str]) -> frozenset[str]:
    """Return the names of those files of one folder that a camera wrote beside a film which is there too.

    A small copy whose film is gone is no side file: it is all that is left.
    """
    split = [(name, *os.path.splitext(name.lower())) for name in names]
    films = {stem for _, stem, ending in split if ending in FILMS | SHARED}
    media = films | {stem for _, stem, ending in split if ending in SOUNDS | PICTURES}
    filmed = {match[1] for stem in films if (match := FILM_OF_360.fullmatch(stem))}  # date and time
    found = []
    for name, stem, ending in split:
        small = SMALL_OF_360.fullmatch(stem)
        if (
            (ending in SMALL and any(film in films for film in _films_of_small(stem)))
            or (ending in ABOUT and any(medium in media for medium in _media_of_about(stem)))
            or (small is not None and small[1] in filmed)
        ):
            found.append(name)
    return frozenset(found)


def _films_of_small(stem: str) -> Iterator[str]:
    yield stem
    if number := SMALL_OF_GOPRO.fullmatch(stem):
        yield from (f"{kind}{number[1]}" for kind in ("gx", "gh", "gs", "gp"))


def _media_of_about(stem: str) -> Iterator[str]:
    yield stem
    if clip := XML_OF_SONY.fullmatch(stem):
        yield clip[1]
