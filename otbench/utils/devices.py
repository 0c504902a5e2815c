"""Choice of a GPU that no other job of this user has, and the settings of PyTorch on it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import torch

from otbench.errors import OtbenchError
from otbench.utils.locks import Lock, try_take

#: jobs on one GPU that are told apart; more than these all go to the first GPU
SHARES = 64
#: the lock of this process; the system lets go of it when the process ends, in whatever way
_held: list[Lock] = []


def claim_gpu() -> int | None:
    """Make the least used of the visible GPUs the current one, for as long as this process lives.

    Each is taken once before any is taken twice, so that jobs share a GPU only where more run at once than there are
    GPUs.

    Returns:
        Index of the GPU. None where there is nothing to choose, where this process has chosen before, and where no lock
        can be had; the current GPU then stays what it was.
    """
    count = torch.cuda.device_count()
    if count < 2 or _held:
        return None
    # an index may be another GPU in another job, as a scheduler shows each job its own
    visible = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    names = visible if len(visible) == count else [str(index) for index in range(count)]
    folder = Path(tempfile.gettempdir()) / f"otbench-gpus-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.is_symlink() or folder.stat().st_uid != os.getuid():  # others may write where it lies
            return None
        for share in range(SHARES):
            for index, name in enumerate(names):
                lock = try_take(folder / f"{name.replace(os.sep, '-')}.{share}")
                if lock is not None:
                    _held.append(lock)
                    torch.cuda.set_device(index)
                    return index
    except (OSError, OtbenchError):
        pass
    return None


def configure_torch(device: str, deterministic: bool = False, precision: str = "float32") -> None:
    """Set the process up for training: one CPU thread, no denormal numbers, of several GPUs one that no other job has.

    One thread, because results must not depend on the number of cores; jobs run side by side instead.

    Args:
        device: `cpu`, `cuda` or one GPU, `cuda:N`; `cuda` alone claims a GPU.
        deterministic: Whether a GPU uses only kernels that give the same bits every time, with an error where an
            operation has none.
        precision: Precision of a GPU's products of float32 matrices and convolutions; `tf32` allows TF32 in both, any
            other value in neither. PyTorch's default, TF32 in convolutions alone, is not offered.

    Raises:
        OtbenchError: The GPU is missing, or TF32, which only a GPU's matrix units have, is asked for without one.
    """
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise OtbenchError("device 'cuda' was asked for but this machine has no usable GPU; use 'cpu' or 'auto'")
    if precision == "tf32" and not device.startswith("cuda"):
        raise OtbenchError(
            "precision 'tf32' is arithmetic of a GPU's matrix units, and this fit is on a CPU; use float32"
        )
    if device == "cuda":
        claim_gpu()
    torch.set_num_threads(int(os.environ.get("OTBENCH_THREADS", "1")))
    torch.set_flush_denormal(True)
    if device.startswith("cuda"):
        if deterministic:  # read when cuBLAS starts, so before anything runs on the device
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(deterministic)
        torch.backends.cudnn.benchmark = False
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision == "tf32"


def flags(device: str) -> dict[str, Any]:
    """Switches of this process that a GPU's bits depend on.

    Args:
        device: `cpu`, `cuda` or one GPU, `cuda:N`.

    Returns:
        Values by name; empty on a CPU, where one thread settles the bits.
    """
    if not device.startswith("cuda"):
        return {}
    return {
        "deterministic_algorithms": torch.are_deterministic_algorithms_enabled(),
        "cublas_workspace": os.environ.get("CUBLAS_WORKSPACE_CONFIG", ""),
        "cudnn_benchmark": torch.backends.cudnn.benchmark,
        "cudnn_deterministic": torch.backends.cudnn.deterministic,
        "tf32_matmul": torch.backends.cuda.matmul.allow_tf32,
        "tf32_convolution": torch.backends.cudnn.allow_tf32,
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
    }


def resolve_device(device: str) -> str:
    """Device that `auto` stands for.

    Args:
        device: `auto`, `cpu`, `cuda` or one GPU, `cuda:N`.

    Returns:
        For `auto`: `cuda` where there is a GPU, else `cpu`; any other device as it is.
    """
    return ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device


def setup_device(device: str) -> str:
    """Set the process up for a device, as `configure_torch` does.

    Args:
        device: `auto`, `cpu`, `cuda` or one GPU, `cuda:N`.

    Returns:
        The device, never `auto`.
    """
    configure_torch(resolve_device(device))
    return resolve_device(device)
