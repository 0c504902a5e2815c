"""Verbs beside the pipeline: list and transport."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from otbench.cli.options import (
    AsJson,
    Kind,
    above_zero,
    print_json,
    print_result,
)
from otbench.errors import OtbenchError, WorkFailed
from otbench.utils.bounds import SEED_MOST


def show(
    kind: Annotated[Kind, typer.Argument(help="What to list.")] = Kind.all,
    as_json: AsJson = False,
) -> None:
    """What models, data sets, metrics and studies of the theory there are, with their papers.

    Example: otbench list models

    \f
    Args:
        kind: What to list.
        as_json: Whether to print JSON.
    """
    from otbench.cli.listing import listing, text

    contents = listing() if kind is Kind.all else {kind.value: listing()[kind.value]}
    print_result(contents, as_json, text(contents))


def transport(
    target: Annotated[Path | None, typer.Argument(help="Target points, .npy (n, d).")] = None,
    source: Annotated[str, typer.Option(help="Source measure: cube, ball or gaussian.")] = "cube",
    tolerance: Annotated[float | None, typer.Option(help="Relative cell error to reach.")] = None,
    out: Annotated[Path | None, typer.Option(help="Where to write the map, .npz.")] = None,
    weights: Annotated[Path | None, typer.Option(help="Weights of the points, .npy (n,).")] = None,
    start: Annotated[Path | None, typer.Option(help="Map to start from, .npz.")] = None,
    seed: Annotated[int, typer.Option(min=0, max=SEED_MOST, help="Seed of the stochastic solver.")] = 0,
    time_limit: Annotated[float | None, typer.Option(help="Seconds after which to stop.")] = None,
    check: Annotated[Path | None, typer.Option(help="Recompute the certificate of this map instead.")] = None,
) -> None:
    """Solve semi-discrete transport to points, or check a map; prints the certificate as JSON.

    Example: otbench transport codes.npy --source cube --tolerance 0.05 --out map.npz

    \f
    Args:
        target: Target points, .npy (n, d); None where a map is checked.
        source: Source measure: cube, ball or gaussian.
        tolerance: Relative cell error to reach, at most 1; None for the solver's default.
        out: File for the map, .npz; None for none.
        weights: Weights of the points, .npy (n,), positive; None for equal ones.
        start: Map to start from, .npz.
        seed: Seed of the stochastic solver.
        time_limit: Seconds after which to stop; None for no limit.
        check: Map whose certificate is computed again instead, .npz.

    Raises:
        OtbenchError: Where neither or both of `target` and `check` are given.
        WorkFailed: Where the map missed its tolerance.
    """
    from otbench.cli import transport

    if (target is None) == (check is None):
        raise OtbenchError("transport: expected either target points (.npy) or --check MAP.npz")
    above_zero(tolerance, "--tolerance", 1.0)
    above_zero(time_limit, "--time-limit")
    if check:
        certificate = transport.check(check)
    else:
        assert target is not None
        certificate = transport.run(target, source, tolerance, out, weights, seed, time_limit, start, progress=True)
    print_json(certificate)
    if not certificate.get("map_tolerance_met", 1):
        raise WorkFailed("transport: the map missed its tolerance; the certificate says by how much")
