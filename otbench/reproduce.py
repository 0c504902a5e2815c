"""One cell of a run again, alone, and whether it comes out as it did: what the verb `reproduce` does.

A cell here is one seed of one model on one data set, at all its snapshots. It is trained, drawn from and measured as
the workflow does it (`provenance.planned`), from the run's own data and features, in one process with one thread. On a
CPU that gives the same bits where code, versions and processor are the same. Elsewhere the question is whether the
values lie where those of a new seed of the model would.
"""

from __future__ import annotations

import importlib
import math
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from otbench.errors import OtbenchError
from otbench.files import read_json, write_json
from otbench.metrics.registry import COSTS
from otbench.provenance import cell as provenance_of
from otbench.warm import MODULES

if TYPE_CHECKING:
    import pandas

    from otbench.config import Run
    from otbench.data.base import DataSet
    from otbench.metrics.samples import SampleFile

LEVEL = 0.95
"""Probability with which a new seed's value falls into the interval."""
KEY = ["snapshot", "metric", "protocol"]
#: verdicts on a value: the same bits; inside the interval; outside it; no interval; on one side only
EQUAL, WITHIN, OUTSIDE, DIFFERS, ABSENT = "equal", "within", "outside", "differs", "absent"


# ---------------------------------------------------------------------------------------------------- comparisons


def interval(values: np.ndarray) -> tuple[float, float] | None:
    """Where a further value of the same normal law falls with probability 0.95: the prediction interval.

    values (n,): mean -+ t_{0.975, n-1} s sqrt(1 + 1/n), s their standard deviation with n - 1 (Hahn & Meeker 1991,
    Statistical Intervals, section 4.7). None of fewer than two values, or where one is not finite.
    """
    from scipy import stats

    values = np.asarray(values, dtype=np.float64)
    if len(values) < 2 or not np.isfinite(values).all():
        return None
    half = stats.t.ppf((1 + LEVEL) / 2, len(values) - 1) * values.std(ddof=1) * math.sqrt(1 + 1 / len(values))
    return float(values.mean() - half), float(values.mean() + half)


def compare(table: pandas.DataFrame, again: pandas.DataFrame, seed: int) -> list[dict[str, Any]]:
    """Every value of a cell beside that of the run: the rows of one model's tidy tables, costs left out.

    table: the run's, with all seeds, which make the interval. again: of this seed alone. A record has snapshot,
    metric, protocol, run, again, relative (their difference, of the run's), low, high, n (seeds) and verdict.
    """
    table, again = (frame[~frame["metric"].isin(COSTS)] for frame in (table, again))
    one = table[table["seed"] == seed].set_index(KEY)
    two = again[again["seed"] == seed].set_index(KEY)
    groups = dict(iter(table[table["status"] == "ok"].groupby(KEY)["value"]))
    order = [*one.index, *(key for key in two.index if key not in one.index)]
    return [_compared(key, one, two, groups) for key in order]


def _compared(key: tuple, one: pandas.DataFrame, two: pandas.DataFrame, groups: dict) -> dict[str, Any]:
    found = [frame.loc[key, ["value", "status"]] if key in frame.index else None for frame in (one, two)]
    was, now = (math.nan if row is None else float(row["value"]) for row in found)
    values = np.asarray(groups.get(key, []), dtype=np.float64)
    limits = interval(values)
    if any(row is None for row in found):
        verdict = ABSENT
    elif found[0]["status"] == found[1]["status"] and same_bits(was, now):
        verdict = EQUAL
    elif limits is None:
        verdict = DIFFERS
    else:
        verdict = WITHIN if limits[0] <= now <= limits[1] else OUTSIDE
    relative = 0.0 if verdict == EQUAL else abs(now - was) / abs(was) if was else math.nan
    low, high = limits or (math.nan, math.nan)
    record = dict(zip(KEY, key, strict=True)) | {"run": was, "again": now, "relative": relative}
    return record | {"low": low, "high": high, "n": len(values), "verdict": verdict}


def same_bits(one: float, two: float) -> bool:
    """Whether two numbers are the same to the last bit; two that are NaN count as the same."""
    return (math.isnan(one) and math.isnan(two)) or np.float64(one).tobytes() == np.float64(two).tobytes()


def same_samples(run: SampleFile, again: SampleFile, seed: int) -> dict[str, Any]:
    """Whether the samples of a seed, and its reconstructions, are the same bytes; and how many rows differ.

    Of a run's file that holds the first samples alone these are compared.
    """
    from otbench.metrics.samples import THINNED

    one, two = (_of_seed(file, seed) for file in (run, again))
    if THINNED in (run.info or {}):  # of every snapshot the first
        kept = np.concatenate([np.flatnonzero(two[1] == mark)[: (one[1] == mark).sum()] for mark in np.unique(two[1])])
        two = two[0][kept], two[1][kept]
    if one[0].shape != two[0].shape or one[0].dtype != two[0].dtype:
        return {"equal": False, "rows": len(one[0]), "different": None}
    bits = [np.ascontiguousarray(rows).reshape(len(rows), -1).view(np.uint8) for rows, _ in (one, two)]
    different = int((bits[0] != bits[1]).any(1).sum())
    parts = [file.reconstructions.get(seed) for file in (run, again)]
    if THINNED in (run.info or {}) and parts[0] is not None and parts[1] is not None:
        parts[1] = parts[1][: len(parts[0])]
    given_back = (parts[0] is None) == (parts[1] is None) and (parts[0] is None or np.array_equal(*parts))
    equal = not different and np.array_equal(one[1], two[1]) and given_back
    return {"equal": bool(equal), "rows": len(one[0]), "different": different}


def _of_seed(file: SampleFile, seed: int) -> tuple[np.ndarray, np.ndarray]:
    chosen = np.flatnonzero(file.seed == seed)
    chosen = chosen[np.argsort(file.snapshot[chosen], kind="stable")]
    return file.samples[chosen], file.snapshot[chosen]


def differences(then: dict[str, Any], now: dict[str, Any]) -> list[dict[str, Any]]:
    """In what two fits differ that can change bits: each has what, run and here.

    Both are what fit.json holds; `machine` may be missing from older ones, and then is not compared.
    """
    pairs = [(name.replace("_", " "), then.get(name), now.get(name)) for name in ("code_version", "device")]
    pairs.append(("processor", *((side.get("machine") or {}).get("cpu") for side in (then, now))))
    pairs.append(("settings (config hash)", then.get("config_hash"), now.get("config_hash")))
    packages = [name for name in then.get("versions", {}) if name != "snakemake"]  # it computes nothing
    pairs += [(name, then["versions"][name], now.get("versions", {}).get(name)) for name in packages]
    pairs.append(("replicas trained at once", at_once(then), at_once(now)))
    return [{"what": what, "run": a, "here": b} for what, a, b in pairs if a != b and a is not None]


def at_once(fitted: dict[str, Any]) -> int:
    """How many replicas a fit trained at once, 1 on a CPU unless it was asked for more."""
    training, n = fitted.get("training", {}), len(fitted["seeds"])
    return min(n, training.get("together") or (n if str(training.get("device")).startswith("cuda") else 1))


def judge(rows: list[dict[str, Any]], samples_equal: bool, promised: bool) -> tuple[str, bool]:
    """The verdict on a cell in words, and whether it was reproduced.

    promised: whether equal bits were to be expected. Where they were, nothing less will do; else every value must be
    equal or within its interval.
    """
    found = {row["verdict"] for row in rows}
    if found <= {EQUAL} and samples_equal:
        return "bitwise equal", True
    if not found <= {EQUAL, WITHIN}:
        bad = sum(row["verdict"] not in (EQUAL, WITHIN) for row in rows)
        return f"not reproduced: {bad} of {len(rows)} values are neither equal nor within their interval", False
    kept = "every value is within its interval" if WITHIN in found else "every value is equal, but not the samples"
    return (kept, True) if not promised else (f"not bitwise equal, though it should be; {kept}", False)


# ------------------------------------------------------------------------------------------------- the work itself


def reproduce(folder: str | Path, cell: str, out: str | Path | None = None) -> dict[str, Any]:
    """Train, draw and measure one cell (`DATASET/MODEL/SEED`) of the run in `folder` again, and compare.

    out: a folder to keep fit, samples and table in; default: a temporary one. Returns what was compared: rows, samples,
    differences, costs, verdict, reproduced. Raises OtbenchError for a cell that the run has not, that is not ok there,
    or of which a file is missing.
    """
    from otbench.gather import run_of

    run = run_of(Path(folder))
    dataset, model, seed = parsed(cell)
    if out and Path(out).resolve().is_relative_to(run.folder.resolve()):
        raise OtbenchError(f"{out} is in the run's own folder, expected another to keep the cell in")
    told = provenance_of(run.folder, dataset, model, seed)
    then = _fitted(run, dataset, model)
    table, last = _table(run, dataset, model), max(told["status"])
    own = table[(table["seed"] == seed) & (table["snapshot"] == last)]
    if told["status"][last] != "ok" or not (own["status"] == "ok").any():
        state = told["status"][last] if told["status"][last] != "ok" or own.empty else own["status"].iloc[0]
        raise OtbenchError(f"{run.folder}: cell {cell} is {state}, expected one that is ok")
    with nullcontext(out) if out else tempfile.TemporaryDirectory(prefix="otbench-") as where:
        now, samples, again = _again(run, dataset, model, seed, then["training"]["device"], Path(where))
        drawn = same_samples(_samples(run, dataset, model), samples, seed)
        result = _compiled(cell, told | {"run": run.run}, then, now, table, again, drawn, seed)
        if out:
            write_json(Path(out) / "reproduce.json", finite(result))
    return result


def _compiled(cell, told, then, now, table, again, drawn, seed) -> dict[str, Any]:
    changed = differences(then, now)
    promised = not changed and str(now["training"]["device"]) == "cpu"
    rows = compare(table, again, seed)
    verdict, good = judge(rows, drawn["equal"], promised)
    return {
        "cell": cell,
        "run": told["run"],
        "commands": told["commands"],
        "differences": changed,
        "promised": promised,
        "rows": rows,
        "samples": drawn,
        "costs": [_costs(frame, seed) for frame in (table, again)],
        "verdict": verdict,
        "reproduced": good,
    }


def parsed(cell: str) -> tuple[str, str, int]:
    """Data set, model and seed of `DATASET/MODEL/SEED`; raises OtbenchError on anything else."""
    parts = cell.split("/")
    if len(parts) != 3 or not parts[2].isdecimal():
        raise OtbenchError(f"expected a cell as DATASET/MODEL/SEED, such as grid/gan/0, got '{cell}'")
    return parts[0], parts[1], int(parts[2])


def _fitted(run: Run, dataset: str, model: str) -> dict[str, Any]:
    """What fit.json says; the processor, where it does not say it, as the run was gathered on."""
    then = read_json(run.folder / "fit" / dataset / model / "fit.json")
    gathered = run.folder / "run.json"
    if "machine" not in then and gathered.exists():
        then["machine"] = read_json(gathered).get("machine")
    return then


def _table(run: Run, dataset: str, model: str) -> pandas.DataFrame:
    """What the run measured of a model: its own table, else its part of the gathered one, without people's ratings."""
    from otbench.metrics.table import read_table

    own, gathered = run.folder / "metrics" / dataset / f"{model}.csv", run.folder / "metrics.parquet"
    if own.exists() or not gathered.exists():
        return read_table(own)
    table = read_table(gathered)
    ours = (table["dataset"] == dataset) & (table["model"] == model) & ~table["protocol"].str.startswith("rated=")
    return table[ours].reset_index(drop=True)


def _samples(run: Run, dataset: str, model: str) -> SampleFile:
    from otbench.metrics.samples import read_samples

    return read_samples(run.folder / "samples" / dataset / f"{model}.npz")


def _again(
    run: Run, dataset: str, model: str, seed: int, device: str, out: Path
) -> tuple[dict[str, Any], SampleFile, pandas.DataFrame]:
    """fit.json's record, samples and table of one seed alone, by the steps of workflow/rules/samples.smk."""
    import torch

    from otbench.data import load
    from otbench.metrics.samples import read_samples
    from otbench.metrics.table import measure_file, write_table
    from otbench.training.draw import draw
    from otbench.training.fit import fit, prepare
    from otbench.training.trainer import Options

    if device.startswith("cuda") and not torch.cuda.is_available():
        device = "cpu"
    section, path = run.section(dataset), run.folder / "data" / f"{dataset}.npz"
    data = load(str(path))
    features = _features(run, dataset, data, device)
    training = Options(
        device, run.together, run.capture and device != "cpu", run.precision, deterministic=run.deterministic
    )
    steps, options = None if section.steps == "paper" else section.steps, section.options(model, dataset)
    with one_thread():
        _say(f"{dataset}/{model}/{seed}: training")
        marks = section.marks
        now = fit(model, data, [seed], out / "fit", steps, marks, options, training, given=str(path))
        _say(f"{dataset}/{model}/{seed}: drawing and measuring")
        draw(out / "fit", data, section.samples, out / "samples.npz")
        prepare(device)
        if data.kind == "points":  # as in a process that has trained nothing
            torch.set_flush_denormal(False)
        study = run.study_of[dataset]
        where = device if data.kind == "images" else "cpu"
        table = measure_file(
            data, out / "samples.npz", run.run, model, study=study, features=features, curves={}, device=where
        )
    write_table(table, out / "metrics.csv")
    return now, read_samples(out / "samples.npz"), table


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread for every library of linear algebra, as each job of a run has (`threads: 1`)."""
    from threadpoolctl import threadpool_limits

    for name in MODULES:  # a library that is loaded later would not know
        importlib.import_module(name)
    with threadpool_limits(1):
        yield


def _features(run: Run, dataset: str, data: DataSet, device: str) -> Any:
    if data.kind == "points":
        return None
    from otbench.features.store import open_features

    return open_features(run.folder / "features" / dataset, data, run.section(dataset).inception_weights, device)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _costs(table: pandas.DataFrame, seed: int) -> dict[str, float]:
    """Seconds, and peak memory (bytes) and energy (J) where they were measured, of the whole training of a seed."""
    last = table[(table["seed"] == seed) & (table["snapshot"] == table["snapshot"].max())]
    paid = last[last["metric"].isin(COSTS)]
    return {"seconds": float(last["seconds"].iloc[0])} | dict(
        zip(paid["metric"], paid["value"].map(float), strict=True)
    )


def finite(value: Any) -> Any:
    """The value with numbers that JSON has not written as text: `nan`, `inf`, `-inf`."""
    if isinstance(value, dict):
        return {str(name): finite(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [finite(part) for part in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
