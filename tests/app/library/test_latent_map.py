"""GET /latents/map: the library on a plane, one computation at a time."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from media_samples import tone, write_sound
from service_samples import assert_problem, serving
from starlette.testclient import TestClient

from app.library import latent_map
from app.library.latent_map import MOST_WAITING, LatentMaps, View, draw
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
    names = np.array([f"v{g}" for g in group])
    return LatentTable(
        *(
            np.arange(1, n + 1),
            names,
            np.arange(n),
            group.astype(str),
            *np.ones((2, n), bool),
            latents,
            "f",
            version,
            {},
        ),
        concepts=np.zeros((n, 0), np.uint8),
    )


def tables(**of: LatentTable) -> dict[Modality, LatentTable]:
    return {m: of[m] for m in ("audio", "visual") if m in of}  # type: ignore[misc]


def test_groups_of_latents_are_clusters_of_the_map() -> None:
    """Three groups far from each other become three clusters, none of which holds points of two groups."""
    drawn = draw(tables(audio=table(3, 60)), View("audio"))
    (items,) = drawn.items
    np.testing.assert_array_equal(items.rows, np.arange(180))
    groups = [set(items.table.labels[drawn.clustering.cluster == c]) for c in range(drawn.clustering.count)]
    assert all(len(group) == 1 for group in groups)
    assert set().union(*groups) == {"0", "1", "2"}
    assert drawn.clustering.noise < 0.2


def test_a_map_is_the_same_every_time() -> None:
    """One seed, one library: one map, bit by bit; another seed samples others."""
    one, other = (draw(tables(audio=table(2, 40)), View("audio", 50)) for _ in range(2))
    np.testing.assert_array_equal(one.positions, other.positions)
    assert (one.total, len(one.positions)) == (80, 50)
    elsewhere = draw(tables(audio=table(2, 40)), View("audio", 50, seed=1))
    assert not np.array_equal(one.items[0].rows, elsewhere.items[0].rows)


def test_a_sample_of_both_modalities_keeps_to_each_one_s_rows() -> None:
    """Rows are within their own table, ascend, and are as many as asked for in all."""
    drawn = draw(tables(audio=table(2, 10), visual=table(2, 35, seed=1)), View("both", 40))
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
    assert (drawn["total"], len(drawn["points"]), drawn["sampled"]) == (60, 60, False)
    assert len({(p["segment_id"], p["modality"]) for p in drawn["points"]}) == 60
    assert {p["label"] for p in drawn["points"]} == {"red", "green", "blue"}
    ready = client.get("/health/ready").json()
    assert [drawn[n] for n in ("fingerprint", "catalogue_version")] == [
        ready["fingerprint"],
        ready["catalogue_version"],
    ]
    for point in drawn["points"][::7]:
        video = client.get(f"/videos/{point['video_id']}").json()
        seconds = {s["segment_id"]: s["start_s"] for s in video["segments"]}
        assert (seconds[point["segment_id"]], video["label"]) == (point["start_s"], point["label"])
    clusters = [p["cluster"] for p in drawn["points"]]
    assert drawn["clusters"] == len({c for c in clusters if c is not None})
    assert drawn["noise"] == pytest.approx(clusters.count(None) / 60)
    heard = client.get("/latents/map", params={"modality": "audio", "points": 20}).json()
    assert (heard["total"], len(heard["points"]), heard["sampled"]) == (30, 20, True)
    assert {p["modality"] for p in heard["points"]} == {"audio"}


def test_parameters_out_of_range_are_refused(client: TestClient) -> None:
    """422 names the parameter."""
    for name, value in (("points", 4), ("points", 5001), ("modality", "smell"), ("seed", -1), ("seed", 2**32)):
        assert_problem(client.get("/latents/map", params={name: value}), 422, "invalid_request", name)


def test_nothing_or_too_little_to_map_is_said(tmp_path: Path) -> None:
    """409 for an empty library, and for one with fewer than five sounds."""
    with serving(tmp_path / "new") as client:
        assert_problem(client.get("/latents/map"), 409, "empty_library", "add footage")
        asking = Client(http=client)
        asking.wait_for(asking.upload(write_sound(tmp_path / "s.wav", tone(2))))
        assert_problem(client.get("/latents/map?modality=audio"), 409, "unmappable", "at least 5")


class Counted:
    """A session of one table; drawing waits until it is let go on."""

    def __init__(self) -> None:
        self.read, self.go_on, self.draws = table(2, 10), threading.Event(), 0
        self.library = SimpleNamespace(catalogue=self)

    @property
    def catalogue_version(self) -> int:
        return self.read.catalogue_version

    def table(self, modality: Modality) -> LatentTable:
        return self.read

    def draw(self, tables: dict[Modality, LatentTable], view: View) -> latent_map.LatentMap:
        self.draws += 1
        assert self.go_on.wait(30)
        return draw(tables, view)


def test_one_map_is_computed_at_a_time_and_the_last_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five ask for the same map: it is computed once. The sixth is told to come back. A change computes it anew."""
    session = Counted()
    monkeypatch.setattr("app.library.latent_map.draw", session.draw)
    maps = LatentMaps(session)  # type: ignore[arg-type]
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
    maps.current(View("audio", seed=1))
    assert session.draws == 3
