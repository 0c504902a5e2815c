"""The verb `evaluations`: quality of a run's continuous-time models against evaluations of their networks."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from otbench.cli.options import Device, NetworkWeights, load_data, numbers
from otbench.errors import OtbenchError
from otbench.fingerprints import measure_version, study_version
from otbench.utils.bounds import ROWS_MOST
from otbench.utils.devices import setup_device
from otbench.utils.records import write_record


class Solvers(StrEnum):
    """How flows are integrated."""

    euler = "euler"
    midpoint = "midpoint"


def evaluations(
    folder: Annotated[Path, typer.Argument(help="Folder of a run, results/<run>.")],
    out: Annotated[Path, typer.Option(help="Folder to write the table and the figures to.")],
    model: Annotated[list[str] | None, typer.Option(help="May be given several times. Default: all.")] = None,
    dataset: Annotated[list[str] | None, typer.Option(help="May be given several times. Default: all.")] = None,
    n: Annotated[int, typer.Option("--n", help="Samples of every draw.", min=20, max=ROWS_MOST)] = 2500,
    counts: Annotated[str, typer.Option(help="Numbers of evaluations.")] = "1,2,4,8,16,32,64,100",
    solver: Annotated[list[Solvers] | None, typer.Option(help="Of flows; several times. Default: euler.")] = None,
    weights: NetworkWeights = None,
    device: Annotated[Device, typer.Option(help="Where to draw.")] = Device.cpu,
) -> None:
    """Draw a run's continuous-time models with more and fewer evaluations; writes evaluations.csv, a figure a data set.

    Example: otbench evaluations results/all --out evaluations --model fm --model ddpm

    \f
    Args:
        folder: Folder of a run, with its data, fits and, of images, features.
        out: Folder to write to: `evaluations.csv` and `evaluations_<data set>.png`, .pdf, .svg and .csv.
        model: Names of the models; None for all that have evaluations.
        dataset: Names of the data sets; None for all.
        n: Samples of every draw.
        counts: Numbers of evaluations, separated by commas.
        solver: Solvers of flows; None for Euler's method.
        weights: Files of weights, `NAME=PATH`, or `PATH` for Inception's; None for those at hand.
        device: Where to draw.

    Raises:
        OtbenchError: Where the run has no such fit.
    """
    import pandas

    from otbench.features.registry import parse_weights
    from otbench.metrics.reference import open_features
    from otbench.report.figures.base import FigureSpec, save_figures
    from otbench.report.figures.evaluation_plots import evaluation_curves
    from otbench.runs.layout import Layout
    from otbench.studies.evaluations import counts_evaluations, write_evaluations
    from otbench.studies.evaluations import evaluations as run

    layout, where, tables = Layout(folder), setup_device(device.value), []
    sizes, solvers = numbers(counts, int, "--counts"), [one.value for one in solver or [Solvers.euler]]
    for path in sorted((folder / "fit").glob("*/*/fit.json")):
        name, of = path.parent.name, path.parent.parent.name
        if (model and name not in model) or (dataset and of not in dataset):
            continue
        data = load_data(str(layout.data(of)))
        if not counts_evaluations(name, data.kind):
            continue
        images = data.kind == "images"
        features = open_features(layout.features(of), data, parse_weights(weights), where) if images else None
        tables.append(run(path.parent, data, n, sizes, solvers, features, where))
        typer.echo(f"{of}/{name}: {len(tables[-1])} values")
    if not tables:
        raise OtbenchError(f"{folder}: expected fits of continuous-time models in its folder fit, found none of those")
    table = pandas.concat(tables, ignore_index=True)
    write_evaluations(table, out / "evaluations.csv")
    asked = {"run": folder.name, "n": n, "counts": sizes, "solvers": solvers}
    versions = {"study_version": study_version("evaluations"), "measure_version": measure_version()}
    write_record(out / "evaluations.csv", asked | versions)
    for of, rows in table.groupby("dataset", sort=False):
        titles = _titles(sorted(set(rows["model"])))
        caption = f"{n:,} samples a draw."
        spec = FigureSpec(
            f"evaluations_{of}",
            "Quality against evaluations",
            caption,
            "svg",
            lambda rows=rows, titles=titles: evaluation_curves(rows, titles),
        )
        save_figures([spec], str(of), out)
    typer.echo(f"{len(table)} values in {out / 'evaluations.csv'}")


def _titles(models: list[str]) -> dict[str, str]:
    from otbench.models import find

    return {name: find(name).title_of(name) for name in models}
