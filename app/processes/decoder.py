"""Where decoding runs: in the calling thread, or in worker processes."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar

from app.media.decoding import Track, canary
from app.processes.workers import FailureErrors, Workers
from model.errors import DecoderDied, TookTooLong, TooMuchMemory
from model.frontends.frontend import FrontEnd
from model.modality import Modality

P = ParamSpec("P")
T = TypeVar("T")
MOST_BYTES = 2 * 1024**3  # of memory, for one process
MOST_TOGETHER_S = 5.0  # of several calls, which take a fraction of a second: else each is made alone
FAILURE_ERRORS = FailureErrors(
    died=lambda: DecoderDied(
        "The process that reads files and texts ended on this one, twice: what reads it cannot cope with it, or it "
        "needs more memory than there is. Convert a file to a common format such as MP4, WAV or JPEG, or send a "
        "smaller one; put a text in other words."
    ),
    slow=lambda limit_s: TookTooLong(
        f"Reading this file or text took longer than {limit_s:g} s and was ended. Send a shorter or smaller one, or "
        "raise the limit."
    ),
    swollen=lambda: TooMuchMemory(
        "Reading this file or text takes more memory than one may have. Send a file scaled down or cut into pieces, "
        "a text in fewer words."
    ),
)


@dataclass(frozen=True, eq=False)
class Call(Generic[T]):
    """A call of a function of app.media.decoding, which takes a front-end before `args`.

    `is_small`: what it reads is in memory, so that it may be made with others in one. `is_harmless`: and it can neither
    end the process that reads it nor take it long.
    """

    function: Callable[..., T]
    args: tuple[Any, ...]
    is_small: bool = False
    is_harmless: bool = False


class Decoder(Protocol):
    """Call a function of app.media.decoding with a front-end."""

    @property
    def front_end_name(self) -> str:
        """Return the name of the front-end."""
        ...

    def submit(self, function: Callable[Concatenate[FrontEnd, P], T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Return a future of the result."""
        ...

    def together(self, calls: Sequence[Call[T]]) -> Future[list[T | Exception]]:
        """Return a future of the result or the error of each call, which are made one after the other."""
        ...

    def canary(self) -> Future[dict[Modality, Track]]:
        """Return the features of a tone and a picture; goes before every waiting call."""
        ...


@dataclass(frozen=True, eq=False)
class InThread:
    """Decode in the calling thread."""

    front_end: FrontEnd

    @property
    def front_end_name(self) -> str:
        """Return the name of the front-end."""
        return self.front_end.name

    def submit(self, function: Callable[Concatenate[FrontEnd, P], T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Call at once."""
        future: Future[T] = Future()
        try:
            future.set_result(function(self.front_end, *args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future

    def together(self, calls: Sequence[Call[T]]) -> Future[list[T | Exception]]:
        """Make them at once."""
        return self.submit(make_calls, calls)

    def canary(self) -> Future[dict[Modality, Track]]:
        """Compute them at once."""
        return self.submit(canary)


@dataclass(frozen=True, eq=False)
class InWorkers:
    """Decode in worker processes, each call for at most `limit_s`."""

    workers: Workers
    front_end_name: str
    weights: Path
    limit_s: float

    def submit(self, function: Callable[Concatenate[FrontEnd, P], T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Queue the call. The future also raises the errors of `Workers.submit`."""
        return self.workers.submit(
            _call, self.front_end_name, self.weights, function, args, kwargs, limit_s=self.limit_s
        )

    def together(self, calls: Sequence[Call[T]]) -> Future[list[T | Exception]]:
        """Queue one call in place of several. The future also raises the errors of `Workers.submit`."""
        limit_s = min(self.limit_s, MOST_TOGETHER_S)
        return self.workers.submit(
            _call, self.front_end_name, self.weights, make_calls, (calls,), {}, limit_s=limit_s, counts=len(calls)
        )

    def canary(self) -> Future[dict[Modality, Track]]:
        """Compute them in the next free worker."""
        return self.workers.submit(
            _call, self.front_end_name, self.weights, canary, (), {}, limit_s=self.limit_s, urgent=True
        )


def make_calls(front_end: FrontEnd, calls: Sequence[Call[T]]) -> list[T | Exception]:
    """Return the result or the error of each call. Raises MemoryError, whichever of them takes the memory."""
    outcomes: list[T | Exception] = []
    for call in calls:
        try:
            outcomes.append(call.function(front_end, *call.args))
        except MemoryError:
            raise
        except Exception as error:
            error.add_note(traceback.format_exc())  # a pickled error has no traceback
            outcomes.append(error)
    return outcomes


@lru_cache(maxsize=1)
def _front_end(name: str, weights: Path) -> FrontEnd:
    """Make this process's front-end; another one takes its place only where the library changes its own."""
    from app.processes.cores import use_threads  # here: they import PyTorch, which only the process that decodes needs
    from model.frontends.registry import make_front_end

    use_threads(1)
    return make_front_end(name, weights)


def _call(name: str, weights: Path, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return function(_front_end(name, weights), *args, **kwargs)
