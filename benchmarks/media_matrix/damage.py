"""What happens to files after they were written: lost packets, holes, missing ends, streams in a row."""

from __future__ import annotations

import re
from random import Random

HOLE_BYTES = 4096
KEPT_PACKETS = 20  # at the beginning of a transport stream
CUT_SHARE = 0.125


def damaged(content: bytes, kind: str) -> bytes:
    """Return a file's bytes after some damage.

    `hole`: 4 KiB of zeros in the middle. `cut`: the last eighth is missing. `twice`: the file follows itself.
    `lost SHARE SIZE`: a share of the packets of SIZE bytes never arrived.
    """
    if kind == "hole":
        start = len(content) // 2
        return content[:start] + bytes(min(HOLE_BYTES, len(content) - start)) + content[start + HOLE_BYTES :]
    if kind == "cut":
        return content[: len(content) - round(CUT_SHARE * len(content))]
    if kind == "twice":
        return content + content
    lost = re.fullmatch(r"lost ([\d.]+) (\d+)", kind)
    assert lost, f"no such damage: {kind}"
    share, size, random = float(lost[1]), int(lost[2]), Random(kind)
    packets = [content[start : start + size] for start in range(0, len(content), size)]
    return b"".join(packet for number, packet in enumerate(packets) if number < KEPT_PACKETS or random.random() > share)
