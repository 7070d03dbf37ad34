"""A collection in Milvus, a cluster or Milvus Lite in a file: the rows of a gallery's items. The one door to it."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float32, Int64

from model.data.latents import Latents
from model.errors import LibraryError

FLOAT32 = np.dtype("<f4")
MOST_CANDIDATES = 16_384  # Milvus's own limit
MOST_CHARACTERS = 65_528  # of the text in a JSON field, likewise
ANSWER_S = 30.0  # that a call may take, so that a server that hangs does not hold up all questions
FILL_S = 300.0  # that one may take which fills a collection, lists it or makes it ready
MESSAGE_BYTES = 8 << 20  # about, where Milvus takes 64 MB at most
LARGEST_ID = 2**63 - 1
MOST_AT_ONCE = 10_000  # rows
LISTED_AT_ONCE = 100_000  # ids with their stamps
LINKS, BUILD_BREADTH, WIDER = 16, 100, 2  # of Milvus's HNSW
MOST_BREADTH = 32_768  # with which Milvus Lite meets items of a filter far from the query; Milvus then scans them


@dataclass(frozen=True)
class MilvusServer:
    """Say where the rows are: `uri` of a server, or a file for Milvus Lite; `token` if it asks for one.

    A collection is called `collection`, of letters, digits and underscores, and a digest of how its vectors are made.
    Others so called are dropped once one is filled: give each library and modality its own.
    """

    uri: str = "http://localhost:19530"
    collection: str = "echolens"
    token: str = ""


class Found(NamedTuple):
    """Hold the ids that are nearest to a query, and how far their vectors are from it; their rows if asked for."""

    ids: Int64[np.ndarray, "m"]
    distances: Float32[np.ndarray, "m"]
    rows: Rows | None


class Rows(NamedTuple):
    """Hold of some items ids, stamps and latents."""

    ids: Int64[np.ndarray, "m"]
    stamps: Int64[np.ndarray, "m"]
    latents: Latents


class Milvus:
    """Ask a server. LibraryError from every method where it cannot be used."""

    def __init__(self, server: MilvusServer) -> None:
        self.server = server
        self._client = _connected(server)

    def close(self) -> None:
        """End the connection; a file of Milvus Lite is free for others only then."""
        self._client.close()

    def ask(self, method: str, *given: Any, timeout: float = ANSWER_S, **named: Any) -> Any:
        """Return what a method of the client answers within `timeout` seconds."""
        try:
            return getattr(self._client, method)(*given, timeout=timeout, **named)
        except _failures() as error:
            raise _refused(self.server, error) from error


class Collection:
    """Keep for each item its id, its stamp, its vector and, as a text, its latents: float32, bit by bit."""

    def __init__(self, milvus: Milvus, digest: str, width: int, widths: tuple[int, int, int]) -> None:
        """Name a collection of vectors of `width` numbers and latents of `widths`; `digest` says how they are made."""
        self.milvus = milvus
        self.name = f"{milvus.server.collection}_{digest}"
        self._width, self._widths = width, widths
        self._characters = -(-sum(widths) * FLOAT32.itemsize // 3) * 4
        if self._characters > MOST_CHARACTERS:
            raise LibraryError(
                f"latents of {sum(widths):,} numbers given, at most {MOST_CHARACTERS // 4 * 3 // FLOAT32.itemsize:,} "
                "expected, which is all that a row in Milvus takes: choose another index with ECHOLENS_INDEX"
            )

    def open(self) -> bool:
        """Make the collection ready to be searched, and say whether it was there; else it is made, empty."""
        there = bool(self.milvus.ask("has_collection", self.name))
        if not there:
            self._create()
        self.milvus.ask("load_collection", self.name, timeout=FILL_S)
        return there

    def drop_others(self) -> None:
        """Drop what is called by the same name with other digests."""
        so_called = re.compile(rf"{re.escape(self.milvus.server.collection)}_v\d+_[0-9a-f]{{16}}")
        for other in self.milvus.ask("list_collections"):
            if so_called.fullmatch(other) and other != self.name:
                self.milvus.ask("drop_collection", other)

    def count(self) -> int:
        """Return how many items there are, after all that was written before."""
        rows = self._query("", ["count(*)"])
        return int(rows[0]["count(*)"])

    def listed(self, near: Int64[np.ndarray, "n"]) -> tuple[Int64[np.ndarray, "m"], Int64[np.ndarray, "m"]]:
        """Return the ids of all items, ascending, and their stamps; `near`: ascending ids that are expected.

        They are asked for in parts that hold about as many of those.
        """
        bounds = [-LARGEST_ID, *near[LISTED_AT_ONCE::LISTED_AT_ONCE].tolist(), LARGEST_ID]
        ids, stamps = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        for first, end in pairwise(bounds):
            rows = self._query(f"id >= {first} and id < {end}", ["id", "stamp"])
            ids.append(np.array([row["id"] for row in rows], np.int64))
            stamps.append(np.array([row["stamp"] for row in rows], np.int64))
        found, order = np.unique(np.concatenate(ids), return_index=True)
        return found, np.concatenate(stamps)[order]

    @property
    def rows_at_once(self) -> int:
        """Return how many rows fit into a message."""
        return min(MOST_AT_ONCE, max(1, MESSAGE_BYTES // (self._characters + self._width * FLOAT32.itemsize)))

    def put(
        self,
        ids: Int64[np.ndarray, "m"],
        stamps: Int64[np.ndarray, "m"],
        vectors: Float32[np.ndarray, "m width"],
        latents: Latents,
    ) -> None:
        """Write the rows of up to `rows_at_once` items, in place of those that are there."""
        # In JSON, since pymilvus looks at each letter of a VARCHAR, and Milvus Lite has no vectors of bytes.
        numbers = np.concatenate([latents.mu, latents.sigma, latents.generated], axis=1).astype(FLOAT32, copy=False)
        rows = [
            {"id": i, "stamp": stamp, "p": vector, "latents": {"": b64encode(row.tobytes()).decode()}}
            for i, stamp, vector, row in zip(ids.tolist(), stamps.tolist(), vectors, numbers, strict=True)
        ]
        # Never an insertion: pymilvus repeats it where a server is away for a moment, which leaves rows twice.
        self.milvus.ask("upsert", self.name, rows, timeout=FILL_S)

    def delete(self, ids: Int64[np.ndarray, "m"]) -> None:
        """Delete items."""
        for part in _parts(ids, LISTED_AT_ONCE):
            self.milvus.ask("delete", self.name, ids=part.tolist(), timeout=FILL_S)

    def flush(self) -> None:
        """Have what was written indexed now, which takes Milvus some seconds; sooner or later it does so by itself."""
        self.milvus.ask("flush", self.name, timeout=FILL_S)

    def nearest(
        self,
        vectors: Float32[np.ndarray, "q width"],
        m: int,
        *,
        among: Int64[np.ndarray, "n"] | None = None,
        rows: bool = False,
    ) -> Iterator[Found]:
        """Yield for each query about m items near to it, nearest first, with their rows if asked for.

        `among`: these ids alone.
        """
        named = "" if among is None else f"id in {among.tolist()}"
        at_once = max(1, self.rows_at_once // m) if rows else max(1, MOST_CANDIDATES // m)
        for part in _parts(vectors, at_once):
            hits = self.milvus.ask(
                "search",
                self.name,
                data=list(part),
                limit=m,
                filter=named,
                output_fields=["stamp", "latents"] if rows else ["id"],
                search_params={"metric_type": "L2", "params": {"ef": WIDER * m if among is None else MOST_BREADTH}},
                consistency_level="Eventually",  # `count` has waited for what was written
            )
            for one in hits:
                ids = np.array([hit["id"] for hit in one], np.int64)
                distances = np.array([hit["distance"] for hit in one], np.float32)
                yield Found(ids, distances, self._rows(ids, [hit["entity"] for hit in one]) if rows else None)

    def rows(self, ids: Int64[np.ndarray, "m"]) -> Rows:
        """Return the rows of those of up to `rows_at_once` ids that are there, in no order."""
        how: dict[str, Any] = {"output_fields": ["stamp", "latents"], "consistency_level": "Eventually"}
        found = self.milvus.ask("get", self.name, ids=ids.tolist(), **how)
        return self._rows(np.array([row["id"] for row in found], np.int64), found)

    def _rows(self, ids: Int64[np.ndarray, "m"], entities: Sequence[Any]) -> Rows:
        stamps = np.array([entity["stamp"] for entity in entities], np.int64)
        packed = b"".join(b64decode(entity["latents"][""]) for entity in entities)
        numbers = np.frombuffer(packed, FLOAT32).reshape(len(ids), sum(self._widths))
        return Rows(ids, stamps, Latents(*np.split(numbers, np.cumsum(self._widths)[:-1], axis=1)))

    def _query(self, which: str, fields: list[str]) -> Any:
        how: dict[str, Any] = {"output_fields": fields, "consistency_level": "Strong", "timeout": FILL_S}
        return self.milvus.ask("query", self.name, filter=which, **how)

    def _create(self) -> None:
        from pymilvus import DataType, MilvusClient

        schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field("id", DataType.INT64, is_primary=True)
        schema.add_field("stamp", DataType.INT64)
        schema.add_field("p", DataType.FLOAT_VECTOR, dim=self._width)
        schema.add_field("latents", DataType.JSON)
        how = MilvusClient.prepare_index_params()
        numbers = {"M": LINKS, "efConstruction": BUILD_BREADTH}
        how.add_index(field_name="p", index_type="HNSW", metric_type="L2", params=numbers)
        self.milvus.ask("create_collection", self.name, schema=schema, index_params=how, timeout=FILL_S)


def _parts(rows: np.ndarray, size: int) -> Iterator[np.ndarray]:
    return (rows[start : start + size] for start in range(0, len(rows), size))


def _connected(server: MilvusServer) -> Any:
    """Return a MilvusClient."""
    try:
        from pymilvus import MilvusClient
    except ImportError as error:
        raise LibraryError("pymilvus is not installed, it is expected here: install the extra `milvus`") from error
    try:
        return MilvusClient(server.uri, token=server.token)
    except _failures() as error:
        raise _refused(server, error) from error


def _failures() -> tuple[type[Exception], ...]:
    """Return what pymilvus raises where a server cannot be used: some errors of gRPC come as they are."""
    from grpc import RpcError
    from pymilvus import MilvusException

    return MilvusException, RpcError


def _refused(server: MilvusServer, error: Exception) -> LibraryError:
    """Name the server without a password in it; what Milvus said in its own words is the cause, for the log."""
    where = re.sub(r"//[^/@]*@", "//", server.uri)
    code = getattr(error, "code", None)
    return LibraryError(
        f"Milvus at {where} cannot be used{'' if code is None else f' (its error {code})'}, a running one is "
        "expected: start it, or check its address and token"
    )
