"""Arrays of a run's figures: points, images, curves and the latent study, one `.npz` each.

A report needs only these and the tidy table, so that it can be rendered again where the samples are gone.
"""

from __future__ import annotations

from collections.abc import Container
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from otbench.config.run import Run
from otbench.data.base import DataSet
from otbench.data.samples import as_bytes, read_samples
from otbench.errors import OtbenchError
from otbench.runs.formats import REAL, RECONSTRUCTION, REFERENCE
from otbench.runs.layout import layout
from otbench.utils.arrays import read_npz
from otbench.utils.files import atomic_write

#: points of each model in a scatter figure
POINTS = 2500
#: images of a contact sheet, ten by ten
IMAGES = 100

Arrays = dict[str, np.ndarray]


def write(run: Run, data: dict[str, DataSet], table: pd.DataFrame, outdated: Container[Path] = ()) -> None:
    """Write scatter.npz, gallery.npz, curves.npz and latent.npz of a run into its folder, each whole or not at all.

    Args:
        run: The run.
        data: Data sets by name.
        table: Tidy table of the run, which says the cells that are ok.
        outdated: Files of the run that are not what its config asks for; nothing of them is shown.

    Raises:
        OtbenchError: A file cannot be read.
    """
    ok = table[table["status"] == "ok"]
    cells = set(ok[["dataset", "model", "seed", "snapshot"]].drop_duplicates().itertuples(index=False, name=None))
    scatter: Arrays = {}
    gallery: Arrays = {}
    for name, values in data.items():
        arrays = scatter if values.kind == "points" else gallery
        arrays |= _real(name, values)
        for model in (*run.section(name).models_on(name), *run.section(name).guests_on(name)):
            path = layout(run).samples(name, model)
            ok_cells = {(seed, mark) for dataset, who, seed, mark in cells if (dataset, who) == (name, model)}
            if path.exists() and path not in outdated and ok_cells:
                arrays |= (
                    _points(path, name, model, ok_cells)
                    if values.kind == "points"
                    else _images(path, name, model, ok_cells)
                )
    save(run.folder / "scatter.npz", scatter)
    save(run.folder / "gallery.npz", gallery)
    at = layout(run)
    measured = [pair for pair in run.measured if at.metrics(*pair) not in outdated]
    save(run.folder / "curves.npz", _collected(run.folder / "metrics", measured, ".curves.npz"))
    latent = [(dataset,) for dataset in run.datasets if at.latent(dataset) not in outdated]
    save(run.folder / "latent.npz", _collected(run.folder / "studies" / "latent", latent, ".npz"))


def _real(name: str, values: DataSet) -> Arrays:
    if values.kind == "points":
        return {f"{name}/{REAL}": values.held_out[:POINTS]}
    return {f"{name}/{REAL}": values.held_out[:IMAGES], f"{name}/{REFERENCE}": values.reference[:IMAGES]}


def _points(path: Path, name: str, model: str, shown: set[tuple[int, float]]) -> Arrays:
    """Points of the model's first seed at its last snapshot."""
    file = read_samples(path)
    rows = (file.seed == min(seed for seed, _ in shown)) & np.isclose(file.snapshot, max(mark for _, mark in shown))
    return {f"{name}/{model}": file.samples[rows][:POINTS].astype(np.float32)}


def _images(path: Path, name: str, model: str, shown: set[tuple[int, float]]) -> Arrays:
    """The first images of every seed and snapshot, and the first seed's reconstructions."""
    file = read_samples(path)
    images: Arrays = {}
    for seed, mark in sorted(shown):
        rows = np.flatnonzero((file.seed == seed) & np.isclose(file.snapshot, mark))[:IMAGES]
        images[f"{name}/{model}/{seed}/{mark:g}"] = as_bytes(file.samples[rows])
    if file.reconstructions:
        images[f"{name}/{model}/{RECONSTRUCTION}"] = file.reconstructions[min(file.reconstructions)][:IMAGES]
    return images


def _collected(folder: Path, names: list[tuple[str, ...]], suffix: str) -> Arrays:
    """The arrays of many files, each under its file's name."""
    arrays: Arrays = {}
    for name in names:
        path = folder.joinpath(*name[:-1], name[-1] + suffix)
        if path.exists():
            arrays |= {"/".join((*name, key)): value for key, value in read_npz(path).items()}
    return arrays


def save(path: Path, arrays: dict[str, Any]) -> None:
    """Write arrays of numbers or text to an .npz, whole or not at all.

    Args:
        path: Where the arrays go, .npz.
        arrays: Arrays of any shape by name.

    Raises:
        OtbenchError: An array holds Python objects.
    """
    if wrong := [key for key, value in arrays.items() if value.dtype.hasobject]:
        raise OtbenchError(f"{path}: array {wrong[0]} holds Python objects, expected numbers or text")
    with atomic_write(path) as temporary, open(temporary, "wb") as file:
        np.savez_compressed(file, **arrays)
