"""Ranges of numbers and names, each from the formats and libraries that hold them later."""

from __future__ import annotations

import math
from collections.abc import Iterable

#: whole numbers up to here are exact as floats, which JSON's readers and pandas make of them; 1000 times one of them
#: is still a seed of torch's generators and a value of an int64 column
WHOLE_MOST = 2**53 - 1
#: seeds of runs: a column int64 of samples and tables, and torch's generators, also 1000 times them
SEED_MOST = WHOLE_MOST
#: seeds of k-means and of subsets: NumPy's RandomState, which scikit-learn and torch-fidelity take, has 32 bits; PRD's
#: clusterings count up from the seed
SEED_32_MOST = 2**32 - 1000
#: rows of one draw: scikit-learn and SciPy number rows with 32 bits
ROWS_MOST = 2**31 - 1
#: seconds that a timer of a system can wait (a 32-bit time)
SECONDS_MOST = float(2**31 - 1)
#: bytes of a file's name, and of a path, that Linux and macOS take
FILE_NAME_MOST, PATH_MOST = 255, 1024
#: characters of a name in a config: one file's name holds two of them and more
NAME_MOST = 100
#: decimals of a snapshot in samples and tables, so that a fraction is the same whichever way it was written
SNAPSHOT_DECIMALS = 9
SNAPSHOT_LEAST = 10.0**-SNAPSHOT_DECIMALS


def snapshot_text(snapshot: float) -> str:
    """Snapshot as the names of weights have it.

    Args:
        snapshot: Fraction of the budget.

    Returns:
        Six significant digits.
    """
    return f"{snapshot:g}"


def to_the_end(snapshots: Iterable[float]) -> list[float]:
    """Snapshots with the end of the budget, which is always among them.

    Args:
        snapshots: Fractions of the budget.

    Returns:
        The fractions and 1, in order, each once.
    """
    return sorted({*snapshots, 1.0})


def check_seeds(seeds: Iterable[int], most: int = SEED_MOST) -> None:
    """Check that generators and tables can hold seeds, and that they differ.

    Args:
        seeds: Seeds, one at least.
        most: Largest seed allowed.

    Raises:
        ValueError: A seed is out of range or there twice, or there is none.
    """
    seeds = list(seeds)
    for seed in seeds:
        if not 0 <= seed <= most:
            raise ValueError(f"expected seeds from 0 to {most}, got {seed}")
    if not seeds or len(set(seeds)) < len(seeds):
        raise ValueError(f"expected different seeds, one at least, got {seeds}")


def check_snapshots(snapshots: Iterable[float]) -> None:
    """Check snapshots; the end of the budget, 1, is always among them.

    Args:
        snapshots: Fractions of the budget.

    Raises:
        ValueError: A snapshot is no fraction of the budget, or files could not tell two of them apart.
    """
    snapshots = list(snapshots)
    for value in snapshots:
        if not (math.isfinite(value) and SNAPSHOT_LEAST <= value <= 1):
            raise ValueError(f"expected fractions of the budget from {SNAPSHOT_LEAST:g} to 1, got {value:g}")
    marks = to_the_end(snapshots)
    for low, high in zip(marks, marks[1:], strict=False):
        same = snapshot_text(low) == snapshot_text(high)
        if same or round(low, SNAPSHOT_DECIMALS) == round(high, SNAPSHOT_DECIMALS):
            raise ValueError(
                f"{low!r} and {high!r} are one snapshot in files, which keep six significant digits and"
                f" {SNAPSHOT_DECIMALS} decimals; expected snapshots that differ in them"
            )
