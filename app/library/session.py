"""A library opened for work: its front-end, its model, its galleries."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch

from app.library.default_model import begin
from app.library.drawn_clips import warnings_of
from app.library.galleries import Galleries, ServedGallery
from app.library.index_settings import IndexSettings
from app.processes.decoder import Decoder, InThread
from index.certified_gallery import CertifiedGallery
from index.library import Library
from index.records import LatentTable
from model.errors import CheckpointError, EmptyLibrary, LibraryChanged, Mismatch, UntrainedLibrary
from model.frontends.frontend import FrontEnd
from model.frontends.names import OF_DRAWN_CLIPS, OF_REAL_FOOTAGE
from model.frontends.registry import make_front_end, pull_absent_weights
from model.modality import Modality
from model.network.checkpoint import Checkpoint
from model.network.device import free_bytes
from model.network.encoder import Encoder

Decoders = Callable[[str, Path], tuple[Decoder, Decoder]]
Encoders = Callable[[Checkpoint], Encoder]
Make = Callable[[str, Path], FrontEnd]
KINDS: dict[Modality, str] = {"audio": "sounds", "visual": "pictures"}
TRIES = 3  # to read a model and its latents while others change them


class Session:
    """Share one opened library between threads; follows the catalogue as other processes change it."""

    def __init__(
        self,
        library: Library,
        device: torch.device,
        index_settings: IndexSettings | None = None,
        decoders: Decoders | None = None,
        default: str = OF_REAL_FOOTAGE,
        make: Make | None = None,
        announce: Callable[[str], None] | None = None,
        encoders: Encoders | None = None,
    ) -> None:
        """Arguments as of `open`; `make` makes a front-end of its name and the directory of its weights."""
        self.library, self.device = library, device
        self.index_settings = index_settings or IndexSettings()
        self._decoders, self._default, self._make, self._announce = decoders, default, make, announce
        self._encoders = encoders
        self._lock, self._making = threading.Lock(), threading.Lock()
        self._front_ends: dict[str, FrontEnd] = {}
        self._encoder: Encoder | None = None
        self._reading = threading.Lock()
        self._on_disk: dict[Modality, LatentTable] = {}  # tables as last read: the next ones take over what stays
        self._warnings: tuple[tuple[str, int], tuple[str, ...]] | None = None
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
        default: str = OF_REAL_FOOTAGE,
        announce: Callable[[str], None] | None = None,
        encoders: Encoders | None = None,
    ) -> Iterator[Session]:
        """Open a library; with `create` make one where none is, and begin it with `front_end`, else with `default`.

        `decoders` makes, of a front-end's name and the directory of its weights, what decodes queries and footage;
        without it this thread decodes. `announce` has absent weights downloaded, and is told before; without it they
        are an error. `encoders` makes what runs a checkpoint of the library; without it `device` does.

        Raises:
            LibraryError: no library there, or one that holds footage of another front-end than `front_end`.
            FrontEndError: with `create`, the weights of a new library's front-end are absent, or cannot be downloaded.
        """
        with Library.open(directory, create=create) as library:
            session = Session(library, device, index_settings, decoders, default, None, announce, encoders)
            try:
                if create:
                    session.begin(front_end)
                yield session
            finally:
                session._galleries.close()

    def begin(self, front_end: str | None = None) -> None:
        """Give a library without footage its front-end and first model; one that has begun with this one stays.

        Raises:
            FrontEndError: the weights are absent. Mismatch: the library holds footage of another front-end.
        """
        held = self.library.catalogue.frontend
        name = front_end or held or self._default
        if name != held:
            self.library.catalogue.check_front_end(name)  # before its weights are fetched
            self.library.catalogue.set_identity(name, begin(self.library, self.front_end_of(name)))

    @property
    def front_end_name(self) -> str:
        """Return the name of the front-end whose features the library holds, or will hold."""
        return self.library.catalogue.frontend or self._default

    @property
    def front_end(self) -> FrontEnd:
        """Return the front-end whose features the library holds, or will hold. Raises FrontEndError."""
        return self.front_end_of(self.front_end_name)

    def front_end_of(self, name: str) -> FrontEnd:
        """Return the front-end of a name, made once. Raises FrontEndError."""
        with self._making:
            if name not in self._front_ends:
                if self._announce:
                    pull_absent_weights(name, self.library.frontends, self._announce)
                self._front_ends[name] = (self._make or make_front_end)(name, self.library.frontends)
            return self._front_ends[name]

    @property
    def decoder(self) -> Decoder:
        """Return what decodes queries for the library's front-end. Raises FrontEndError, here or from its futures."""
        return self.decoder_of(self.front_end_name)

    def decoder_of(self, front_end: str) -> Decoder:
        """Return what decodes queries for a front-end; raises as `decoder`."""
        return self._decoders_of(front_end)[0]

    @property
    def footage_decoder(self) -> Decoder:
        """Return what decodes footage for the library's front-end; raises as `decoder`."""
        return self.footage_decoder_of(self.front_end_name)

    def footage_decoder_of(self, front_end: str) -> Decoder:
        """Return what decodes footage for a front-end; raises as `decoder`."""
        return self._decoders_of(front_end)[1]

    @property
    def encoder(self) -> Encoder:
        """Return the model that encoded the library.

        Raises:
            EmptyLibrary: none has, and there is no footage. UntrainedLibrary: there is, and none has yet.
            Mismatch: its checkpoint is gone, corrupt, another one, or made for another front-end.
            FrontEndError: the front-end's weights are absent.
        """
        front_end, fingerprint = self.library.catalogue.identity
        if front_end is None or fingerprint is None:
            raise self._without_model()
        with self._lock:
            if self._encoder is None or self._encoder.fingerprint != fingerprint:
                self._encoder = self.encoder_of(self._load(fingerprint, front_end))
            return self._encoder

    def encoder_of(self, checkpoint: Checkpoint) -> Encoder:
        """Return what runs a checkpoint, which lies in the library or is about to."""
        return Encoder(checkpoint, self.device) if self._encoders is None else self._encoders(checkpoint)

    def warnings(self, encoder: Encoder | None = None) -> tuple[str, ...]:
        """Return what the answers of a model, by default of the serving one, must not hide. Raises as `encoder`."""
        encoder = encoder or self.encoder
        if encoder.checkpoint.front_end != OF_DRAWN_CLIPS:
            return ()
        state = (encoder.fingerprint, self.library.catalogue.catalogue_version)
        known = self._warnings
        if known is None or known[0] != state:
            self._warnings = known = (state, warnings_of(self.library.catalogue, encoder.checkpoint))
        return known[1]

    def gallery(self, modality: Modality) -> ServedGallery:
        """Return the gallery of the library as it is now, or, where building that takes long, as it just was.

        Raises:
            EmptyLibrary: no item of that modality. Those of `encoder`.
        """
        return self._galleries.get(modality)

    def table(self, modality: Modality) -> LatentTable:
        """Return the latents of the library as it is now, without a gallery over them. Raises what `gallery` raises."""
        return self._encoded(modality)[1]

    def _decoders_of(self, front_end: str) -> tuple[Decoder, Decoder]:
        if self._decoders is not None:
            return self._decoders(front_end, self.library.frontends)
        in_thread = InThread(self.front_end_of(front_end))
        return in_thread, in_thread

    def _build_gallery(self, modality: Modality, last: ServedGallery | None) -> ServedGallery:
        for tried in range(1, TRIES + 1):
            try:
                return self._built(modality, last)
            except LibraryChanged:  # while its latents were read
                if tried == TRIES:
                    raise
        raise AssertionError("unreachable")

    def _built(self, modality: Modality, last: ServedGallery | None) -> ServedGallery:
        encoder, table = self._encoded(modality)
        before = last.gallery if last is not None and last.encoder is encoder else None
        gallery = self.index_settings.gallery(
            self.library, modality, table, encoder.checkpoint.weights, before, gpu_bytes=free_bytes(self.device)
        )
        if isinstance(gallery, CertifiedGallery):  # which has the latents as they were, whatever changes
            table = replace(table, latents=gallery.latents)
        served = ServedGallery(table, gallery, encoder, self.front_end_of(encoder.checkpoint.front_end).prior)
        _ = served.table.sample  # read now, while the catalogue has it
        return served

    def _encoded(self, modality: Modality) -> tuple[Encoder, LatentTable]:
        """Return the serving model and the latents that it made."""
        for _ in range(TRIES):
            encoder, table = self.encoder, self._table(modality)
            if table.fingerprint == encoder.fingerprint:
                break
        else:
            raise LibraryChanged("the library was encoded anew just now: ask again")
        if not len(table.ids):
            raise EmptyLibrary(
                f"the library holds no {KINDS[modality]} to search; add footage with: echolens ingest PATH "
                "--library DIR"
            )
        return encoder, table

    def _table(self, modality: Modality) -> LatentTable:
        """Read the items; where the index wants no latents in memory, without them, and only what has changed."""
        catalogue, settings = self.library.catalogue, self.index_settings
        if settings.leaves_latents_on_disk(0):
            with self._reading:  # one after the other: both modalities' tables of a version share its videos
                newest = max(self._on_disk.values(), key=lambda table: table.catalogue_version, default=None)
                table = catalogue.table_on_disk(modality, self._on_disk.get(modality), newest)
                self._on_disk[modality] = table
            if settings.leaves_latents_on_disk(len(table.ids)):
                return table
        return catalogue.latents(modality)

    def _without_model(self) -> EmptyLibrary | UntrainedLibrary:
        if self.library.catalogue.is_empty:
            return EmptyLibrary("the library holds no footage; add some with: echolens ingest PATH --library DIR")
        return UntrainedLibrary(
            f"no model has encoded this library yet: learn one with: echolens train --library DIR, or take the first "
            f"model of the front-end, if it has one, with: echolens library reencode --frontend {self.front_end_name}"
        )

    def _load(self, fingerprint: str, front_end: str) -> Checkpoint:
        remedy = (
            f"put that one back, or take the front-end's first model with: echolens library reencode --frontend "
            f"{front_end}, or learn another with: echolens train"
        )
        try:
            checkpoint = Checkpoint.load(self.library.checkpoints / fingerprint)
        except CheckpointError as error:
            raise Mismatch(
                f"the library was encoded by the checkpoint {fingerprint}, which cannot be loaded ({error}): {remedy}"
            ) from error
        if checkpoint.fingerprint != fingerprint:
            raise Mismatch(
                f"checkpoint {checkpoint.fingerprint} given, {fingerprint} expected, which encoded this library: "
                f"{remedy}"
            )
        given = self.front_end_of(front_end).identity
        if checkpoint.front_end_identity != given:
            raise Mismatch(
                f"the checkpoint {fingerprint} was trained on features of {checkpoint.front_end_identity}, the "
                f"front-end here gives {given}: read the originals again with: echolens library reencode --frontend "
                f"{front_end}, or also train on them with: echolens train"
            )
        return checkpoint
