"""Front-ends of packages: written as an installer leaves them, or built from the text of docs/front-ends.md."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

DOCUMENT = Path(__file__).parents[2] / "docs" / "front-ends.md"
INSTALL = ("--disable-pip-version-check", "--quiet", "--no-deps", "--no-index", "--no-build-isolation")


def documented_package() -> dict[str, str]:
    """Return the files of the documented example by name."""
    text = DOCUMENT.read_text(encoding="utf-8")
    return dict(re.findall(r"^`([\w.]+)`:\n\n```\w+\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))


def documented_commands() -> list[list[str]]:
    """Return the words of the commands that use the documented example."""
    text = DOCUMENT.read_text(encoding="utf-8").partition("\n## Add one\n")[2]
    return [line.split() for line in re.findall(r"^echolens .+$", text, re.MULTILINE)]


def install_documented_package(directory: Path) -> Path:
    """Build the documented example with pip and setuptools, and return the directory that it is installed in."""
    source, site = directory / "bands", directory / "site"
    source.mkdir(parents=True)
    for file_name, text in documented_package().items():
        (source / file_name).write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "pip", "install", *INSTALL, "--target", str(site), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return site


def write_package(site: Path, package: str, name: str, value: str, code: str) -> None:
    """Leave in `site` what an installer would: a module, and the entry point `name = value`."""
    site.mkdir(exist_ok=True)
    info = site / f"{package}-1.5.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.5\n")
    (info / "entry_points.txt").write_text(f"[echolens.frontends]\n{name} = {value}\n")
    (site / f"{value.partition(':')[0]}.py").write_text(code)
