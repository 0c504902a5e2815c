"""The command line: one verb for each arrow of the data's way, and nothing else."""

from __future__ import annotations

import errno
import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from otbench import __version__, cli_rate, cli_slice, cli_studies
from otbench.cli_options import (
    AsJson,
    DataArgument,
    Device,
    Kind,
    Out,
    Precision,
    budget,
    load_data,
    mapping,
    numbers,
    ready,
    tell,
)
from otbench.cli_reproduce import reproduce
from otbench.errors import OtbenchError, WorkFailed

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Benchmark of generative models seen through optimal transport.",
)

app.add_typer(cli_rate.app, name="rate")
app.command()(reproduce)
app.command("slice")(cli_slice.slices)
for verb in (cli_studies.study, cli_studies.search, cli_studies.spread, cli_studies.theory):
    app.command()(verb)


def _version(show: bool) -> None:
    if show:
        typer.echo(f"otbench {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command()
def data(
    what: Annotated[
        str,
        typer.Argument(metavar="NAME", help="A known data set, or folder:PATH, or folder:PATH@SIZE (32 unless given)."),
    ],
    out: Out,
    root: Annotated[
        Path | None, typer.Option(help="Folder of image files; default: $OTBENCH_DATA, else ~/.cache/otbench.")
    ] = None,
    unverified: Annotated[
        bool, typer.Option("--unverified", help="Let in image files that are not the publisher's; the source says so.")
    ] = False,
    name: Annotated[str | None, typer.Option(help="What to call the data set; default: its own name.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make a data set, or read it, downloading what is not there; check it and write it to one file.

    Example: otbench data mnist --root ~/images --out mnist.npz
    """
    from dataclasses import replace

    from otbench.data import load, save

    values = load(what, root, unverified or None)
    values = replace(values, name=name) if name else values
    save(values, out)
    told = {"name": values.name} | {split: list(array.shape) for split, array in values.splits.items()}
    told |= {"classes": len(values.classes), "source": values.source, "digest": values.digest()}
    shapes = ", ".join(f"{split} {array.shape}" for split, array in values.splits.items())
    tell(told, as_json, f"{values.name}: {shapes}, written to {out}")


@app.command()
def fit(
    model: str,
    data: DataArgument,
    out: Annotated[Path, typer.Option("--out", help="Folder for fit.json, weights.safetensors and losses.csv.")],
    seeds: Annotated[str, typer.Option(help="Seeds, separated by commas; one replica each.")] = "0",
    steps: Annotated[str, typer.Option(help="Budget in discriminator updates, or 'paper'.")] = "paper",
    snapshots: Annotated[str, typer.Option(help="Fractions of the budget at which weights are kept.")] = "1",
    options: Annotated[str, typer.Option(help="Options of the model in place of its paper's, as JSON.")] = "{}",
    device: Annotated[Device, typer.Option(help="Where to train.")] = Device.auto,
    together: Annotated[int, typer.Option(help="Replicas trained at once; 0: all on a GPU, one on a CPU.")] = 0,
    capture: Annotated[bool, typer.Option("--capture", help="Replay steps as CUDA graphs (GPU only).")] = False,
    precision: Annotated[
        Precision, typer.Option(help="tf32: a GPU's matrix units; bfloat16: mixed precision.")
    ] = Precision.float32,
    deterministic: Annotated[
        bool, typer.Option("--deterministic", help="On a GPU, the same bits every time, at a cost in time.")
    ] = False,
    time_limit: Annotated[float | None, typer.Option(help="Seconds after which a replica counts as failed.")] = None,
    as_json: AsJson = False,
) -> None:
    """Train a model, one replica a seed; resumes where an interrupted call stopped.

    Example: otbench fit pacgan2 --data grid --seeds 0,1,2 --steps 3000 --out fit/grid/pacgan2
    """
    from otbench.training.fit import fit as run
    from otbench.training.trainer import Options

    training = Options(
        device.value, together, capture, precision.value, deterministic=deterministic, time_limit=time_limit
    )
    summary = run(
        model,
        load_data(data),
        numbers(seeds, int, "--seeds"),
        out,
        steps=budget(steps),
        snapshots=numbers(snapshots, float, "--snapshots"),
        options=mapping(options),
        training=training,
    )
    good = sum(cell["status"] == "ok" for cell in summary["cells"])
    tell(summary, as_json, f"{model} on {summary['dataset']}: {good} of {len(summary['cells'])} cells ok, in {out}")


@app.command()
def join(
    folders: Annotated[list[Path], typer.Argument(help="Folders that `fit` wrote for some seeds each.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the fit of all seeds.")],
) -> None:
    """Put fits of one model that differ in their seeds into one.

    Example: otbench join fit/gan/part-0 fit/gan/part-1 --out fit/gan
    """
    from otbench.training.join import join as run

    summary = run(folders, out)
    typer.echo(f"{summary['model']} on {summary['dataset']}: {len(summary['seeds'])} seeds in {out}")


@app.command()
def draw(
    fit: Annotated[Path, typer.Option("--fit", help="Folder that `fit` wrote.")],
    data: DataArgument,
    out: Out,
    n: Annotated[int, typer.Option("--n", help="Samples of every seed and snapshot.")] = 2500,
    device: Annotated[Device, typer.Option(help="Where to compute.")] = Device.cpu,
) -> None:
    """Draw samples of every seed and snapshot of a fitted model.

    Example: otbench draw --fit fit/grid/gan --data grid --n 2500 --out samples/grid/gan.npz
    """
    from otbench.training.draw import draw as run

    info = run(fit, load_data(data), n, out, device.value)
    typer.echo(f"{info['model']} on {info['dataset']}: samples in {out}")


@app.command()
def features(
    data: DataArgument,
    out: Annotated[Path, typer.Option("--out", help="Folder for features.json, the classifier and the features.")],
    extractor: Annotated[
        list[str] | None,
        typer.Option(
            help="classifier or inception; may be given twice. Default: the classifier where there are labels,"
            " and Inception where its weights are at hand."
        ),
    ] = None,
    weights: Annotated[Path | None, typer.Option(help="Inception's weights; default: torch-fidelity's cache.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Batches of 128 that the classifier is trained on.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the classifier and of the training images kept.")] = 0,
    device: Annotated[Device, typer.Option(help="Where to compute; a CPU's classifier is the same every time.")] = (
        Device.cpu
    ),
    as_json: AsJson = False,
) -> None:
    """Make what images are compared in: a classifier of the data set, or Inception, and the real images' features.

    Example: otbench features --data digits.npz --out features/digits
    """
    from otbench.features.store import make_features

    told = make_features(load_data(data), out, extractor, weights, steps, seed, ready(device))
    said = [
        f"{name}-{one['weights'][:8]}"
        + (f", accuracy {one['accuracy']:.4f}" if one.get("accuracy") is not None else "")
        for name, one in told["extractors"].items()
    ]
    tell(told, as_json, f"{told['dataset']}: {'; '.join(said)}, in {out}")


@app.command()
def measure(
    data: DataArgument,
    samples: Annotated[
        Path, typer.Option("--samples", help="Samples: .npz with `samples` (n, d) or (n, c, h, w), or .npy.")
    ],
    out: Out,
    run: Annotated[str, typer.Option(help="Name of the run, a column of the table.")] = "user",
    study: Annotated[str | None, typer.Option(help="Name of the study, a column of the table.")] = None,
    model: Annotated[str | None, typer.Option(help="Name of the model; default: what the file says.")] = None,
    features: Annotated[Path | None, typer.Option(help="Of images: the folder that `features` made.")] = None,
    weights: Annotated[Path | None, typer.Option(help="Inception's weights; default: torch-fidelity's cache.")] = None,
    curves: Annotated[Path | None, typer.Option(help="Where to write PRD's curves, .npz.")] = None,
    device: Annotated[Device, typer.Option(help="Where features of images and metrics are computed.")] = Device.cpu,
    as_json: AsJson = False,
) -> None:
    """Measure samples from anywhere against a data set; writes the tidy table (.csv or .parquet).

    Example: otbench measure --dataset grid --samples mine.npz --out metrics.csv
    """
    from otbench.metrics.table import measure_file, write_curves, write_table

    values, known, where = load_data(data), None, device.value
    if features is not None and values.kind == "images":
        from otbench.features.store import open_features

        where = ready(device)
        known = open_features(features, values, weights, where)
    elif device is not Device.cpu:  # points on a CPU are measured without torch
        where = ready(device)
    found: dict[str, Any] = {}
    table = measure_file(values, samples, run, model, study=study, features=known, curves=found, device=where)
    write_table(table, out)
    if curves is not None:
        write_curves(found, curves)
    last = table[table["snapshot"] == table["snapshot"].max()]
    rows = last[["seed", "metric", "value", "status", "protocol"]]
    records = json.loads(rows.to_json(orient="records", double_precision=15))
    for record, value in zip(records, rows["value"], strict=True):
        if record["value"] is None:  # JSON has no infinity and no NaN
            record["value"] = str(value)
    tell(records, as_json, rows.to_string(index=False, max_colwidth=60))


@app.command()
def gather(
    folder: Annotated[Path, typer.Argument(help="Folder of a run, results/<run>; holds its config.json.")],
) -> None:
    """Collect a run's metrics into metrics.csv and .parquet, run.json and scatter.npz.

    Example: otbench gather results/default
    """
    from otbench.gather import gather as run
    from otbench.gather import run_of

    said = run(run_of(folder))
    typer.echo(f"{said['run']}: {len(said['expected'])} cells gathered in {folder}")


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(help="Folder with metrics.parquet, run.json and scatter.npz.")],
    published: Annotated[Path, typer.Option(help="Table of published figures.")] = Path("config/published.csv"),
    reference: Annotated[Path, typer.Option(help="Folder of the reference results.")] = Path("results/reference"),
    out: Annotated[Path | None, typer.Option(help="Folder to write to; default: the run's own.")] = None,
) -> None:
    """Render tables, figures and report.html of a gathered run.

    Example: otbench report results/default
    """
    from otbench.report import render

    page = render(folder, published, reference if (reference / "metrics.parquet").exists() else None, out)
    typer.echo(f"report: {page}")


@app.command()
def status(
    folder: Annotated[Path, typer.Argument(help="Folder of a gathered run, results/<run>.")],
    as_json: AsJson = False,
) -> None:
    """Say how many cells of a run are ok and which are not; exit status 1 where one is not.

    Example: otbench status results/default
    """
    from otbench import status as module

    found = module.status(folder)
    tell(found, as_json, module.said(found))
    if found["troubled"]:
        raise WorkFailed(
            f"{len(found['troubled'])} of {found['counts']['all']} cells are not ok; the report counts them"
        )


@app.command("list")
def show(
    kind: Annotated[Kind, typer.Argument(help="What to list.")] = Kind.all,
    as_json: AsJson = False,
) -> None:
    """What models, data sets, metrics and studies of the theory there are, with their papers.

    Example: otbench list models
    """
    from otbench.listing import listing, text

    found = listing() if kind is Kind.all else {kind.value: listing()[kind.value]}
    tell(found, as_json, text(found))


@app.command()
def score(
    real: Annotated[Path, typer.Argument(help="Features of real data, .npy (n, d).")],
    generated: Annotated[Path, typer.Argument(help="Features of generated data, .npy (m, d).")],
    seed: Annotated[int, typer.Option(help="Seed of k-means and subsets.")] = 0,
) -> None:
    """FID, KID, PRD, precision, recall, density and coverage of two feature arrays, as JSON.

    Example: otbench score real.npy generated.npy
    """
    from otbench.metrics import score_features
    from otbench.metrics.samples import read_array

    typer.echo(json.dumps(score_features(read_array(real), read_array(generated), seed=seed), indent=2))


@app.command()
def transport(
    target: Annotated[Path | None, typer.Argument(help="Target points, .npy (n, d).")] = None,
    source: Annotated[str, typer.Option(help="Source measure: cube, ball or gaussian.")] = "cube",
    tolerance: Annotated[float | None, typer.Option(help="Relative cell error to reach.")] = None,
    out: Annotated[Path | None, typer.Option(help="Where to write the map, .npz.")] = None,
    weights: Annotated[Path | None, typer.Option(help="Weights of the points, .npy (n,).")] = None,
    start: Annotated[Path | None, typer.Option(help="Map to start from, .npz.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the stochastic solver.")] = 0,
    time_limit: Annotated[float | None, typer.Option(help="Seconds after which to stop.")] = None,
    check: Annotated[Path | None, typer.Option(help="Recompute the certificate of this map instead.")] = None,
) -> None:
    """Solve semi-discrete transport to points, or check a map; prints the certificate as JSON.

    Example: otbench transport codes.npy --source cube --tolerance 0.05 --out map.npz
    """
    from otbench.transport import command

    if (target is None) == (check is None):
        raise OtbenchError("transport: expected either target points (.npy) or --check MAP.npz")
    if check:
        told = command.check(check)
    else:
        told = command.run(target, source, tolerance, out, weights, seed, time_limit, start, progress=True)
    typer.echo(json.dumps(told, indent=2))
    if not told.get("map_tolerance_met", 1):
        raise WorkFailed("transport: the map missed its tolerance; the certificate says by how much")


DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EACCES, errno.EPERM)
"""What a disk may say no with, which is no fault of the program."""


def main() -> None:
    """Run the command line; a wrong request ends with one sentence and status 2, failed work with status 1."""
    try:
        app(prog_name="otbench")
    except OtbenchError as error:
        typer.echo(f"otbench: {error}", err=True)
        sys.exit(error.status)
    except OSError as error:
        if error.errno not in DISK:
            raise
        typer.echo(f"otbench: {error.filename or 'a file'} could not be written or read: {error.strerror}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
