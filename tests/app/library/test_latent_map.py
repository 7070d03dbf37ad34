"""GET /latents/map: the library on a plane, one computation at a time."""

from __future__ import annotations

import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from catalogue_samples import video
from jaxtyping import Float32, Float64
from media_samples import tone, write_sound
from service_samples import assert_problem, serving
from starlette.testclient import TestClient

from app.library import latent_map
from app.library.kept_maps import MOST_KEPT, KeptMaps
from app.library.latent_map import MOST_WAITING, Arrange, LatentMaps, View, arrange_points
from app.queries.clusters import Cluster
from app.schemas.latent_map import LatentMapAnswer
from echolens.client import Client
from index.records import LatentTable
from model.data.latents import Latents
from model.errors import MapBusy
from model.modality import Modality


def table(groups: int, each: int, seed: int = 0, version: int = 1) -> LatentTable:
    """Return latents in well separated groups; the label of a second is its group."""
    random = np.random.default_rng(seed)
    group = np.repeat(np.arange(groups), each)
    mu = 20 * np.eye(16)[group] + random.standard_normal((len(group), 16))
    latents = Latents(*(a.astype(np.float32) for a in (mu, np.ones_like(mu), mu)))
    n = len(group)
    there = np.ones(n, bool)
    videos = {f"v{g}": replace(video(g, str(g)), video_id=f"v{g}") for g in range(groups)}
    none = np.zeros((n, 0), np.uint8)
    return LatentTable(np.arange(1, n + 1), group, np.arange(n), there, there, latents, "f", version, videos, none)


def drawn_map(
    tables: dict[Modality, LatentTable], view: View, kept: Path, arrange: Arrange = arrange_points
) -> latent_map.LatentMap:
    """Draw tables in this process."""
    return latent_map.draw(tables, view, arrange, KeptMaps(kept))


def positions_of(drawn: latent_map.LatentMap) -> dict[tuple[str, int], tuple[float, float]]:
    """Return the positions of a map of one modality by video and second."""
    (items,) = drawn.items
    at = zip(items.table.video_ids[items.rows].tolist(), items.table.start_s[items.rows].tolist(), strict=True)
    return dict(zip(at, map(tuple, drawn.positions.tolist()), strict=True))


def tables(**of: LatentTable) -> dict[Modality, LatentTable]:
    return {m: of[m] for m in ("audio", "visual") if m in of}  # type: ignore[misc]


def test_groups_of_latents_are_clusters_of_the_map(tmp_path: Path) -> None:
    """Three groups far from each other become three clusters, none of which holds points of two groups."""
    drawn = drawn_map(tables(audio=table(3, 60)), View("audio"), tmp_path)
    (items,) = drawn.items
    np.testing.assert_array_equal(items.rows, np.arange(180))
    groups = [set(items.table.labels[drawn.clustering.cluster == c]) for c in range(drawn.clustering.count)]
    assert all(len(group) == 1 for group in groups)
    assert set().union(*groups) == {"0", "1", "2"}
    assert drawn.clustering.noise < 0.2


def test_a_map_is_the_same_every_time(tmp_path: Path) -> None:
    """One seed, one library: one map, bit by bit; another seed samples others."""
    one, other = (drawn_map(tables(audio=table(2, 40)), View("audio", 50), tmp_path / n) for n in "ab")
    np.testing.assert_array_equal(one.positions, other.positions)
    assert (one.total, len(one.positions)) == (80, 50)
    elsewhere = drawn_map(tables(audio=table(2, 40)), View("audio", 50, seed=1), tmp_path / "a")
    assert not np.array_equal(one.items[0].rows, elsewhere.items[0].rows)


def test_a_sample_of_both_modalities_keeps_to_each_one_s_rows(tmp_path: Path) -> None:
    """Rows are within their own table, ascend, and are as many as asked for in all."""
    drawn = drawn_map(tables(audio=table(2, 10), visual=table(2, 35, seed=1)), View("both", 40), tmp_path)
    audio, visual = drawn.items
    assert (audio.modality, visual.modality) == ("audio", "visual")
    assert len(audio.rows) + len(visual.rows) == 40
    for items, size in ((audio, 20), (visual, 70)):
        assert items.rows.min() >= 0
        assert items.rows.max() < size
        assert (np.diff(items.rows) > 0).all()


def test_the_map_of_a_library_names_its_seconds(client: TestClient) -> None:
    """Each second has a point for its sound and one for its picture, with its label and where to find it."""
    answer = client.get("/latents/map")
    assert answer.status_code == 200, answer.text
    drawn = answer.json()
    points, videos = drawn["points"], drawn["videos"]
    assert {len(column) for column in points.values()} == {60}
    assert (drawn["total"], drawn["sounds"], drawn["sampled"], drawn["joined"]) == (60, 30, False, 0)
    assert sorted(points["segment_id"][:30]) == sorted(points["segment_id"][30:])
    assert {v["label"] for v in videos} == {"red", "green", "blue"}
    ready = client.get("/health/ready").json()
    assert [drawn[n] for n in ("fingerprint", "catalogue_version")] == [
        ready["fingerprint"],
        ready["catalogue_version"],
    ]
    for segment_id, number, start_s in list(zip(points["segment_id"], points["video"], points["start_s"], strict=True))[
        ::7
    ]:
        told = client.get(f"/videos/{videos[number]['video_id']}").json()
        assert {n: told[n] for n in ("file_name", "label")} == {n: videos[number][n] for n in ("file_name", "label")}
        seconds = {s["segment_id"]: s["start_s"] for s in told["segments"]}
        assert seconds[segment_id] == start_s
    cluster = points["cluster"]
    assert drawn["cluster_count"] == len(set(cluster) - {-1})
    assert drawn["noise"] == pytest.approx(cluster.count(-1) / 60)
    for number, described in enumerate(drawn["clusters"]):
        assert described["size"] == cluster.count(number)
        assert {cluster[point] for point in described["typical"]} == {number}
        typical_videos = [points["video"][point] for point in described["typical"]]
        assert len(set(typical_videos)) == len(typical_videos)
    heard = client.get("/latents/map", params={"modality": "audio", "points": 20}).json()
    assert (heard["total"], heard["sounds"], len(heard["points"]["x"]), heard["sampled"]) == (30, 20, 20, True)


def test_the_map_is_drawn_in_a_process_of_its_own_and_kept_over_a_restart(
    pristine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a restart it is the same map, and no process draws it again."""
    library = Path(shutil.copytree(pristine, tmp_path / "library"))
    with serving(library) as client:
        before = client.get("/latents/map").json()
    monkeypatch.setattr("app.library.map_process._arrange", no_more)
    with serving(library) as client:
        after = client.get("/latents/map").json()
    assert {n: after[n] for n in after if n != "computed_ms"} == {n: before[n] for n in before if n != "computed_ms"}


def test_an_added_video_joins_the_map(pristine: Path, tmp_path: Path) -> None:
    """It does not move what was there; the answer says how many points joined."""
    library = Path(shutil.copytree(pristine, tmp_path / "library"))
    with serving(library) as client:
        before = client.get("/latents/map").json()
        asking = Client(http=client)
        asking.wait_for(asking.upload(write_sound(tmp_path / "s.wav", tone(3, 48000))))
        after = client.get("/latents/map").json()
    assert (len(after["points"]["x"]), after["joined"]) == (63, 3)
    assert places(before).items() <= places(after).items()


def places(answer: dict[str, Any]) -> dict[tuple[int, bool], tuple[float, float]]:
    """Return each point's place by its second, and whether it is a sound."""
    points = answer["points"]
    names = [(segment, number < answer["sounds"]) for number, segment in enumerate(points["segment_id"])]
    return dict(zip(names, zip(points["x"], points["y"], strict=True), strict=True))


def no_more(*_: object) -> None:
    raise AssertionError("drawn again")


def test_when_too_much_is_new_the_map_is_drawn_anew(tmp_path: Path) -> None:
    """Up to a quarter of the points may have joined, in one step or in many; then all are placed again."""
    view = View("audio")
    first = positions_of(drawn_map(tables(audio=table(2, 40)), view, tmp_path))
    joined = drawn_map(tables(audio=appended(40, 44)), view, tmp_path)
    assert (joined.joined, len(joined.positions)) == (8, 88)
    assert first.items() <= positions_of(joined).items()
    more = drawn_map(tables(audio=appended(40, 52)), view, tmp_path)
    assert (more.joined, len(more.positions)) == (24, 104)
    assert positions_of(joined).items() <= positions_of(more).items()
    anew = drawn_map(tables(audio=appended(40, 58)), view, tmp_path)
    assert (anew.joined, len(anew.positions)) == (0, 116)
    assert positions_of(anew)["v0", 0] != first["v0", 0]


def appended(old: int, each: int, most: int = 60) -> LatentTable:
    """Return table(2, old) with as many more seconds of each group as make `each`, always the same ones."""
    now, more = table(2, old), table(2, most, seed=7)
    taken = np.flatnonzero(np.arange(2 * most) % most < each - old)
    latents = Latents(
        *(
            np.concatenate([a, b[taken]])
            for a, b in zip(vars(now.latents).values(), vars(more.latents).values(), strict=True)
        )
    )
    columns = {
        name: np.concatenate([getattr(now, name), getattr(more, name)[taken]])
        for name in ("video_numbers", "heard", "seen", "concepts")
    }
    starts = np.concatenate([now.start_s, 1000 + taken])
    return replace(now, ids=np.arange(1, len(starts) + 1), start_s=starts, latents=latents, **columns)


def test_seconds_that_join_lie_among_their_like(tmp_path: Path) -> None:
    """A new second of a group is nearest to points of that group."""
    drawn_map(tables(audio=table(2, 40)), View("audio"), tmp_path)
    joined = drawn_map(tables(audio=appended(40, 45)), View("audio"), tmp_path)
    (items,) = joined.items
    group = items.table.labels[items.rows]
    for new in range(80, 90):
        far = np.linalg.norm(joined.positions - joined.positions[new], axis=1)
        assert group[far[:80].argmin()] == group[new]


def test_a_sample_changes_little_when_a_video_is_added(tmp_path: Path) -> None:
    """Most seconds of a sample stay in it, so that the map can go on from what it was."""
    view = View("audio", 60)
    before, after = (positions_of(drawn_map(tables(audio=t), view, tmp_path)) for t in (table(2, 40), appended(40, 44)))
    assert len(before.keys() & after.keys()) >= 50
    assert all(before[second] == after[second] for second in before.keys() & after.keys())


def test_a_map_that_cannot_be_read_is_drawn_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Cut or foreign files are told in the log, and replaced."""
    first = drawn_map(tables(audio=table(2, 40)), View("audio"), tmp_path)
    (path,) = tmp_path.iterdir()
    for content in (path.read_bytes()[:900], b"no map", b""):
        path.write_bytes(content)
        again = drawn_map(tables(audio=table(2, 40)), View("audio"), tmp_path)
        np.testing.assert_array_equal(again.positions, first.positions)
        assert "cannot be read" in caplog.text
        caplog.clear()


def test_few_maps_are_kept(tmp_path: Path) -> None:
    """Each seed is a file of its own; the ones not used for longest go."""
    for seed in range(MOST_KEPT + 3):
        drawn_map(tables(audio=table(2, 5)), View("audio", seed=seed), tmp_path)
    assert len(list(tmp_path.iterdir())) == MOST_KEPT
    assert KeptMaps(tmp_path).load("audio-2000-0-f") is None
    assert KeptMaps(tmp_path).load(f"audio-2000-{MOST_KEPT + 2}-f") is not None


def test_a_map_takes_few_bytes_for_each_point() -> None:
    """20,000 points travel in about a megabyte: columns, and two decimals."""
    drawn = drawn_map(tables(audio=table(4, 50)), View("audio"), Path("/nonexistent"))
    clusters: list[Cluster] = []
    (items,) = drawn.items
    videos = {f"v{group}": video(group) for group in range(4)}
    named = replace(drawn, items=(replace(items, table=replace(items.table, videos=videos)),))
    assert len(LatentMapAnswer.of(named, clusters).model_dump_json()) < 40 * 200 + 1500


def test_parameters_out_of_range_are_refused(client: TestClient) -> None:
    """422 names the parameter."""
    for name, value in (("points", 4), ("points", 20_001), ("modality", "smell"), ("seed", -1), ("seed", 2**32)):
        assert_problem(client.get("/latents/map", params={name: value}), 422, "invalid_request", name)


def test_nothing_or_too_little_to_map_is_said(tmp_path: Path) -> None:
    """409 for an empty library, and for one with fewer than five sounds."""
    with serving(tmp_path / "new") as client:
        assert_problem(client.get("/latents/map"), 409, "empty_library", "add footage")
        asking = Client(http=client)
        asking.wait_for(asking.upload(write_sound(tmp_path / "s.wav", tone(2, 48000))))
        assert_problem(client.get("/latents/map?modality=audio"), 409, "unmappable", "at least 5")
        asking.wait_for(asking.upload(write_sound(tmp_path / "t.wav", tone(9, 48000))))
        heard = client.get("/latents/map").json()
        assert (heard["total"], heard["sounds"]) == (11, 11), "sound alone is mapped as well"


class Counted:
    """A session of one table; drawing waits until it is let go on."""

    def __init__(self) -> None:
        self.read, self.go_on, self.draws = table(2, 10), threading.Event(), 0
        self.library = SimpleNamespace(catalogue=self, cache=Path("/nonexistent"))

    @property
    def catalogue_version(self) -> int:
        return self.read.catalogue_version

    def table(self, modality: Modality) -> LatentTable:
        return self.read

    def arrange(
        self, points: Float32[np.ndarray, "n d"], known: Float64[np.ndarray, "n 2"], seed: int
    ) -> latent_map.Arranged:
        self.draws += 1
        assert self.go_on.wait(30)
        return arrange_points(points, known, seed)


def test_one_map_is_computed_at_a_time_and_the_last_is_kept(tmp_path: Path) -> None:
    """Five ask for the same map: it is computed once. The sixth is told to come back. A change computes it anew."""
    session = Counted()
    session.library.cache = tmp_path
    maps = LatentMaps(session, session.arrange)  # type: ignore[arg-type]
    with ThreadPoolExecutor(MOST_WAITING + 1) as pool:
        asked = [pool.submit(maps.current, View("audio")) for _ in range(MOST_WAITING + 1)]
        while maps._one_at_a_time.waiting < MOST_WAITING:
            pass
        with pytest.raises(MapBusy, match="ask again"):
            maps.current(View("audio"))
        session.go_on.set()
        drawn = [future.result() for future in asked]
    assert session.draws == 1
    assert all(one is drawn[0] for one in drawn)
    assert maps.current(View("audio")) is drawn[0]
    session.read = table(2, 10, version=2)
    assert maps.current(View("audio")).version == 2
    assert session.draws == 1, "the same seconds lie where they were"
    maps.current(View("audio", seed=1))
    assert session.draws == 2
