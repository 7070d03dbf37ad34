"""Small files that wait for a decoder go to it together: one trip between processes serves them all."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from app.media.decoding import Decoded
from app.processes.batching import Batcher
from app.processes.decoder import Call, Decoder

MOST = 16
MOST_MS = 20.0  # of decoding in one call: none waits longer for the others
MEMORY = 0.1  # weight of the latest file in the mean

Asked = tuple[Decoder, Call[Decoded]]


class Together:
    """Have files decoded, in `at_once` calls at a time; used from one event loop.

    What is large goes alone, and so does each where they take long. A call that fails as a whole, because a file ends
    its process, takes too long or too much memory, is made again file by file.
    """

    def __init__(self, at_once: int) -> None:
        self._batches = Batcher[Asked, Decoded](self._do, lambda: self._most, at_once=at_once)
        self._mean_ms = MOST_MS

    @property
    def waiting(self) -> int:
        """Return how many files wait for a call."""
        return self._batches.waiting

    async def do(self, decoder: Decoder, call: Call[Decoded]) -> Decoded:
        """Return what a call returns. Raises what it raises, and the errors of `Workers.submit`."""
        if not call.is_small:
            return await _alone(decoder, call)
        decoded = await self._batches.do((decoder, call))
        self._mean_ms += MEMORY * (sum(decoded.timings_ms.values()) - self._mean_ms)
        return decoded

    @property
    def _most(self) -> int:
        return max(1, min(MOST, int(MOST_MS / max(self._mean_ms, MOST_MS / MOST))))

    async def _do(self, asked: Sequence[Asked]) -> Sequence[Decoded | Exception]:
        decoder, call = asked[0]
        if len(asked) == 1:
            return [await _alone(decoder, call)]
        if any(other is not decoder for other, _ in asked):  # the front-end is being changed
            outcomes = await asyncio.gather(*(_alone(*one) for one in asked), return_exceptions=True)
            return [_no_end(outcome) for outcome in outcomes]
        return await asyncio.wrap_future(decoder.together([call for _, call in asked]))


async def _alone(decoder: Decoder, call: Call[Decoded]) -> Decoded:
    return await asyncio.wrap_future(decoder.submit(call.function, *call.args))


def _no_end(outcome: Decoded | BaseException) -> Decoded | Exception:
    if isinstance(outcome, BaseException) and not isinstance(outcome, Exception):
        raise outcome
    return outcome
