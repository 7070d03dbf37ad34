"""Settings of the service, from the environment (ECHOLENS_*) or the command line."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.searching import Searching
from index.gallery_choice import GalleryChoice
from model.device import DeviceName

LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Settings(BaseSettings):
    """Hold what the service is told at start; a change needs a restart."""

    model_config = SettingsConfigDict(env_prefix="ECHOLENS_", frozen=True)

    data: Path = Field(Path("data"), description="the library's directory")
    host: str = "127.0.0.1"
    port: int = Field(8000, ge=1, le=65535)
    device: DeviceName = "auto"
    api_key: SecretStr | None = Field(None, description="required when bound beyond loopback")
    hosts: tuple[str, ...] = Field((), description="further names under which a loopback service is asked")
    most_upload_bytes: int = Field(1024**3, ge=1, description="of one request's body")
    most_query_s: float = Field(600.0, gt=0, description="length of a query file")
    most_decode_s: float = Field(60.0, gt=0, description="time spent decoding one query")
    most_hits: int = Field(1000, ge=1, description="largest k")
    index: GalleryChoice = Field("auto", description="auto: certified, and an approximate index for millions of items")
    search_budget: int | None = Field(None, ge=1, description="items that a certified search scores at most")
    milvus_uri: str = Field("http://localhost:19530", description="of a cluster, or a file for Milvus Lite")
    milvus_token: SecretStr = SecretStr("")

    @property
    def allowed_hosts(self) -> frozenset[str] | None:
        """Return the names that a request may ask under; None for any, beyond loopback, where a key is required."""
        return frozenset((*LOOPBACK, *self.hosts)) if self.host in LOOPBACK else None

    @property
    def searching(self) -> Searching:
        """Return how the library is searched."""
        return Searching(self.index, self.search_budget, self.milvus_uri, self.milvus_token.get_secret_value())

    @model_validator(mode="after")
    def _key_beyond_loopback(self) -> Settings:
        if self.host not in LOOPBACK and not (self.api_key and self.api_key.get_secret_value()):
            raise ValueError(
                f"host {self.host} is reachable from other machines, and no key is set: set ECHOLENS_API_KEY, "
                "or bind to 127.0.0.1"
            )
        return self
