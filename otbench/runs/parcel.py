"""Parcels: the folder of a manifest and of parts that carries files of a run between machines.

The parts, one after another, are a tar file (`cat part-*.tar.xz | tar xJ`); manifest.json says what they are. Packing
is in `archive`, unpacking in `unpack`.
"""

from __future__ import annotations

import json
import os
import re
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Any

import numpy as np

from otbench.config.run import Run
from otbench.data.samples import THINNED
from otbench.errors import OtbenchError
from otbench.utils.arrays import DAMAGED
from otbench.utils.files import read_object

MANIFEST = "manifest.json"
FORMAT = "otbench-slice-2"
TEXTS = ("run", "code_version", "measure_version")
#: a part's place and the beginning of its checksum: a parcel is written beside the one before and never over it
PART = r"part-\d\d+-[0-9a-f]{12}\.tar\.xz"
PARTS = "part-*.tar.xz"
#: subfolders of a run's folder that travel, and Snakemake's records of them
FOLDERS = ("metrics", "samples", "spread", "search", "studies", "theory", "ratings", "features", "fit")
RECORDS = ".snakemake"
FIT = ("fit.json", "losses.csv")
WEIGHTS = "weights.safetensors"


def check_folder(run: Run, folder: Path) -> dict[str, Any] | None:
    """Manifest of a folder, checked.

    Args:
        run: The run that the folder must belong to.
        folder: Folder of parts.

    Returns:
        Content of manifest.json; None where nothing was packed yet.

    Raises:
        OtbenchError: The manifest is damaged, of another run, or missing beside parts.
    """
    path = folder / MANIFEST
    if not path.exists():
        if any(folder.glob(PARTS)):
            raise OtbenchError(
                f"{folder} holds parts, but no {MANIFEST}; expected all that `otbench slice` wrote, or an empty folder"
            )
        return None
    manifest = read_object(path, what="what `otbench slice` writes")
    try:
        good = manifest["format"] == FORMAT and all(isinstance(manifest[name], str) for name in TEXTS)
        good &= all(re.fullmatch(PART, part["name"]) and part["sha256"] for part in manifest["parts"])
    except (KeyError, TypeError):
        good = False
    if not good:
        raise OtbenchError(f"{path}: expected what `otbench slice` writes, in format {FORMAT}")
    if manifest["run"] != run.run:
        raise OtbenchError(f"{folder} holds run {manifest['run']}, expected {run.run}: one folder for each run")
    return manifest


def record_path(path: str, kind: str) -> Path:
    """Path of Snakemake's record of a file: the file's path in base64, cut where a file's name must end.

    Args:
        path: The file, as the workflow names it.
        kind: Folder of the records, `metadata` or `incomplete`.

    Returns:
        Path in RECORDS.
    """
    name, most = urlsafe_b64encode(path.encode()).decode(), os.pathconf(".", "PC_NAME_MAX") - 1
    cut = [name[start : start + most] for start in range(0, len(name), most)]
    return Path(RECORDS, kind, *(f"@{part}" for part in cut[:-1]), cut[-1])


def thinned_under(samples: Path) -> str | None:
    """Version of the measuring under which a samples file was thinned.

    Args:
        samples: Where the samples lie, .npz.

    Returns:
        The version; None where the file holds all samples.
    """
    try:
        with np.load(samples, allow_pickle=False) as file:
            version = json.loads(str(file["info"])).get(THINNED)
    except (*DAMAGED, TypeError, RecursionError):  # what is no samples file is refused by those that read the samples
        return None
    return None if version is None else str(version)
