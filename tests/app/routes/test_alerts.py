"""Saved questions: new footage that answers one is told by a signed webhook, at least once and in the end."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from library_samples import calibrated, encoded_by
from media_samples import write_picture
from service_samples import assert_problem, film, ingest_into, serving, until
from starlette.testclient import TestClient

import app.jobs.alerting
import app.jobs.webhooks
from app.jobs.webhooks import new_secret, signature
from app.library.default_model import DEFAULT_MODEL
from app.library.ingest import Source
from echolens.client import Client
from index.alerts import Alerts
from index.library import Library
from index.records import Alert, Delivery, Video
from model.errors import LibraryError, NotFound
from model.network.checkpoint import Checkpoint


class Receiver(ThreadingHTTPServer):
    """Take webhooks as another machine would; `answers` with a status, or does what a function says."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Taking)
        self.taken: list[tuple[dict[str, str], bytes]] = []
        self.answer: Callable[[Taking], None] | int = 204

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hook?room=1"

    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.taken]


class Taking(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        assert isinstance(self.server, Receiver)
        self.server.taken.append(({name.lower(): value for name, value in self.headers.items()}, body))
        if callable(self.server.answer):
            self.server.answer(self)
            return
        self.send_response(self.server.answer)
        self.end_headers()

    do_GET = do_POST  # noqa: N815

    def log_message(self, *_: object) -> None: ...


@contextmanager
def running_receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with running_receiver() as server:
        yield server


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app.jobs.alerting, "POLL_S", 0.05)
    monkeypatch.setattr(app.jobs.webhooks, "POLL_S", 0.05)
    monkeypatch.setattr(app.jobs.webhooks, "RETRY_AFTER_S", (0.05,) * 3)


@pytest.fixture
def sure(pristine: Path, tmp_path: Path) -> Path:
    """A library of six clips, whose model is sure of what is as near as the same picture."""
    (tmp_path / "made").mkdir()
    return calibrated(pristine, tmp_path / "made", 0.2)


@pytest.fixture
def new_clip(tmp_path: Path) -> Path:
    return film(tmp_path / "new-clip.mp4", 1, 1, 3.0)


def saved(client: TestClient, receiver: Receiver, file: Path, **fields: object) -> Any:
    """Save the question what looks like the second 1 of a clip, and return the answer."""
    question = {"target": "visual", "query_modality": "visual", "at_s": "1", "min_match": "0.5", "url": receiver.url}
    given = question | {name: str(value) for name, value in fields.items()}
    return client.post("/alerts", data=given, files={"file": (file.name, file.read_bytes())})


def listed(client: TestClient) -> dict[str, Any]:
    (alert,) = client.get("/alerts").json()["alerts"]
    return dict(alert)


def take_in(library: Path, *files: Path) -> None:
    assert {o.state for o in ingest_into(library, [Source(file, file.name) for file in files])} == {"added"}


def test_new_footage_that_answers_is_told_once_and_signed(
    sure: Path, receiver: Receiver, footage: list[Path], new_clip: Path, tmp_path: Path
) -> None:
    """Not what was there before, and not what does not answer; the signature is that of Standard Webhooks."""
    with serving(sure, public_url="https://lens.example.org/") as client:
        answer = saved(client, receiver, new_clip, title="green spot")
        assert answer.status_code == 201, answer.text
        secret = answer.json()["secret"]
        take_in(sure, new_clip, film(tmp_path / "other.mp4", 2, 3, 3.0))
        until(lambda: receiver.taken)
        until(lambda: listed(client)["delivered"] == 1)
        take_in(sure, film(tmp_path / "another.mp4", 0, 4, 2.0))
        until(lambda: asked_about_all(sure))
        assert listed(client) | {"created_at": ""} == {
            "alert_id": answer.json()["alert_id"],
            "title": "green spot",
            "text": None,
            "file_name": "new-clip.mp4",
            "question": {"target": "visual", "query_modality": "visual", "at_s": 1.0, "min_match": 0.5},
            "url": receiver.url,
            "created_at": "",
            "waiting": 0,
            "delivered": 1,
            "given_up": 0,
            "problem": None,
        }
        (video,) = (v for v in client.get("/videos").json()["videos"] if v["file_name"] == "new-clip.mp4")
        found = client.get(f"/videos/{video['video_id']}").json()["segments"]
    ((headers, raw),) = receiver.taken
    timestamp, body = int(headers["webhook-timestamp"]), json.loads(raw)
    assert abs(timestamp - time.time()) < 60
    key = base64.b64decode(secret.removeprefix("whsec_"))
    content = headers["webhook-id"].encode() + b"." + str(timestamp).encode() + b"." + raw
    expected = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert headers["content-type"] == "application/json"
    assert (body["type"], body["data"]["title"]) == ("alert.matched", "green spot")
    assert body["data"]["question"] == {
        "text": None,
        "file_name": "new-clip.mp4",
        "target": "visual",
        "min_match": 0.5,
    }
    assert (body["data"]["video_id"], body["data"]["file_name"]) == (video["video_id"], "new-clip.mp4")
    (hit,) = body["data"]["hits"]
    assert hit["segment_id"] in {second["segment_id"] for second in found}
    assert (hit["start_s"] <= 1 < hit["end_s"], hit["match"] >= 0.5) == (True, True)
    start_s, end_s = hit["start_s"], hit["end_s"]
    link = f"https://lens.example.org/videos/{video['video_id']}/original#t={start_s},{end_s}"
    assert hit["link"] == link


def test_every_recording_that_answers_is_told_however_many_come(
    sure: Path, receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where they are more than hits are told, and are asked about in several rounds; none is told twice."""
    monkeypatch.setattr(app.jobs.alerting, "ASKED_TOGETHER", 8)
    clips = [film(tmp_path / f"new-{number}.mp4", 1, 1, 2.5 + number / 10) for number in range(7)]
    with serving(sure) as client:
        saved(client, receiver, clips[0], k=1)
        take_in(sure, *clips)
        until(lambda: asked_about_all(sure))
        until(lambda: listed(client)["delivered"] == 7)
    assert sorted(body["data"]["file_name"] for body in receiver.bodies()) == [clip.name for clip in clips]
    assert {len(body["data"]["hits"]) for body in receiver.bodies()} == {1}


def asked_about_all(library: Path) -> bool:
    with Library.open(library) as opened:
        _, newest = opened.catalogue.alerts.newest()
        return all(alert.asked_segment_id == newest for alert in opened.catalogue.alerts.alerts())


def test_the_signature_is_that_of_the_reference_implementation() -> None:
    """A message, its secret and its signature as the libraries of Standard Webhooks test themselves with."""
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    signed = signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, '{"test": 2432232314}')
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_message_that_is_refused_is_sent_again_and_given_up_in_the_end(
    sure: Path, receiver: Receiver, new_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the same id, which tells a receiver that it is the same; why it was refused is listed."""
    receiver.answer = 500
    with serving(sure) as client:
        saved(client, receiver, new_clip)
        take_in(sure, new_clip)
        until(lambda: len(receiver.taken) > 4)
        assert listed(client)["given_up"] == 0
        monkeypatch.setattr(app.jobs.webhooks, "GIVEN_UP_AFTER_S", 0.0)
        until(lambda: listed(client)["given_up"] == 1)
        assert listed(client)["problem"] == "status 500 given, 2xx expected"
        assert listed(client)["waiting"] == 0
    assert len({headers["webhook-id"] for headers, _ in receiver.taken}) == 1
    assert len({body for _, body in receiver.taken}) == 1


def test_a_message_outlives_the_service(
    sure: Path, receiver: Receiver, new_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refused before a stop, it is delivered by the next service, and what came in between is told, too."""
    receiver.answer = 503
    monkeypatch.setattr(app.jobs.webhooks, "RETRY_AFTER_S", (0.5,) * 100)
    with serving(sure) as client:
        saved(client, receiver, new_clip)
        take_in(sure, new_clip)
        until(lambda: listed(client)["problem"])
    receiver.answer = 204
    copy = new_clip.with_name("copy.mp4")
    film(copy, 1, 1, 4.0)
    take_in(sure, copy)
    with serving(sure) as client:
        until(lambda: listed(client)["delivered"] == 2)
        assert listed(client)["problem"] is None
    names = {body["data"]["file_name"] for body in receiver.bodies()}
    assert names == {"new-clip.mp4", "copy.mp4"}


def test_a_message_that_is_always_refused_holds_up_no_other(sure: Path, receiver: Receiver, tmp_path: Path) -> None:
    """The others of its alert are delivered meanwhile, and what is wrong stays listed."""
    clips = [film(tmp_path / f"new-{number}.mp4", 1, 1, 2.5 + number / 10) for number in range(4)]

    def refuse_one(handler: Taking) -> None:
        handler.send_response(400 if receiver.bodies()[-1]["data"]["file_name"] == "new-0.mp4" else 204)
        handler.end_headers()

    receiver.answer = refuse_one
    with serving(sure) as client:
        saved(client, receiver, clips[0])
        take_in(sure, *clips)
        until(lambda: listed(client)["delivered"] == 3)
        until(lambda: listed(client)["waiting"] == 1)
        assert listed(client)["problem"] == "status 400 given, 2xx expected"


def test_a_slow_receiver_holds_up_no_other(sure: Path, new_clip: Path) -> None:
    """However many of them there are: messages of another alert arrive while they do not answer."""
    is_over = threading.Event()
    with running_receiver() as slow, running_receiver() as quick, serving(sure) as client:
        slow.answer = lambda handler: answer_after(is_over, handler)
        try:
            for _ in range(6):
                saved(client, slow, new_clip)
            saved(client, quick, new_clip)
            take_in(sure, new_clip, film(new_clip.with_name("more.mp4"), 1, 1, 4.0))
            until(lambda: len(quick.taken) == 2)
            assert len(slow.taken) == 6
        finally:
            is_over.set()
        until(lambda: len(slow.taken) == 12)


def answer_after(is_over: threading.Event, handler: Taking) -> None:
    is_over.wait(60)
    handler.send_response(204)
    handler.end_headers()


def test_a_message_that_was_taken_is_not_sent_again_while_the_disk_is_full(
    sure: Path, receiver: Receiver, new_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the note is tried again, until it can be written."""
    put, failures = Alerts.put_delivered, iter(range(4))

    def put_or_fail(alerts: Alerts, delivery: Delivery) -> None:
        if next(failures, None) is not None:
            raise LibraryError("the disk is full")
        put(alerts, delivery)

    monkeypatch.setattr(Alerts, "put_delivered", put_or_fail)
    with serving(sure) as client:
        saved(client, receiver, new_clip)
        take_in(sure, new_clip)
        until(lambda: listed(client)["delivered"] == 1)
    assert len(receiver.taken) == 1


def test_an_alert_that_cannot_be_asked_stops_no_other(sure: Path, receiver: Receiver, new_clip: Path) -> None:
    """Such as one whose question this release refuses; it says so, and the alerts after it are asked."""
    with Library.open(sure) as library:
        old = Alert("old", None, {"target": "smell"}, "dog", None, receiver.url, new_secret(), "2026", 0)
        library.catalogue.alerts.add(old, None, 2)
    with serving(sure) as client:
        saved(client, receiver, new_clip)
        take_in(sure, new_clip)
        until(lambda: receiver.taken)
        until(lambda: client.get("/alerts").json()["alerts"][0]["problem"])
        problems = [alert["problem"] for alert in client.get("/alerts").json()["alerts"]]
    assert problems == ["internal: not foreseen; the log has it", None]


def endless(handler: Taking) -> None:
    """Answer with a body that never ends."""
    handler.send_response(200)
    handler.end_headers()
    try:
        while True:
            handler.wfile.write(b"x" * 65536)
    except OSError:
        pass


def elsewhere(handler: Taking) -> None:
    handler.send_response(307)
    handler.send_header("Location", "/secret")
    handler.end_headers()


def silent(handler: Taking) -> None:
    time.sleep(1.0)


@pytest.mark.parametrize(
    ("answer", "problem"),
    [(elsewhere, "status 307 given"), (silent, "no answer within 0.3 s"), (endless, None)],
    ids=["redirect", "silence", "endless"],
)
def test_a_receiver_cannot_hold_up_or_lead_elsewhere(
    sure: Path,
    receiver: Receiver,
    new_clip: Path,
    monkeypatch: pytest.MonkeyPatch,
    answer: Callable[[Taking], None],
    problem: str | None,
) -> None:
    """A redirect is a refusal, silence one after a while; of an answer only the status is read."""
    monkeypatch.setattr(app.jobs.webhooks, "MOST_SENDING_S", 0.3)
    receiver.answer = answer
    with serving(sure) as client:
        saved(client, receiver, new_clip)
        take_in(sure, new_clip)
        if problem is None:
            until(lambda: listed(client)["delivered"] == 1)
        else:
            until(lambda: (listed(client)["problem"] or "").startswith(problem))
    assert {headers["host"] for headers, _ in receiver.taken} == {receiver.url.split("/")[2]}
    assert all(json.loads(body)["type"] == "alert.matched" for _, body in receiver.taken)


@pytest.mark.parametrize(
    ("fields", "code", "words"),
    [
        ({"url": "ftp://example.org"}, "query", "http or https"),
        ({"url": "file:///etc/passwd"}, "query", "http or https"),
        ({"url": "http://"}, "query", "http or https"),
        ({"url": "http://[::1"}, "query", "an address expected"),
        ({"url": "http://user:word@example.org"}, "query", "user name"),
        ({"url": "https://example.org:port/"}, "query", "an address expected"),
        ({"secret": "short"}, "query", "whsec_"),
        ({"secret": "whsec_" + base64.b64encode(b"x" * 23).decode()}, "query", "24 to 64"),
        ({"k": "101"}, "query", "at most 100"),
        ({"group_by": "video"}, "query", "group_by"),
        ({"min_match": "2"}, "invalid_request", "min_match"),
        ({"at_s": "100"}, "query", "no such second"),
    ],
)
def test_what_cannot_be_asked_or_told_is_refused_at_once(
    client: TestClient, receiver: Receiver, footage: list[Path], fields: dict[str, str], code: str, words: str
) -> None:
    """The message says what is expected."""
    assert_problem(saved(client, receiver, footage[0], **fields), 422, code, words)


def test_a_question_that_has_no_match_is_refused(
    pristine: Path, receiver: Receiver, footage: list[Path], tmp_path: Path
) -> None:
    """A model without calibration has none, and a front-end without a prior reads no words; nothing is saved."""
    model = replace(Checkpoint.load(DEFAULT_MODEL), stored=None, match=None).save(tmp_path / "model")
    with serving(encoded_by(model, pristine, tmp_path)) as client:
        assert_problem(saved(client, receiver, footage[0]), 422, "query", "no calibration")
        asked = {"target": "visual", "min_match": "0.5", "url": receiver.url, "text": "dog"}
        assert_problem(client.post("/alerts", data=asked), 422, "query", "no prior")
        assert client.get("/alerts").json() == {"alerts": []}


def test_a_new_library_takes_alerts(receiver: Receiver, new_clip: Path, tmp_path: Path) -> None:
    """It answers nothing yet, and asks once it holds something."""
    with serving(tmp_path / "library") as client:
        assert saved(client, receiver, new_clip, min_match=0).status_code == 201
        take_in(tmp_path / "library", new_clip)
        until(lambda: listed(client)["delivered"] == 1)
    assert [body["data"]["file_name"] for body in receiver.bodies()] == ["new-clip.mp4"]


def test_only_hosts_of_the_setting_get_webhooks(
    sure: Path, receiver: Receiver, new_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the setting came later than the alert."""
    with serving(sure) as client:
        assert saved(client, receiver, new_clip).status_code == 201
    with serving(sure, webhook_hosts=("hooks.example.org",)) as client:
        assert_problem(saved(client, receiver, new_clip), 422, "query", "ECHOLENS_WEBHOOK_HOSTS")
        take_in(sure, new_clip)
        until(lambda: "ECHOLENS_WEBHOOK_HOSTS" in (listed(client)["problem"] or ""))
    assert receiver.taken == []


def test_alerts_from_python(sure: Path, receiver: Receiver, tmp_path: Path) -> None:
    """Made by a picture, listed, deleted; one that is not there is a problem."""
    picture = write_picture(tmp_path / "spot.png")
    secret = "whsec_" + base64.b64encode(bytes(range(32))).decode()
    with serving(sure) as http:
        client = Client(http=http)
        made = client.alert(receiver.url, "visual", file=picture, min_match=0.9, secret=secret)
        assert (made.secret, made.waiting) == (secret, 0)
        assert [alert.alert_id for alert in client.alerts()] == [made.alert_id]
        client.delete_alert(made.alert_id)
        assert client.alerts() == []
        assert_problem(http.delete(f"/alerts/{made.alert_id}"), 404, "not_found", made.alert_id)


def test_a_file_that_is_too_large_to_keep_is_refused(client: TestClient, receiver: Receiver, tmp_path: Path) -> None:
    """It says what to do."""
    large = tmp_path / "large.wav"
    large.write_bytes(bytes(8 * 1024**2 + 1))
    assert_problem(saved(client, receiver, large), 413, "too_large", "8388608", "cut")


def test_alerts_and_their_messages_are_bounded_and_go_together(tmp_path: Path) -> None:
    """There are at most so many; a deleted one takes its messages along; silence delays the whole alert."""
    with Library.open(tmp_path / "library") as library:
        alerts = library.catalogue.alerts
        one, two = (
            Alert(name, None, {"target": "audio"}, "dog", None, "http://a", "whsec_", "2026", 0) for name in "ab"
        )
        alerts.add(one, None, 2)
        alerts.add(two, None, 2)
        with pytest.raises(Exception, match="at most 2 expected"):
            alerts.add(one, None, 2)
        alerts.put_asked("a", 5, [("m1", "{}"), ("m2", "{}")], 100.0)
        alerts.put_asked("b", 5, [("m3", "{}")], 101.0)
        assert alerts.due(99.0) == []
        assert [d.delivery_id for d in alerts.due(101.0)] == ["m1", "m3"]
        assert [d.delivery_id for d in alerts.due(101.0, ["a"])] == ["m3"]
        alerts.put_refused(alerts.due(101.0)[0], "no", 200.0, is_answered=False)
        assert [d.delivery_id for d in alerts.due(150.0)] == ["m3"]
        assert [d.delivery_id for d in alerts.due(200.0)] == ["m3", "m1"]
        alerts.delete("a")
        assert [d.delivery_id for d in alerts.due(1000.0)] == ["m3"]
        with pytest.raises(NotFound):
            alerts.put_asked("a", 6, [("m4", "{}")], 0.0)
        with pytest.raises(NotFound):
            alerts.content("a")


def test_what_is_wrong_is_told_until_it_is_right(tmp_path: Path) -> None:
    """Asking well hides no refused message, and a delivery no question that cannot be asked."""
    with Library.open(tmp_path / "library") as library:
        alerts = library.catalogue.alerts
        alerts.add(Alert("a", None, {}, "dog", None, "http://a", "whsec_", "2026", 0), None, 1)
        alerts.put_asked("a", 1, [("m1", "{}"), ("m2", "{}")], 100.0)
        one = alerts.due(100.0)[0]
        alerts.put_refused(one, "status 400", 200.0, is_answered=True)
        alerts.put_asked("a", 2, [], 101.0)
        assert alerts.alerts()[0].problem == "status 400"
        (two,) = alerts.due(150.0)
        assert (two.delivery_id, two.made_s) == ("m2", 100.0)
        alerts.put_delivered(two)
        assert alerts.alerts()[0].problem == "status 400"
        alerts.put_problem("a", "no model")
        alerts.put_delivered(one)
        assert alerts.alerts()[0].problem == "no model"
        alerts.put_asked("a", 3, [], 102.0)
        assert alerts.alerts()[0].problem is None


def test_a_round_ends_between_recordings(tmp_path: Path) -> None:
    """At most so many seconds; a recording that has more is cut, and ids that are gone count for nothing."""
    with Library.open(tmp_path / "library") as library:
        for name, length_s in (("a", 3), ("b", 4), ("c", 20), ("d", 1)):
            facts = f"/{name}", name, "audio/wav", float(length_s), False, None, None, None, "2026"
            library.catalogue.ingest(Video(name, name * 2, *facts), [(at_s, True, False) for at_s in range(length_s)])
        alerts = library.catalogue.alerts
        ends, end = [], 0
        while end < 28:
            ends.append(end := alerts.round_end(end, 28, 10))
        assert ends == [7, 17, 27, 28]
        assert alerts.round_end(0, 28, 5) == 3
        assert alerts.round_end(3, 5, 100) == 5
        assert alerts.round_end(28, 40, 5) == 40
