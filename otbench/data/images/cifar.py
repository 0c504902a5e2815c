"""CIFAR-10 in its binary version: six batches, read from their folder or from the archive, downloaded if neither is."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from otbench.data.base import DataSet
from otbench.data.images.download import Remote, fetch
from otbench.data.images.publisher import Checksums, read, read_tar
from otbench.data.images.splits import Labelled, carved
from otbench.errors import OtbenchError

NAMES = {
    "cifar10": "CIFAR-10, 32x32 in colour: 40,000 to train on, 10,000 for validation, 10,000 test.",
}


SOURCE = "Krizhevsky 2009 (CIFAR-10)"
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
FOLDER = "cifar-10-batches-bin"
ARCHIVE = Remote(
    "cifar-10-binary.tar.gz",
    ("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",),
    "sha256:c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
)
#: digests of the unpacked batches, the last of which is the test split
BATCHES = {
    "data_batch_1.bin": "sha1:aadd24acce27caa71bf4b10992e9e7b2d74c2540",
    "data_batch_2.bin": "sha1:c0ba65cce70568cd57b4e03e9ac8d2a5367c1795",
    "data_batch_3.bin": "sha1:1dd00a74ab1d17a6e7d73e185b69dbf31242f295",
    "data_batch_4.bin": "sha1:aab85764eb3584312d3c7f65fd2fd016e36a258e",
    "data_batch_5.bin": "sha1:26e2849e66a845b7f1e4614ae70f4889ae604628",
    "test_batch.bin": "sha1:67eb016db431130d61cd03c7ad570b013799c88c",
}
SHAPE = (3, 32, 32)
#: images of a batch, and training images that are held out
COUNT, VALIDATION = 10_000, 10_000


def load(name: str, root: Path, unverified: bool = False) -> DataSet:
    """CIFAR-10; the last training batch is the validation split.

    Args:
        name: Name of the set, `cifar10`.
        root: Where the batches lie: cifar-10-batches-bin/ or the archive, which is downloaded where neither is there.
        unverified: Whether to let in files whose checksum is not the publisher's.

    Returns:
        Data set (40,000 + 10,000 + 10,000, 3, 32, 32): train, validation and test.

    Raises:
        OtbenchError: Where a file is damaged or not the publisher's.
        WorkFailed: Where the download fails.
    """
    checksums = Checksums(unverified)
    size = COUNT * (1 + int(np.prod(SHAPE)))
    folder = root / FOLDER
    if folder.is_dir():
        where = folder
        contents = {file: read(folder / file, size) for file in BATCHES}
    else:
        where = fetch(ARCHIVE, root)
        members = read_tar(where, [f"{FOLDER}/{file}" for file in BATCHES], size)
        contents = {file: members[f"{FOLDER}/{file}"] for file in BATCHES}
    batches = []
    for file, content in contents.items():
        checksums.check(where / file, content, BATCHES[file])
        batches.append(_batch(where / file, content))
    *train, test = batches
    images, labels = map(np.concatenate, zip(*train, strict=True))
    return DataSet(
        name=name,
        title="CIFAR-10",
        source=SOURCE + checksums.note,
        classes=CLASSES,
        **carved((images, labels), test, VALIDATION),
    )


def _batch(path: Path, content: bytes) -> Labelled:
    """Images (n, 3, 32, 32) and labels (n,) of one batch: a label byte, then the planes red, green, blue, per image."""
    rows = np.frombuffer(content, np.uint8).reshape(-1, 1 + int(np.prod(SHAPE)))
    if rows[:, 0].max() >= len(CLASSES):
        raise OtbenchError(f"{path}: expected labels from 0 to {len(CLASSES) - 1}, found {rows[:, 0].max()}")
    return rows[:, 1:].reshape(-1, *SHAPE), rows[:, 0]
