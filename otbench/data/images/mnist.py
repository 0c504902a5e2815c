"""MNIST and Fashion-MNIST: four idx files each, downloaded where they are not there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from otbench.data.base import DataSet
from otbench.data.images.download import Remote, fetch
from otbench.data.images.idx import read_idx
from otbench.data.images.publisher import Checksums
from otbench.data.images.splits import Labelled, carved

NAMES = {
    "mnist": "MNIST, 28x28 digits: 50,000 to train on, 10,000 for validation, 10,000 test.",
    "fashion-mnist": "Fashion-MNIST, 28x28 clothes: 50,000 to train on, 10,000 for validation, 10,000 test.",
}


#: the files' names, for training and test
FILES = {"train": "train-{kind}", "test": "t10k-{kind}"}
KINDS = {"images": "images-idx3-ubyte", "labels": "labels-idx1-ubyte"}


@dataclass(frozen=True)
class IdxSet:
    """One set of the family. addresses: folders on the web; digests: file -> digest of the unpacked file."""

    title: str
    source: str
    addresses: tuple[str, ...]
    digests: dict[str, str]
    classes: tuple[str, ...]
    counts: tuple[int, int] = (60_000, 10_000)
    validation: int = 10_000
    side: int = 28


SETS = {
    "mnist": IdxSet(
        title="MNIST",
        source="LeCun, Cortes and Burges 1998 (MNIST)",
        addresses=(
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
            "http://yann.lecun.com/exdb/mnist/",
        ),
        digests={
            "train-images-idx3-ubyte": "md5:6bbc9ace898e44ae57da46a324031adb",
            "train-labels-idx1-ubyte": "md5:a25bea736e30d166cdddb491f175f624",
            "t10k-images-idx3-ubyte": "md5:2646ac647ad5339dbf082846283269ea",
            "t10k-labels-idx1-ubyte": "md5:27ae3e4e09519cfbb04c329615203637",
        },
        classes=tuple("0123456789"),
    ),
    "fashion-mnist": IdxSet(
        title="Fashion-MNIST",
        source="Xiao, Rasul and Vollgraf 2017 (Fashion-MNIST)",
        addresses=(
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        ),
        digests={
            "train-images-idx3-ubyte": "md5:f4a8712d7a061bf5bd6d2ca38dc4d50a",
            "train-labels-idx1-ubyte": "md5:9018921c3c673c538a1fc5bad174d6f9",
            "t10k-images-idx3-ubyte": "md5:8181f5470baa50b63fa0f6fddb340f0a",
            "t10k-labels-idx1-ubyte": "md5:15d484375f8d13e6eb1aabb0c3f46965",
        },
        classes=(
            "T-shirt/top",
            "trouser",
            "pullover",
            "dress",
            "coat",
            "sandal",
            "shirt",
            "sneaker",
            "bag",
            "ankle boot",
        ),
    ),
}


def load(name: str, root: Path, unverified: bool = False) -> DataSet:
    """MNIST or Fashion-MNIST; the last 10,000 training images are the validation split.

    Lucic et al.'s epochs count 50,000 images too.

    Args:
        name: Name of the set, `mnist` or `fashion-mnist`.
        root: Folder whose folder `name` holds the files, which are downloaded where they are not there.
        unverified: Whether to let in files whose checksum is not the publisher's.

    Returns:
        Data set (50,000 + 10,000 + 10,000, 1, 28, 28): train, validation and test.

    Raises:
        OtbenchError: Where a file is damaged or not the publisher's.
        WorkFailed: Where a download fails.
    """
    return assemble(name, SETS[name], root, unverified)


def assemble(name: str, known: IdxSet, root: Path, unverified: bool = False) -> DataSet:
    """A data set of the family from its files, packed or not.

    Args:
        name: Name of the data set, and of the folder below `root` that holds its files.
        known: Description of the set.
        root: Folder that the files lie below; they are downloaded where they are not there.
        unverified: Whether to let in files whose checksum is not the publisher's.

    Returns:
        The data set.

    Raises:
        OtbenchError: Where a file is damaged or not the publisher's.
        WorkFailed: Where a download fails.
    """
    checksums = Checksums(unverified)
    splits: dict[str, Labelled] = {}
    for (split, pattern), count in zip(FILES.items(), known.counts, strict=True):
        files = {kind: pattern.format(kind=suffix) for kind, suffix in KINDS.items()}
        paths = {kind: _located(name, known, file, root) for kind, file in files.items()}
        shapes = {"images": (count, known.side, known.side), "labels": (count,)}
        arrays = {kind: read_idx(paths[kind], shapes[kind], known.digests[files[kind]], checksums) for kind in KINDS}
        splits[split] = arrays["images"][:, None], arrays["labels"]
    return DataSet(
        name=name,
        title=known.title,
        source=known.source + checksums.note,
        classes=known.classes,
        **carved(splits["train"], splits["test"], known.validation),
    )


def _located(name: str, known: IdxSet, file: str, root: Path) -> Path:
    plain = root / name / file
    if plain.exists():
        return plain
    packed = f"{file}.gz"
    addresses = tuple(address + packed for address in known.addresses)
    return fetch(Remote(f"{name}/{packed}", addresses, known.digests[file], packed=True), root)
