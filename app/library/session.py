"""A library opened for work: its front-end, its model, its galleries."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from app.library.default_model import copy_default_model
from app.library.galleries import Galleries, ServedGallery
from app.library.index_settings import IndexSettings
from app.processes.decoder import Decoder, InThread
from index.library import Library
from index.records import LatentTable
from model.errors import CheckpointError, EmptyLibrary, Mismatch, UntrainedLibrary
from model.frontends.frontend import FrontEnd
from model.frontends.registry import make_front_end, pull_absent_weights
from model.modality import Modality
from model.network.checkpoint import Checkpoint
from model.network.encoder import Encoder

Decoders = Callable[[str, Path], tuple[Decoder, Decoder]]
KINDS: dict[Modality, str] = {"audio": "sounds", "visual": "pictures"}


class Session:
    """Share one opened library between threads; follows the catalogue as other processes change it."""

    def __init__(
        self,
        library: Library,
        front_end: FrontEnd,
        device: torch.device,
        index_settings: IndexSettings | None = None,
        decoder: Decoder | None = None,
        footage_decoder: Decoder | None = None,
    ) -> None:
        """`decoder` is for what is asked, `footage_decoder` for what is taken in; without them this thread decodes."""
        self.library, self.front_end, self.device = library, front_end, device
        self.index_settings = index_settings or IndexSettings()
        self.decoder: Decoder = decoder or InThread(front_end)
        self.footage_decoder: Decoder = footage_decoder or self.decoder
        self._lock = threading.Lock()
        self._encoder: Encoder | None = None
        self._galleries = Galleries(self._build_gallery, lambda: library.catalogue.catalogue_version)

    @staticmethod
    @contextmanager
    def open(
        directory: Path,
        device: torch.device,
        front_end: str | None = None,
        create: bool = True,
        index_settings: IndexSettings | None = None,
        decoders: Decoders | None = None,
        announce: Callable[[str], None] | None = None,
    ) -> Iterator[Session]:
        """Open a library, or create one with `front_end` (default `raw`, which begins with the shipped model).

        `decoders` makes, of a front-end's name and the directory of its weights, what decodes queries and footage.
        Absent weights are downloaded if there is `announce`, which is told before.

        Raises:
            LibraryError: no library there, or one of another front-end.
            FrontEndError: the front-end's weights are absent, or cannot be downloaded.
        """
        with Library.open(directory, create=create) as library:
            name = front_end or library.catalogue.frontend or "raw"
            if announce and library.catalogue.frontend in (None, name):
                pull_absent_weights(name, library.frontends, announce)
            made = make_front_end(name, library.frontends)
            if library.catalogue.frontend != name:
                library.catalogue.set_identity(name, _begin(library, name))
            session = Session(
                library, made, device, index_settings, *(decoders(name, library.frontends) if decoders else ())
            )
            try:
                yield session
            finally:
                session._galleries.close()

    @property
    def encoder(self) -> Encoder:
        """Return the model that encoded the library.

        Raises:
            UntrainedLibrary: none has yet.
            Mismatch: its checkpoint is gone, corrupt, another one, or made for another front-end.
        """
        fingerprint = self.library.catalogue.fingerprint
        if fingerprint is None:
            raise UntrainedLibrary(
                f"no model has encoded this library yet; footage for the front-end {self.front_end.name} is "
                "learnt from with: echolens train --library DIR"
            )
        with self._lock:
            if self._encoder is None or self._encoder.fingerprint != fingerprint:
                self._encoder = Encoder(self._load(fingerprint), self.device)
            return self._encoder

    def gallery(self, modality: Modality) -> ServedGallery:
        """Return the gallery of the library as it is now, or, where building that takes long, as it just was.

        Raises:
            EmptyLibrary: no item of that modality. Those of `encoder`.
        """
        return self._galleries.get(modality)

    def table(self, modality: Modality) -> LatentTable:
        """Return the latents of the library as it is now, without a gallery over them. Raises what `gallery` raises."""
        return self._table(modality, self.encoder)

    def _build_gallery(self, modality: Modality, last: ServedGallery | None) -> ServedGallery:
        encoder = self.encoder
        table = self._table(modality, encoder)
        before = last.gallery if last is not None and last.encoder is encoder else None
        gallery = self.index_settings.gallery(self.library, modality, table, encoder.checkpoint.weights, before)
        return ServedGallery(table, gallery, encoder, self.front_end.prior)

    def _table(self, modality: Modality, encoder: Encoder) -> LatentTable:
        table = self.library.catalogue.latents(modality)
        if not len(table.ids):
            raise EmptyLibrary(
                f"the library holds no {KINDS[modality]} to search; add footage with: echolens ingest PATH "
                "--library DIR"
            )
        if table.fingerprint != encoder.fingerprint:
            raise Mismatch("the library was encoded anew just now; ask again")
        return table

    def _load(self, fingerprint: str) -> Checkpoint:
        try:
            checkpoint = Checkpoint.load(self.library.checkpoints / fingerprint)
        except CheckpointError as error:
            raise Mismatch(
                f"the library was encoded by the checkpoint {fingerprint}, which cannot be loaded: {error}"
            ) from error
        if checkpoint.fingerprint != fingerprint:
            raise Mismatch(
                f"checkpoint {checkpoint.fingerprint} given, {fingerprint} expected, which encoded this library: "
                "put that one back, or train again"
            )
        if checkpoint.front_end_identity != self.front_end.identity:
            raise Mismatch(
                f"the checkpoint {fingerprint} was trained on features of {checkpoint.front_end_identity}, the "
                f"front-end here gives {self.front_end.identity}: train again"
            )
        return checkpoint


def _begin(library: Library, front_end: str) -> str | None:
    """Give a new `raw` library the shipped model; others begin untrained."""
    if front_end != "raw":
        return None
    return copy_default_model(library.checkpoints)
