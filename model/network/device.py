"""Where tensors live."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from model.errors import QueryError

if TYPE_CHECKING:
    import torch

DeviceName = Literal["auto", "cpu", "cuda"]


def choose_device(name: DeviceName) -> torch.device:
    """Return the device: `auto` takes CUDA where it is.

    Raises:
        QueryError: `cuda` was forced on a machine without it.
    """
    import torch  # not at the top: the command line needs the names above before it needs torch

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cuda" and not torch.cuda.is_available():
        raise QueryError("the device cuda was given, but torch finds no CUDA device; use auto or cpu")
    return torch.device(name)
