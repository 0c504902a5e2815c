"""The verb that compares two things that exist: `otbench score REAL GENERATED`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from otbench.cli.options import Device, NetworkWeights, print_json
from otbench.utils.bounds import SEED_32_MOST


class Holds(StrEnum):
    """What an array holds."""

    images = "images"
    signed = "images-signed"
    features = "features"
    points = "points"


def score(
    real: Annotated[str, typer.Argument(help="Folder of images, .npy or .npz, or a data set's split: cifar10:test.")],
    generated: Annotated[str, typer.Argument(help="The same of what is to be scored.")],
    features: Annotated[
        str | None, typer.Option(help="Network that images are compared in; default: the first that is at hand.")
    ] = None,
    metrics: Annotated[
        str | None, typer.Option(help="Metrics, joined by commas; all: those on request too. Default: all others.")
    ] = None,
    holds: Annotated[
        Holds | None, typer.Option("--as", help="What arrays hold; default: what shape and type say.")
    ] = None,
    weights: NetworkWeights = None,
    seed: Annotated[int, typer.Option(min=0, max=SEED_32_MOST, help="Seed of k-means and subsets.")] = 0,
    device: Annotated[Device, typer.Option(help="Where the network runs.")] = Device.cpu,
    cache: Annotated[bool, typer.Option("--cache/--no-cache", help="Keep features for the next call.")] = True,
) -> None:
    """FID, KID, PRD, precision, recall, density, coverage and more of any two sets of images, features or points.

    JSON goes to standard output, a table for people, with what makes FID differ, to standard error. n and m may differ:
    PRD and sliced_w2 take as many rows of the longer as the shorter has, drawn with the seed. KID is unbiased, so that
    it can lie below zero.

    Example: otbench score digits:test my-images/ --features classifier

    \f
    Args:
        real: Folder of images, .npy or .npz, or a data set's name or file with its split.
        generated: The same of what is to be scored.
        features: Name of the network that images are compared in; None for the first that is at hand.
        metrics: Names of metrics, joined by commas, or `all`; None for those that are not on request.
        holds: What arrays hold; None for what shape and type say.
        weights: Files of weights, `NAME=PATH`, or `PATH` for Inception's; None for those at hand.
        seed: Seed of k-means, subsets and a classifier's training.
        device: Where the network runs.
        cache: Whether features of images are kept for the next call.
    """
    from otbench.features.registry import check_name, parse_weights
    from otbench.scoring.compare import compare, table
    from otbench.scoring.sides import read_side

    if features is not None:
        check_name(features)
    where = device.value
    if device is not Device.cpu:
        from otbench.utils.devices import setup_device

        where = setup_device(device.value)
    declared = holds.value if holds else None
    names = [name.strip() for name in metrics.split(",") if name.strip()] if metrics else None
    sides = read_side(real, declared), read_side(generated, declared)
    scores = compare(*sides, features, names, parse_weights(weights), seed, where, use_cache=cache)
    typer.echo(table(scores), err=True)
    print_json(scores)
