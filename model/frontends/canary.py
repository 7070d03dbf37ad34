"""The canary: what a front-end answered to known inputs when a library first used it, and whether it still does."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from model.data.features import UNREADABLE, save_arrays
from model.errors import FrontEndError

DIRECTORY = "canary"


def check_canary(
    identity: str,
    rounding: float,
    answers: Mapping[str, Float32[np.ndarray, "..."]],
    directory: Path,
    keep: bool = True,
) -> None:
    """Compare answers, by what was asked, with those that lie in `directory / canary / IDENTITY.npz`.

    `rounding`: how far apart they may be, of the stored one's length. Answers that do not lie there yet are written if
    `keep` and the disk allow it; a damaged file counts as none.

    Raises:
        FrontEndError: an answer is further from the stored one than that.
    """
    path = directory / DIRECTORY / f"{identity}.npz"
    stored = _read(path)
    for asked, answer in answers.items():
        if asked not in stored:
            continue
        apart, length = _apart(answer, stored[asked]), float(np.linalg.norm(stored[asked]))
        if not apart <= rounding * length:  # NaN is refused too
            raise FrontEndError(
                f"it answers {asked} otherwise than when this library first used it: {apart:.3g} apart, of a length of "
                f"{length:.3g}, at most {rounding:g} of that expected. Its features would not fit those that are kept. "
                f"Use it as it was then, such as the earlier releases of its packages; or remove {path} and the "
                f"library's cache/features/{identity}, and read the footage again: echolens library reencode --frontend"
            )
    if keep and not answers.keys() <= stored.keys():
        with suppress(OSError):  # a full disk stops no answer: the next start writes it
            save_arrays(path, {**stored, **answers})


def _read(path: Path) -> dict[str, np.ndarray]:
    with suppress(*UNREADABLE), path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        return {asked: arrays[asked] for asked in arrays.files}
    return {}


def _apart(answer: np.ndarray, stored: np.ndarray) -> float:
    return float(np.linalg.norm(answer - stored)) if answer.shape == stored.shape else float("nan")
