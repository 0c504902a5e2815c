"""Sets of images: one file a set or family, which reads the publisher's files and makes a `DataSet`."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from otbench.data.base import DataSet
from otbench.data.names import FOLDER, IMAGES

#: the module that makes each set, where it is not called as the set is
MODULES = {
    "fashion-mnist": "mnist",
    "cifar10": "cifar",
    "celeba-140": "celeba",
    "stacked-mnist": "stacked",
    "stacked-digits": "stacked",
}


def make(name: str, root: Path, unverified: bool = False) -> DataSet:
    """The set of images called `name` (one of `names.IMAGES`, or folder:PATH) from the files under `root`, not checked.

    unverified: let in files whose checksum is not the publisher's. Raises OtbenchError as `otbench.data.load` says.
    """
    if name.startswith(FOLDER):
        from otbench.data.images.folder import load

        return load(name.removeprefix(FOLDER))
    assert name in IMAGES
    maker: Callable[[str, Path, bool], DataSet] = import_module(f"{__name__}.{MODULES.get(name, name)}").load
    return maker(name, root, unverified)
