"""What a piece of training costs: the most memory that it holds at once, and the energy of its GPU."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
#: what, written to CLEAR, sets the peak of resident memory back to its present value (Linux, man 5 proc)
FORGET = "5"


class Meter:
    """Measures the work inside `with Meter(device) as meter:`; results are there when the block has ended.

    peak_memory: bytes. On a CPU the largest growth of the process's own (anonymous) resident memory over the start of
    the block. Mapped files are left out: the code of a library is paged in when first used, by whichever job comes
    first, and a process that was forked from a warm one (`otbench.cli.server`) starts with other pages of it than a
    fresh one. So what counts is what the work takes, not PyTorch. On a GPU the largest growth of what PyTorch's tensors
    take there. None where the system does not tell (no /proc). Work space that a library keeps once it has taken it,
    some ten MB on a CPU, is charged to the first block of a process.

    energy: joules that the whole GPU took meanwhile, by NVML's counter, other processes' share included. None on a
    CPU, and where NVML, its driver or the counter is missing.
    """

    def __init__(self, device: str | torch.device) -> None:
        self.device = torch.device(device)
        self.peak_memory: int | None = None
        self.energy: float | None = None

    def __enter__(self) -> Meter:
        gc.collect()  # what earlier work left behind would be freed meanwhile, and hide as much growth
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
            torch.cuda.reset_peak_memory_stats(self.device)
            self._held = torch.cuda.memory_allocated(self.device)
        else:
            _trim()
            self._reset = _forget_peak()
            self._before = _resident()
        self._joules = _energy(self.device)
        return self

    def __exit__(self, *_: object) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
            self.peak_memory = torch.cuda.max_memory_allocated(self.device) - self._held
        else:
            self.peak_memory = self._growth()
        joules = _energy(self.device)
        if joules is not None and self._joules is not None:
            self.energy = joules - self._joules

    def _growth(self) -> int | None:
        """The peak less its mapped files (those at the end: code is paged in and stays), less what was there before."""
        before, after = self._before, _resident()
        if before is None or after is None or not (self._reset or after["VmHWM"] > before["VmHWM"]):
            return None
        growth = after["VmHWM"] - after["RssFile"] - (before["VmRSS"] - before["RssFile"])
        return max(growth, 0)

    @property
    def costs(self) -> dict[str, float]:
        """What was measured, by the metrics' names."""
        numbers = {"peak_memory": self.peak_memory, "energy": self.energy}
        return {name: float(value) for name, value in numbers.items() if value is not None}


@contextmanager
def settled(optimiser: bool) -> Iterator[None]:
    """Make a process ready for meters, for as long as the block lasts.

    The objects that are there stay uncollected meanwhile, as going through all of them before each measurement takes
    long.

    Args:
        optimiser: Whether PyTorch imports what its first optimiser needs (100 MB), so that no model is charged for it.

    Yields:
        Nothing; garbage collection is as before at the end of the block.
    """
    if optimiser:
        value = torch.zeros(1, requires_grad=True)
        value.grad = torch.zeros(1)
        torch.optim.Adam([value], fused=True).step()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _resident() -> dict[str, int] | None:
    """Resident memory of this process in bytes: VmRSS now, VmHWM at most, RssFile of it mapped files."""
    try:
        lines = STATUS.read_text().splitlines()
    except OSError:
        return None
    fields = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines if line.endswith(" kB")}
    return fields if {"VmRSS", "VmHWM", "RssFile"} <= set(fields) else None


def _forget_peak() -> bool:
    """Set the peak of resident memory back to what is held now; whether that could be done."""
    try:
        CLEAR.write_text(FORGET)
    except OSError:
        return False
    return True


def _trim() -> None:
    """Give memory that was freed back to the system: taken again out of the heap, it would not be seen to grow."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # the GNU C library's
    if trim is not None:
        trim(0)


def _energy(device: torch.device) -> float | None:
    """Joules that the GPU has taken since its driver was loaded; None where nothing counts them."""
    if device.type != "cuda":
        return None
    try:
        import pynvml
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
        # by its identity: CUDA may number devices otherwise, or see only some of them
        unique = f"GPU-{torch.cuda.get_device_properties(device).uuid}"
        return pynvml.nvmlDeviceGetTotalEnergyConsumption(pynvml.nvmlDeviceGetHandleByUUID(unique)) / 1000
    except pynvml.NVMLError:
        return None
