"""docs/errors.md: every code that can be answered is in it, and every code in it can be answered."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import pytest
from starlette.testclient import TestClient

import app.server  # noqa: F401  loads every module that could define an error
from app.http.error_codes import ERROR_CODES, PATTERN, ROWS, document
from model import errors

ROOT = Path(__file__).parents[3]
DOCUMENT = ROOT / "docs" / "errors.md"
WITHOUT_A_CLASS = {"http_400", "http_404", "http_405", PATTERN, "invalid_request", "range", "internal"}
WITHOUT_A_CLASS |= {"unauthorized", "forbidden", "not_allowed", "key_limit", "wrong_keys", "busy"}
CLASSES = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]


def subclasses(kind: type) -> Iterator[type]:
    for below in kind.__subclasses__():
        yield below
        yield from subclasses(below)


def test_every_error_has_its_own_row_and_every_row_its_error() -> None:
    """A row belongs to one class, or to a code of the framework or the service that has no class."""
    codes = sorted([kind.code for kind in CLASSES] + [*WITHOUT_A_CLASS])
    assert codes == sorted(row.code for row in ROWS)
    assert len(codes) == len(ERROR_CODES), "a code has two classes or two rows"


def test_every_error_is_in_one_file_whose_tree_is_true() -> None:
    """Neither app nor index has an error class of its own; the drawing at the top of the file names all that it has."""
    ours = [kind for kind in subclasses(errors.EcholensError) if kind.__module__.split(".")[0] in ("app", "index")]
    assert ours == []
    assert errors.__doc__ is not None
    parents, path = {"EcholensError": "Exception"}, ["EcholensError"]
    for indent, name in re.findall(r"^((?:│   |    )*)[├└]── (\w+)", errors.__doc__, re.MULTILINE):
        depth = len(indent) // 4 + 1
        path[depth:] = [name]
        parents[name] = path[depth - 1]
    assert parents == {kind.__name__: kind.__base__.__name__ for kind in CLASSES}


def test_a_job_s_code_is_that_of_a_class() -> None:
    """What no request meets comes from an error that a job raises."""
    assert {row.code for row in ROWS if row.job_only} < {kind.code for kind in CLASSES}


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
    wrong = [(name, status, code) for name, status, code in found if status not in ERROR_CODES[code].statuses]
    assert wrong == []


@pytest.mark.parametrize("path", ["/videos/unknown", "/nowhere", "/videos?limit=x"])
def test_a_type_leads_to_its_code(client: TestClient, path: str) -> None:
    """The service itself serves what a problem's `type` names."""
    kind, _, code = client.get(path).json()["type"].partition("#")
    page = client.get(urljoin(path, kind))
    assert page.status_code == 200
    assert f"<tr id={code}>" in page.text
    assert page.text.count("<tr id=") == len(ROWS)
