"""Do the recipes of docs/proxy work? Runs nginx and Caddy with them before a service, over TLS and below a path.

    python -m benchmarks.robustness.proxies --at http://127.0.0.1:8000 --key KEY [--proxy nginx --proxy caddy]

Needs nginx, caddy and openssl; the files are run as they are but for port, name and certificate. The service has to
hold footage. Exit 1 if anything fails.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import re
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urljoin, urlsplit

RECIPES = Path(__file__).parents[2] / "docs" / "proxy"
LARGE_BYTES = 300 * 1024**2  # far beyond nginx's own limit of a megabyte
PAUSE_S = 20.0  # of an upload; the service allows 30
NGINX = """worker_processes 1;
daemon off;
pid {folder}/pid;
events {{}}
http {{
  access_log off;
  include {folder}/site;
}}
"""


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--at", default="http://127.0.0.1:8000", help="the service")
    parser.add_argument("--key", default="")
    parser.add_argument("--proxy", action="append", choices=("nginx", "caddy"), help="both by default")
    given = parser.parse_args()
    holds = True
    for name in given.proxy or ("nginx", "caddy"):
        with tempfile.TemporaryDirectory() as folder, proxy(name, Path(folder), urlsplit(given.at).netloc) as port:
            for what, found, expected in questions(port, given.key):
                holds &= found == expected
                print(f"{name}: {what}: {found}" + ("" if found == expected else f", {expected} EXPECTED"), flush=True)
    sys.exit(not holds)


def questions(port: int, key: str) -> Iterator[tuple[str, object, object]]:
    """Yield what is asked, what came and what should."""
    yield "/lens leads to /lens/", ask(port, "GET", "/lens", key)[0], 308
    status, page = ask(port, "GET", "/lens/", key)
    yield "the page", status, 200
    files = sorted(set(re.findall(r'(?:src|href)="([^"#]+)"', page.decode())))
    yield "its files", {ask(port, "GET", urljoin("/lens/", file), key)[0] for file in files}, {200}
    yield "without a key", ask(port, "GET", "/lens/videos", "")[0], 401 if key else 200
    listed = ask(port, "GET", "/lens/videos?limit=1", key)[1].decode()
    original = re.search(r'"original":"([^"]+)"', listed)
    assert original, "the library holds no footage"
    yield "a link has the path", original[1].startswith("/lens/videos/"), True
    yield "the original", ask(port, "GET", original[1], key)[0], 200
    yield f"{LARGE_BYTES >> 20} MB are refused for what they are, not for their size", upload(port, key, 0), 415
    yield f"an upload that pauses for {PAUSE_S:g} s", upload(port, key, PAUSE_S), 415


def ask(port: int, method: str, path: str, key: str) -> tuple[int, bytes]:
    """Return the status and the body of an answer."""
    with closing(connect(port)) as connection:
        connection.request(method, path, headers=headers(key))
        answer = connection.getresponse()
        return answer.status, answer.read()


def upload(port: int, key: str, pause_s: float) -> int:
    """Send a file that is no medium to POST /retrieve; return the status."""
    zeros = bytes(1024**2)
    size = 2 * len(zeros) if pause_s else LARGE_BYTES
    head = b"--b\r\nContent-Disposition: form-data; name=target\r\n\r\nvisual\r\n"
    head += b"--b\r\nContent-Disposition: form-data; name=file; filename=x\r\n\r\n"
    tail = b"\r\n--b--\r\n"
    form = {"Content-Type": "multipart/form-data; boundary=b", "Content-Length": str(len(head) + size + len(tail))}
    with closing(connect(port)) as connection:
        connection.putrequest("POST", "/lens/retrieve")
        for name, value in (form | headers(key)).items():
            connection.putheader(name, value)
        connection.endheaders(head)
        for _ in range(size // len(zeros)):
            connection.send(zeros)
            time.sleep(pause_s)
            pause_s = 0
        connection.send(tail)
        return connection.getresponse().status


def headers(key: str) -> dict[str, str]:
    """Return a browser's headers with a key as password."""
    return {"Authorization": "Basic " + base64.b64encode(f"x:{key}".encode()).decode()} if key else {}


def connect(port: int) -> http.client.HTTPSConnection:
    """Return a connection; the certificate is made here and not checked."""
    return http.client.HTTPSConnection("localhost", port, context=ssl._create_unverified_context(), timeout=180)


@contextmanager
def proxy(name: str, folder: Path, service: str) -> Iterator[int]:
    """Run a recipe on a free port, with the name localhost and a certificate of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    if name == "nginx":
        command = nginx(folder, port, service)
    else:
        recipe = (RECIPES / "Caddyfile").read_text().replace("127.0.0.1:8000", service)
        recipe = recipe.replace("media.example.org {", f"localhost:{port} {{\n\ttls internal")
        options = "{\n\tadmin off\n\tauto_https disable_redirects\n\tskip_install_trust\n}\n"
        (folder / "Caddyfile").write_text(options + recipe)
        command = [
            "env",
            f"XDG_DATA_HOME={folder}",
            f"HOME={folder}",
            "caddy",
            "run",
            "--config",
            f"{folder}/Caddyfile",
        ]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as running:
        try:
            for _ in range(100):
                try:
                    ask(port, "GET", "/lens/health/live", "")
                    break
                except OSError:
                    time.sleep(0.1)
            else:
                raise SystemExit(f"{name} does not start: {(folder / 'log').read_text()[-2000:]}")
            yield port
        finally:
            running.send_signal(signal.SIGTERM)


def nginx(folder: Path, port: int, service: str) -> list[str]:
    """Write what nginx needs around the recipe; return the command."""
    key, certificate = folder / "media.key", folder / "media.crt"
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "2"]
    subprocess.run([*make, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    recipe = (RECIPES / "nginx.conf").read_text().replace("listen 443", f"listen {port}")
    recipe = recipe.replace("media.example.org", "localhost").replace("/etc/ssl/media.", f"{folder}/media.")
    (folder / "site").write_text(recipe.replace("127.0.0.1:8000", service))
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder))
    return ["nginx", "-e", "stderr", "-c", str(folder / "nginx.conf")]


if __name__ == "__main__":
    main()
