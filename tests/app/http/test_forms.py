"""Plain forms are read in one pass, to what the framework reads; whatever is not plain is left to it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator

import pytest
from httpx2 import Request as Sent
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from app.http.forms import MULTIPART, read_fields

BOUNDARY = b"5f0c"
KIND = f"multipart/form-data; boundary={BOUNDARY.decode()}"
PLAIN = (
    b'--5f0c\r\nContent-Disposition: form-data; name="target"\r\n\r\nvisual\r\n'
    b'--5f0c\r\nContent-Disposition: form-data; name="file"; filename="a b;c.wav"\r\n'
    b"Content-Type: audio/wav\r\n\r\nRI\r\n--5f0FF\x00\xff\r\n\r\n--\r\n"
    b'--5f0c\r\nContent-Disposition: form-data; name="name"\r\n\r\n\xc3\xa4\r\n'
    b"--5f0c--\r\n"
)
Fields = dict[str, str | bytes]


def by_framework(body: bytes) -> list[tuple[str, str | tuple[str | None, bytes]]]:
    """Return the fields that the framework reads, in order. Raises MultiPartException."""

    async def read() -> list[tuple[str, str | tuple[str | None, bytes]]]:
        async def stream() -> AsyncIterator[bytes]:
            yield body

        form = await MultiPartParser(Headers({"content-type": KIND}), stream()).parse()  # type: ignore[arg-type]
        read = [
            (name, (value.filename, await value.read()) if isinstance(value, UploadFile) else value)
            for name, value in form.multi_items()
        ]
        await form.close()
        return read

    return asyncio.run(read())


def told(body: bytes) -> dict[str, str | tuple[str | None, bytes]] | None:
    """Return what is read in one pass; None where it is left to the framework."""

    async def read() -> dict[str, str | tuple[str | None, bytes]] | None:
        fields = read_fields(body, BOUNDARY)
        if fields is None:
            return None
        return {
            name: value if isinstance(value, str) else (value.filename, await value.read())
            for name, value in fields.items()
        }

    return asyncio.run(read())


def test_a_plain_form_is_read_as_the_framework_reads_it() -> None:
    """Texts and files, with whatever bytes they hold."""
    read = told(PLAIN)
    assert read is not None
    assert list(read.items()) == by_framework(PLAIN)
    assert read["file"] == ("a b;c.wav", b"RI\r\n--5f0FF\x00\xff\r\n\r\n--")


def test_what_programs_send_is_plain() -> None:
    """A client's form is read without the framework."""
    sent = Sent("POST", "http://h", data={"target": "visual", "k": "3"}, files={"file": ("q.wav", b"sound")})
    found = MULTIPART.fullmatch(sent.headers["content-type"])
    assert found is not None
    fields = read_fields(sent.read(), found[1].encode())
    assert fields is not None
    assert set(fields) == {"target", "k", "file"}


def test_an_empty_text_is_none() -> None:
    """As in the framework, where its default counts."""
    assert told(PLAIN.replace(b"\r\n\r\nvisual", b"\r\n\r\n")) == {
        name: value for name, value in by_framework(PLAIN) if name != "target"
    }


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"--5f0c--\r\n", b""),
        (b"--5f0c--", b"--5f0c--more"),
        (b"\r\nvisual\r\n--5f0c", b"\r\nvisual\r\n--5f0c "),
        (b'--5f0c\r\nContent-Disposition: form-data; name="target"', b"before\r\n--5f0c\r\nX: y"),
        (b'name="name"', b'name="target"'),
        (b'name="name"', b'name=""'),
        (b'name="name"', b"name=name"),
        (b'filename="a b;c.wav"', b'filename=""'),
        (b'filename="a b;c.wav"', b'filename="C:\\\\a.wav"'),
        (b'filename="a b;c.wav"', b'filename="\xc3\xa4.wav"'),
        (b'filename="a b;c.wav"', b"filename*=utf-8''a.wav"),
        (b'name="target"\r\n\r\nvisual', b'name="target"\r\nvisual'),
        (b'name="target"\r\n\r\nvisual', b'name="target"\r\n\r\n' + b"v" * 2**17),
    ],
)
def test_what_is_not_plain_is_left_to_the_framework(old: bytes, new: bytes) -> None:
    """Which reads it in its own way, or says what is wrong."""
    assert old in PLAIN
    assert told(PLAIN.replace(old, new)) is None


@pytest.mark.parametrize("kind", [f'{KIND}; charset="latin-1"', 'multipart/form-data; boundary="5f0c"', "text/plain"])
def test_other_types_are_left_to_the_framework(kind: str) -> None:
    """They are rare."""
    assert MULTIPART.fullmatch(KIND) is not None
    assert MULTIPART.fullmatch(kind) is None


def test_no_body_is_read_otherwise_than_by_the_framework() -> None:
    """Whatever is changed in one: it is read to the same fields, or left to the framework."""
    rng = random.Random(0)
    bits = [b"\r\n", b"--5f0c", b"--", b"\r\n\r\n", b'"', b";", b"\\", b"=", b"name", b"\x00", b"\xff", b":", b" "]
    plain = 0
    for _ in range(4000):
        body = bytearray(PLAIN)
        for _ in range(rng.randint(1, 3)):
            at, length = rng.randrange(len(body)), rng.randint(0, 3)
            body[at : at + length] = rng.choice([*bits, bytes([rng.randrange(256)])])
        if (read := told(bytes(body))) is None:
            continue
        plain += 1
        try:
            items = by_framework(bytes(body))
        except MultiPartException as error:
            raise AssertionError(f"{bytes(body)!r} is read, the framework refuses it: {error}") from error
        assert len({name for name, _ in items}) == len(items)
        assert read == {name: value for name, value in items if value != ""}
    assert plain > 500
