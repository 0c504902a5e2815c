"""Provenance of one cell of a run, and the commands that make it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from otbench.commands import draw_words, feature_words, fit_options, fit_words, measure_words
from otbench.errors import OtbenchError
from otbench.runs.layout import layout
from otbench.utils.files import read_object

if TYPE_CHECKING:
    from otbench.config.run import Run


def planned(run: Run, dataset: str, model: str, drawn: dict[str, Any] | None = None) -> dict[str, str]:
    """Commands by which the workflow makes a model's cells, all seeds in one job.

    Args:
        run: The run.
        dataset: Name of the data set.
        model: Name of the model.
        drawn: Number of samples `n` and `device` of `draw`, where they are known to have been others; None for the
            run's.

    Returns:
        Command line by verb: `fit`, `draw` and `measure`.
    """
    section, at = run.section(dataset), layout(run)
    data, fit, samples = str(at.data(dataset)), at.fit(dataset, model), at.samples(dataset, model)
    options = fit_options(
        section.steps,
        section.marks,
        section.options(model, dataset),
        run.device,
        run.together_of(dataset),
        run.precision,
        run.capture,
        run.deterministic,
        run.time_limit,
    )
    features = (
        feature_words(at.features(dataset), run.device, section.network_weights)
        if run.kind(dataset) == "images"
        else []
    )
    n, device = (drawn["n"], drawn["device"]) if drawn else (section.samples, None)
    study, table, curves = run.study_of[dataset], at.metrics(dataset, model), at.curves(dataset, model)
    words = {
        "fit": fit_words(model, data, fit, run.seeds_of(dataset), options),
        "draw": draw_words(fit, data, n, samples, device),
        "measure": measure_words(data, samples, run.run, study, model, features, curves, table, section.rulers),
    }
    return {verb: shlex.join(["otbench", verb, *arguments]) for verb, arguments in words.items()}


def cell(folder: str | Path, dataset: str, model: str, seed: int) -> dict[str, Any]:
    """Provenance of one cell: commands, config hash, code version, versions, device, seed, times.

    Args:
        folder: Folder of the run.
        dataset: Name of the data set.
        model: Name of the model.
        seed: Seed of the cell.

    Returns:
        The provenance by name. `commands`: `fit` as fit.json recorded it, `draw` with what the samples recorded,
        `measure` as the workflow runs it (so too the others, of files that recorded nothing); `reproduce` runs the cell
        alone again. `status`: by snapshot. `started`, `finished`: of the training of all seeds.

    Raises:
        OtbenchError: The run has no such cell, or no files of it.
    """
    from otbench.data.samples import read_samples
    from otbench.runs.check import run_of

    run = run_of(Path(folder))
    check_cell(run, dataset, model, seed)
    fitted = read_object(layout(run).fit_summary(dataset, model), ["cells"], "what `otbench fit` writes")
    states = {entry["snapshot"]: entry["status"] for entry in fitted["cells"] if entry["seed"] == seed}
    if not states:
        raise OtbenchError(f"{run.folder}: {model} on {dataset} was fitted without seed {seed}")
    drawn = (read_samples(layout(run).samples(dataset, model)).info or {}).get("drawn")
    commands = planned(run, dataset, model, drawn)
    commands["fit"] = fitted.get("command") or commands["fit"]
    commands["reproduce"] = shlex.join(["otbench", "reproduce", str(folder), f"{dataset}/{model}/{seed}"])
    names = ("config_hash", "code_version", "versions", "device", "machine", "started", "finished", "precision")
    record = {name: fitted.get(name) for name in names}
    return {"dataset": dataset, "model": model, "seed": seed, "status": states, "commands": commands, **record}


def check_cell(run: Run, dataset: str, model: str, seed: int) -> None:
    """Check that a run is asked for a cell.

    Args:
        run: The run.
        dataset: Name of the data set.
        model: Name of the model.
        seed: Seed of the cell.

    Raises:
        OtbenchError: The run is not asked for this cell; the message says what it has.
    """
    where = f"run {run.run}: there is no cell {dataset}/{model}/{seed}"
    if dataset not in run.datasets:
        raise OtbenchError(f"{where}, as its data sets are {', '.join(run.datasets)}")
    if model not in run.section(dataset).models_on(dataset):
        raise OtbenchError(
            f"{where}, as its models on {dataset} are {', '.join(run.section(dataset).models_on(dataset))}"
        )
    if seed not in run.seeds_of(dataset):
        raise OtbenchError(f"{where}, as its seeds on {dataset} are {', '.join(map(str, run.seeds_of(dataset)))}")
