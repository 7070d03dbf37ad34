"""Certified galleries that follow each other: they share slots, and each answers as if it were made alone."""

from __future__ import annotations

import gc
import json
import os
import shutil
import weakref
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from gallery_samples import PAPER, pairs, real_latents
from latent_samples import clustered_latents

from index.brute_force import BruteForceGallery
from index.certified_gallery import CertifiedGallery
from index.latents_on_disk import LatentsOnDisk
from index.row_file import RowFile
from index.slots import HEAD, Slots
from model.data.latents import Latents
from model.errors import LibraryChanged

PAIR = 24


class Items:
    """Items that come, go and change, as a catalogue gives them: ids ascend, and stamps tell what is another."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.latents = clustered_latents(0, pair=PAIR, seed=seed)
        self.ids, self.stamps, self.groups = (np.empty(0, np.int64) for _ in range(3))
        self._next = 1

    def add(self, count: int, kind: str = "plain") -> None:
        """Add a video of so many seconds, which are alike."""
        center = real_latents(kind, 1, int(self.random.integers(1 << 30)))[np.zeros(count, np.int64)]
        near = clustered_latents(count, pair=PAIR, seed=int(self.random.integers(1 << 30)))
        new = Latents(
            *(a + np.float32(0.1) * b for a, b in zip(vars(center).values(), vars(near).values(), strict=True))
        )
        self.latents = Latents.concatenate([self.latents, new])
        ids = np.arange(self._next, self._next + count)
        self._next += count
        self.ids, self.stamps = (
            np.append(self.ids, ids),
            np.append(self.stamps, self.random.integers(1, 1 << 60, count)),
        )
        self.groups = np.append(self.groups, np.full(count, self._next))

    def keep(self, rows: np.ndarray) -> None:
        """Delete what is not kept."""
        self.ids, self.stamps, self.groups = self.ids[rows], self.stamps[rows], self.groups[rows]
        self.latents = self.latents[rows]

    def rewrite(self, rows: np.ndarray) -> None:
        """Encode some anew."""
        new = clustered_latents(len(rows), pair=PAIR, seed=int(self.random.integers(1 << 30)))
        for mine, theirs in zip(vars(self.latents).values(), vars(new).values(), strict=True):
            mine[rows] = theirs
        self.stamps[rows] = self.random.integers(1, 1 << 60, len(rows))

    def change(self) -> None:
        """Do one of these."""
        n, kind = len(self.ids), self.random.integers(5)
        if kind < 3 or n < 100:
            self.add(int(self.random.integers(1, 30)))
        elif kind == 3:
            first = int(self.random.integers(n - 20))
            self.keep(np.delete(np.arange(n), np.arange(first, first + int(self.random.integers(1, 20)))))
        else:
            self.rewrite(self.random.choice(n, 5, replace=False))

    def gallery(self, before: CertifiedGallery | None = None, folder: Path | None = None) -> CertifiedGallery:
        return CertifiedGallery(
            self.ids.copy(),
            self.copied(),
            PAPER,
            stamps=self.stamps.copy(),
            groups=self.groups.copy(),
            before=before,
            folder=folder,
            key="model",
        )

    def copied(self) -> Latents:
        return Latents(*(array.copy() for array in vars(self.latents).values()))

    def check(self, gallery: CertifiedGallery, times: int = 4) -> None:
        """Hold a gallery of these items against the oracle."""
        oracle = BruteForceGallery(self.ids, self.copied(), PAPER)
        check(gallery, oracle, self.random, times)


def check(gallery: CertifiedGallery, oracle: BruteForceGallery, random: np.random.Generator, times: int = 4) -> None:
    n = len(oracle)
    for _ in range(times):
        own = random.random() < 0.5
        query = (
            oracle.latents[[int(random.integers(n))]]
            if own
            else clustered_latents(1, pair=PAIR, seed=int(random.integers(99)))
        )
        allowed = None if random.random() < 0.5 else random.random(n) < 0.5
        k = int(random.integers(1, 12))
        found, true = (one.search(query, k, allowed) for one in (gallery, oracle))
        assert found.certified
        assert pairs(found) == pairs(true)
    np.testing.assert_array_equal(gallery.latents[np.arange(n)].generated, oracle.latents.generated)


@pytest.mark.parametrize("seed", range(3))
def test_each_gallery_of_a_line_answers_as_the_oracle(seed: int, tmp_path: Path) -> None:
    """What came, went and was encoded anew is found or not, now and, after a restart, from the folder.

    Galleries that were there before answer from what was there then.
    """
    items, folder = Items(seed), tmp_path / "slots"
    for _ in range(20):
        items.add(10)
    gallery, earlier = items.gallery(folder=folder), []
    for turn in range(40):
        items.change()
        gallery = items.gallery(gallery, folder)
        items.check(gallery)
        if turn % 10 == 0:
            earlier.append((gallery, BruteForceGallery(items.ids, items.copied(), PAPER)))
        if turn % 13 == 12:
            earlier, gallery = [], None
            gallery = items.gallery(folder=folder)
            items.check(gallery)
    for then, oracle in earlier:
        check(then, oracle, items.random)


def unread(items: Items) -> LatentsOnDisk:
    """Return latents that must not be read."""

    def read(ids: np.ndarray) -> Latents:
        raise AssertionError(f"{ids} were read")

    return LatentsOnDisk(items.ids, items.latents.widths[0], items.latents.widths[2], read)


def kept(items: Items, folder: Path, key: str = "model") -> CertifiedGallery:
    """Open a gallery whose latents must come from the folder."""
    return CertifiedGallery(
        items.ids, unread(items), PAPER, stamps=items.stamps, groups=items.groups, folder=folder, key=key
    )


@pytest.fixture
def items() -> Items:
    some = Items(7)
    for _ in range(30):
        some.add(10)
    return some


def test_a_start_reads_no_latents_again(items: Items, tmp_path: Path) -> None:
    """Not even those of a change before it; what has changed meanwhile is read alone."""
    gallery = items.gallery(folder=tmp_path)
    items.add(10)
    items.gallery(gallery, tmp_path)
    del gallery
    gallery = kept(items, tmp_path)
    items.check(gallery)


@pytest.mark.parametrize("key", ["another model", "model"])
def test_slots_of_another_model_or_stamp_are_not_used(key: str, items: Items, tmp_path: Path) -> None:
    items.gallery(folder=tmp_path)
    items.stamps += key == "model"
    with pytest.raises(AssertionError, match="were read"):
        kept(items, tmp_path, key)


def flip(path: Path) -> None:
    """Flip a bit of what is used: a file may have room behind it."""
    content = bytearray(path.read_bytes())
    content[1000 if path.suffix != ".json" else content.index(b"sums") + 20] ^= 1
    path.write_bytes(content)


def cut_off(path: Path) -> None:
    """Take all but the beginning away."""
    os.truncate(path, 50)


def empty(path: Path) -> None:
    """Leave what a power failure may leave."""
    os.truncate(path, 0)


@pytest.mark.parametrize("name", ["keys", "runs", "short0", "short1", "stored0", "stored1", "directions.npz", HEAD])
@pytest.mark.parametrize("spoil", [flip, cut_off, empty, Path.unlink])
def test_damaged_slots_are_never_used(
    name: str, spoil: Callable[[Path], None], items: Items, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A bit that has flipped, a file cut short or gone: all is built anew, and said so."""
    items.gallery(folder=tmp_path)
    spoil(next(tmp_path.glob(f"*/{name}")))
    with pytest.raises(AssertionError, match="were read"):
        kept(items, tmp_path)
    assert (name == HEAD and spoil is Path.unlink) or "built anew" in caplog.text
    gallery = items.gallery(folder=tmp_path)
    items.check(gallery)
    assert len(list(tmp_path.glob("*/"))) == 1, "what cannot be used is deleted"


@pytest.mark.parametrize("counts", [{"latents": -5}, {"latents": 299}, {"keys": 0}, {"stored0": 10**12}, []])
def test_a_head_that_does_not_fit_is_not_used(counts: object, items: Items, tmp_path: Path) -> None:
    items.gallery(folder=tmp_path)
    path = next(tmp_path.glob(f"*/{HEAD}"))
    head = json.loads(path.read_text())
    head["counts"] = head["counts"] | counts if isinstance(counts, dict) else counts
    path.write_text(json.dumps(head))
    with pytest.raises(AssertionError, match="were read"):
        kept(items, tmp_path)


def test_damaged_latents_are_read_from_where_they_came_from(
    items: Items, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    gallery = items.gallery(folder=tmp_path)
    path = next(tmp_path.glob("*/latents"))
    content = np.fromfile(path, np.uint8)
    content[100::500] ^= 4
    with path.open("r+b") as file:
        file.write(content.tobytes())
    items.check(gallery)
    assert "damaged" in caplog.text


def test_one_process_adds_and_others_keep_to_themselves(items: Items, tmp_path: Path) -> None:
    """The second uses what is there as long as it is what it needs; nothing that it does is seen by the first."""
    first = items.gallery(folder=tmp_path)
    second = kept(items, tmp_path)
    items.check(second)
    before = {path: path.stat().st_size for path in tmp_path.glob("*/*")}
    mine = Items(7)
    vars(mine).update(vars(items))
    mine.add(10)
    second = mine.gallery(second, tmp_path)
    mine.check(second)
    assert {path: path.stat().st_size for path in tmp_path.glob("*/*")} == before
    items.check(first)


def test_a_fill_that_was_cut_off_leaves_nothing_that_is_used(items: Items, tmp_path: Path) -> None:
    """A second that is deleted while it is read ends the fill; the next one begins anew or goes on."""
    gallery = items.gallery(folder=tmp_path)

    def gone(ids: np.ndarray) -> Latents:
        raise LibraryChanged("deleted just now")

    items.add(10)
    with pytest.raises(LibraryChanged):
        CertifiedGallery(
            items.ids,
            LatentsOnDisk(items.ids, 8, PAIR, gone),
            PAPER,
            stamps=items.stamps,
            groups=items.groups,
            before=gallery,
            folder=tmp_path,
            key="model",
        )
    gallery = items.gallery(gallery, tmp_path)
    items.check(gallery)


def test_slots_that_are_mostly_left_are_filled_anew(items: Items, tmp_path: Path) -> None:
    """Where a quarter of the slots holds nothing any more, a new file takes the place of the old one."""
    gallery = items.gallery(folder=tmp_path)
    items.keep(np.arange(80, 300))
    gallery = items.gallery(gallery, tmp_path)
    items.check(gallery)
    assert len(gallery._filled) == 220
    assert len(list(tmp_path.glob("*/"))) == 1


def test_a_full_disk_leaves_the_index_in_memory(
    items: Items, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> int:
        raise OSError("no space left")

    real = Slots._write_head
    monkeypatch.setattr(Slots, "_write_head", lambda self: refuse() if self.folder else real(self))
    gallery = items.gallery(folder=tmp_path)
    items.check(gallery)
    assert "in memory alone" in caplog.text
    assert not list(tmp_path.glob("*/")), "a full disk needs the room"


def test_a_head_names_what_is_there(items: Items, tmp_path: Path) -> None:
    items.gallery(folder=tmp_path)
    head = json.loads(next(tmp_path.glob(f"*/{HEAD}")).read_text())
    assert head["counts"]["keys"] == head["counts"]["latents"] == 300


def test_a_disk_that_fills_up_midway_leaves_the_slots_whole(
    items: Items, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All files end with the same slot: what is filled after that lies where it belongs, also after a start."""
    gallery, real = items.gallery(folder=tmp_path), RowFile.append

    def refuse(self: RowFile, rows: np.ndarray) -> memoryview:
        if self.width == gallery.directions.sieve[1].width:
            raise OSError("no space left")
        return real(self, rows)

    items.add(25)
    with monkeypatch.context() as patched:
        patched.setattr(RowFile, "append", refuse)
        with pytest.raises(OSError, match="no space left"):
            gallery._items.slots.fill(items.ids, items.stamps, items.latents, np.arange(300, 325), items.groups[300:])
    assert len({file.count for name, file in gallery._items.slots._files.items() if name != "runs"}) == 1
    gallery = items.gallery(gallery, tmp_path)
    items.check(gallery)
    del gallery
    items.check(kept(items, tmp_path))


def test_a_gallery_that_is_followed_leaves_memory_at_once(items: Items, tmp_path: Path) -> None:
    """No cycle keeps it until the collector comes: its maps of the files would count for ever."""
    gallery = items.gallery(folder=tmp_path)
    gone = weakref.ref(gallery)
    items.add(10)
    gc.disable()
    try:
        gallery = items.gallery(gallery, tmp_path)
        assert gone() is None
    finally:
        gc.enable()


def test_a_mask_is_of_rows_where_blocks_of_equal_length_change_places(tmp_path: Path) -> None:
    """The last but one video was missing at the start, and is found: two blocks of slots are swapped."""
    items = Items(3)
    for _ in range(12):
        items.add(10)
    whole = {name: getattr(items, name) for name in ("ids", "stamps", "groups", "latents")}
    items.keep(np.delete(np.arange(120), np.arange(100, 110)))
    gallery = items.gallery(folder=tmp_path)
    vars(items).update(whole)
    gallery = items.gallery(gallery, tmp_path)
    allowed = np.zeros(120, bool)
    allowed[20:112] = True
    oracle = BruteForceGallery(items.ids, items.copied(), PAPER)
    for row in range(120):
        found, true = (one.search(items.latents[[row]], 3, allowed) for one in (gallery, oracle))
        assert pairs(found) == pairs(true)


def test_who_only_reads_writes_nothing(items: Items, tmp_path: Path) -> None:
    """Not even a head: an older one in place of a newer one would have the owner write over what others look at."""
    first = items.gallery(folder=tmp_path)
    second = kept(items, tmp_path)
    head = next(tmp_path.glob(f"*/{HEAD}"))
    items.add(10)
    first = items.gallery(first, tmp_path)
    written = head.read_bytes()
    unchanged = Items(7)
    vars(unchanged).update(ids=second.ids, stamps=items.stamps[:300], groups=items.groups[:300], latents=items.latents)
    reader = CertifiedGallery(
        second.ids, unread(unchanged), PAPER, stamps=unchanged.stamps, before=second, folder=tmp_path, key="model"
    )
    assert head.read_bytes() == written
    assert not reader._items.slots.grows
    items.check(first)


def test_who_reads_takes_over_when_the_other_ends(items: Items, tmp_path: Path) -> None:
    first = items.gallery(folder=tmp_path)
    second = kept(items, tmp_path)
    del first
    items.add(10)
    second = items.gallery(second, tmp_path)
    items.check(second)
    del second
    items.check(kept(items, tmp_path))


def test_a_first_fill_that_fails_at_once_leaves_nothing(items: Items, tmp_path: Path) -> None:
    """Interrupted or overtaken by a deletion: the next start begins anew."""
    for error in (LibraryChanged("deleted just now"), KeyboardInterrupt()):

        def fail(ids: np.ndarray, error: BaseException = error) -> Latents:
            if len(ids) > 290:  # not the sample
                raise error
            return items.latents[np.searchsorted(items.ids, ids)]

        with pytest.raises(type(error)):
            CertifiedGallery(
                items.ids,
                LatentsOnDisk(items.ids, 8, PAIR, fail),
                PAPER,
                stamps=items.stamps,
                folder=tmp_path,
                key="model",
            )
        items.check(items.gallery(folder=tmp_path))


def test_a_folder_that_is_deleted_in_use_is_no_matter(items: Items, tmp_path: Path) -> None:
    """The open files go on without their names."""
    gallery = items.gallery(folder=tmp_path)
    shutil.rmtree(next(tmp_path.glob("*/")))
    items.check(gallery)
    items.add(10)
    slots = gallery._items.slots
    gallery = items.gallery(gallery, tmp_path)
    items.check(gallery)
    assert gallery._items.slots is slots
    del gallery, slots
    items.check(items.gallery(folder=tmp_path))
