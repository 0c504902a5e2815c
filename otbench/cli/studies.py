"""The verbs of studies beyond a table of metrics: `study`, `search`, `spread`, `theory`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from otbench.cli.options import (
    DataArgument,
    Device,
    NetworkWeights,
    Out,
    Space,
    Study,
    budget,
    load_data,
    mapping,
    numbers,
    print_json,
    span,
)
from otbench.errors import OtbenchError
from otbench.features.registry import parse_weights
from otbench.fingerprints import fit_version, measure_version, study_version
from otbench.registry import ON_CPU, THEORIES
from otbench.utils.bounds import ROWS_MOST, SEED_MOST, check_snapshots
from otbench.utils.devices import setup_device
from otbench.utils.files import read_json
from otbench.utils.records import write_record

if TYPE_CHECKING:
    from otbench.metrics.reference import Features


def study(
    name: Annotated[Study, typer.Argument(help="Which study.")],
    data: DataArgument,
    fit: Annotated[Path, typer.Option("--fit", help="Folder that `fit` wrote for ae-ot.")],
    out: Out,
    seed: Annotated[
        int | None, typer.Option(min=0, max=SEED_MOST, help="Replica to study; default: the first that is ok.")
    ] = None,
    segments: Annotated[int, typer.Option(help="Random segments of the source cube.", min=1)] = 200,
    points: Annotated[int, typer.Option(help="Most training images to embed.", min=10)] = 2000,
    features: Annotated[
        Path | None, typer.Option(help="Folder that `features` made: its classifier judges the images of a path.")
    ] = None,
) -> None:
    """Study a fitted AE-OT itself: paths through its singular set, embeddings of images and codes; prints JSON.

    Example: otbench study latent --data digits --fit fit/digits/ae-ot --out studies/latent/digits.npz

    \f
    Args:
        name: Study to compute.
        data: Name or file of the data set.
        fit: Folder that `fit` wrote for ae-ot.
        out: File to write, .npz.
        seed: Seed of the replica to study; None for the first that is ok.
        segments: Random segments of the source cube.
        points: Most training images to embed.
        features: Folder that `features` made of the data set; None for no judgement of the paths' images.
    """
    from otbench.studies import latent

    info = latent.write(out, latent.study(load_data(data), fit, seed, segments, points, features))
    print_json(info)


def search(
    model: str,
    data: DataArgument,
    out: Out,
    features: Annotated[Path | None, typer.Option(help="Of images: the folder that `features` made.")] = None,
    space: Annotated[Space, typer.Option(help="Ranges that the options are drawn from.")] = Space.wide,
    trials: Annotated[
        str, typer.Option(help="Trials FIRST:END; 0 has the defaults, but in the narrow space.")
    ] = "0:10",
    steps: Annotated[str, typer.Option(help="Budget of each trial in discriminator updates, or 'paper'.")] = "paper",
    snapshots: Annotated[str, typer.Option(help="Fractions of the budget at which it is measured.")] = "1",
    samples: Annotated[int, typer.Option(help="Samples that are measured.", min=20, max=ROWS_MOST)] = 10_000,
    options: Annotated[str, typer.Option(help="Options of every trial, as JSON, below those drawn.")] = "{}",
    seed: Annotated[int, typer.Option(min=0, max=SEED_MOST, help="Seed of the options drawn and of the weights.")] = 0,
    weights: NetworkWeights = None,
    device: Annotated[Device, typer.Option(help="Where to train.")] = Device.auto,
    found: Annotated[
        list[Path] | None, typer.Option(help="For --space again: tables of a search whose best trial is trained again.")
    ] = None,
) -> None:
    """Train a model with randomly drawn options (Lucic et al. 2018, or for tuning) and write what they reach, as CSV.

    Example: otbench search ns-gan --data digits.npz --features features/digits --trials 0:10 --out search.csv

    \f
    Args:
        model: Name of the model.
        data: Name or file of a data set; of images but in the space of tuning.
        out: Table to write, .csv; a record goes beside it.
        features: Folder that `features` made of the data set; of images alone.
        space: Ranges that the options are drawn from.
        trials: Trials `FIRST:END`; trial 0 has the defaults, but in the narrow space.
        steps: Budget of each trial in discriminator updates, or `paper`.
        snapshots: Fractions of the budget at which a trial is measured, separated by commas.
        samples: Samples that are measured.
        options: Options of every trial, as JSON, below those drawn.
        seed: Seed of the options drawn and of the weights.
        weights: Files of weights, `NAME=PATH`, or `PATH` for Inception's; None for those at hand.
        device: Where to train.
        found: Tables that this verb wrote; for the space `again` alone, whose trials are seeds.

    Raises:
        OtbenchError: Where a snapshot is wrong.

    Source: Lucic et al. (2018).
    """
    from otbench.metrics.reference import open_features
    from otbench.studies.search import Budget
    from otbench.studies.search import search as run

    values, where = load_data(data), setup_device(device.value)
    marks = tuple(numbers(snapshots, float, "--snapshots"))
    try:
        check_snapshots(marks)
    except ValueError as error:
        raise OtbenchError(f"--snapshots: {error}") from None
    each = Budget(budget(steps), marks, samples, mapping(options), seed, where)
    if features is None and values.kind == "images":
        raise OtbenchError("--features: images are compared in features; name the folder that `otbench features` made")
    reference = (
        open_features(features, values, parse_weights(weights), where) if features and values.kind == "images" else None
    )
    table = run(model, values, reference, space.value, span(trials), each, out, found or [])
    asked = {"model": model, "dataset": values.name, "data": values.digest(), "space": space.value}
    asked |= {"trials": trials.replace(":", "-"), "steps": each.steps or "paper", "snapshots": marks}
    asked |= {"samples": samples, "options": each.options, "seed": seed, "features": _weights(reference)}
    versions = {"fit_version": fit_version(model, values.kind), "study_version": study_version("search")}
    write_record(out, asked | versions | {"measure_version": measure_version()})
    good = table[table["value"].notna()].groupby("metric")["value"]
    reached = "; ".join(
        f"{name} {span['min']:.4g} to {span['max']:.4g}" for name, span in good.agg(["min", "max"]).iterrows()
    )
    reached = reached or "none could be measured"
    typer.echo(f"{model} on {values.name}, {space.value}: trials {trials}; {reached}; in {out}")


def spread(
    data: DataArgument,
    fit: Annotated[Path, typer.Option("--fit", help="Folder that `fit` wrote.")],
    out: Out,
    n: Annotated[int, typer.Option("--n", help="Samples of every draw.", min=20, max=ROWS_MOST)] = 2500,
    draws: Annotated[int, typer.Option(help="Independent draws from every seed's final weights.", min=2)] = 3,
    subsets: Annotated[int, typer.Option(help="Measurements of every draw, each with its own subsets.", min=2)] = 3,
    metric: Annotated[list[str] | None, typer.Option(help="May be given several times. Default: all.")] = None,
    features: Annotated[Path | None, typer.Option(help="Of images: the folder that `features` made.")] = None,
    weights: NetworkWeights = None,
    device: Annotated[Device, typer.Option(help="Where to compute.")] = Device.cpu,
) -> None:
    """Draw and measure a fitted model again and again: what splits the variance of its figures, as CSV.

    Writes OUT, and beside it the Frechet distance at several numbers of samples (`<stem>.bias.csv`).

    Example: otbench spread --data digits.npz --fit fit/digits/vae --features features/digits --out spread.csv

    \f
    Args:
        data: Name or file of the data set.
        fit: Folder that `fit` wrote.
        out: Table to write, .csv.
        n: Samples of every draw.
        draws: Independent draws from every seed's final weights.
        subsets: Measurements of every draw, each with its own subsets.
        metric: Names of the metrics to measure; None for all.
        features: Folder that `features` made; of images alone.
        weights: Files of weights, `NAME=PATH`, or `PATH` for Inception's; None for those at hand.
        device: Where to compute.
    """
    from otbench.metrics.reference import open_features
    from otbench.studies.spread import spread as run
    from otbench.studies.spread import write_spread

    values, reference, where = load_data(data), None, setup_device(device.value)
    if features is not None and values.kind == "images":
        reference = open_features(features, values, parse_weights(weights), where)
    tables = run(fit, values, n, draws, subsets, reference, metric, where)
    write_spread(tables, out)
    fitted = read_json(fit / "fit.json")
    record = {"fit": {name: fitted.get(name) for name in ("model", "dataset", "data", "asked", "fit_version")}}
    record |= {"n": n, "draws": draws, "subsets": subsets, "metrics": metric, "features": _weights(reference)}
    versions = {"study_version": study_version("spread"), "measure_version": measure_version()}
    write_record(out, record | versions)
    typer.echo(f"{values.name}: {len(tables[0])} values of {draws} draws x {subsets} subsets in {out}")


def _weights(features: Features | None) -> dict[str, str]:
    """The hash of the weights of every network that images are compared in."""
    return {name: extractor.info["weights"] for name, extractor in features.extractors.items()} if features else {}


def theory(
    name: Annotated[str, typer.Argument(help=f"Which study: {', '.join(THEORIES)}.")],
    out: Out,
    data: Annotated[
        str | None, typer.Option("--data", "--dataset", help="Of a study of images: a data set's name or file.")
    ] = None,
    options: Annotated[str, typer.Option(help="Options in place of the defaults, as JSON.")] = "{}",
    seed: Annotated[int, typer.Option(help="Seed of all that is random.", min=0, max=SEED_MOST)] = 0,
    device: Annotated[Device, typer.Option(help="Where to compute.")] = Device.cpu,
) -> None:
    """Compute one of the texts' arguments, with figures whose answer is known, and print what it found as JSON.

    Example: otbench theory parallel-lines --out theory/parallel-lines.npz

    \f
    Args:
        name: Study of the theory.
        out: File to write, .npz.
        data: Name or file of the data set, for a study of images; None for the others.
        options: Options in place of the defaults, as JSON.
        seed: Seed of all that is random.
        device: Where to compute; some studies run on a CPU alone.
    """
    from otbench.theory import compute

    given = mapping(options)
    where = setup_device("cpu" if name in ON_CPU else device.value)
    findings = compute(name, given, load_data(data) if data else None, seed, where)
    findings.write(out)
    print_json({"name": name, "seconds": findings.info["seconds"], "facts": findings.facts})
