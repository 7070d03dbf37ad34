"""Do the image and the compose file keep their word? Builds, brings the service up under a name of its own, asks it.

    python -m benchmarks.robustness.containers [--variant gpu] [--compose docker-compose] [--network host]
        [--base IMAGE] [--build-arg NAME=VALUE ...] [--no-build] [--monitor prometheus --monitor grafana] [--json OUT]

Needs a container engine (DOCKER_HOST is heeded) and Compose v2 or 1.29; Python's own library is enough. The project,
its port and its volumes are new ones and are removed at the end; the images stay. The GPU variant is built and loaded,
and is not served: a check needs no device. Exit 1 if anything does not hold.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from urllib.parse import urljoin

from benchmarks.robustness.container_stack import Broken, Stack, demand, half_sent, run, until

ROOT = Path(__file__).parents[2]
PROFILES = ("gpu", "demo", "monitoring")
HEALTHY_WITHIN_S = 60.0
DEMONSTRATION_WITHIN_S = 600.0
SCRAPED_WITHIN_S = 90.0
HOLD_S = 3.0
ASKED = 28
MONITOR_HELP = "bring it up too, where its image is or can be pulled; PROMETHEUS_IMAGE and GRAFANA_IMAGE name others"
LOADED = """
import torch, faiss, ai_edge_litert, app.server
print(f"torch {torch.__version__}, its CUDA {torch.version.cuda}, faiss {faiss.__version__}", end=", ")
print("faiss for a GPU" if hasattr(faiss, "StandardGpuResources") else "faiss for the CPU")
"""
CAPABILITIES = "grep -h -e CapEff -e CapBnd -e NoNewPrivs /proc/[0-9]*/status | sort -u"
LEFTOVERS = (
    "for tool in cc gcc c++ make; do command -v $tool; done; ls -d /src /root/.cache /tmp/* 2>/dev/null; "
    "ls /opt/echolens/lib/python3*/site-packages | grep -i -x -e pip -e tests -e benchmarks; true"
)

Check = Callable[[Stack], str]


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--variant", choices=("cpu", "gpu"), default="cpu")
    parser.add_argument("--compose", default="docker compose", help="the command")
    parser.add_argument("--network", default="default", help="of the build")
    parser.add_argument("--base", help="image in place of the Dockerfile's BASE")
    parser.add_argument("--build-arg", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--no-build", action="store_true", help="take the image that is there")
    parser.add_argument("--monitor", action="append", default=[], choices=("prometheus", "grafana"), help=MONITOR_HELP)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    rows: list[tuple[str, bool, str]] = []
    image = "echolens" if given.variant == "cpu" else "echolens:gpu"
    with stack(shlex.split(given.compose), image) as service:
        for name, check in checks(given):
            print(f"{name}: ", end="", flush=True)
            try:
                rows.append((name, True, check(service)))
            except (Broken, OSError) as error:
                rows.append((name, False, str(error)))
            print("" if rows[-1][1] else "FAILS: ", rows[-1][2], sep="", flush=True)
            if not rows[-1][1] and check in (build, first_start):
                break  # there is nothing to ask
    if given.json:
        given.json.write_text(json.dumps([{"check": n, "holds": h, "found": f} for n, h, f in rows], indent=1))
    sys.exit(not all(holds for _, holds, _ in rows))


def checks(given: argparse.Namespace) -> Iterator[tuple[str, Check]]:
    """Yield what is checked, in order; each says what it found or raises Broken."""
    yield "compose file", configuration
    if not given.no_build:
        options = ["--network", given.network, "--build-arg", f"VARIANT={given.variant}"]
        options += ["--build-arg", f"BASE={given.base}"] if given.base else []
        yield "build", lambda s: build(s, [*options, *(x for a in given.build_arg for x in ("--build-arg", a))])
    yield "image", contents
    if given.variant == "gpu":
        yield "without a device", no_device
        return
    yield "a directory of another user", closed_directory
    yield "first start", first_start
    yield "user", user
    yield "root file system", read_only
    yield "capabilities", capabilities
    yield "keys", keys
    yield "demonstration, made while it serves", demonstration
    yield "/retrieve", retrieve
    yield "every GET without parameters", routes
    yield "restart", restart
    yield "down and up", down_and_up
    yield "snapshot, a new volume, restore", backup
    yield "a request under way at SIGTERM", graceful_stop
    if given.monitor:
        yield "monitoring", lambda s: monitoring(s, given.monitor)
    yield "log", log


@contextmanager
def stack(compose: list[str], image: str) -> Iterator[Stack]:
    """Hand out a project of a new name, port and key; remove its containers and volumes at the end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    service = Stack(ROOT, compose, image, f"echolens-check-{secrets.token_hex(4)}", port, secrets.token_urlsafe(24))
    try:
        yield service
    finally:
        profiles = [x for profile in PROFILES for x in ("--profile", profile)]
        service.compose(*profiles, "down", "--volumes", "--remove-orphans")


def configuration(service: Stack) -> str:
    """Every profile is understood; without a key it is said what to do."""
    for profile in ([], *(["--profile", p] for p in PROFILES)):
        service.compose(*profile, "config")
    command = [*service.command, "config"]
    environment = {k: v for k, v in os.environ.items() if k != "ECHOLENS_API_KEY"}
    refused = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    demand(refused.returncode != 0 and "choose a key" in refused.stderr, "it is accepted without a key")
    version = service.compose("version", "--short").strip()
    return f"Compose {version} takes it with each of {', '.join(PROFILES)} and without; refused without a key"


def build(service: Stack, options: list[str]) -> str:
    """The image is built from this tree."""
    started = time.monotonic()
    run(["docker", "build", *options, "--tag", service.image, str(ROOT)])
    return f"{service.image} in {time.monotonic() - started:.0f} s"


def contents(service: Stack) -> str:
    """All of it loads as the image's user; no compiler, cache, source or setting of pip's is in it."""
    loaded = service.once("python", "-c", LOADED).strip()
    left = service.once("sh", "-c", LEFTOVERS).split()
    demand(not left, f"left in the image: {left}")
    configured = run(["docker", "image", "inspect", service.image, "--format", "{{json .Config}}"])
    history = run(["docker", "history", "--no-trunc", "--format", "{{.CreatedBy}}", service.image])
    demand("PIP_" not in configured + history, "pip's settings are in the image's history or environment")
    size = int(run(["docker", "image", "inspect", service.image, "--format", "{{.Size}}"]))
    ours = int(service.once("du", "-sm", "/opt/echolens").split()[0])
    return f"{loaded}; {ours / 1000:.2f} GB installed, {size / 1e9:.2f} GB with its base"


def no_device(service: Stack) -> str:
    """Where it is told to take a device that is not there, it ends and says so."""
    environment = ["--env", "ECHOLENS_DEVICE=cuda", "--env", "ECHOLENS_API_KEY=k"]
    command = ["docker", "run", "--rm", "--read-only", "--tmpfs", "/tmp", *environment, service.image]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120)
    said = (ended.stdout + ended.stderr).strip().splitlines()
    told = [line.partition("ERROR ")[2] for line in said if "does not start" in line and "cuda" in line]
    demand(ended.returncode != 0 and len(told) == 1, f"exit code {ended.returncode}: {said[-3:]}")
    return f"exit code {ended.returncode}: {told[0]}"


def closed_directory(service: Stack) -> str:
    """A data directory that cannot be written to ends the start with one line, which says what to run."""
    environment = ["--env", "ECHOLENS_API_KEY=k", "--env", "ECHOLENS_DATA=/opt/library"]
    command = ["docker", "run", "--rm", *environment, service.image]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120)
    said = (ended.stdout + ended.stderr).strip().splitlines()
    demand(ended.returncode == 4 and len(said) == 1, f"exit code {ended.returncode}: {said[-3:]}")
    demand("chown -R 10001:10001" in said[0], said[0])
    return f"exit code 4, one line: {said[0][:90]} ..."


def first_start(service: Stack) -> str:
    """A new, empty library is healthy within a minute."""
    took_s = service.up()
    demand(took_s <= HEALTHY_WITHIN_S, f"healthy after {took_s:.0f} s, {HEALTHY_WITHIN_S:.0f} s expected")
    return f"healthy after {took_s:.0f} s"


def user(service: Stack) -> str:
    """Nothing runs as root."""
    found = service.inside("id", "-u").strip()
    uids = set(service.inside("sh", "-c", "stat -c %u /proc/[0-9]*").split())
    demand(found == "10001" and uids == {"10001"}, f"user {found}, processes of {uids}")
    return "10001, every process"


def read_only(service: Stack) -> str:
    """Only the volumes and /tmp can be written to."""
    for directory in ("/", "/opt/echolens", "/usr/local", "/etc", "/var/tmp"):
        said = service.inside("sh", "-c", f"touch {directory}/x 2>&1 || true")
        demand("Read-only file system" in said or "Permission denied" in said, f"{directory} can be written to: {said}")
    demand("Read-only file system" in service.inside("sh", "-c", "touch /var/tmp/x 2>&1 || true"), "/ is not read-only")
    service.inside("sh", "-c", "for d in /data /snapshots /tmp; do touch $d/.probe && rm $d/.probe; done")
    return "touch fails but in /data, /snapshots and /tmp"


def capabilities(service: Stack) -> str:
    """No process has a capability or can gain one."""
    lines = {" ".join(line.split()) for line in service.inside("sh", "-c", CAPABILITIES).splitlines()}
    wanted = {"CapBnd: 0000000000000000", "CapEff: 0000000000000000", "NoNewPrivs: 1"}
    demand(lines == wanted, f"{sorted(lines)}")
    return "none, none to be gained"


def keys(service: Stack) -> str:
    """Without a key nothing is told but its health."""
    answers = {
        "none": service.get("/videos", key=None).status,
        "wrong": service.get("/videos", key="wrong").status,
        "right": service.get("/videos").status,
        "none, /health/ready": service.get("/health/ready", key=None).status,
    }
    demand(list(answers.values()) == [401, 401, 200, 200], str(answers))
    return ", ".join(f"{name}: {status}" for name, status in answers.items())


def demonstration(service: Stack) -> str:
    """The job ingests while the service answers, and what it made is found."""
    started, slowest_s = time.monotonic(), 0.0
    service.compose("--profile", "demo", "up", "--detach", "--no-deps", "demo")
    asked = 0
    while service.inspect("{{.State.Status}}", "demo") != "exited":
        begun = time.monotonic()
        status = service.get("/health/ready", key=None).status
        asked, slowest_s = asked + 1, max(slowest_s, time.monotonic() - begun)
        demand(status == 200, f"ready answers {status} meanwhile")
        demand(time.monotonic() - started < DEMONSTRATION_WITHIN_S, "it does not end")
        time.sleep(0.5)
    took_s = time.monotonic() - started
    code = service.inspect("{{.State.ExitCode}}", "demo")
    demand(code == "0", f"exit code {code}")
    return f"{service.videos()} videos in {took_s:.0f} s; ready {asked} times of {asked}, {slowest_s:.1f} s at most"


def retrieve(service: Stack) -> str:
    """The sounds of clips' events find pictures of their kind, far more often than by chance."""
    videos, right, took_ms = service.get(f"/videos?limit={ASKED}").json()["videos"], 0, []
    for video in videos:
        clip = service.get(f"/videos/{video['video_id']}/original").body
        fields = {"target": "visual", "query_modality": "audio", "k": "3", "at_s": str(video["event_start_s"])}
        begun = time.monotonic()
        answer = service.post("/retrieve", fields, clip)
        took_ms.append(1000 * (time.monotonic() - begun))
        demand(answer.status == 200, f"{answer.status}: {answer.body[:200]!r}")
        hits = answer.json()["hits"]
        frame = service.get(urljoin("/retrieve", hits[0]["links"]["frame"]))
        demand(frame.status == 200 and frame.body[:2] == b"\xff\xd8", f"the first picture: {frame.status}")
        right += video["label"] in [hit["label"] for hit in hits]
    demand(right > len(videos) / 2, f"{right} of {len(videos)} sounds find their kind among three")
    return f"200, {median(took_ms):.0f} ms; {right} of {len(videos)} sounds find a picture of their kind among three"


def routes(service: Stack) -> str:
    """What the image answers from files of its own is in it."""
    paths = [path for path, does in service.get("/openapi.json").json()["paths"].items() if "get" in does]
    asked = ["/", "/openapi.json", *(path for path in paths if "{" not in path)]
    refused = {path: status for path in asked if (status := service.get(path).status) != 200}
    demand(not refused, f"not 200: {refused}")
    return f"{len(asked)} routes, 200"


def restart(service: Stack) -> str:
    """A restart keeps the library."""
    before = service.videos()
    service.compose("restart", "echolens")
    took_s = service.healthy()
    demand(service.videos() == before > 0, f"{before} videos before, {service.videos()} after")
    return f"{before} videos before and after, healthy {took_s:.0f} s after it"


def down_and_up(service: Stack) -> str:
    """New containers find the library in its volume."""
    before = service.videos()
    service.compose("down")
    took_s = service.up()
    demand(service.videos() == before > 0, f"{before} videos before, {service.videos()} after")
    return f"{before} videos before and after, healthy after {took_s:.0f} s"


def backup(service: Stack) -> str:
    """A snapshot of the serving library becomes the library of a new volume."""
    before, file = service.videos(), "/snapshots/check.tar"
    service.inside("echolens", "library", "snapshot", file)
    service.compose("--profile", "demo", "down")  # the job's container holds the volume, ended or not
    run(["docker", "volume", "rm", f"{service.project}_library"])
    service.compose("run", "--rm", "echolens", "echolens", "library", "restore", file)
    service.up()
    demand(service.videos() == before > 0, f"{before} videos before, {service.videos()} after")
    return f"{before} videos before and after"


def graceful_stop(service: Stack) -> str:
    """A request whose body is still coming in is answered; then the service ends by itself, and nothing is lost."""
    before = service.videos()
    sound = service.get(f"/segments/{service.first_segment()}/sound.wav").body
    with ThreadPoolExecutor(1) as pool, half_sent(service, "/retrieve", {"target": "visual"}, sound) as rest:
        started = time.monotonic()
        stopping = pool.submit(service.compose, "stop", "echolens")
        until(lambda: not service.listens(), 30, "it still takes new requests")
        time.sleep(HOLD_S)  # the request is held open: a service that does not wait for it is gone by then
        answer = rest()
        stopping.result()
    took_s, code = time.monotonic() - started, service.inspect("{{.State.ExitCode}}")
    demand(answer.status == 200 and len(answer.json()["hits"]) > 0, f"{answer.status}: {answer.body[:200]!r}")
    demand(code in ("0", "143"), f"exit code {code}: killed")
    service.up()
    demand(service.videos() == before, f"{before} videos before, {service.videos()} after")
    return f"answered 200 {HOLD_S:.0f} s after it, new ones refused; ended in {took_s:.0f} s, exit code {code}"


def monitoring(service: Stack, names: list[str]) -> str:
    """They become healthy, read-only and without capabilities; Prometheus reads the service's metrics with the key."""
    service.compose("--profile", "monitoring", "up", "--detach", "--no-deps", *names)
    for name in names:
        service.healthy(name)
    if "prometheus" in names:
        query = "wget -q -O - 'http://127.0.0.1:9090/api/v1/query?query=up'"

        def is_read() -> bool:
            found = json.loads(service.inside("sh", "-c", query, service="prometheus"))["data"]["result"]
            return bool(found) and all(row["value"][1] == "1" for row in found)

        until(is_read, SCRAPED_WITHIN_S, "the service's metrics are not read")
    return f"{', '.join(names)}: healthy" + ("; the service's metrics are read" if "prometheus" in names else "")


def log(service: Stack) -> str:
    """The log has no key in it."""
    said = service.compose("logs", "--no-color")
    demand(service.key not in said, "the key is in the log")
    return f"{len(said.splitlines())} lines, no key in them"


if __name__ == "__main__":
    main()
