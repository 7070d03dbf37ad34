"""What a client of the service sends, and what comes back: an answer, or one exception."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

from httpx2 import Client as Http
from httpx2 import Response, TransportError
from pydantic import ValidationError

from app.schemas.problem import ProblemAnswer

Medium = str | Path | bytes  # a path, or the content
TRIES = 4
MOST_WAIT_S = 60.0  # between two tries; a longer Retry-After is the caller's to wait for


class Problem(Exception):
    """The service did not answer as asked, or not at all.

    `code` is stable (docs/errors.md), `detail` says what to do. Without an answer: `status` is None, `code`
    `unreachable`. `retry_after_s` is what the service asked to wait.
    """

    def __init__(
        self,
        status: int | None,
        code: str,
        detail: str,
        request_id: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(status, code, detail, request_id, retry_after_s)  # in full, so that it can be pickled
        self.status, self.code, self.detail = status, code, detail
        self.request_id, self.retry_after_s = request_id, retry_after_s

    @property
    def passes(self) -> bool:
        """Say whether the service asked to be asked again, and soon enough to wait for it."""
        wait_s = self.retry_after_s
        may_pass = self.status in (429, 503) and self.code != "wrong_keys"
        return may_pass and wait_s is not None and wait_s <= MOST_WAIT_S

    def __str__(self) -> str:
        request = f" [{self.request_id}]" if self.request_id else ""
        return f"{self.status or 'no answer'} {self.code}: {self.detail}{request}"


class Unreachable(Problem):
    """The service did not answer at all."""


class Connection:
    """Send requests with a key, up to `tries` times where they are refused for now."""

    def __init__(self, http: Http, api_key: str | None, tries: int = TRIES) -> None:
        self._http, self._tries = http, tries
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}

    def close(self) -> None:
        """Close it."""
        self._http.close()

    def send(
        self,
        method: str,
        path: str,
        headers: dict[str, str] | None = None,
        again: bool = True,
        media: Sequence[tuple[str, Medium]] = (),
        **content: Any,
    ) -> Response:
        """Send until it is answered, refused for good, or refused too often. Raises Problem.

        `again`: sending it twice does no harm. `media`: files by field, read from the disk as they are sent.
        """
        for tries in range(1, self._tries + 1):
            answer = self._once(method, path, self._headers | (headers or {}), media, content)
            if answer.is_success:
                return answer
            problem = _problem(answer)
            if not again or tries == self._tries or not problem.passes:
                raise problem
            time.sleep(problem.retry_after_s or 0)
        raise AssertionError("the last try returns or raises")

    def _once(
        self,
        method: str,
        path: str,
        headers: dict[str, str],
        media: Sequence[tuple[str, Medium]],
        content: dict[str, Any],
    ) -> Response:
        with ExitStack() as opened:
            files: list[tuple[str, tuple[str, bytes | BinaryIO]]] = []
            for name, medium in media:
                if isinstance(medium, bytes):
                    files.append((name, ("query", medium)))
                else:
                    source = Path(medium)
                    files.append((name, (source.name, opened.enter_context(source.open("rb")))))
            try:
                return self._http.request(method, path, headers=headers, files=files or None, **content)
            except TransportError as error:
                place = f"{self._http.base_url.scheme}://{self._http.base_url.netloc.decode()}"  # without a password
                detail = f"no answer to {method} {path} from {place} ({error!r}): is the service running there?"
                raise Unreachable(None, "unreachable", detail) from error


def _problem(answer: Response) -> Problem:
    retry_after = answer.headers.get("retry-after", "")
    wait_s = float(retry_after) if retry_after.isdigit() else None
    try:
        said = ProblemAnswer.model_validate_json(answer.content)
    except ValidationError:
        return Problem(answer.status_code, "not_understood", answer.text[:200], retry_after_s=wait_s)
    return Problem(answer.status_code, said.code, said.detail, said.request_id, wait_s)
