"""What a step takes and what the machine gives: floating-point operations, bytes, kernels; the two roofs; the profile.

Operations are those of matrix products and convolutions, counted by `torch.utils.flop_counter.FlopCounterMode`; all
else (activations, normalisation, optimisers) is left out. Bytes are the unfused traffic: of every operation that
PyTorch runs, the tensors that it reads and those that it writes, as if nothing stayed in a cache or were fused.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from otbench.nets.layers import linear

Step = Callable[[], Any]
#: operations that allocate or fill in without reading what was there, by name
ALLOCATING = {"empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided", "resize_"}
OVERWRITING = {"copy_", "fill_", "zero_", "normal_", "uniform_", "random_"}


def _onednn(x: list[int], weight: list[int], *_: Any, out_shape: Any = None, **__: Any) -> int:
    """Operations of oneDNN's x (n, k) times weight (m, k), which the counter does not know."""
    return 2 * math.prod(x) * weight[0]


def operations(step: Step) -> int:
    """Floating-point operations of the matrix products and convolutions of a step; a multiply-add is two."""
    mapping = {}
    if getattr(torch.ops.mkldnn, "_linear_pointwise", None) is not None:
        mapping[torch.ops.mkldnn._linear_pointwise] = _onednn
    with FlopCounterMode(display=False, custom_mapping=mapping) as counter:
        step()
    return counter.get_total_flops()


class Traffic(TorchDispatchMode):
    """Sums what every operation inside reads and writes, in bytes, and counts the operations.

    Views, allocations and other operations that touch no memory are left out. A tensor that is changed in place is
    both read and written; one that is overwritten is only written; repeated (expanded) values are counted once.
    """

    def __init__(self) -> None:
        super().__init__()
        self.bytes = self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        name = func._schema.name.split("::")[-1]
        taken = list(_taken(func, args, kwargs))
        held = {_memory(tensor) for tensor, _, _ in taken}
        made = [t for t in tree_leaves(out) if isinstance(t, Tensor) and _memory(t) not in held]
        changed = any(written for _, _, written in taken)
        if name not in ALLOCATING and (made or changed or not _tensors(out)):
            self.count += 1
            read = sum(size(t) for t, read, _ in taken if read and not (name in OVERWRITING and t is args[0]))
            self.bytes += read + sum(size(t) for t, _, written in taken if written) + sum(map(size, made))
        return out


def _taken(func: Any, args: tuple, kwargs: dict) -> Iterator[tuple[Tensor, bool, bool]]:
    """The tensors that an operation was given, each with whether it is read and whether it is written."""
    for place, argument in enumerate(func._schema.arguments):
        value = kwargs.get(argument.name, args[place] if place < len(args) else None)
        written = argument.alias_info is not None and argument.alias_info.is_write
        # the fused optimisers write gradients only where they scale them
        if argument.name == "grads" and kwargs.get("grad_scale") is None:
            written = False
        for tensor in _tensors(value):
            yield tensor, not argument.is_out, written


def _tensors(value: Any) -> list[Tensor]:
    return [t for t in tree_leaves(value) if isinstance(t, Tensor)]


def _memory(tensor: Tensor) -> int:
    return tensor.untyped_storage()._cdata


def size(tensor: Tensor) -> int:
    """Bytes of a tensor's values, those that an expanded axis repeats counted once."""
    values = (n for n, stride in zip(tensor.shape, tensor.stride(), strict=True) if stride or n == 0)
    return tensor.element_size() * math.prod(values)


def traffic(step: Step) -> tuple[int, int]:
    """Bytes and operations (kernels, where nothing fuses them) of a step after the first, in which optimisers begin."""
    step()
    with Traffic() as counter:
        step()
    return counter.bytes, counter.count


@dataclass(frozen=True)
class Roofs:
    """What the machine reaches: floating-point operations a second by precision, and bytes a second of a copy."""

    peak: dict[str, float]
    bandwidth: float

    def bound(self, intensity: float, precision: str) -> float:
        """The most operations a second at so many operations a byte."""
        return min(self.peak[precision], self.bandwidth * intensity)


@contextmanager
def arithmetic(products: bool, convolutions: bool) -> Iterator[None]:
    """Whether a GPU multiplies float32 matrices in TF32, and whether it convolves in it, while the block lasts."""
    flags = torch.backends.cuda.matmul, torch.backends.cudnn
    before = [flag.allow_tf32 for flag in flags]
    flags[0].allow_tf32, flags[1].allow_tf32 = products, convolutions
    try:
        yield
    finally:
        flags[0].allow_tf32, flags[1].allow_tf32 = before


def least(work: Step, now: Callable[[], float], seconds: float) -> float:
    """Least seconds of a call over repeats that fill `seconds`, after one that does not count."""
    work()
    best, began, last = math.inf, now(), now()
    while last - began < seconds:
        work()
        previous, last = last, now()
        best = min(best, last - previous)
    return best


def roofs(device: str, precisions: list[str], now: Callable[[], float], tiny: bool) -> Roofs:
    """The largest rate of a few square matrix products in each precision, and the rate of a large copy, read and
    written. now: a clock that waits for the device.
    """
    gpu, seconds = device.startswith("cuda"), 0.05 if tiny else 0.5
    sizes = (4096, 8192, 16384) if gpu else (512, 1024, 2048)
    peak = {}
    for precision in dict.fromkeys(["float32", *precisions]):
        kind = torch.bfloat16 if precision == "bfloat16" else torch.float32
        best = 0.0
        with arithmetic(precision == "tf32", precision == "tf32"), torch.no_grad():
            for n in sizes[:1] if tiny else sizes:
                a = torch.randn(n, n, device=device, dtype=kind)
                # on a CPU the networks' own product may be faster than PyTorch's
                ways = [lambda a=a: a @ a] + ([] if gpu else [lambda a=a: linear(a, a)])
                best = max([best, *(2 * n**3 / least(way, now, seconds) for way in ways)])
        peak[precision] = best
    values = torch.zeros((1 << 22) if tiny else (1 << 30) if gpu else (1 << 26), device=device)
    copy = torch.empty_like(values)
    return Roofs(peak, 2 * size(values) / least(lambda: copy.copy_(values), now, seconds))


def profile(step: Step, device: str, steps: int, most: int = 10) -> list[dict[str, Any]]:
    """The operations with most time of their own in a step: op, calls a step, microseconds a step, share of all.

    Time on the device where that is a GPU, else on the CPU.
    """
    gpu = device.startswith("cuda")
    activities = [torch.profiler.ProfilerActivity.CPU] + [torch.profiler.ProfilerActivity.CUDA] * gpu
    with torch.profiler.profile(activities=activities, acc_events=True) as found:
        for _ in range(steps):
            step()
    # an operation's kernels are events too: those of the operations alone hold all of the time, once
    events = [e for e in found.key_averages() if e.device_type == torch.autograd.DeviceType.CPU]
    own = {e.key: (e.self_device_time_total if gpu else e.self_cpu_time_total, e.count) for e in events}
    total = sum(time for time, _ in own.values())
    ranked = sorted(own.items(), key=lambda item: -item[1][0])[:most]
    return [
        {"op": op, "calls": calls / steps, "microseconds": time / steps, "share": time / total if total else 0.0}
        for op, (time, calls) in ranked
    ]
