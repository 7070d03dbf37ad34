"""A CUDA device that is only claimed: its tensors say that they lie on `cuda:0`, while the CPU computes their numbers.

It shows that tensors of two devices meet in an operation (an error, as on CUDA), and counts how often the host waits
for the device. It shows nothing of CUDA's own kernels: neither their speed, nor their rounding, nor their order of
sums, nor what they wait for within themselves. Its random numbers are the CPU's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.weak import WeakTensorKeyDictionary

CPU, CUDA = torch.device("cpu"), torch.device("cuda", 0)
aten = torch.ops.aten
# Operations whose result, or whose size, the host must read before it goes on.
READING = {
    aten._local_scalar_dense.default,
    aten.equal.default,
    aten.masked_select.default,
    aten.nonzero.default,
    aten._unique2.default,
    aten.bincount.default,
    aten.repeat_interleave.Tensor,
    aten.unique_dim.default,
}
INDEXING = {aten.index.Tensor, aten.index_put.default, aten.index_put_.default}


class EmulatedTensor(Tensor):
    """Claim to lie on CUDA; `plain` is what it holds."""

    plain: Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    @staticmethod
    def __new__(cls, plain: Tensor) -> EmulatedTensor:
        made: EmulatedTensor = Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls, plain.shape, strides=plain.stride(), storage_offset=plain.storage_offset(), dtype=plain.dtype
        )
        made.plain = plain
        return made

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        return CUDA

    @property
    def is_cuda(self) -> bool:  # type: ignore[override]
        return True

    def cpu(self, *_: Any) -> Tensor:
        return self.to(CPU)

    def to(self, *args: Any, **kwargs: Any) -> Tensor:
        device, dtype, *_ = torch._C._nn._parse_to(*args, **kwargs)
        kept = self if dtype is None else super().to(dtype)
        return kept if device is None or device.type == "cuda" else aten._to_copy(kept, device=device)

    def numpy(self, **_: Any) -> Any:
        raise TypeError("can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() first")

    def tolist(self) -> Any:
        return self.cpu().tolist()

    def __tensor_flatten__(self) -> tuple[list[str], None]:
        return ["plain"], None  # so that Module.to puts new parameters in the place of the old ones

    @staticmethod
    def __tensor_unflatten__(inner: dict[str, Tensor], *_: Any) -> EmulatedTensor:
        return EmulatedTensor(inner["plain"])

    @classmethod
    def __torch_dispatch__(cls, operation: Any, *_: Any) -> Any:
        raise RuntimeError(f"{operation} of an emulated tensor outside of its device")


class EmulatedDevice(TorchDispatchMode):
    """Compute what is asked of emulated tensors, and count by operation what the host waits for."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: Counter[str] = Counter()
        self._pinned = WeakTensorKeyDictionary()

    def __torch_dispatch__(self, operation: Any, _: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if torch._C._dispatch_has_kernel_for_dispatch_key(operation.name(), "CompositeImplicitAutograd"):
            with self:  # in inference mode operations come here before they are taken apart
                return operation.decompose(*args, **kwargs)
        if operation is aten._pin_memory.default:
            pinned: Tensor = args[0].clone()
            self._pinned[pinned] = True
            return pinned
        given = [t for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)]
        device = kwargs.get("device")
        onto = device.type == "cuda" if device is not None else any(isinstance(t, EmulatedTensor) for t in given)
        if device is not None:
            kwargs["device"] = CPU
        if operation is aten.copy_.default:
            onto = isinstance(args[0], EmulatedTensor)
            self._copied(args[1], onto, len(args) > 2 and args[2])
        elif operation is aten._to_copy.default:
            self._copied(args[0], onto, kwargs.get("non_blocking", False))
        elif onto and device is None:  # one that is named is that of something new
            self._check_devices(operation, args, given)
            if operation in READING or (operation in INDEXING and _by_mask(args[1])):
                self.waits[str(operation)] += 1
        found = operation(*tree_map(_plain, args), **tree_map(_plain, kwargs))
        known = {id(t.plain): t for t in given if isinstance(t, EmulatedTensor)}

        def claimed(value: Any) -> Any:
            """Return a result as one of the device; what was changed in place stays the tensor that it is."""
            return known[id(value)] if id(value) in known else EmulatedTensor(value)

        return tree_map(lambda v: claimed(v) if onto and isinstance(v, Tensor) else v, found)

    def _copied(self, source: Tensor, onto: bool, unwaited: bool) -> None:
        """Count a copy between host and device, unless it goes there from pinned memory and the host need not wait."""
        there = isinstance(source, EmulatedTensor)
        if there and not onto:
            self.waits["copy to the host"] += 1
        if onto and not there and not (unwaited and source in self._pinned):
            self.waits["copy to the device"] += 1

    def _check_devices(self, operation: Any, args: Any, given: list[Tensor]) -> None:
        """Refuse a tensor of the host beside one of the device; a single number and an index may lie on the host."""
        strange = [t for t in given if not isinstance(t, EmulatedTensor) and t.ndim]
        if operation in INDEXING and isinstance(args[0], EmulatedTensor):
            indices = {id(t) for t in args[1] if t is not None}
            self.waits.update("copy to the device" for t in strange if id(t) in indices)
            strange = [t for t in strange if id(t) not in indices]
        if strange:
            raise RuntimeError(
                f"Expected all tensors to be on the same device, but found at least two devices, cuda:0 and cpu! "
                f"(in {operation}, with shapes {[tuple(t.shape) for t in given]})"
            )


def _plain(value: Any) -> Any:
    return value.plain if isinstance(value, EmulatedTensor) else value


def _by_mask(indices: Any) -> bool:
    return any(t is not None and t.dtype in (torch.bool, torch.uint8) for t in indices)


@contextmanager
def emulated_device(free_bytes: int = 2**33) -> Iterator[EmulatedDevice]:
    """Let tensors be put on `CUDA`, in this thread, as long as this lasts; `free_bytes`: what it says it has free."""
    with (
        patch("torch.cuda._lazy_init", lambda: None),
        patch("torch.cuda.mem_get_info", lambda *_: (free_bytes, 2 * free_bytes)),
        patch("torch.cuda.get_device_name", lambda *_: "emulated"),
        patch("torch.__future__._swap_module_params_on_conversion", True),  # a parameter's class changes with its place
        EmulatedDevice() as device,
    ):
        yield device
