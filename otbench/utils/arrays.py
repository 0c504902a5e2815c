"""Files of NumPy arrays, read without executing anything in them and within the memory that is left."""

from __future__ import annotations

import lzma
import struct
import zipfile
import zlib
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from otbench.errors import OtbenchError

if TYPE_CHECKING:
    import numpy

# All that NumPy and zipfile raise on a file that is no archive or was changed: RuntimeError for a member that is
# marked as encrypted or packed in an unknown way, MemoryError for a header that claims more than there is.
DAMAGED = (
    OSError,
    ValueError,
    KeyError,
    AttributeError,
    EOFError,
    RuntimeError,
    MemoryError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
)


def read_arrays(path: str | Path, what: str = "an .npz of plain arrays") -> numpy.ndarray | dict[str, numpy.ndarray]:
    """Array that np.save wrote, or arrays of np.savez; nothing in the file is executed.

    Args:
        path: Where the arrays lie, .npy or .npz.
        what: What is expected there, for messages.

    Returns:
        The array of an .npy; of an .npz the arrays by name.

    Raises:
        OtbenchError: The file is missing, damaged, too large for the memory, or holds Python objects.
    """
    import numpy as np

    try:
        _check_size(Path(path))
        content = np.load(path, allow_pickle=False)
        if isinstance(content, np.ndarray):
            return content
        with content:
            # what is in the archive but no array comes as bytes
            return {key: value for key in content.files if isinstance(value := content[key], np.ndarray)}
    except FileNotFoundError as error:
        raise OtbenchError(f"cannot read {path}: there is no such file") from error
    except DAMAGED as error:
        reason = "it holds Python objects or is no NumPy file" if "pickle" in str(error) else error
        raise OtbenchError(f"{path} is damaged, truncated or not {what} ({reason})") from error


def read_npz(path: str | Path, what: str = "an .npz of plain arrays") -> dict[str, numpy.ndarray]:
    """Arrays of an `.npz`.

    Args:
        path: Where the arrays lie, .npz.
        what: What is expected there, for messages.

    Returns:
        Arrays by name.

    Raises:
        OtbenchError: The file is missing, damaged, a single array (.npy), or holds Python objects.
    """
    arrays = read_arrays(path, what)
    if not isinstance(arrays, dict):
        raise OtbenchError(f"{path} holds one array (.npy), expected {what}")
    return arrays


def _check_size(path: Path) -> None:
    """Raise OtbenchError where an `.npz` says that it expands to more than the memory that is left."""
    if not zipfile.is_zipfile(path):
        return  # np.load maps a header's claim to bytes that are there, or fails
    with zipfile.ZipFile(path) as archive:
        check_memory(sum(member.file_size for member in archive.infolist()), f"{path} expands")


def check_memory(size: int, what: str) -> None:
    """Check that this process can have some memory.

    Args:
        size: Size in bytes.
        what: Subject and verb that begin an error's message, such as `PATH expands`.

    Raises:
        OtbenchError: The size is more than the memory that is left.
    """
    import psutil

    left = psutil.virtual_memory().available
    with suppress(ImportError, OSError, ValueError):
        import resource

        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        if limit != resource.RLIM_INFINITY:
            left = min(left, limit - psutil.Process().memory_info().vms)
    if size > left:
        raise OtbenchError(f"{what} to {size / 2**20:,.0f} MiB, and {max(left, 0) / 2**20:,.0f} MiB of memory are left")
