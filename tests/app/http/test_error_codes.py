"""docs/errors.md: every code that can be answered is in it, and every code in it can be answered."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

import app.server  # noqa: F401  every module that has errors of its own
from app.http.error_codes import MEANINGS, OF_JOBS, PATTERN, document
from app.http.problems import SERVICE_CODES, every_code

ROOT = Path(__file__).parents[3]
DOCUMENT = ROOT / "docs" / "errors.md"


def test_every_code_is_documented() -> None:
    """A class of error, or a code of the service, without a meaning is a fault of who added it."""
    assert set(every_code()) - set(MEANINGS) == set(), "say in app/http/error_codes.py what these mean"


def test_every_documented_code_exists() -> None:
    """Nothing is explained that nobody can meet."""
    assert set(MEANINGS) - {PATTERN} - set(every_code()) == set()
    assert set(OF_JOBS) <= set(MEANINGS)


def test_the_document_is_what_the_service_says() -> None:
    """The file is written by `python -m app.http.error_codes > docs/errors.md`."""
    assert DOCUMENT.read_text() == document()


def literal_problems() -> Iterator[tuple[str, int, str]]:
    """Find the calls of `problem` that name a status and a code: file, status, code."""
    for path in sorted((ROOT / "app").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) == "problem":
                match node.args[:2]:
                    case [ast.Constant(value=int(status)), ast.Constant(value=str(code))]:
                        yield path.name, status, code


def test_what_the_code_answers_by_name_is_in_the_table() -> None:
    """Codes without a class have the statuses that the document says."""
    found = list(literal_problems())
    assert {code for _, _, code in found} >= {"unauthorized", "forbidden", "internal"}
    wrong = [(name, status, code) for name, status, code in found if status not in SERVICE_CODES.get(code, ())]
    assert wrong == []


@pytest.mark.parametrize("path", ["/videos/unknown", "/nowhere", "/videos?limit=x"])
def test_a_type_leads_to_its_code(client: TestClient, path: str) -> None:
    """The service itself serves what a problem's `type` names."""
    kind, _, code = client.get(path).json()["type"].partition("#")
    page = client.get(kind)
    assert page.status_code == 200
    assert f"<tr id={code}>" in page.text
    assert page.text.count("<tr id=") == len(MEANINGS)
