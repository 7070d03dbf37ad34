"""Settings of the service, from the environment (ECHOLENS_*) or the command line."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.http import keys
from app.http.prefix import plain_prefix
from app.library.index_settings import IndexSettings
from app.library.watch import RESCAN_S, SETTLE_S
from app.processes.cores import spare_cores
from app.processes.decoder import MOST_BYTES
from app.schemas.front_end_name import FrontEndName
from app.telemetry.logs import LogFormat
from index.gallery_choice import GalleryChoice
from model.errors import LibraryError
from model.frontends.names import OF_REAL_FOOTAGE
from model.media.medium import FOOTAGE, Limits
from model.network.device import DeviceName

LOOPBACK = ("127.0.0.1", "localhost", "::1")
MOST_BATCH = 64  # a form with more files is refused before they are read
DEFAULT_PORTS = {"http": ":80", "https": ":443"}


class Settings(BaseSettings):
    """Hold what the service is told at start; a change needs a restart."""

    model_config = SettingsConfigDict(env_prefix="ECHOLENS_", frozen=True)

    data: Path = Field(Path("data"), description="the library's directory")
    host: str = "127.0.0.1"
    log: LogFormat = Field("text", description="lines for people, or json")
    port: int = Field(8000, ge=1, le=65535)
    device: DeviceName = "auto"
    api_key: SecretStr | None = Field(None, description="an admin's; this or `echolens keys`, beyond loopback")
    api_key_file: Path | None = Field(None, description="that holds it instead, as containers hand over a secret")
    key_most_in_flight: int = Field(0, ge=0, description="requests of one key at a time; 0 for any number")
    key_most_per_minute: int = Field(0, ge=0, description="requests of one key; 0 for any number")
    cors_origins: tuple[str, ...] = Field((), description="origins whose pages may use the service")
    hosts: tuple[str, ...] = Field((), description="further names under which a loopback service is asked")
    path_prefix: str | None = Field(None, description="below which a proxy shows the service, such as /lens")
    frontend: FrontEndName = Field(
        OF_REAL_FOOTAGE, description="of a new library; one that holds footage keeps its own"
    )
    fetch_weights: bool = Field(True, description="at the start, where the front-end's are absent")
    most_upload_bytes: int = Field(1024**3, ge=1, description="of one request's body")
    most_query_s: float = Field(600.0, gt=0, description="length of a query file")
    most_decode_s: float = Field(60.0, gt=0, description="time spent decoding one query")
    decoders: int = Field(default_factory=spare_cores, ge=1, description="processes that decode what is asked")
    ingest_decoders: int = Field(1, ge=1, description="processes that decode what is taken in")
    most_decoder_bytes: int = Field(MOST_BYTES, ge=64 * 1024**2, description="memory of one such process")
    most_ingest_s: float = Field(
        4 * 3600.0, gt=0, description="time spent decoding ten minutes of a file that is taken in"
    )
    most_loss: float = Field(0.5, ge=0, le=1, description="share of a file that damage may take; else it is refused")
    most_batch: int = Field(MOST_BATCH, ge=1, le=MOST_BATCH, description="queries of one POST /retrieve/batch")
    most_questions: int = Field(32, ge=1, description="answered at a time; then 429")
    most_uploads: int = Field(8, ge=1, description="received at a time; then 429")
    most_request_s: float = Field(120.0, gt=0, description="until a question has its answer; then 503")
    most_idle_s: float = Field(30.0, gt=0, description="between two pieces of a body; then 408")
    most_hits: int = Field(1000, ge=1, description="largest k")
    ingest_roots: tuple[Path, ...] = Field((), description="directories below which POST /jobs may ingest")
    watch: tuple[Path, ...] = Field((), description="directories of those whose footage is taken in as it comes")
    watch_settle_s: float = Field(SETTLE_S, ge=0, description="that a file stays as it is before it is taken in")
    watch_rescan_s: float = Field(RESCAN_S, gt=0, description="until directories without events are looked at again")
    most_queued_jobs: int = Field(1000, ge=1, description="that wait; then 429")
    training_device: DeviceName | None = Field(None, description="of a training job's process; as `device` without it")
    training_threads: int = Field(1, ge=1, description="of a training job's process")
    webhook_hosts: tuple[str, ...] = Field((), description="to which webhooks of alerts may go; none for any")
    public_url: str | None = Field(None, description="where others reach the service; begins the links of webhooks")
    index: GalleryChoice = Field("auto", description="auto: certified, and an approximate index for millions of items")
    search_budget: int | None = Field(None, ge=1, description="items that a certified search scores at most")
    milvus_uri: str = Field("http://localhost:19530", description="of a cluster, or a file for Milvus Lite")
    milvus_token: SecretStr = SecretStr("")

    @cached_property
    def admin_key(self) -> str:
        """Return the key that the environment, or a file that it names, sets; "" for none."""
        given = self.api_key.get_secret_value() if self.api_key else ""
        found = keys.read_key(self.api_key_file) if self.api_key_file else ""
        if given and found:
            raise ValueError("ECHOLENS_API_KEY and ECHOLENS_API_KEY_FILE given, one of them expected")
        return given or found

    @property
    def allowed_hosts(self) -> frozenset[str] | None:
        """Return the names that a request may ask under; None for any, beyond loopback, where a key is required."""
        return frozenset((*LOOPBACK, *self.hosts)) if self.is_loopback else None

    @property
    def is_loopback(self) -> bool:
        """Say whether only this machine can reach the service."""
        return self.host in LOOPBACK

    @property
    def query_limits(self) -> Limits:
        """Return what one query file may cost."""
        return Limits(
            bytes=self.most_upload_bytes,
            decoded_s=self.most_query_s,
            wall_s=self.most_decode_s,
            most_loss=self.most_loss,
        )

    @property
    def footage_limits(self) -> Limits:
        """Return what one file that is taken in may cost."""
        return replace(FOOTAGE, most_loss=self.most_loss)

    @property
    def index_settings(self) -> IndexSettings:
        """Return how the library is searched."""
        return IndexSettings(self.index, self.search_budget, self.milvus_uri, self.milvus_token.get_secret_value())

    @field_validator("path_prefix")
    @classmethod
    def _plain_prefix(cls, given: str | None) -> str | None:
        return plain_prefix(given) if given else None

    @field_validator("cors_origins")
    @classmethod
    def _exact_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            if not _is_exact(origin):
                raise ValueError(f"{origin!r} given, an exact origin expected, such as https://archive.example.org")
        return origins

    @field_validator("public_url")
    @classmethod
    def _plain_url(cls, url: str | None) -> str | None:
        if url is not None and (urlsplit(url).scheme not in DEFAULT_PORTS or not urlsplit(url).hostname):
            raise ValueError("an http or https address expected, such as https://lens.example.org")
        return url and url.rstrip("/")

    @model_validator(mode="after")
    def _watch_below_roots(self) -> Settings:
        roots = [root.resolve() for root in self.ingest_roots]
        for directory in self.watch:
            if not directory.is_absolute() or not any(directory.resolve().is_relative_to(root) for root in roots):
                raise ValueError(
                    f"ECHOLENS_WATCH names {directory}, an absolute path at or below one of the directories of "
                    "ECHOLENS_INGEST_ROOTS expected: add it there"
                )
        return self

    @model_validator(mode="after")
    def _key_beyond_loopback(self) -> Settings:
        made = keys.load(self.data)  # damaged keys stop the service now, not its first request
        try:
            chosen = self.admin_key
        except LibraryError as error:
            raise ValueError(f"ECHOLENS_API_KEY_FILE: {error}") from error
        if not (self.is_loopback or made or chosen):
            raise ValueError(
                f"host {self.host} is reachable from other machines, and there is no key: make one with `echolens "
                f"keys create NAME --library {self.data}`, or set ECHOLENS_API_KEY or "
                "ECHOLENS_API_KEY_FILE, or bind to 127.0.0.1"
            )
        return self


def _is_exact(origin: str) -> bool:
    """Say whether a browser would send an origin in just this form; wildcards it never sends."""
    try:
        parts = urlsplit(origin)
        host, port = parts.hostname or "", f":{parts.port}" if parts.port else ""
    except ValueError:  # a bracket that is never closed, a port that is no number
        return False
    if parts.scheme not in DEFAULT_PORTS or not host or "*" in host or port == DEFAULT_PORTS[parts.scheme]:
        return False
    return origin == f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}"
