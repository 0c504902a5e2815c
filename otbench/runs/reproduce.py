"""Reproduction of one cell of a run, and its comparison with the run: the verb `reproduce`.

A cell here is one seed of one model on one data set, at all its snapshots. It is trained, drawn from and measured as
the workflow does it (`cells.planned`), from the run's own data and features, in one process with one thread. On a
CPU that gives the same bits where code, versions and processor are the same. Elsewhere the question is whether the
values lie where those of a new seed of the model would.
"""

from __future__ import annotations

import math
import re
import tempfile
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from otbench.data.samples import read_info
from otbench.errors import OtbenchError, WorkFailed
from otbench.metrics.cost import COSTS
from otbench.runs import stale
from otbench.runs.cells import cell as provenance_of
from otbench.runs.differences import at_once, compare, differences, judge, same_samples
from otbench.runs.layout import layout
from otbench.runs.make_cell import make_cell
from otbench.utils.files import read_object, write_json
from otbench.utils.groups import in_groups

if TYPE_CHECKING:
    import pandas

    from otbench.config.run import Run
    from otbench.data.base import DataSet
    from otbench.data.samples import SampleFile


def reproduce(folder: str | Path, cell: str, out: str | Path | None = None) -> dict[str, Any]:
    """Train, draw and measure one cell of a run again, and compare.

    Args:
        folder: Folder of the run.
        cell: The cell, `DATASET/MODEL/SEED`.
        out: Folder to keep fit, samples and table in; None for a temporary one.

    Returns:
        Comparison: rows, samples, differences, costs, verdict, reproduced, promised, and cell, run and commands.

    Raises:
        OtbenchError: The run has no such cell, the cell is not ok there, a file of it is missing, or `out` is in the
            run's folder.
        WorkFailed: The run's files are not of the budget, options and samples that its config now has.
    """
    from otbench.runs.check import run_of

    run = run_of(Path(folder))
    dataset, model, seed = parsed(cell)
    if out and Path(out).resolve().is_relative_to(run.folder.resolve()):
        raise OtbenchError(f"{out} is in the run's own folder, expected another to keep the cell in")
    provenance = provenance_of(run.folder, dataset, model, seed)
    then = _fitted(run, dataset, model)
    _check_asked(run, dataset, model, then)
    table, last = _table(run, dataset, model), max(provenance["status"])
    values = table[(table["seed"] == seed) & (table["snapshot"] == last)]
    if provenance["status"][last] != "ok" or not (values["status"] == "ok").any():
        state = (
            provenance["status"][last]
            if provenance["status"][last] != "ok" or values.empty
            else values["status"].iloc[0]
        )
        raise OtbenchError(f"{run.folder}: cell {cell} is {state}, expected one that is ok")
    with nullcontext(out) if out else tempfile.TemporaryDirectory(prefix="otbench-") as where:
        now, samples, again = _again(run, dataset, model, seed, then, Path(where))
        drawn = same_samples(_samples(run, dataset, model), samples, seed)
        result = _compiled(cell, provenance | {"run": run.run}, then, now, table, again, drawn, seed)
        if out:
            write_json(Path(out) / "reproduce.json", finite(result))
    return result


def _check_asked(run: Run, dataset: str, model: str, fitted: dict[str, Any]) -> None:
    """Raise WorkFailed where the run's files are not of the budget, options and samples that its config now has.

    Other code is no reason: what it changes is what is compared.
    """
    samples = layout(run).samples(dataset, model)
    reason = stale.fit_mismatch(run, dataset, model, fitted, code=False)
    reason = reason or (stale.samples_mismatch(run, dataset, model, read_info(samples), code=False))
    if reason:
        raise WorkFailed(
            f"{run.folder}: {model} on {dataset} was not made as config.json says ({reason}), so its cells cannot be"
            " reproduced from it; expected the config that they were made under"
        )


def _compiled(cell, provenance, then, now, table, again, drawn, seed) -> dict[str, Any]:
    changed = differences(then, now)
    promised = not changed and str(now["training"]["device"]) == "cpu"
    rows = compare(table, again, seed)
    verdict, good = judge(rows, drawn["equal"], promised)
    return {
        "cell": cell,
        "run": provenance["run"],
        "commands": provenance["commands"],
        "differences": changed,
        "promised": promised,
        "rows": rows,
        "samples": drawn,
        "costs": [_costs(frame, seed) for frame in (table, again)],
        "verdict": verdict,
        "reproduced": good,
    }


def parsed(cell: str) -> tuple[str, str, int]:
    """Data set, model and seed of a cell.

    Args:
        cell: The cell, `DATASET/MODEL/SEED`.

    Returns:
        Data set, model and seed.

    Raises:
        OtbenchError: The text has another form.
    """
    parts = cell.split("/")
    if len(parts) != 3 or not re.fullmatch("[0-9]{1,16}", parts[2]):
        raise OtbenchError(f"expected a cell as DATASET/MODEL/SEED, such as grid/gan/0, got '{cell}'")
    return parts[0], parts[1], int(parts[2])


def _fitted(run: Run, dataset: str, model: str) -> dict[str, Any]:
    """Content of fit.json; the processor, where it does not say it, as the run was gathered on."""
    then = read_object(layout(run).fit_summary(dataset, model), ["cells"], "what `otbench fit` writes")
    gathered = layout(run).summary
    if "machine" not in then and gathered.exists():
        then["machine"] = read_object(gathered).get("machine")
    return then


def _table(run: Run, dataset: str, model: str) -> pandas.DataFrame:
    """Metrics of a model in the run: its own table, else its part of the gathered one, without people's ratings."""
    from otbench.metrics.table import read_table

    path, gathered = layout(run).metrics(dataset, model), layout(run).table
    if path.exists() or not gathered.exists():
        return read_table(path)
    table = read_table(gathered)
    ours = (table["dataset"] == dataset) & (table["model"] == model) & ~table["protocol"].str.startswith("rated=")
    return table[ours].reset_index(drop=True)


def _samples(run: Run, dataset: str, model: str) -> SampleFile:
    from otbench.data.samples import read_samples

    return read_samples(layout(run).samples(dataset, model))


def beside(run: Run, fitted: dict[str, Any], seed: int) -> list[int]:
    """Seeds that a run trained at once with a seed, whose arithmetic rounds with theirs.

    Args:
        run: The run.
        fitted: Content of fit.json.
        seed: Seed of the cell.

    Returns:
        Seeds in their order, `seed` among them.
    """
    part: list[int] = fitted["seeds"]
    for size in (run.seeds_per_job or len(part), at_once(fitted)):  # seeds go to jobs, and a job's seeds to groups
        part = next(group for group in in_groups(part, size) if seed in group)
    return part


def _again(
    run: Run, dataset: str, model: str, seed: int, then: dict[str, Any], out: Path
) -> tuple[dict[str, Any], SampleFile, pandas.DataFrame]:
    """fit.json's record, samples and table of one seed, by the steps of workflow/rules/samples.smk."""
    import torch

    from otbench.data import load
    from otbench.data.samples import read_samples
    from otbench.training.trainer import Options

    device, group = then["training"]["device"], beside(run, then, seed)
    if device.startswith("cuda") and not torch.cuda.is_available():
        device = "cpu"
    section, path = run.section(dataset), layout(run).data(dataset)
    data = load(str(path))
    training = Options(
        device,
        len(group),
        run.capture and device != "cpu",
        run.precision,
        deterministic=run.deterministic,
    )
    table = make_cell(
        data,
        model,
        seed,
        out,
        steps=None if section.steps == "paper" else section.steps,
        snapshots=section.marks,
        options=section.options(model, dataset),
        training=training,
        samples=section.samples,
        run=run.run,
        study=run.study_of[dataset],
        features=_features(run, dataset, data, device),
        given=str(path),
        group=group,
    )
    return read_object(out / "fit" / "fit.json"), read_samples(out / "samples.npz"), table


def _features(run: Run, dataset: str, data: DataSet, device: str) -> Any:
    if data.kind == "points":
        return None
    from otbench.metrics.reference import open_features

    return open_features(layout(run).features(dataset), data, run.section(dataset).network_weights, device)


def _costs(table: pandas.DataFrame, seed: int) -> dict[str, float]:
    """Seconds, and peak memory (bytes) and energy (J) where they were measured, of the whole training of a seed."""
    last = table[(table["seed"] == seed) & (table["snapshot"] == table["snapshot"].max())]
    paid = last[last["metric"].isin(COSTS)]
    return {"seconds": float(last["seconds"].iloc[0])} | dict(
        zip(paid["metric"], paid["value"].map(float), strict=True)
    )


def finite(value: Any) -> Any:
    """Value with numbers that JSON does not have written as text: `nan`, `inf`, `-inf`.

    Args:
        value: Any value of dicts, lists, tuples, numbers and text.

    Returns:
        The value, its tuples as lists and its keys as text.
    """
    if isinstance(value, dict):
        return {str(name): finite(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [finite(part) for part in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
