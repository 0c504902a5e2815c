"""The idx format of the MNIST family: a header in big-endian order, then unsigned bytes."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from otbench.data.images.publisher import Checksums, read
from otbench.errors import OtbenchError

UNSIGNED_BYTE = 0x08


def read_idx(path: Path, shape: tuple[int, ...], digest: str, checksums: Checksums) -> np.ndarray:
    """The array in an idx file, unpacked where it is a gzip file.

    Args:
        path: Where the file lies.
        shape: Shape of the array.
        digest: The publisher's digest of the unpacked file (header included), as `md5:...`.
        checksums: Whether other files are let in, and the list of them.

    Returns:
        Array of `shape`, uint8.

    Raises:
        OtbenchError: Where the file is cut short, is no idx file of bytes, has another shape, or where `checksums` does
            not let it in.
    """
    start = 4 + 4 * len(shape)
    content = read(path, start + int(np.prod(shape)))
    zero, kind, axes = struct.unpack(">HBB", content[:4])
    if zero or kind != UNSIGNED_BYTE or axes != len(shape):
        raise OtbenchError(
            f"{path}: expected an idx file of bytes with {len(shape)} axes (it starts with "
            f"{bytes([0, 0, UNSIGNED_BYTE, len(shape)]).hex(' ')}), found {content[:4].hex(' ')}"
        )
    lengths = struct.unpack(f">{axes}I", content[4:start])
    if lengths != shape:
        raise OtbenchError(f"{path}: expected an array of shape {shape}, found {lengths}")
    checksums.check(path, content, digest)
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)
