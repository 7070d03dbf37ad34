"""Cursors: an opaque word says where a list goes on, and which state of the library it belongs to."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import astuple, dataclass, fields
from hashlib import sha256

from index.paging import Choice, Page, Trail
from index.store import LARGEST_ID
from model.errors import BadCursor, CursorExpired


@dataclass(frozen=True)
class Cursor:
    """Hold how far a list of chosen videos was read."""

    trail: Trail
    choice: Choice

    def __str__(self) -> str:
        """Write it as a word of A-Z, a-z, 0-9, - and _."""
        values = [*astuple(self.trail), _digest(self.choice)]
        return base64.urlsafe_b64encode(json.dumps(values, separators=(",", ":")).encode()).decode().rstrip("=")

    @staticmethod
    def read(word: str, choice: Choice) -> Cursor:
        """Read what `str` wrote. Raises BadCursor for anything else, and for a cursor of another list."""
        try:
            padded = word + "=" * (-len(word) % 4)
            *numbers, digest = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
            if len(numbers) != len(fields(Trail)) or not all(type(n) is int and 0 <= n <= LARGEST_ID for n in numbers):
                raise ValueError(f"{len(fields(Trail))} whole numbers expected")
        except (ValueError, TypeError, RecursionError, binascii.Error) as error:
            raise BadCursor(
                "a cursor that this service did not give out: take `next` of an answer as it is, or leave it out "
                "to begin at the first page"
            ) from error
        if digest != _digest(choice):
            raise BadCursor("a cursor of another list given: keep label, q and folder as they were on the page before")
        return Cursor(Trail(*numbers), choice)

    def check(self, page: Page) -> None:
        """Raise CursorExpired where the videos before the page are no longer those that were read."""
        read, before = self.trail, page.before
        if (before.count, before.total) != (read.count, read.total) or before.version < read.version:
            raise CursorExpired(
                f"videos on the pages before were deleted or labelled anew since version {read.version} of the "
                f"library, which is at {page.catalogue_version}: begin again without a cursor"
            )


def _digest(choice: Choice) -> str:
    return sha256(json.dumps(astuple(choice)).encode()).hexdigest()[:8]
