"""Runs of one config from several machines as one run: the verb `merge`.

The runs may differ in their seeds, models, data sets and studies; whatever else their configs say must be the same. A
model's seeds on a data set are taken from the runs in their order, cell by cell: what was measured on other data, in
other features, by other code or with other options than the rest is refused with the reason, and what a run was asked
for and no run has counts as missing.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from otbench.config.run import Run
from otbench.data.samples import read_samples, write_samples
from otbench.errors import OtbenchError
from otbench.metrics.table import read_table, write_curves, write_table
from otbench.runs import stale
from otbench.runs.check import checked, read
from otbench.runs.gather import gather
from otbench.runs.layout import Layout, layout
from otbench.training.join import join
from otbench.utils.arrays import read_npz
from otbench.utils.files import write_json
from otbench.utils.records import read_record, write_record

#: keys of a config that say where a run lies and what it is called
PLACES = ("run", "results", "allow", "data_root", "published", "reference", "device", "together", "seeds_per_job")
#: keys whose lists are joined
JOINED = ("datasets", "models", "seeds")


@dataclass
class Merged:
    """What became of the cells.

    Attributes:
        cells: number of cells (data set, model, seed) that were taken.
        refused: sentences about those that were not.
        summary: content of the merged run.json.
    """

    cells: int = 0
    refused: list[str] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Part:
    """One of the runs: its files, and its config as if it lay in its folder."""

    folder: Path
    run: Run

    @property
    def at(self) -> Layout:
        """Its paths."""
        return Layout(self.folder)


def merge(folders: list[Path], out: Path) -> Merged:
    """Join runs into one, and gather it.

    Args:
        folders: Folders of the runs.
        out: Folder of the merged run, which must not exist.

    Returns:
        What became of the cells.

    Raises:
        OtbenchError: Where there are fewer than two runs, one has no config, their configs differ in more than seeds,
            models and data sets, or `out` exists.
    """
    if len(folders) < 2:
        raise OtbenchError("merge: expected at least two folders of runs")
    if out.exists():
        raise OtbenchError(f"merge: {out} exists already, expected the name of a new folder")
    parts = [Part(folder, _config(folder)) for folder in folders]
    values = merged_config(parts) | {"run": out.name, "results": str(out.parent)}
    run, merged = checked(values, "merge", options=False), Merged()
    merged.refused += _shared(parts, run)
    for dataset, model in run.measured:
        _take(parts, run, dataset, model, merged)
    write_json(layout(run).config, run.model_dump(mode="json"))
    merged.summary = gather(run)
    for row in merged.summary["stale"]:
        merged.refused.append(f"{row['dataset']}/{row['model']}: {row['message']}")
    return merged


def _config(folder: Path) -> Run:
    path = Layout(folder).config
    if not path.is_file():
        raise OtbenchError(f"merge: {folder} has no config.json, expected the folder of a run")
    return read(path)


def merged_config(parts: list[Part]) -> dict[str, Any]:
    """The config that asks for what all the runs ask for.

    Args:
        parts: The runs.

    Returns:
        Its values by key.

    Raises:
        OtbenchError: Where two configs differ in more than seeds, models and data sets; the message names the key.
    """
    first, *others = [part.run.model_dump(mode="json") for part in parts]
    _seeds_to_studies(first)
    for other, part in zip(others, parts[1:], strict=True):
        _seeds_to_studies(other)
        _same(first, other, parts[0].folder, part.folder, skip=(*PLACES, "studies", "theory", "seeds"))
        first["seeds"] = sorted({*first["seeds"], *other["seeds"]})
        first["theory"] = (first["theory"] or {}) | (other["theory"] or {}) or None
        for name, study in other["studies"].items():
            mine = first["studies"].get(name)
            if study is None or mine is None:
                first["studies"][name] = mine or study
                continue
            _same(mine, study, parts[0].folder, part.folder, (*JOINED, "guests", "tuned"), f"studies.{name}.")
            for key in JOINED:
                joined = dict.fromkeys([*mine[key], *study[key]])
                mine[key] = sorted(joined) if key == "seeds" else list(joined)
            for key in ("guests", "tuned"):
                mine[key] = mine[key] | study[key]
    return first


def _seeds_to_studies(config: dict[str, Any]) -> None:
    """Say the seeds of every study in the study, so that those of another run do not change them."""
    for study in config["studies"].values():
        if study is not None:
            study["seeds"] = study["seeds"] or config["seeds"]


def _same(
    mine: dict[str, Any], other: dict[str, Any], here: Path, there: Path, skip: tuple[str, ...], start: str = ""
) -> None:
    for key, value in mine.items():
        if key not in skip and other.get(key) != value:
            raise OtbenchError(
                f"merge: {start}{key} is {_short(value)} in {here} and {_short(other.get(key))} in {there}, expected"
                " runs that differ in their seeds, models and data sets alone"
            )


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _shared(parts: list[Part], run: Run) -> list[str]:
    """Copy data sets, features and studies of the theory, each from the first run that has it."""
    for dataset in run.datasets:
        for kind in ("data", "feature_info"):
            source = next((p for part in parts if (p := getattr(part.at, kind)(dataset)).exists()), None)
            if source is not None and kind == "data":
                _copy(source, layout(run).data(dataset))
            elif source is not None:
                shutil.copytree(source.parent, layout(run).features(dataset))
    for name in run.theories:
        for part in parts:
            if part.at.theory(name).exists() and not layout(run).theory(name).exists():
                _copy(part.at.theory(name), layout(run).theory(name))
    absent = [name for name in run.datasets if not layout(run).data(name).exists()]
    return [f"{name}: no run has the data set, so that nothing of it counts" for name in absent]


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _take(parts: list[Part], run: Run, dataset: str, model: str, merged: Merged) -> None:
    """Take a model's seeds on a data set from the runs that have them, and write them as one job would."""
    from otbench.data import load

    data = layout(run).data(dataset)
    if not data.exists():
        return
    digest, taken, chosen = load(str(data)).digest(), set(), []
    for part in parts:
        if not part.at.metrics(dataset, model).exists():
            continue
        where = f"{part.folder}: {dataset}/{model}"
        record = read_record(part.at.metrics(dataset, model))
        reason = _unfit(record, digest, chosen)
        if reason:
            merged.refused.append(f"{where}: {reason}")
            continue
        assert record is not None
        seeds = {cell["seed"] for cell in record["samples"]["cells"]} & set(run.seeds_measured(dataset, model))
        for seed in sorted(seeds & taken):
            merged.refused.append(f"{where}/{seed}: {chosen[0][0].folder} or a later run has this cell already")
        if seeds - taken:
            chosen.append((part, record, sorted(seeds - taken)))
            taken |= seeds
    if chosen:
        _write(chosen, run, dataset, model)
        merged.cells += len(taken)


Chosen = list[tuple[Part, dict[str, Any], list[int]]]
"""Runs that cells are taken from, the record of the table of each, and the seeds."""


def _unfit(record: dict[str, Any] | None, digest: str, chosen: Chosen) -> str:
    """Why cells cannot stand beside those of the runs before; empty where they can."""
    if record is None or not record.get("samples"):
        return stale.NO_RECORD
    if record["samples"].get("data") != digest:
        return f"its data have digest {record['samples'].get('data')}, expected {digest} as in the other runs"
    for _, first, _ in chosen[:1]:
        pairs = [(name, first.get(name), record.get(name)) for name in ("measure_version", "features", "rulers")]
        names = ("fit_version", "asked", "drawn")
        pairs += [(name, first["samples"].get(name), record["samples"].get(name)) for name in names]
        for name, was, now in pairs:
            if _without_device(was) != _without_device(now):
                return f"{name.replace('_', ' ')} is {_short(now)}, expected {_short(was)} as in the other runs"
    return ""


def _without_device(value: Any) -> Any:
    return {k: v for k, v in value.items() if k != "device"} if isinstance(value, dict) else value


def _write(chosen: Chosen, run: Run, dataset: str, model: str) -> None:
    """Write fit, samples, table, curves and record of a model's seeds."""
    at, folders = layout(run), [part.at.fit(dataset, model) for part, _, _ in chosen]
    if all((folder / "weights.safetensors").exists() for folder in folders) and _whole(chosen, folders):
        join(folders, at.fit(dataset, model))
    elif (folders[0] / "fit.json").exists():  # of a part of its seeds, or without weights: what it says stays
        _copy(folders[0] / "fit.json", at.fit_summary(dataset, model))
    samples = [
        (read_samples(part.at.samples(dataset, model)), seeds)
        for part, _, seeds in chosen
        if part.at.samples(dataset, model).exists()
    ]
    if samples:
        rows = [np.isin(file.seed, seeds) for file, seeds in samples]
        info = dict(samples[0][0].info or {})
        info["cells"] = [
            cell for file, seeds in samples for cell in (file.info or {}).get("cells", []) if cell["seed"] in seeds
        ]
        drawn, seed, snapshot = (
            np.concatenate([getattr(file, key)[keep] for (file, _), keep in zip(samples, rows, strict=True)])
            for key in ("samples", "seed", "snapshot")
        )
        back = {
            seed: images for file, seeds in samples for seed, images in file.reconstructions.items() if seed in seeds
        }
        write_samples(at.samples(dataset, model), drawn, seed, snapshot, info, back or None)
    tables = []
    for part, _, seeds in chosen:
        table = read_table(part.at.metrics(dataset, model))
        tables.append(table[table["seed"].isin(seeds)].assign(run=run.run))
    target = at.metrics(dataset, model)
    write_table(pd.concat(tables, ignore_index=True), target)
    curves: dict[str, np.ndarray] = {}
    for part, _, seeds in chosen:
        if part.at.curves(dataset, model).exists():
            arrays_of = read_npz(part.at.curves(dataset, model))
            curves |= {key: value for key, value in arrays_of.items() if int(key.split("/")[-2]) in seeds}
    write_curves(curves, at.curves(dataset, model))
    first = chosen[0][1]
    cells = [cell for _, record, seeds in chosen for cell in record["samples"]["cells"] if cell["seed"] in seeds]
    record = {key: value for key, value in first.items() if key != "sha256"}
    write_record(target, record | {"run": run.run, "samples": first["samples"] | {"cells": cells}})


def _whole(chosen: Chosen, folders: list[Path]) -> bool:
    """Whether every fit is taken with all of its seeds, as fits are joined whole."""
    from otbench.training.summary import read_summary

    return all(
        sorted(read_summary(folder)["seeds"]) == seeds for folder, (_, _, seeds) in zip(folders, chosen, strict=True)
    )
