"""Packing of the queue's complete cells into the reference results, a row at a time.

A row is a model on a data set. All its seeds are of one config, one code of its training and one way of measuring.
The queue's seeds of a row replace those in the reference where these are of another making and no more; seeds of the
same making are put together.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from otbench.config.queue import Cell, Queue
from otbench.data import load
from otbench.data.samples import read_samples
from otbench.errors import OtbenchError
from otbench.metrics.table import COLUMNS, check_table, read_table, write_table
from otbench.provenance import digest
from otbench.runs import arrays
from otbench.runs.gather import KEY, describe, missing
from otbench.runs.queue import done
from otbench.utils.arrays import read_npz
from otbench.utils.files import atomic_write, read_json, write_json

MADE = ("config_hash", "fit_version", "measure_version")
"""Keys of cell.json that the seeds of a row share."""
VARIANTS = "variants.parquet"
#: most bytes of the weights of a row
WEIGHTS = 4 * 2**20

Row = tuple[str, str]


def pack(queue: Queue) -> list[str]:
    """Write what is complete into the folder of the reference results.

    metrics.parquet, run.json, scatter.npz, curves.npz (precision and recall), weights/, and variants.parquet, the rows
    of variants with a column `variant` more, which never join those of the papers' values. Each file is written whole
    or not at all; a call that was stopped is made again.

    Args:
        queue: The queue.

    Returns:
        What was done, a line a row.

    Raises:
        OtbenchError: Nothing is complete, or a file is damaged.
    """
    chosen = _of_one_making(queue)
    if not chosen:
        raise OtbenchError(f"{queue.work}: no cell of the queue is complete yet, so there is nothing to pack")
    folder = queue.reference
    before = read_json(folder / "run.json") if (folder / "run.json").exists() else {}
    table = read_table(folder / "metrics.parquet") if before else pd.DataFrame(columns=list(COLUMNS))
    plain = {row: cells for row, cells in chosen.items() if not cells[0].part.variant}
    packed, lines = {}, []
    for row, cells in plain.items():
        there, same = _there(table, before, row, cells, queue)
        if not same and len(there) > len(cells):
            lines.append(f"{'/'.join(row)}: {len(there)} seeds of another making stay, as the queue has {len(cells)}")
            continue
        replaced = {cell.seed for cell in cells} | (set() if same else there)
        of_row = (table["dataset"] == row[0]) & (table["model"] == row[1])
        table = table[~(of_row & table["seed"].isin(replaced))]
        packed[row] = cells
        lines.append(f"{'/'.join(row)}: seed {', '.join(str(cell.seed) for cell in cells)}")
    if packed:
        _write_run(queue, packed, table, before)
        _write_pictures(queue, packed)
        lines += [line for row, cells in packed.items() if (line := _write_weights(queue, row, cells[0]))]
    variants = [cell for cells in chosen.values() for cell in cells if cell.part.variant]
    if variants:
        _write_variants(queue, variants)
        lines += [f"{cell.name}: variant" for cell in variants]
    return lines


def _of_one_making(queue: Queue) -> dict[Row, list[Cell]]:
    """Complete cells of every row (data set and model with its variant), of the making that most seeds share."""
    rows: dict[Row, dict[tuple, list[Cell]]] = defaultdict(lambda: defaultdict(list))
    for cell in queue.cells:
        if (about := done(queue, cell)) is not None:
            rows[cell.dataset, cell.row][tuple(about[key] for key in MADE)].append(cell)
    best = {row: max(groups.values(), key=len) for row, groups in rows.items()}
    return {row: sorted(cells, key=lambda cell: cell.seed) for row, cells in best.items()}


def _there(table: pd.DataFrame, before: dict, row: Row, cells: list[Cell], queue: Queue) -> tuple[set[int], bool]:
    """Seeds of a row that are in the reference and measured; and whether they are made as these cells."""
    rows = table[(table["dataset"] == row[0]) & (table["model"] == row[1]) & (table["status"] != "missing")]
    there = set(rows["seed"])
    about = done(queue, cells[0]) or {}
    made = before.get("made", {})
    records = [made.get(f"{row[0]}/{row[1]}/{seed}", {}) for seed in there]
    return there, all(record.get(key) == about[key] for record in records for key in MADE)


def _write_run(queue: Queue, packed: dict[Row, list[Cell]], kept: pd.DataFrame, before: dict[str, Any]) -> None:
    """Write metrics.parquet and run.json."""
    run = queue.run()
    assert run is not None  # a row without a variant is packed
    data = {name: load(str(path)) for name in run.datasets if (path := queue.work / "data" / f"{name}.npz").exists()}
    fresh = [read_table(cell.folder(queue.work) / "metrics.csv") for cells in packed.values() for cell in cells]
    present = {tuple(key) for key in kept[kept["status"] != "missing"][KEY[:3]].to_numpy()}
    table = pd.concat([part for part in (kept, *fresh) if len(part)], ignore_index=True)
    lacking = missing(run, table, data).assign(run=queue.reference.name)
    table = pd.concat([part for part in (table, lacking) if len(part)], ignore_index=True)
    table = check_table(table.sort_values(KEY, kind="stable").reset_index(drop=True), str(queue.reference))
    fits = {row: read_json(cells[0].folder(queue.work) / "fit" / "fit.json") for row, cells in packed.items()}
    made = {name: record for name, record in before.get("made", {}).items() if tuple(_key(name)) in present}
    for cell in (cell for cells in packed.values() for cell in cells):
        made[cell.name] = done(queue, cell)
    summary = _merged(before, describe(run, data, fits), set(packed), queue.reference.name) | {"made": made}
    write_table(table, queue.reference / "metrics.parquet")
    write_json(queue.reference / "run.json", summary)


def _key(name: str) -> tuple[str, str, int]:
    dataset, model, seed = name.split("/")
    return dataset, model, int(seed)


def _merged(before: dict[str, Any], now: dict[str, Any], packed: set[Row], name: str) -> dict[str, Any]:
    """run.json of the reference with what the queue adds; what is said of rows that are not packed stays."""
    if not before:
        return now | {"run": name}
    studies = before.get("studies") or {"mode-collapse": {key: before.get(key) for key in ("budget", "snapshots")}}
    merged = now | before
    merged["studies"] = {key: studies.get(key, {}) | entry for key, entry in now["studies"].items()} | {
        key: entry for key, entry in studies.items() if key not in now["studies"]
    }
    for key, entry in now["studies"].items():
        old = studies.get(key, {})
        models = old.get("models") or (list(before["models"]) if key in studies else [])
        merged["studies"][key]["models"] = list(dict.fromkeys([*models, *entry["models"]]))
        seeds = (old.get("seeds") or before["seeds"]) if old else []
        merged["studies"][key]["seeds"] = sorted({*seeds, *(entry["seeds"] or now["seeds"])})
    models = dict(before["models"])
    for model, entry in now["models"].items():
        old = models.get(model)
        parts = dict((old or {}).get("by_study") or ({"mode-collapse": old} if old else {}))
        for study, about in entry["by_study"].items():
            if study not in parts or any((dataset, model) in packed for dataset in about["paper_steps"]):
                parts[study] = about
        models[model] = (old or entry) | next(iter(parts.values())) | {"by_study": parts}
    merged["models"] = models
    merged["datasets"] = before["datasets"] | now["datasets"]
    merged["expected"] = [list(cell) for cell in dict.fromkeys(map(tuple, [*before["expected"], *now["expected"]]))]
    config = before["config"] | {"studies": dict(before["config"].get("studies") or {})}
    for key, section in now["config"]["studies"].items():
        config["studies"][key] = config["studies"].get(key) or section
    return merged | {"config": config, "config_hash": digest(config), "finished": now["finished"]}


def _write_pictures(queue: Queue, packed: dict[Row, list[Cell]]) -> None:
    """Write scatter.npz, the points of every row's first seed, and curves.npz of all seeds."""
    folder = queue.reference
    scatter, curves = (_read(folder / name) for name in ("scatter.npz", "curves.npz"))
    for (dataset, model), cells in packed.items():
        first = cells[0].folder(queue.work)
        if cells[0].part.study == "mode-collapse":
            data = load(str(queue.work / "data" / f"{dataset}.npz"))
            scatter[f"{dataset}/{arrays.REAL}"] = data.held_out[: arrays.POINTS]
            file = read_samples(first / "samples.npz")
            rows = np.isclose(file.snapshot, 1.0)
            scatter[f"{dataset}/{model}"] = file.samples[rows][: arrays.POINTS].astype(np.float32)
        curves = {key: curve for key, curve in curves.items() if not key.startswith(f"{dataset}/{model}/")}
        for cell in cells:
            for key, curve in _read(cell.folder(queue.work) / "curves.npz").items():
                curves[f"{dataset}/{model}/{key}"] = curve.astype(np.float32)
    arrays.save(folder / "scatter.npz", scatter)
    arrays.save(folder / "curves.npz", curves)


def _read(path: Path) -> dict[str, np.ndarray]:
    return dict(read_npz(path)) if path.exists() else {}


def _write_weights(queue: Queue, row: Row, cell: Cell) -> str | None:
    """Write the last weights of a row's first seed in half precision; returns a sentence where they are left out."""
    import torch
    from safetensors.torch import load_file, save

    target, start = queue.reference / "weights" / row[0] / f"{row[1]}.safetensors", f"{cell.seed}/1/"
    weights = load_file(cell.folder(queue.work) / "fit" / "weights.safetensors")
    last = {name.removeprefix(start): tensor for name, tensor in weights.items() if name.startswith(start)}
    half = {name: tensor.to(torch.float16) if tensor.is_floating_point() else tensor for name, tensor in last.items()}
    about = done(queue, cell) or {}
    content = save(half, {key: str(about[key]) for key in ("code_version", "config_hash", "seed", "steps")})
    finite = all(bool(tensor.isfinite().all()) for tensor in half.values() if tensor.is_floating_point())
    if not half or not finite or len(content) > WEIGHTS:
        target.unlink(missing_ok=True)
        why = (
            "there are none" if not half else f"{len(content) / 2**20:.1f} MiB" if finite else "half does not hold them"
        )
        return f"{cell.name}: weights left out ({why})"
    with atomic_write(target) as path:
        path.write_bytes(content)
    return None


def _write_variants(queue: Queue, cells: list[Cell]) -> None:
    """Write the rows of variants in place of those of the same variant, data set and model."""
    path = queue.reference / VARIANTS
    tables = [
        read_table(cell.folder(queue.work) / "metrics.csv").assign(
            variant=cell.part.variant, fit_version=about["fit_version"]
        )
        for cell in cells
        if (about := done(queue, cell)) is not None
    ]
    fresh, names = pd.concat(tables, ignore_index=True), ["variant", "dataset", "model"]
    if path.exists():
        old = pd.read_parquet(path)
        again = set(fresh[names].itertuples(index=False, name=None))
        others = [key not in again for key in old[names].itertuples(index=False, name=None)]
        fresh = pd.concat([old[others], fresh], ignore_index=True)
    with atomic_write(path) as temporary:
        fresh.to_parquet(temporary, index=False)
