"""Approximate search beyond one machine: Milvus proposes, a cluster or Milvus Lite in a file. The one door to it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar, final

import numpy as np
from jaxtyping import Int64

from index.approximate_gallery import SCAN, Allowed, ApproximateGallery, Packed, Proposals, enough, only_allowed
from model.data.distance import ScoreWeights
from model.data.latents import Latents
from model.errors import LibraryError

T = TypeVar("T")
ROWS_PER_INSERT = 2000  # of p: about 1.5 MB, where Milvus takes 64 MB at most
MEANING = "v1"  # counts what p has meant
DIGITS = 16  # of the digest: 64 bits
LINKS, BUILD_BREADTH, WIDER = 16, 100, 2  # of Milvus's HNSW


@dataclass(frozen=True)
class MilvusServer:
    """Say where the vectors are: `uri` of a server, or a file for Milvus Lite; `token` if it asks for one.

    A collection is called `collection`, of letters, digits and underscores, and a digest of the items behind it: it
    holds what its name says. Others so called are dropped when one is made: give each library, modality and version
    that is searched at the same time its own.
    """

    uri: str = "http://localhost:19530"
    collection: str = "echolens"
    token: str = ""


@final
class MilvusGallery(ApproximateGallery):
    """Propose by a collection of p in Milvus, and score by the latents in this process's memory."""

    path = "milvus"
    most: ClassVar[int] = 16_384  # Milvus's own limit
    filters: ClassVar[bool] = False  # a filter of Milvus would name every allowed id

    def __init__(
        self,
        ids: Int64[np.ndarray, "n"],
        latents: Latents,
        weights: ScoreWeights,
        *,
        server: MilvusServer = MilvusServer(),
        scan: int = SCAN,
    ) -> None:
        """Use the collection if it holds these items, else fill it anew. LibraryError if Milvus cannot be used."""
        super().__init__(ids, latents, weights, scan=scan)
        self.server = server
        self._collection = f"{server.collection}_{MEANING}_{self.content()[:DIGITS]}"
        self._by_id = np.argsort(ids)
        self._client = _connected(server)
        self._ask(self._provide)
        self.measure()

    def close(self) -> None:
        """End the connection; a file of Milvus Lite is free for others only then."""
        self._client.close()

    def _propose(self, packed: Packed, m: int, allowed: Allowed) -> Proposals:
        asked = enough(m, allowed, self.most)
        hits = self._ask(
            lambda: self._client.search(
                self._collection,
                data=list(packed),
                limit=asked,
                output_fields=["id"],
                search_params={"metric_type": "L2", "params": {"ef": WIDER * asked}},
            )
        )
        return [only_allowed(self._rows([hit["id"] for hit in one])[np.newaxis], m, allowed)[0] for one in hits]

    def _rows(self, ids: list[int]) -> Int64[np.ndarray, "m"]:
        """Return the rows of ids."""
        found: Int64[np.ndarray, "m"] = self._by_id[
            np.searchsorted(self.ids, np.array(ids, np.int64), sorter=self._by_id)
        ]
        return found

    def _provide(self) -> None:
        """Leave the collection filled with these items and ready to be searched."""
        name = self._collection
        if self._client.has_collection(name) and self._count() == len(self):
            return
        so_called = re.compile(rf"{re.escape(self.server.collection)}_v\d+_[0-9a-f]{{{DIGITS}}}")
        for other in self._client.list_collections():  # of earlier items, or half filled by a build that was cut off
            if so_called.fullmatch(other):
                self._client.drop_collection(other)
        packed = self.packed()
        self._create(packed.shape[1])
        for start in range(0, len(self), ROWS_PER_INSERT):
            here = slice(start, start + ROWS_PER_INSERT)
            pairs = zip(self.ids[here].tolist(), packed[here], strict=True)
            self._client.insert(name, [{"id": i, "p": p} for i, p in pairs])
        self._client.flush(name)  # what is not flushed is searched without the index

    def _create(self, width: int) -> None:
        from pymilvus import DataType

        schema = self._client.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field("id", DataType.INT64, is_primary=True)
        schema.add_field("p", DataType.FLOAT_VECTOR, dim=width)
        how = self._client.prepare_index_params()
        numbers = {"M": LINKS, "efConstruction": BUILD_BREADTH}
        how.add_index(field_name="p", index_type="HNSW", metric_type="L2", params=numbers)
        self._client.create_collection(self._collection, schema=schema, index_params=how, consistency_level="Strong")

    def _count(self) -> int:
        self._client.load_collection(self._collection)
        rows = self._client.query(self._collection, filter="", output_fields=["count(*)"])
        return int(rows[0]["count(*)"])

    def _ask(self, question: Callable[[], T]) -> T:
        from pymilvus import MilvusException

        try:
            return question()
        except MilvusException as error:
            raise _refused(self.server, error) from error


def _connected(server: MilvusServer) -> Any:
    """Return a MilvusClient."""
    try:
        from pymilvus import MilvusClient, MilvusException
    except ImportError as error:
        raise LibraryError("pymilvus is not installed, it is expected here: install the extra `milvus`") from error
    try:
        return MilvusClient(server.uri, token=server.token)
    except MilvusException as error:
        raise _refused(server, error) from error


def _refused(server: MilvusServer, error: Exception) -> LibraryError:
    """Name the server without a password in it; what Milvus said in its own words is the cause, for the log."""
    where = re.sub(r"//[^/@]*@", "//", server.uri)
    code = getattr(error, "code", None)
    return LibraryError(
        f"Milvus at {where} cannot be used{'' if code is None else f' (its error {code})'}, a running one is "
        "expected: start it, or check its address and token"
    )
