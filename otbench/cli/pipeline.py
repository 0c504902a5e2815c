"""The verbs of the pipeline: one for each arrow of the data's way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from otbench.cli.options import (
    AsJson,
    DataArgument,
    Device,
    NetworkWeights,
    Out,
    Precision,
    above_zero,
    budget,
    load_data,
    mapping,
    numbers,
    print_result,
)
from otbench.errors import OtbenchError, WorkFailed
from otbench.features.registry import parse_weights
from otbench.utils.bounds import ROWS_MOST, SEED_MOST, WHOLE_MOST
from otbench.utils.devices import setup_device
from otbench.utils.paths import PUBLISHED, REFERENCE


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

    \f
    Args:
        what: Name of the data set, `folder:PATH` or `folder:PATH@SIZE` (pixels a side).
        out: File to write, .npz.
        root: Folder of image files; None for $OTBENCH_DATA, else ~/.cache/otbench.
        unverified: Whether image files may differ from the publisher's; False for what $OTBENCH_UNVERIFIED says.
        name: Name to give the data set; None for its own.
        as_json: Whether to print JSON.
    """
    from dataclasses import replace

    from otbench.data import load, save

    values = load(what, root, unverified or None)
    values = replace(values, name=name) if name else values
    save(values, out)
    summary = {"name": values.name} | {split: list(array.shape) for split, array in values.splits.items()}
    summary |= {"classes": len(values.classes), "source": values.source, "digest": values.digest()}
    shapes = ", ".join(f"{split} {array.shape}" for split, array in values.splits.items())
    print_result(summary, as_json, f"{values.name}: {shapes}, written to {out}")


def fit(
    model: str,
    data: DataArgument,
    out: Annotated[Path, typer.Option("--out", help="Folder for fit.json, weights.safetensors and losses.csv.")],
    seeds: Annotated[str, typer.Option(help="Seeds, separated by commas; one replica each.")] = "0",
    steps: Annotated[str, typer.Option(help="Budget in discriminator updates, or 'paper'.")] = "paper",
    snapshots: Annotated[str, typer.Option(help="Fractions of the budget at which weights are kept.")] = "1",
    options: Annotated[str, typer.Option(help="Options of the model in place of its paper's, as JSON.")] = "{}",
    device: Annotated[Device, typer.Option(help="Where to train.")] = Device.auto,
    together: Annotated[
        int, typer.Option(min=0, help="Replicas trained at once; 0: all on a GPU, and on a CPU where it is faster.")
    ] = 0,
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

    \f
    Args:
        model: Name of the model.
        data: Name or file of the data set.
        out: Folder for fit.json, weights.safetensors and losses.csv.
        seeds: Seeds of the replicas, separated by commas.
        steps: Budget in discriminator updates, or `paper`.
        snapshots: Fractions of the budget in (0, 1], separated by commas; 1 is always among them.
        options: Options of the model in place of its paper's, as JSON.
        device: Where to train.
        together: Replicas trained at once; 0 for all on a GPU, and on a CPU where it is faster.
        capture: Whether to replay steps as CUDA graphs.
        precision: Arithmetic of the training.
        deterministic: Whether a GPU must give the same bits every time.
        time_limit: Seconds after which a replica counts as failed; None for no limit.
        as_json: Whether to print JSON.
    """
    from otbench.training.fit import fit as run
    from otbench.training.trainer import Options

    above_zero(time_limit, "--time-limit")
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
    print_result(
        summary, as_json, f"{model} on {summary['dataset']}: {good} of {len(summary['cells'])} cells ok, in {out}"
    )


def join(
    folders: Annotated[list[Path], typer.Argument(help="Folders that `fit` wrote for some seeds each.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the fit of all seeds.")],
) -> None:
    """Put fits of one model that differ in their seeds into one.

    Example: otbench join fit/gan/part-0 fit/gan/part-1 --out fit/gan

    \f
    Args:
        folders: Folders that `fit` wrote, for some seeds each.
        out: Folder for the fit of all seeds.
    """
    from otbench.training.join import join as run

    summary = run(folders, out)
    typer.echo(f"{summary['model']} on {summary['dataset']}: {len(summary['seeds'])} seeds in {out}")


def draw(
    fit: Annotated[Path, typer.Option("--fit", help="Folder that `fit` wrote.")],
    data: DataArgument,
    out: Out,
    n: Annotated[int, typer.Option("--n", min=1, max=ROWS_MOST, help="Samples of every seed and snapshot.")] = 2500,
    device: Annotated[Device, typer.Option(help="Where to compute.")] = Device.cpu,
) -> None:
    """Draw samples of every seed and snapshot of a fitted model.

    Example: otbench draw --fit fit/grid/gan --data grid --n 2500 --out samples/grid/gan.npz

    \f
    Args:
        fit: Folder that `fit` wrote.
        data: Name or file of the data set.
        out: File to write, .npz.
        n: Samples of every seed and snapshot.
        device: Where to compute.
    """
    from otbench.training.draw import draw as run

    info = run(fit, load_data(data), n, out, device.value)
    typer.echo(f"{info['model']} on {info['dataset']}: samples in {out}")


def admit(
    name: Annotated[str, typer.Argument(help="Name of the guest, as a config has it.")],
    samples: Annotated[
        list[str], typer.Option("--samples", help="Folder of pictures, .npy or .npz; once for every seed.")
    ],
    data: DataArgument,
    out: Out,
    n: Annotated[int, typer.Option("--n", min=1, max=ROWS_MOST, help="Samples of every seed: the first ones.")] = 2500,
) -> None:
    """Take somebody's samples into a run, as a model's: pictures are brought to the data set's shape.

    Example: otbench admit mine --samples mine.npz --data digits --n 400 --out samples/digits/mine.npz

    \f
    Args:
        name: Name of the guest.
        samples: Folders of pictures, .npy or .npz, a seed each.
        data: Name or file of the data set.
        out: Samples file to write, .npz.
        n: Samples of every seed.
    """
    from otbench.scoring.admit import admit as run

    info = run(name, load_data(data), samples, n, out)
    typer.echo(f"{name} on {info['dataset']}: {len(info['cells'])} seeds of {n} samples in {out}")


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
    weights: NetworkWeights = None,
    steps: Annotated[
        int | None, typer.Option(min=1, max=WHOLE_MOST, help="Batches of 128 that the classifier is trained on.")
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=SEED_MOST, help="Seed of the classifier and of the training images kept.")
    ] = 0,
    device: Annotated[Device, typer.Option(help="Where to compute; a CPU's classifier is the same every time.")] = (
        Device.cpu
    ),
    as_json: AsJson = False,
) -> None:
    """Make what images are compared in: a classifier of the data set, or Inception, and the real images' features.

    Example: otbench features --data digits.npz --out features/digits

    \f
    Args:
        data: Name or file of a data set of images.
        out: Folder for features.json, the classifier and the features.
        extractor: `classifier`, `inception` or both; None for the classifier where there are labels, and Inception
            where its weights are at hand.
        weights: Files of weights, `NAME=PATH`, or `PATH` for Inception's; None for those at hand.
        steps: Batches of 128 that the classifier is trained on; None for its default.
        seed: Seed of the classifier and of the choice of training images.
        device: Where to compute.
        as_json: Whether to print JSON.
    """
    from otbench.features.store import make_features

    info = make_features(
        load_data(data), out, extractor, parse_weights(weights), steps, seed, setup_device(device.value)
    )
    networks = [
        f"{name}-{entry['weights'][:8]}"
        + (f", accuracy {entry['accuracy']:.4f}" if entry.get("accuracy") is not None else "")
        for name, entry in info["extractors"].items()
    ]
    print_result(info, as_json, f"{info['dataset']}: {'; '.join(networks)}, in {out}")


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
    weights: NetworkWeights = None,
    curves: Annotated[Path | None, typer.Option(help="Where to write PRD's curves, .npz.")] = None,
    ruler: Annotated[
        list[str] | None, typer.Option(help="Metric on request that is measured too; may be given several times.")
    ] = None,
    device: Annotated[Device, typer.Option(help="Where features of images and metrics are computed.")] = Device.cpu,
    as_json: AsJson = False,
) -> None:
    """Measure samples from anywhere against a data set; writes the tidy table (.csv or .parquet).

    Example: otbench measure --dataset grid --samples mine.npz --out metrics.csv

    \f
    Args:
        data: Name or file of the data set.
        samples: Samples, .npz with `samples` (n, d) or (n, c, h, w), or .npy.
        out: Table to write, .csv or .parquet.
        run: Name of the run, a column of the table.
        study: Name of the study, a column of the table; None for that of the data set's kind.
        model: Name of the model; None for what the file says, else the file's name.
        features: Folder that `features` made; of images alone.
        weights: Files of weights, `NAME=PATH`, or `PATH` for Inception's; None for those at hand.
        curves: File for PRD's curves, .npz; None for none.
        ruler: Metrics on request that are measured too.
        device: Where features of images and metrics are computed.
        as_json: Whether to print JSON.
    """
    from otbench.metrics.registry import with_rulers
    from otbench.metrics.table import measure_file, measured_with, write_curves, write_table
    from otbench.utils.records import write_record

    values, reference, where = load_data(data), None, device.value
    if features is not None and values.kind == "images":
        from otbench.metrics.reference import open_features

        where = setup_device(device.value)
        reference = open_features(features, values, parse_weights(weights), where)
    elif device is not Device.cpu:  # points on a CPU are measured without torch
        where = setup_device(device.value)
    arrays: dict[str, Any] = {}
    options = {"study": study, "features": reference, "curves": arrays, "device": where}
    table = measure_file(values, samples, run, model, with_rulers(ruler), **options)
    write_table(table, out)
    if curves is not None:
        write_curves(arrays, curves)
        record = measured_with(samples, run, str(table["study"].iloc[0]), reference)
        record |= {"rulers": sorted(ruler)} if ruler else {}
        if record["samples"]:  # a run's own
            write_record(out, record)
    last = table[table["snapshot"] == table["snapshot"].max()]
    rows = last[["seed", "metric", "value", "status", "protocol"]]
    records = json.loads(rows.to_json(orient="records", double_precision=15))
    for record, value in zip(records, rows["value"], strict=True):
        if record["value"] is None:  # JSON has no infinity and no NaN
            record["value"] = str(value)
    print_result(records, as_json, rows.to_string(index=False, max_colwidth=60))


def gather(
    folder: Annotated[Path, typer.Argument(help="Folder of a run, results/<run>; holds its config.json.")],
) -> None:
    """Collect a run's metrics into metrics.csv and .parquet, run.json and scatter.npz.

    Example: otbench gather results/default

    \f
    Args:
        folder: Folder of the run, with its config.json.
    """
    from otbench.runs.check import run_of
    from otbench.runs.gather import gather as run

    info = run(run_of(folder))
    typer.echo(f"{info['run']}: {len(info['expected'])} cells gathered in {folder}")


def report(
    folder: Annotated[Path, typer.Argument(help="Folder with metrics.parquet, run.json and scatter.npz.")],
    published: Annotated[Path, typer.Option(help="Table of published figures.")] = Path(PUBLISHED),
    reference: Annotated[
        Path | None, typer.Option(help=f"Folder of the reference results; default: {REFERENCE}, where it is there.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder to write to; default: the run's own.")] = None,
    single_file: Annotated[
        bool, typer.Option("--single-file", help="Write report-single.html too: all pages and figures in one file.")
    ] = False,
) -> None:
    """Render tables, figures and the pages of a gathered run.

    Example: otbench report results/default

    \f
    Args:
        folder: Folder of the gathered run.
        published: Table of published figures, .csv.
        reference: Folder of the reference results; None for results/reference where it is there.
        out: Folder to write to; None for the run's own.
        single_file: Whether to write report-single.html too.

    Raises:
        OtbenchError: Where the given folder of reference results has no metrics.parquet.
    """
    from otbench.report import render

    chosen = Path(REFERENCE) if reference is None else reference
    there = (chosen / "metrics.parquet").is_file()
    if reference is not None and not there:
        raise OtbenchError(f"--reference {reference}: there is no metrics.parquet; expected the folder of a run")
    if not there:
        note = f"there is no {chosen / 'metrics.parquet'}: the report has no columns of reference results"
        typer.echo(f"otbench report: {note} (--reference FOLDER names them)", err=True)
    page = render(folder, published, chosen if there else None, out, single_file)
    typer.echo(f"report: {page}")


def status(
    folder: Annotated[Path, typer.Argument(help="Folder of a gathered run, results/<run>.")],
    config: Annotated[
        str | None, typer.Option(help="Digest of the config that the run must be of; default: that of config.json.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say how many cells of a run are ok and which are not; exit status 1 where one is not, or a study is missing.

    Example: otbench status results/default

    \f
    Args:
        folder: Folder of the gathered run.
        config: Digest of the config that the run must be of; None for that of its config.json.
        as_json: Whether to print JSON.

    Raises:
        WorkFailed: Where a cell is not ok, a study is missing, or the run was gathered under another config.
    """
    from otbench.report import status as module

    summary = module.status(folder, config)
    print_result(summary, as_json, module.said(summary))
    if problem := module.problem(summary):
        raise WorkFailed(problem)
