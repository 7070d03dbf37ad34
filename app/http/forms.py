"""Small and plain forms are read in one pass; the framework reads all others, and says what is wrong with one.

What a program or a browser sends is plain. The framework takes ten times as long for it: it parses by callbacks, and
looks every field of the model up in several ways.
"""

from __future__ import annotations

import io
import re
from typing import TypeVar

from fastapi import HTTPException, Request, UploadFile
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect

MOST_BYTES = 1024**2 + 64 * 1024  # a file that is kept in memory, and what is asked of it
MOST_FIELD_BYTES = 64 * 1024
MULTIPART = re.compile(r"multipart/form-data; ?boundary=([A-Za-z0-9_-]{1,70})", re.ASCII)
HEAD = re.compile(
    rb"\r\nContent-Disposition: form-data; name=\"([a-z_]+)\"(?:; filename=\"([^\"\\\r\n\x80-\xff]+)\")?"
    rb"(?:\r\nContent-Type: [^\r\n]*)?",
    re.IGNORECASE,
)
Form = TypeVar("Form", bound=BaseModel)


class HeldFile(UploadFile):
    """A file of a form that is in memory as a whole."""

    def __init__(self, content: bytes, name: str) -> None:
        super().__init__(io.BytesIO(content), size=len(content), filename=name)
        self._content = content

    async def read(self, size: int = -1) -> bytes:
        """Return its bytes, in no other thread."""
        return self._content if size < 0 and not self.file.tell() else self.file.read(size)


async def plain_form(request: Request, model: type[Form]) -> Form | None:
    """Return a request's form if it is small, plain and right; None for the framework to read, which is as it was."""
    found = MULTIPART.fullmatch(request.headers.get("content-type", ""))
    length = request.headers.get("content-length", "")
    if found is None or not length.isdecimal() or int(length) > MOST_BYTES:
        return None
    try:
        body = await request.body()  # which the framework then reads again
    except ClientDisconnect as error:
        raise HTTPException(400, "There was an error parsing the body") from error  # as the framework does
    fields = read_fields(body, found[1].encode())
    if fields is None:
        return None
    try:
        return model.model_validate(fields)
    except ValidationError:
        return None


def read_fields(body: bytes, boundary: bytes) -> dict[str, str | HeldFile] | None:
    """Return the fields that are not empty; None for a body that is not quite as programs write it."""
    delimiter = b"\r\n--" + boundary
    first, *rest = body.split(delimiter)
    if not first.startswith(delimiter[2:]) or not rest or rest.pop() not in (b"--", b"--\r\n"):
        return None
    fields: dict[str, str | HeldFile] = {}
    for part in (first[len(delimiter) - 2 :], *rest):
        head, blank, content = part.partition(b"\r\n\r\n")
        found = HEAD.fullmatch(head)
        if found is None or not blank or (name := found[1].decode()) in fields:
            return None
        if found[2] is not None:
            fields[name] = HeldFile(content, found[2].decode())
        elif len(content) > MOST_FIELD_BYTES:
            return None
        else:
            fields[name] = _text(content)
    return {name: value for name, value in fields.items() if value != ""}


def _text(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content.decode("latin-1")  # as the framework does
