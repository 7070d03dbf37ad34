"""The known answers: what a front-end answered to known inputs at a library's first use; whether it still does."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from model.data.features import UNREADABLE, save_arrays
from model.errors import FrontEndError
from model.frontends.frontend import FrontEnd

DIRECTORY = "known_answers"


def check_known_answers(
    front_end: FrontEnd, answers: Mapping[str, Float32[np.ndarray, "..."]], directory: Path, keep: bool = True
) -> None:
    """Compare a front-end's answers, by what was asked, with those in `directory / known_answers / IDENTITY.npz`.

    Answers that do not lie there yet are trusted, and written if `keep` and the disk allow it; a damaged file counts
    as none.

    Raises:
        FrontEndError: an answer is further from the stored one than the front-end's `rounding`, of the latter's length.
    """
    identity, rounding = front_end.identity, front_end.rounding
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
                f"library's cache/features/{identity}, and read the footage again: "
                f"echolens library reencode --frontend {front_end.name}"
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
