"""Where decoding runs: in the calling thread, or in worker processes."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from app.media.decoding import Track, canary
from app.processes.workers import FailureErrors, Workers
from model.errors import DecoderDied, TookTooLong, TooMuchMemory
from model.frontends.frontend import FrontEnd
from model.modality import Modality

P = ParamSpec("P")
T = TypeVar("T")
MOST_BYTES = 2 * 1024**3  # of memory, for one process
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


class Decoder(Protocol):
    """Call a function of app.media.decoding with a front-end."""

    def submit(self, function: Callable[Concatenate[FrontEnd, P], T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Return a future of the result."""
        ...

    def canary(self) -> Future[dict[Modality, Track]]:
        """Return the features of a tone and a picture; goes before every waiting call."""
        ...


@dataclass(frozen=True, eq=False)
class InThread:
    """Decode in the calling thread."""

    front_end: FrontEnd

    def submit(self, function: Callable[Concatenate[FrontEnd, P], T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Call at once."""
        future: Future[T] = Future()
        try:
            future.set_result(function(self.front_end, *args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future

    def canary(self) -> Future[dict[Modality, Track]]:
        """Compute them at once."""
        return self.submit(canary)


@dataclass(frozen=True, eq=False)
class InWorkers:
    """Decode in worker processes, each call for at most `limit_s`."""

    workers: Workers
    front_end: str
    weights: Path
    limit_s: float

    def submit(self, function: Callable[Concatenate[FrontEnd, P], T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Queue the call. The future also raises the errors of `Workers.submit`."""
        return self.workers.submit(_call, self.front_end, self.weights, function, args, kwargs, limit_s=self.limit_s)

    def canary(self) -> Future[dict[Modality, Track]]:
        """Compute them in the next free worker."""
        return self.workers.submit(
            _call, self.front_end, self.weights, canary, (), {}, limit_s=self.limit_s, urgent=True
        )


@lru_cache(maxsize=1)
def _front_end(name: str, weights: Path) -> FrontEnd:
    """Make this process's front-end; another one takes its place only where the library changes its own."""
    from app.processes.cores import use_threads  # here: they import PyTorch, which only the process that decodes needs
    from model.frontends.registry import make_front_end

    use_threads(1)
    return make_front_end(name, weights)


def _call(name: str, weights: Path, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return function(_front_end(name, weights), *args, **kwargs)
