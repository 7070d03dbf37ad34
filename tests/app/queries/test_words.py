"""Questions in words, and answers in words: text, concepts, reasons and doubt, with a front-end that has a prior."""

from __future__ import annotations

from collections.abc import Iterator
from math import exp
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from media_samples import tone, write_sound, write_video
from prior_samples import CALIBRATION, NamingFrontEnd, kind_of, naming_session
from service_samples import CLIP_S, CLIPS_OF_A_KIND, Command, film

from app.library.check import check_catalogue
from app.library.session import Session
from app.queries.engine import answer, answer_many
from app.queries.query import Query
from app.queries.question import Question
from app.queries.reasons import Reason, concepts_of
from app.queries.retrieval import Hits, Retrieval
from app.schemas.search import RetrieveAnswer
from index.snapshot import restore, take
from model.errors import EcholensError, QueryError, UnknownWord
from model.media.medium import Limits
from model.network.match import Match

OF_A_KIND = CLIP_S * CLIPS_OF_A_KIND


@pytest.fixture(scope="module")
def session(footage: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    with naming_session(tmp_path_factory.mktemp("naming"), footage=footage) as opened:
        yield opened


def ask(session: Session, query: Query, **fields: Any) -> Hits:
    return answer(session, Retrieval(Question(**{"target": "visual", "k": 5} | fields), query), Limits())


def kinds(hits: Hits) -> set[str]:
    return {kind_of(hit.video.file_name) for hit in hits.hits}


@pytest.mark.parametrize("target", ["audio", "visual"])
@pytest.mark.parametrize(("text", "kind"), [("red", "red"), ("Grass", "green"), ("blue, not red", "blue")])
def test_words_find_what_they_name(session: Session, text: str, kind: str, target: str) -> None:
    """Every hit is of the kind that the text names; the reason is that concept, and the answer says it was asked."""
    found = ask(session, Query(text=text), target=target)
    assert kinds(found) == {kind}
    assert found.modality == "text"
    assert found.concepts == (Reason(kind, 1.0),)
    assert {hit.reasons for hit in found.hits} == {(Reason(kind, 1.0),)}
    assert found.search.certified


def test_a_broad_word_is_a_reason_that_hits_have(session: Session) -> None:
    """Hits of any kind have a colour: as strong as theirs is, and only what was asked is named."""
    found = ask(session, Query(text="colour"), target="audio", k=30)
    assert len(kinds(found)) == 3
    assert {tuple(reason.concept for reason in hit.reasons) for hit in found.hits} == {("colour",)}
    assert 0.8 < found.hits[0].reasons[0].strength < 1


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("redd", UnknownWord, r"'redd' given.*red"),
        ("", QueryError, "a text of 0 characters given"),
        ("  ", QueryError, "1 to 1000 expected"),
        ("x" * 1001, QueryError, "a text of 1001 characters given"),
        ("not red", QueryError, "names only what is not wanted"),
        ("rumble", QueryError, r"names rumble given.*no visual side.*target=audio"),
    ],
)
def test_a_text_that_says_nothing_is_refused(
    session: Session, text: str, error: type[EcholensError], words: str
) -> None:
    """Unknown, empty, too long, only negative, or of the other sense: what was given and what to do."""
    with pytest.raises(error, match=words):
        ask(session, Query(text=text))


def test_one_query_at_a_time(session: Session, footage: list[Path]) -> None:
    """A text beside a file or a second, or nothing at all, is refused."""
    for query in (Query(footage[0], text="red"), Query(segment_id=1, text="red"), Query()):
        with pytest.raises(QueryError, match=r"either a file or a segment_id.*or a text"):
            ask(session, query)


def test_a_text_has_no_second_and_no_modality(session: Session) -> None:
    """What is of files alone is refused beside a text, not passed over."""
    for query in (Query(text="red", at_s=3.0), Query(text="red", modality="audio")):
        with pytest.raises(QueryError, match="at_s or query_modality"):
            ask(session, query)


def test_a_bad_text_fails_no_other_question_of_its_batch(session: Session) -> None:
    """Three are read: the unknown word is the second's own problem; the others are answered as one batch."""
    works = [Retrieval(Question(target="visual", k=1), Query(text=text)) for text in ("red", "rde", "blue")]
    calls = [call for work in works if (call := work.decoding(Limits())) is not None]
    first, second, third = (session.decoder.submit(call.function, *call.args) for call in calls)
    assert isinstance(second.exception(), UnknownWord)
    answers = answer_many(session, [works[0].decoded(first.result()), works[2].decoded(third.result())])
    assert [kinds(hits) for hits in answers] == [{"red"}, {"blue"}]


@pytest.mark.parametrize("target", ["audio", "visual"])
def test_a_concept_filters_seconds_in_which_it_is_heard_or_seen(session: Session, target: str) -> None:
    """Asked by a green second, with concept=red: every red second, and no other."""
    found = ask(session, Query(segment_id=11), target=target, k=99, concept="red")
    assert (kinds(found), len(found.hits)) == ({"red"}, OF_A_KIND)


def red_frame() -> np.ndarray:
    frame = np.zeros((64, 96, 3), np.uint8)
    frame[8:40, 8:40, 0] = 250
    return frame


def test_a_concept_that_is_only_heard_lets_the_picture_pass(tmp_path: Path, footage: list[Path]) -> None:
    """The picture of a red clip is found by the concept of its sound, which is blue's here."""
    clip = film(tmp_path / "red-9.mp4", 0, 0)
    frames = write_video(
        tmp_path / "other.mp4",
        CLIP_S,
        frame_rate_hz=10,
        frame_at=lambda _: red_frame(),
        samples=tone(CLIP_S, 44100, 900.0),
    )
    with naming_session(tmp_path / "library", footage=[clip, frames]) as session:
        found = ask(session, Query(text="red"), k=99, concept="blue")
        assert {hit.video.file_name for hit in found.hits} == {"other.mp4"}
        assert {hit.reasons for hit in found.hits} == {(Reason("red", 1.0),)}


def test_an_unknown_concept_is_refused(session: Session) -> None:
    """It names what is near."""
    with pytest.raises(UnknownWord, match=r"gren.*green"):
        ask(session, Query(segment_id=1), concept="gren")


def test_reasons_are_what_query_and_hit_share(session: Session, footage: list[Path], tmp_path: Path) -> None:
    """Of a file and of a second: a low tone shares red with red pictures, and less with others: a colour."""
    sound = write_sound(tmp_path / "low.wav", tone(3, 16000, 310.0), 16000)
    for query in (Query(sound), Query(segment_id=1, modality="audio")):
        found = ask(session, query, k=30)
        assert found.concepts[0] == Reason("red", 1.0)
        for hit in found.hits:
            shared = {reason.concept for reason in hit.reasons}
            assert shared == ({"red"} if kind_of(hit.video.file_name) == "red" else {"colour"})


def test_each_second_of_a_video_has_its_concepts(session: Session) -> None:
    """What ingest kept: the tone's and the colour's, for all five seconds."""
    for video in session.library.catalogue.every_video():
        for modality in ("audio", "visual"):
            found = concepts_of(session, video.video_id, modality)  # type: ignore[arg-type]
            assert set(found.values()) == {(Reason(kind_of(video.file_name), 1.0),)}
            assert len(found) == CLIP_S


def test_match_and_verdict_come_from_the_calibration(session: Session) -> None:
    """1 / (1 + exp(distance - 2)) for every hit, as calibrated; the verdict is of the best of other videos."""
    found = ask(session, Query(segment_id=3, modality="visual"), k=30)
    for hit in found.hits:
        assert hit.match == pytest.approx(1 / (1 + exp(hit.distance - 2)))
    own = own_video(session)
    best = max(hit.match or 0 for hit in found.hits if hit.video.video_id != own)
    videos = len(session.gallery("visual").table.videos)
    assert found.verdict == CALIBRATION.verdict("visual", "visual", best, videos) == "strong"


def test_a_second_that_finds_its_own_video_alone_is_no_answer(session: Session) -> None:
    """Asked by what it looks like, for as many seconds as its clip has, it finds itself: no verdict."""
    found = ask(session, Query(segment_id=3, modality="visual"), k=CLIP_S, video_id=own_video(session))
    assert len(found.hits) == CLIP_S
    assert found.verdict is None


def own_video(session: Session) -> str:
    return session.library.catalogue.segment(3).video_id


def test_a_filter_leaves_fewer_videos_to_match_by_chance(session: Session) -> None:
    """Of the videos that pass alone; among six a match is likelier to be chance than in one."""
    match = Match({"audio-visual": (2.0, -1.0, 0.0, 0.0)}, {"audio-visual": (1.0, 1.0)})
    served = session.gallery("visual")
    one = served.table.video_ids == own_video(session)
    assert (served.count_videos(None), served.count_videos(one)) == (6, 1)
    assert match.verdict("audio", "visual", 0.95, 1) == "strong"
    assert match.verdict("audio", "visual", 0.95, 6) == "fair"


def test_min_match_drops_what_hardly_belongs(session: Session) -> None:
    """The hits from that probability on, ranked from 1; above all of them there is none, and the verdict is nothing."""
    whole = ask(session, Query(segment_id=3, modality="visual"), k=30)
    bound = sorted(hit.match or 0 for hit in whole.hits)[10]
    cut = ask(session, Query(segment_id=3, modality="visual"), k=30, min_match=bound)
    assert [h.segment_id for h in cut.hits] == [h.segment_id for h in whole.hits if (h.match or 0) >= bound]
    assert [hit.rank for hit in cut.hits] == list(range(1, len(cut.hits) + 1))
    none = ask(session, Query(segment_id=3, modality="visual"), min_match=1)
    assert (none.hits, none.verdict) == ((), "nothing")


def test_without_a_calibration_there_is_no_match(tmp_path: Path, footage: list[Path]) -> None:
    """Match and verdict are null, reasons are there; min_match is refused and says what to do."""
    with naming_session(tmp_path, match=None, footage=footage[:2]) as session:
        found = ask(session, Query(text="red"))
        assert found.verdict is None
        assert {hit.match for hit in found.hits} == {None}
        assert all(hit.reasons for hit in found.hits)
        with pytest.raises(QueryError, match=r"min_match=0.5 given.*no calibration of text"):
            ask(session, Query(text="red"), min_match=0.5)


def test_an_answer_is_written_with_its_doubt_and_its_reasons(session: Session) -> None:
    """The JSON has what the answer has."""
    found = ask(session, Query(text="red"))
    body = RetrieveAnswer.of(found, None).model_dump()
    assert body["verdict"] == found.verdict
    assert body["query"]["modality"] == "text"
    assert body["query"]["concepts"] == [{"concept": "red", "strength": 1.0}]
    assert body["hits"][0]["match"] == found.hits[0].match
    assert body["hits"][0]["reasons"] == [{"concept": "red", "strength": 1.0}]


def test_a_snapshot_keeps_the_concepts_and_the_check_finds_it_sound(tmp_path: Path, footage: list[Path]) -> None:
    """Taken, restored and opened, every second has the same bytes."""
    with naming_session(tmp_path / "library", footage=footage[:2]) as session:
        before = session.library.catalogue.latents("audio").concepts
    take(tmp_path / "library", tmp_path / "s.tar")
    restore(tmp_path / "s.tar", tmp_path / "restored")
    assert list(check_catalogue(tmp_path / "restored")) == []
    with naming_session(tmp_path / "restored") as session:
        assert session.library.catalogue.latents("audio").concepts.tolist() == before.tolist()
        assert before.any()


def test_the_command_says_in_words_what_a_hit_shares(
    session: Session, echolens: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table has a column of reasons beside the match; an unknown word is a question that cannot be answered."""
    monkeypatch.setattr("app.library.session.make_front_end", lambda *_: NamingFrontEnd())
    ask = ("retrieve", "--target", "visual", "--library", session.library.directory, "--text")
    ran = echolens(*ask, "red, not blue", "--k", 3, "--concept", "red", "--min-match", "0.01")
    assert ran.code == 0, ran.err
    heads, *rows = (line.split() for line in ran.out.splitlines()[-5:-1])
    assert heads[2:6] == ["match", "file", "second", "shares"]
    assert [(row[5], row[2][-1]) for row in rows] == [("red", "%")] * 3
    refused = echolens(*ask, "redd")
    assert (refused.code, refused.err.startswith("unknown_word: ")) == (6, True)
