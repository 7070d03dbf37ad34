"""What each kind of question brings to the engine, which knows none of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Generic, Self, TypeVar

from app.library.galleries import ServedGallery
from app.library.session import Session
from app.media.decoding import Decoded
from app.media.timings import Timings
from app.processes.decoder import Call
from app.queries.encoding import Encoding
from app.queries.search import Search
from index.gallery import SearchResult
from model.data.latents import Latents
from model.frontends.frontend import FrontEnd
from model.frontends.prior import Prior
from model.media.medium import Limits
from model.modality import Modality
from model.network.encoder import Encoder


@dataclass(frozen=True, eq=False, kw_only=True)
class Answer:
    """Hold what every answer says: the model that gave it, and milliseconds by stage, which sum to `total`.

    `device`: the name of what computed it. `warnings`: why this model cannot be trusted with the library's footage.
    `notes`: what was lost of the question's files, or left aside.
    """

    fingerprint: str
    timings_ms: dict[str, float]
    device: str = ""
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    is_rendered: ClassVar[bool] = False

    def render(self, front_end_of: Callable[[str], FrontEnd]) -> Self:
        """Return the answer with what only a front-end can make of it; slow where `is_rendered`, else itself."""
        return self

    def timed(self, timings: Timings) -> Self:
        """Return the answer with the stages of `timings` as well, under a total of all of them."""
        for stage, spent_ms in self.timings_ms.items():
            if stage != "total":
                timings.add(stage, spent_ms)
        return replace(self, timings_ms=timings.report())


Encoded = TypeVar("Encoded")
Answered = TypeVar("Answered", bound=Answer)


@dataclass(frozen=True, eq=False)
class Serving:
    """Hold the model that a work is answered by, and the gallery that it searches, if any: both of one moment."""

    encoder: Encoder
    gallery: ServedGallery | None
    warnings: tuple[str, ...] = ()

    @property
    def prior(self) -> Prior | None:
        """Return what the front-end of the searched items knows, if anything is searched."""
        return None if self.gallery is None else self.gallery.prior


class Work(ABC, Generic[Encoded, Answered]):
    """One question, from its files to its answer. It is pickled between processes."""

    @property
    def target(self) -> Modality | None:
        """Return the modality whose gallery is searched; None if none is."""
        return None

    @property
    def notes(self) -> tuple[str, ...]:
        """Return what was lost of the question's files, or left aside."""
        return ()

    @abstractmethod
    def check(self) -> None:
        """Refuse a question that makes no sense, before its file is read. Raises QueryError."""

    @abstractmethod
    def decoding(self, limits: Limits) -> Call[Decoded] | None:
        """Return how the question's files are decoded; None without files. The call raises MediaError, QueryError."""

    @abstractmethod
    def decoded(self, decoded: Decoded) -> Work[Encoded, Answered]:
        """Return the question with its features in place of its files."""

    @abstractmethod
    def encodings(self, serving: Serving) -> list[Encoding]:
        """Return what is to be encoded. Raises EcholensError; LibraryChanged where another front-end made features."""

    @abstractmethod
    def encoded(self, session: Session, serving: Serving, latents: Sequence[Latents]) -> Encoded:
        """Return what the latents of `encodings` mean for this question. Raises EcholensError."""

    def search(self, gallery: ServedGallery, encoded: Encoded) -> Search | None:
        """Return what is to be searched for; None if nothing is."""
        return None

    @abstractmethod
    def finish(self, serving: Serving, encoded: Encoded, found: SearchResult | None, timings: Timings) -> Answered:
        """Return the answer. Raises EcholensError."""


AnyWork = Work[Any, Any]
