"""One cell of a comparison: a seed of a model on a data set, trained, drawn from and measured in one process."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from otbench.utils.threads import one_thread

if TYPE_CHECKING:
    import pandas

    from otbench.data.base import DataSet
    from otbench.metrics.reference import Features
    from otbench.training.trainer import Options


def make_cell(
    data: DataSet,
    model: str,
    seed: int,
    out: Path,
    *,
    steps: int | None,
    snapshots: list[float],
    options: dict[str, Any],
    training: Options,
    samples: int,
    run: str,
    study: str,
    features: Features | None,
    given: str,
    resume: bool = False,
    group: list[int] | None = None,
) -> pandas.DataFrame:
    """Train, draw and measure a cell by the steps of workflow/rules/samples.smk, with one thread.

    Args:
        data: Data set.
        model: Name of the model.
        seed: Seed of the replica.
        out: Folder for fit/, samples.npz, curves.npz and metrics.csv. Training goes on from a checkpoint there.
        steps: Budget in discriminator updates, None for the paper's.
        snapshots: Fractions of the budget.
        options: The model's, in place of its paper's values.
        training: How to train; its device must be one that there is.
        samples: Number of samples drawn at every snapshot.
        run: Name of the run, a column of the table.
        study: Name of the study, a column of the table.
        features: Features that images are compared in; None for points.
        given: Name of the data on a command line.
        resume: Whether a fit and samples in `out` are taken for those of this cell, instead of made again.
        group: Seeds that are trained with this one, which is among them; None: it is trained alone.

    Returns:
        The tidy table of the cell, as it is in metrics.csv.

    Raises:
        OtbenchError: Options, data or device do not fit.
        Interrupted: A signal asked to stop; training has written a checkpoint.
    """
    import torch

    from otbench.metrics.table import measure_file, write_curves, write_table
    from otbench.training.draw import draw
    from otbench.training.fit import fit
    from otbench.utils.devices import configure_torch

    name, curves = f"{data.name}/{model}/{seed}", {}
    with one_thread():
        if not (resume and (out / "fit" / "fit.json").exists()):
            _print(f"{name}: training")
            fit(model, data, group or [seed], out / "fit", steps, snapshots, options, training, given=given)
        _print(f"{name}: drawing and measuring")
        if not (resume and (out / "samples.npz").exists()):
            draw(out / "fit", data, samples, out / "samples.npz", only=seed)
        configure_torch(training.device)
        if data.kind == "points":  # as in a process that has trained nothing
            torch.set_flush_denormal(False)
        where = training.device if data.kind == "images" else "cpu"
        table = measure_file(
            data, out / "samples.npz", run, model, study=study, features=features, curves=curves, device=where
        )
    write_curves(curves, out / "curves.npz")
    write_table(table, out / "metrics.csv")
    return table


def _print(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
