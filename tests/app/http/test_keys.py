"""Keys: made here, shown once, kept hashed; a running service follows them, and no accident opens it."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import os
import stat
import tarfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from metric_samples import samples_of, value
from pydantic import ValidationError
from service_samples import MOST_WAIT_S, Command, assert_problem, serving
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from app.http import key_limits, keys
from app.http.access import Access
from app.http.key_limits import KeyLimits
from app.http.keyring import CHECK_EVERY_S, Keyring
from app.http.keys import Key
from app.http.route_table import RouteTable
from app.settings import Settings
from index import snapshot
from index.library import KEYS, Library
from model.errors import LibraryError, NotFound

DAMAGED = ("", "{", "[]", "{}", '{"format": 2, "keys": []}', '{"format": 1, "keys": [{"key_id": "a"}]}')


class Clock:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def opens(keyring: Keyring, secret: str) -> bool:
    return keyring.find(secret.encode()) is not None


def test_a_key_is_kept_hashed_and_readable_by_its_owner_alone(tmp_path: Path) -> None:
    """256 random bits, of which the file holds the SHA-256, at mode 0600 whatever the umask; nothing else is left."""
    before = os.umask(0)
    try:
        key, secret = keys.create(tmp_path, "Ann's laptop", "read", most_per_minute=60)
        _, other = keys.create(tmp_path, "Ann's laptop", "admin")
    finally:
        os.umask(before)
    assert secret.startswith("el_")
    assert len(secret) >= 43
    assert secret != other
    text = (tmp_path / KEYS).read_text()
    assert secret not in text
    assert hashlib.sha256(secret.encode()).hexdigest() in text
    assert stat.S_IMODE((tmp_path / KEYS).stat().st_mode) == 0o600
    first, second = keys.load(tmp_path) or ()
    assert first == key
    assert (first.scope, first.most_per_minute, first.most_in_flight, second.scope) == ("read", 60, None, "admin")
    assert {p.name for p in tmp_path.iterdir()} <= {KEYS, keys.LOCK}


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 101])
def test_a_name_is_for_a_list(name: str, tmp_path: Path) -> None:
    """Short and printable, else nothing is made."""
    with pytest.raises(LibraryError, match="printable"):
        keys.create(tmp_path, name, "read")
    assert keys.load(tmp_path) is None


def test_keys_made_at_once_are_all_there(tmp_path: Path) -> None:
    """Two commands at a time lose nothing of each other."""
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda n: keys.create(tmp_path, f"key {n}", "read")[0], range(16)))
    assert {key.key_id for key in keys.load(tmp_path) or ()} == {key.key_id for key in made}


def test_a_refused_write_leaves_the_keys_as_they_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A LibraryError, the file of before, and no piece of the new one."""
    keys.create(tmp_path, "first", "read")
    before = (tmp_path / KEYS).read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    for call in ("replace", "fsync"):
        with monkeypatch.context() as patch:
            patch.setattr(os, call, full)
            with pytest.raises(LibraryError, match="No space left"):
                keys.create(tmp_path, "second", "read")
        assert (tmp_path / KEYS).read_bytes() == before
        assert not (tmp_path / keys.PARTIAL).exists()


@pytest.mark.parametrize("content", DAMAGED)
def test_damaged_keys_are_named_and_stop_the_start(content: str, tmp_path: Path) -> None:
    """Neither the service nor a command takes such a file for one without keys, or writes over it."""
    (tmp_path / KEYS).write_text(content)
    for act in (
        lambda: keys.load(tmp_path),
        lambda: keys.create(tmp_path, "a", "read"),
        lambda: keys.revoke(tmp_path, "a"),
        lambda: Settings(data=tmp_path),
    ):
        with pytest.raises(LibraryError, match=r"keys\.json"):
            act()
    assert (tmp_path / KEYS).read_text() == content


def test_the_command_line_makes_lists_and_revokes(echolens: Command, tmp_path: Path) -> None:
    """The key alone goes to standard output, once; lists never show one; an unknown id is an error."""
    library = ("--library", tmp_path / "lib")
    assert json.loads(echolens("keys", "list", *library, "--json").out) == []
    made = echolens("keys", "create", "a[b]c", *library)
    secret = made.out.strip()
    assert (made.code, secret.startswith("el_"), len(made.out.split())) == (0, True, 1)
    other = json.loads(
        echolens("keys", "create", "bot", "--scope", "admin", "--most-in-flight", 2, *library, "--json").out
    )
    assert (other["scope"], other["most_in_flight"], other["most_per_minute"]) == ("admin", 2, None)
    listed = echolens("keys", "list", *library, "--json").out
    assert [(k["name"], k["scope"]) for k in json.loads(listed)] == [("a[b]c", "read"), ("bot", "admin")]
    table = echolens("keys", "list", *library)
    assert "a[b]c" in table.out
    for ran in (listed, table.out, table.err, made.err):
        assert secret not in ran
        assert hashlib.sha256(secret.encode()).hexdigest() not in ran
    assert echolens("keys", "revoke", other["key_id"], *library).code == 0
    again = echolens("keys", "revoke", other["key_id"], *library)
    assert (again.code, "not_found" in again.err) == (4, True)
    assert [k["name"] for k in json.loads(echolens("keys", "list", *library, "--json").out)] == ["a[b]c"]
    assert echolens("keys", "create", "x", "--scope", "root", *library).code == 2


def test_no_keys_means_no_file(tmp_path: Path) -> None:
    """Revoking where no key was ever made says so."""
    with pytest.raises(NotFound, match="keys create"):
        keys.revoke(tmp_path, "abc")


def test_beyond_loopback_a_made_key_is_enough_to_start(tmp_path: Path) -> None:
    """It stands for ECHOLENS_API_KEY; a file without any key does not."""
    key, _ = keys.create(tmp_path, "a", "read")
    assert not Settings(data=tmp_path, host="0.0.0.0").is_loopback
    keys.revoke(tmp_path, key.key_id)
    with pytest.raises(ValidationError, match="keys create"):
        Settings(data=tmp_path, host="0.0.0.0")


def test_a_keyring_follows_its_file_once_a_second(tmp_path: Path) -> None:
    """On loopback the first key locks an open service; a revoked key is refused; changes are seen after a second."""
    clock = Clock()
    keyring = Keyring(tmp_path, clock=clock)
    assert not keyring.needed()
    first, secret = keys.create(tmp_path, "a", "read")
    _, other = keys.create(tmp_path, "b", "admin")
    clock.now_s += CHECK_EVERY_S / 2
    assert (keyring.needed(), opens(keyring, secret)) == (False, False)
    clock.now_s += CHECK_EVERY_S / 2
    assert (keyring.needed(), opens(keyring, secret), opens(keyring, other)) == (True, True, True)
    keys.revoke(tmp_path, first.key_id)
    assert opens(keyring, secret)
    clock.now_s += CHECK_EVERY_S
    assert (opens(keyring, secret), opens(keyring, other)) == (False, True)
    assert not any(opens(keyring, wrong) for wrong in ("", other[:-1], other + "x", first.sha256))


def test_no_accident_opens_a_locked_service(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """With every key revoked, the file damaged, unreadable or gone: keys are asked for, and none of it is good."""
    clock = Clock()
    keyring = Keyring(tmp_path, clock=clock)
    key, secret = keys.create(tmp_path, "a", "read")
    whole = (tmp_path / KEYS).read_bytes()
    assert (keyring.needed(), opens(keyring, secret)) == (True, True)

    def revoked() -> None:
        keys.revoke(tmp_path, key.key_id)

    def put_back() -> None:
        (tmp_path / KEYS).unlink(missing_ok=True)
        (tmp_path / KEYS).write_bytes(whole)

    def damaged() -> None:
        (tmp_path / KEYS).write_text("{")

    def gone() -> None:
        (tmp_path / KEYS).unlink()

    def a_directory() -> None:
        (tmp_path / KEYS).unlink()
        (tmp_path / KEYS).mkdir()

    for change, good in (
        (revoked, False),
        (put_back, True),
        (damaged, False),
        (put_back, True),
        (gone, False),
        (put_back, True),
        (a_directory, False),
    ):
        change()
        for _ in range(2):
            clock.now_s += CHECK_EVERY_S
            assert (keyring.needed(), opens(keyring, secret)) == (True, good), change.__name__
    said = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(said) == 2, "once for each fault, not every second"
    assert secret not in caplog.text


def test_a_service_that_lost_its_keys_stays_closed(own_library: Path) -> None:
    """Started beyond loopback with one key, which is revoked: 401 for whoever asks, health stays open."""
    key, secret = keys.create(own_library, "a", "admin")
    with serving(own_library, host="0.0.0.0") as client:
        assert client.get("/videos", headers=bearer(secret)).status_code == 200
        keys.revoke(own_library, key.key_id)
        wait_for(client, secret, 401)
        assert_problem(client.get("/videos"), 401, "unauthorized")
        assert client.get("/health/ready").status_code == 200


def test_a_running_service_learns_of_keys_without_a_restart(own_library: Path) -> None:
    """Open on loopback, it is locked by the first key, opened by it, and closed to it when it is revoked."""
    with serving(own_library) as client:
        assert client.get("/videos").status_code == 200
        first, secret = keys.create(own_library, "a", "read")
        wait_for(client, "", 401)
        assert client.get("/videos", headers=bearer(secret)).status_code == 200
        keys.create(own_library, "b", "read")
        keys.revoke(own_library, first.key_id)
        wait_for(client, secret, 401)


def test_the_environment_s_key_stays_beside_made_ones(own_library: Path) -> None:
    """It is an admin's, and no command lists or revokes it."""
    _, secret = keys.create(own_library, "a", "read")
    with serving(own_library, api_key="chosen") as client:
        for given in ("chosen", secret):
            assert client.get("/videos", headers=bearer(given)).status_code == 200
        assert_problem(client.delete("/videos/x", headers=bearer("chosen")), 404, "not_found")
        assert_problem(client.delete("/videos/x", headers=bearer(secret)), 403, "not_allowed")


def test_a_library_s_directory_may_hold_keys_and_no_snapshot_takes_them(
    echolens: Command, own_library: Path, tmp_path: Path
) -> None:
    """Keys may come before the library; `library check` says nothing of them; a snapshot is no way to steal them."""
    early = tmp_path / "early"
    keys.create(early, "a", "read")
    Library.open(early).close()
    keys.create(own_library, "a", "read")
    checked = json.loads(echolens("library", "check", "--library", own_library, "--json").out)
    assert KEYS not in json.dumps(checked)
    snapshot.take(own_library, tmp_path / "backup.tar")
    with tarfile.open(tmp_path / "backup.tar") as tar:
        assert not [name for name in tar.getnames() if "keys" in name]


def test_a_key_s_requests_per_minute_come_back_evenly() -> None:
    """A minute's at once, then one after each share of a minute; the wait is whole seconds and not too short."""
    clock = Clock()
    limits = KeyLimits(most_per_minute=20, clock=clock)
    key = a_key("a")
    for _ in range(20):
        assert limits.enter(key) is None
        limits.leave(key)
    over = limits.enter(key)
    assert over is not None
    assert over.wait_s == 3
    assert limits.enter(a_key("b")) is None
    clock.now_s += 2.5
    again = limits.enter(key)
    assert again is not None
    assert again.wait_s == 1
    clock.now_s += 0.5
    assert limits.enter(key) is None
    assert limits.enter(key) is not None
    clock.now_s += 3600
    assert sum(limits.enter(key) is None for _ in range(30)) == 20


def test_a_key_s_own_limits_win() -> None:
    """0 lifts the service's, a number replaces it."""
    limits = KeyLimits(most_in_flight=1, most_per_minute=1, clock=Clock())
    free, three = a_key("free", 0, 0), a_key("three", 3, 0)
    assert all(limits.enter(free) is None for _ in range(50))
    assert [limits.enter(three) is None for _ in range(5)] == [True, True, True, False, False]
    limits.leave(three)
    assert limits.enter(three) is None


def test_over_its_limit_a_key_is_told_when_to_come_back(own_library: Path) -> None:
    """429 with Retry-After; other keys go on; what is counted is the key, not whoever has none."""
    _, slow = keys.create(own_library, "slow", "read", most_per_minute=2)
    _, other = keys.create(own_library, "other", "read")
    with serving(own_library, key_most_per_minute=100) as client:
        answers = [client.get("/jobs", headers=bearer(slow)) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert_problem(answers[2], 429, "key_limit", "at most 2 a minute", "ask again in 30 s")
        assert answers[2].headers["retry-after"] == "30"
        assert slow not in answers[2].text
        assert client.get("/jobs", headers=bearer(other)).status_code == 200
        assert client.get("/health/live").status_code == 200


def test_an_address_that_sends_wrong_keys_is_slowed_down() -> None:
    """Ten at once, then one every six seconds; other addresses are counted apart."""
    clock = Clock()
    limits = KeyLimits(clock=clock)
    assert [limits.count_wrong("a") for _ in range(10)] == [None] * 10
    over = limits.count_wrong("a")
    assert over is not None
    assert over.wait_s == 6
    assert limits.count_wrong("b") is None
    clock.now_s += 6
    assert limits.count_wrong("a") is None
    assert limits.count_wrong("a") is not None
    clock.now_s += 3600
    assert sum(limits.count_wrong("a") is None for _ in range(30)) == 10


def test_wrong_keys_are_remembered_for_so_many_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded: the address that was longest without a wrong key is forgotten first."""
    monkeypatch.setattr(key_limits, "MOST_ADDRESSES", 2)
    limits = KeyLimits(clock=Clock())
    for address in ("old", "busy"):
        assert any(limits.count_wrong(address) for _ in range(11))
    assert limits.count_wrong("new") is None
    assert limits.count_wrong("busy") is not None
    assert limits.count_wrong("old") is None, "it was not forgotten"
    assert len(limits._wrong) == 2


def test_wrong_keys_are_answered_later_and_the_right_one_at_once(own_library: Path) -> None:
    """401 at least ten times, then 429 with Retry-After, counted; no key, an open route and a right key as ever."""
    _, right = keys.create(own_library, "office", "read")
    with serving(own_library) as client:
        for _ in range(30):
            assert_problem(client.get("/videos"), 401, "unauthorized")
        answers = [client.get("/videos", headers=bearer("el_wrong"))]
        while answers[-1].status_code == 401 and len(answers) < 100:
            answers.append(client.get("/videos", headers=bearer("el_wrong")))
        assert len(answers) > 10
        answer = answers[-1]
        assert_problem(answer, 429, "wrong_keys", "testclient", "at most 10 a minute")
        assert 1 <= int(answer.headers["retry-after"]) <= 6
        assert "el_wrong" not in answer.text
        assert_problem(client.get("/videos"), 401, "unauthorized")
        assert client.get("/health/live", headers=bearer("el_wrong")).status_code == 200
        assert client.get("/videos", headers=bearer(right)).status_code == 200
        scraped = samples_of(client.get("/metrics", headers=bearer(right)).text)
        assert value(scraped, "echolens_refused_total", reason="wrong_keys") == 1


def test_a_refused_connection_is_not_kept_for_a_large_body(own_library: Path) -> None:
    """What is refused before its body is read ends the connection, unless the rest is soon passed over."""
    keys.create(own_library, "some", "read")
    with serving(own_library) as client:
        for size, kept in ((0, True), (1000, True), (2 * 1024**2, False)):
            answer = client.post("/retrieve", content=bytes(size))
            assert_problem(answer, 401, "unauthorized")
            assert (answer.headers.get("connection") != "close") == kept
        assert client.get("/jobs").headers.get("connection") != "close"


def test_a_request_counts_until_its_answer_has_ended(tmp_path: Path) -> None:
    """One at a time: a second one is refused while the first lasts, not after it ended, by an error too."""
    _, secret = keys.create(tmp_path, "one at a time", "admin", most_in_flight=1)
    statuses: list[int] = []
    refused: list[str] = []

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/fails":
            raise ZeroDivisionError
        statuses.append(200)
        await scope["until"].wait()

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    access = Access(application, Keyring(tmp_path), KeyLimits(), 10, RouteTable([]), count_refused=refused.append)

    async def ask(path: str, until: asyncio.Event) -> None:
        headers = [(b"authorization", f"Bearer {secret}".encode())]
        scope: Scope = {"type": "http", "method": "GET", "path": path, "headers": headers, "until": until}
        await access(scope, receive, send)

    async def all_of_it() -> None:
        ended, at_once = asyncio.Event(), asyncio.Event()
        at_once.set()
        first = asyncio.create_task(ask("/", ended))
        await asyncio.sleep(0)
        await ask("/", at_once)
        ended.set()
        await first
        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                await ask("/fails", at_once)
        await ask("/", at_once)

    asyncio.run(all_of_it())
    assert (statuses, refused) == ([200, 429, 200], ["key_limit"])


def a_key(key_id: str, most_in_flight: int | None = None, most_per_minute: int | None = None) -> Key:
    return Key(key_id, key_id, "read", "", "", most_in_flight, most_per_minute)


def wait_for(client: TestClient, secret: str, status: int) -> None:
    """Wait until a key is answered with a status."""
    deadline = time.monotonic() + MOST_WAIT_S
    while client.get("/videos", headers=bearer(secret)).status_code != status:
        assert time.monotonic() < deadline, f"{status} did not come"
        time.sleep(0.05)
