"""A library whose latents are in Milvus answers as one in memory does, follows its changes, and holds no latents."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gallery_samples import need_milvus
from prior_samples import naming_session
from service_samples import CLIP_S, assert_problem, film, ingest_into, serving

from app.library.index_settings import IndexSettings
from app.library.kept_maps import KeptMaps
from app.library.latent_map import View, _tables, arrange_points, draw
from app.library.measurement import measure
from app.library.session import Session
from app.library.source import Source
from app.queries.engine import answer
from app.queries.query import Query
from app.queries.question import Question
from app.queries.retrieval import Hits, Retrieval
from index.latents_on_disk import LatentsOnDisk
from index.milvus import Collection
from index.milvus_gallery import MilvusGallery
from model.data.latents import Latents
from model.media.medium import FOOTAGE
from model.modality import MODALITIES

CPU = torch.device("cpu")
QUESTIONS: list[dict[str, Any]] = [
    {"target": "visual", "k": 40},
    {"target": "audio", "k": 7},
    {"target": "visual", "label": "red"},
    {"target": "visual", "after_s": 2.0, "before_s": 4.0},
    {"target": "visual", "name": "green", "k": 4},
    {"target": "visual", "group_by": "video"},
    {"target": "visual", "fold_twins": True, "k": 5},
    {"target": "visual", "merge_adjacent": True, "k": 9},
]


@pytest.fixture
def elsewhere(tmp_path: Path) -> IndexSettings:
    """Return settings that keep latents in a file of Milvus Lite."""
    need_milvus()
    return IndexSettings("milvus", milvus_uri=str(tmp_path / "milvus.db"))


@contextmanager
def opened(directory: Path, index_settings: IndexSettings | None = None) -> Iterator[Session]:
    with Session.open(directory, CPU, create=False, index_settings=index_settings) as session:
        try:
            yield session
        finally:
            for modality in MODALITIES:
                served = session._galleries.last(modality)
                if served is not None and isinstance(served.gallery, MilvusGallery):
                    served.gallery.close()


def ask(session: Session, segment_id: int = 3, **fields: Any) -> Hits:
    return answer(session, Retrieval(Question(**fields), Query(segment_id=segment_id, modality="visual")), FOOTAGE)


def told(hits: Hits) -> tuple[object, ...]:
    """Return what an answer says, but for how it was found and how long that took."""
    return hits.hits, hits.verdict, hits.concepts, hits.uncertainty, hits.catalogue_version


def test_answers_are_those_of_a_library_in_memory(own_library: Path, elsewhere: IndexSettings) -> None:
    """Hits, distances, matches, chances, twins and verdicts are equal, whatever is asked: all that fits is scored."""
    with opened(own_library) as session:
        expected = [told(ask(session, **fields)) for fields in QUESTIONS]
    with opened(own_library, elsewhere) as session:
        assert [told(ask(session, **fields)) for fields in QUESTIONS] == expected
        assert all(hits for hits, *_ in expected)


def test_concepts_filter_and_give_reasons(
    tmp_path: Path, footage: list[Path], elsewhere: IndexSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a front-end that has a prior: the hits of a concept and the reasons are as in memory."""
    with naming_session(tmp_path / "naming", footage=footage) as session:
        expected = [told(ask(session, 11, target=m, k=99, concept="red")) for m in MODALITIES]
        session.index_settings = elsewhere
        session._galleries._built.clear()
        assert [told(ask(session, 11, target=m, k=99, concept="red")) for m in MODALITIES] == expected
        assert any(hit.reasons for hits, *_ in expected for hit in hits)
        served = session.gallery("visual")
        assert isinstance(served.table.latents, LatentsOnDisk)
        served.gallery.close()  # type: ignore[attr-defined]


def test_no_array_of_all_latents_is_held(own_library: Path, elsewhere: IndexSettings) -> None:
    """Neither the table nor the gallery has latents, and what the table holds of a second takes at most 60 bytes."""
    with opened(own_library, elsewhere) as session:
        ask(session, target="visual")
        served = session.gallery("visual")
        assert isinstance(served.table.latents, LatentsOnDisk)
        for part in (served.table, served.table.latents, served.table.concepts, served.gallery):
            assert not any(isinstance(value, Latents) for value in vars(part).values())
        parts = (served.table, served.table.concepts)
        arrays = {id(a): a for part in parts for a in vars(part).values() if isinstance(a, np.ndarray)}
        assert sum(array.nbytes for array in arrays.values()) <= 60 * len(served.table.ids)


def test_both_modalities_share_the_videos(own_library: Path, elsewhere: IndexSettings) -> None:
    """Their tables of a version have one dict of records, at the first reading and after a change."""
    with opened(own_library, elsewhere) as session:
        catalogue = session.library.catalogue
        for label in ("first", "second"):
            catalogue.update_labels(next(catalogue.every_video()).video_id, label, 0.0, 1.0)
            audio, visual = (session._galleries.get(modality).table for modality in MODALITIES)
            assert audio.videos is visual.videos
            assert label in audio.labels.tolist()


def test_a_change_writes_what_has_changed(
    own_library: Path, elsewhere: IndexSettings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A new video is found by its own rows alone, a deleted one is found no more; a restart writes nothing."""
    written: list[int] = []
    put = Collection.put
    monkeypatch.setattr(
        Collection, "put", lambda own, ids, *given, **named: (written.extend(ids), put(own, ids, *given, **named))
    )
    with opened(own_library, elsewhere) as session:
        ask(session, target="visual")
        assert len(written) == len(session.gallery("visual").table.ids)
        written.clear()
        clip = film(tmp_path / "red-9.mp4", 0, 5)
        ingest_into(own_library, [Source(clip, clip.name, None)])
        (new,) = [v for v in session.library.catalogue.every_video() if v.file_name == clip.name]
        rows = [row.segment_id for row in session.library.catalogue.segments_of(new.video_id)]
        assert ask(session, rows[0], target="visual", k=1).hits[0].segment_id == rows[0]
        assert written == rows
        assert len(rows) == CLIP_S
        session.library.catalogue.delete_video(new.video_id)
        assert rows[0] not in {hit.segment_id for hit in ask(session, target="visual", k=99).hits}
        written.clear()
    with opened(own_library, elsewhere) as session:
        ask(session, target="visual")
        assert written == []


def test_map_and_measurement_read_from_the_disk(own_library: Path, elsewhere: IndexSettings, tmp_path: Path) -> None:
    """Both give the figures of a library in memory, and neither asks Milvus for anything."""
    found = []
    for number, index_settings in enumerate((None, elsewhere)):
        with opened(own_library, index_settings) as session:
            view = View("both")
            drawn = draw(_tables(session, view.modality), view, arrange_points, KeptMaps(tmp_path / f"maps{number}"))
            measured = measure(session)
            assert session._galleries.last("visual") is None
            found.append((drawn.positions.tolist(), drawn.total, measured))
    assert found[0] == found[1]


def test_a_missing_milvus_is_a_problem_that_names_it(own_library: Path) -> None:
    """The service comes up, and says at each question what is wrong and what to do."""
    need_milvus()
    with serving(own_library, index="milvus", milvus_uri="http://localhost:1") as client:
        question = {"segment_id": 3, "query_modality": "visual", "target": "visual"}
        assert_problem(client.post("/retrieve", data=question), 503, "library", "localhost:1", "start it")
