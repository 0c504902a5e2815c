"""How far a figure moves when it is drawn or measured again, and how the Frechet distance depends on n.

A table's error bars are over training seeds. Two more things move a figure: which samples were drawn from the trained
weights, and which real images and clusterings the metric chose. Here every seed's final weights are drawn from several
times, and every draw is measured several times, so that `statistics.nested` can split the variance. The draws together
also give the Frechet distance at several n (Chong and Forsyth 2020, Effectively unbiased FID and Inception score).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from otbench.data.base import DataSet
from otbench.errors import OtbenchError
from otbench.utils.files import atomic_write, read_columns

if TYPE_CHECKING:
    import pandas

    from otbench.metrics.reference import Features

SPREAD = ["dataset", "model", "seed", "draw", "subset", "n", "metric", "protocol", "value"]
"""spread.csv: a value for every independent draw of n samples from a seed's final weights, and every subset: the
metric's own choice of real samples and clusterings."""
BIAS = ["dataset", "model", "seed", "n", "repeat", "metric", "protocol", "value"]
"""bias.csv: a distance measured on n of a seed's samples, for several n."""
TEXTS = {"dataset", "model", "metric", "protocol"}
SHARES = (0.125, 0.25, 0.5, 1.0)
"""Sizes at which the Frechet distance is measured, as shares of all samples drawn of a seed."""


def spread(
    fit: Path,
    data: DataSet,
    n: int,
    draws: int,
    subsets: int,
    features: Features | None = None,
    metrics: Sequence[str] | None = None,
    device: str = "cpu",
) -> tuple[pandas.DataFrame, pandas.DataFrame]:
    """Values of a fitted model drawn and measured several times: its last snapshot, every seed that is ok.

    Draw 0 and subset 0 are the run's own, so that their values stand in the run's table too.

    Args:
        fit: Folder of the fit.
        data: Data that the model was fitted on.
        n: Samples of every draw.
        draws: Number of independent draws, at least 2.
        subsets: Number of measurements of every draw, at least 2; of each size of BIAS there are up to so many random
            subsets, of which none shares an image with another.
        features: Features of the real images, in all of whose extractors BIAS is measured; None: BIAS is empty.
        metrics: Metrics to measure; None: all.
        device: Where to compute.

    Returns:
        Tables SPREAD and BIAS, the latter of images alone.

    Raises:
        OtbenchError: Where the folder holds no fit of these data, and on fewer than two draws or subsets.
    """
    import pandas

    if min(draws, subsets) < 2:
        raise OtbenchError(f"spread: expected at least two draws and two subsets, got {draws} and {subsets}")
    from otbench.utils.devices import resolve_device

    device = resolve_device(device)
    # metrics in the plane are fast and need no PyTorch
    where = device if data.kind == "images" else "cpu"
    values: list[dict[str, Any]] = []
    biased: list[dict[str, Any]] = []
    for common, samples in _drawn(Path(fit), data, n, draws, device):
        for draw, sample in enumerate(samples):
            values += [
                common | {"draw": draw, "n": n} | row
                for row in _measured(data, sample, subsets, features, metrics, where)
            ]
        if features is not None:
            biased += [common | row for row in _sized(data, np.concatenate(samples), subsets, features, where)]
    return pandas.DataFrame(values, columns=SPREAD), pandas.DataFrame(biased, columns=BIAS)


def _drawn(
    fit: Path, data: DataSet, n: int, draws: int, device: str
) -> Iterator[tuple[dict[str, Any], list[np.ndarray]]]:
    """Labels of every seed, and its draws; a seed that cannot be drawn from is left out (its cell says why)."""
    from otbench.data.samples import as_bytes
    from otbench.training.draw import check_samples
    from otbench.training.fit import work_failed
    from otbench.training.saved import open_fit
    from otbench.utils.devices import configure_torch
    from otbench.utils.rng import generator

    configure_torch(device)
    summary, load = open_fit(fit, data, device)
    for cell in summary["cells"]:
        if cell["status"] != "ok" or cell["snapshot"] != 1.0:
            continue
        samples = []
        try:
            model = load(cell["seed"], 1.0)
            for draw in range(draws):
                stream = generator(cell["seed"], f"samples/{draw}" if draw else "samples")
                samples.append(check_samples(model.draw(n, [stream]), n, data)[0])
        except Exception as error:
            if not work_failed(error):
                raise
            continue
        arrays = [as_bytes(sample) if data.kind == "images" else sample.numpy() for sample in samples]
        yield {"dataset": data.name, "model": summary["model"], "seed": cell["seed"]}, arrays


def _measured(
    data: DataSet,
    samples: np.ndarray,
    subsets: int,
    features: Features | None,
    metrics: Sequence[str] | None,
    device: str,
) -> Iterator[dict[str, Any]]:
    from otbench.metrics.measure import measure

    for subset in range(subsets):
        refused: dict[tuple[str, str], str] = {}
        scores = measure(data, samples, subset, metrics, features, device=device, refused=refused)
        for (name, text), why in refused.items():
            print(f"failed: {name} ({text}): {why}", file=sys.stderr, flush=True)
        for score in scores:
            yield {"subset": subset, "metric": score.metric, "protocol": score.protocol, "value": score.value}


def _sized(
    data: DataSet, samples: np.ndarray, repeats: int, features: Features, device: str
) -> Iterator[dict[str, Any]]:
    """The Frechet distance to the test images on shares of the samples, in every extractor's features."""
    from otbench.metrics import frechet
    from otbench.metrics.images import protocol_of

    for name, real in features.extractors.items():
        seen = real.extractor.extract(samples).features
        order = np.random.default_rng(0).permutation(len(seen))
        for n in sorted({max(2, int(share * len(seen))) for share in SHARES}):
            text = protocol_of("fid", name, real.protocol, data, n, real.info)
            for repeat in range(min(repeats, len(seen) // n)):
                rows = order[repeat * n : (repeat + 1) * n]
                value = frechet.frechet(real.reference_statistics, frechet.statistics(seen[rows], device), device)
                yield {"n": n, "repeat": repeat, "metric": "fid", "protocol": text, "value": value}


def write_spread(tables: tuple[pandas.DataFrame, pandas.DataFrame], out: Path) -> None:
    """Write SPREAD and, beside it, BIAS, each whole or not at all.

    Args:
        tables: Tables SPREAD and BIAS.
        out: Where SPREAD is written, .csv; BIAS is written to `<stem>.bias.csv`.
    """
    for table, path in zip(tables, (out, out.with_suffix(".bias.csv")), strict=True):
        with atomic_write(path) as temporary:
            table.to_csv(temporary, index=False)


def read_spread(path: Path, columns: list[str]) -> pandas.DataFrame:
    """Table SPREAD or BIAS.

    Args:
        path: Where it lies, .csv.
        columns: SPREAD or BIAS.

    Returns:
        The table, with all but text as numbers.

    Raises:
        OtbenchError: Where it is missing, damaged or another table.
    """
    import pandas

    table = read_columns(path, columns, dict.fromkeys(TEXTS, "str"))
    for name in set(columns) - TEXTS:
        try:
            table[name] = pandas.to_numeric(table[name])
        except (ValueError, TypeError, OverflowError) as error:
            raise OtbenchError(f"{path}: column {name} holds something that is no number ({error})") from error
    return table
