"""Broken files of many formats: each is answered, never with a fault (benchmarks/robustness/mutations.py)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from httpx2 import Response
from service_samples import assert_answers, ended_job, serving
from starlette.testclient import TestClient

from benchmarks.robustness.mutants import MUTATIONS, mutate
from benchmarks.robustness.mutations import Plan, Request, documented_codes, judge
from benchmarks.robustness.seeds import Seed, make_seeds

FILES = 60


@pytest.fixture(scope="module")
def seeds() -> list[Seed]:
    """Return one whole file of each format."""
    return make_seeds(7_000_000, of_each=1)


def send(client: TestClient, request: Request) -> Response:
    return client.post(request.path, data=request.fields, files=request.files)


def test_whole_files_are_taken(own_library: Path, seeds: list[Seed]) -> None:
    """A file of every format is ingested before it is broken; otherwise a refusal would prove nothing."""
    assert len({seed.format for seed in seeds}) >= 8
    with serving(own_library) as client:
        for seed in seeds:
            reply = send(client, Request(0, "/videos", {}, {"file": (seed.name, seed.content)}, ""))
            assert reply.status_code == 202, (seed.name, reply.text)
            job = ended_job(client, client.get("/jobs").json()[0]["job_id"])
            assert job["state"] == "done", (seed.name, job)


def test_broken_files_meet_no_fault(own_library: Path, seeds: list[Seed]) -> None:
    """Sixty requests with broken files: a success or a documented problem each, and the service goes on."""
    plan, codes = Plan(0, seeds, []), documented_codes()
    with serving(own_library) as client:
        for number in range(FILES):
            request = plan.request(number)
            _, problem = judge(send(client, request), codes)
            assert problem is None, (str(request), problem)
        for job in client.get("/jobs").json():
            assert ended_job(client, job["job_id"])["result"].get("code", "damaged") in codes
        assert_answers(client)


def test_the_plan_follows_from_the_seed(seeds: list[Seed]) -> None:
    """One seed, one plan; another, another; and among few requests every mutation and every route."""
    requests = [[Plan(seed, seeds, []).request(number) for number in range(80)] for seed in (0, 0, 1)]
    assert requests[0] == requests[1] != requests[2]
    assert {request.path for request in requests[0]} == {"/retrieve", "/localize", "/generate", "/videos"}
    done = " ".join(request.broken for request in requests[0])
    assert all(name in done for name in MUTATIONS)


def test_mutations_break(seeds: list[Seed]) -> None:
    """What comes out is hardly ever what went in."""
    rngs = [(seed, np.random.default_rng(number)) for number, seed in enumerate(seeds * 5)]
    same = [seed.name for seed, rng in rngs if mutate(rng, seed, seeds[0])[1] == seed.content]
    assert len(same) < len(rngs) / 10


@pytest.mark.parametrize(
    ("status", "kind", "body"),
    [
        (500, "application/problem+json", b'{"code": "internal"}'),
        (404, "application/problem+json", b'{"code": "not_found"}'),
        (422, "application/json", b'{"code": "damaged"}'),
        (422, "application/problem+json", b'{"code": "no_such_code"}'),
        (422, "application/problem+json", b"[]"),
        (204, "text/plain", b""),
    ],
)
def test_the_judge_finds(status: int, kind: str, body: bytes) -> None:
    """A fault, a status of other routes, no problem+json, a code that no document names, a success that is none."""
    assert judge(Response(status, headers={"content-type": kind}, content=body), documented_codes())[1] is not None


def test_the_judge_lets_pass() -> None:
    """A documented problem, and a success."""
    problem = Response(422, headers={"content-type": "application/problem+json"}, content=b'{"code": "damaged"}')
    assert judge(problem, documented_codes()) == ("422 damaged", None)
    assert judge(Response(202, content=b"{}"), documented_codes()) == ("202", None)
