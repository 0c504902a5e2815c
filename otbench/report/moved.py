"""Two runs side by side: which cells moved beyond the noise of their seeds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from otbench.report.labels import metric_label, scale_of
from otbench.report.results import RunResults, load_run
from otbench.report.summary import Summary, summarise
from otbench.statistics import scales
from otbench.statistics.holm import holm

LEVEL = 0.05
BETTER, WORSE, MOVED, STAYED, UNTESTED = "better", "worse", "moved", "within its noise", "no test"
"""Verdicts on a cell: significant and for the better, for the worse, or without a better side; not significant; fewer
than two seeds on a side."""
ORDER = (WORSE, BETTER, MOVED, UNTESTED, STAYED)


@dataclass(frozen=True)
class Move:
    """One metric of one model on one data set in both runs.

    first, second: the values over seeds. p: Welch's t test on the metric's scale, with Holm's correction over all;
    NaN where there is none. verdict: one of ORDER.
    """

    dataset: str
    model: str
    metric: str
    first: Summary
    second: Summary
    p: float
    verdict: str

    @property
    def change(self) -> float:
        """The second mean less the first."""
        return self.second.mean - self.first.mean


@dataclass(frozen=True)
class Moves:
    """What changed between two runs.

    moves: every cell that both have under one protocol. only: names of the models on data sets that one run alone has,
    by the run's name. unlike: cells measured under different protocols, which are not compared.
    """

    first: str
    second: str
    moves: list[Move]
    only: dict[str, list[str]]
    unlike: list[str]

    def of(self, *verdicts: str) -> list[Move]:
        """The moves of some verdicts, the surest first.

        Args:
            *verdicts: Verdicts to keep.

        Returns:
            The moves.
        """
        kept = [move for move in self.moves if move.verdict in verdicts]
        return sorted(kept, key=lambda move: (ORDER.index(move.verdict), 2 if math.isnan(move.p) else move.p))


def compare(first: str | Path, second: str | Path) -> Moves:
    """Compare two gathered runs cell by cell.

    Args:
        first: Folder of a gathered run, such as the one before a change.
        second: Folder of the other.

    Returns:
        Every cell that both have, with what changed.

    Raises:
        OtbenchError: Where one of them is not gathered.
    """
    runs = load_run(first, scatter=False), load_run(second, scatter=False)
    names = [run.name for run in runs]
    if names[0] == names[1]:
        names = [str(first), str(second)]
    pairs = [[f"{dataset}/{model}" for dataset, model in run.cells] for run in runs]
    only = {
        names[at]: [cell for cell in pairs[at] if cell not in pairs[1 - at]]
        for at in (0, 1)
        if any(cell not in pairs[1 - at] for cell in pairs[at])
    }
    shared, unlike = [], []
    for dataset, metric in runs[0].protocols:
        if (dataset, metric) not in runs[1].protocols:
            continue
        if runs[0].protocol(dataset, metric) != runs[1].protocol(dataset, metric):
            unlike.append(f"{dataset}/{metric}")
            continue
        models = [model for where, model in runs[0].cells if where == dataset and (dataset, model) in runs[1].cells]
        shared += [(dataset, model, metric) for model in models]
    return Moves(names[0], names[1], _moves(runs[0], runs[1], shared), only, unlike)


def _moves(first: RunResults, second: RunResults, cells: list[tuple[str, str, str]]) -> list[Move]:
    found = [(cell, summarise(first, *cell), summarise(second, *cell)) for cell in cells]
    found = [one for one in found if one[1].n and one[2].n]
    tests = holm(np.array([welch(cell[2], *pair) for cell, *pair in found], dtype=float))
    return [
        Move(*cell, before, after, float(p), _verdict(cell[2], before, after, float(p)))
        for (cell, before, after), p in zip(found, tests, strict=True)
    ]


def welch(metric: str, first: Summary, second: Summary) -> float:
    """Welch's t test of two means on the metric's scale.

    Args:
        metric: Metric as measured, with `@network` where it has features.
        first: Values over seeds of one run.
        second: Those of the other.

    Returns:
        The p-value; 1 where all values are equal, NaN where a side has fewer than two seeds and they are not, or where
        values are infinite.
    """
    values = [np.asarray(one.values, dtype=float) for one in (first, second)]
    joined = np.concatenate(values)
    if np.all(joined == joined[0]):
        return 1.0
    if min(map(len, values)) < 2 or not np.isfinite(joined).all():
        return math.nan
    scale = scales.usable(joined, scale_of(metric), first.samples)
    values = [scales.forward(one, scale, first.samples) for one in values]
    if all(float(np.ptp(one)) == 0 for one in values):
        return 0.0
    from scipy.stats import ttest_ind

    return float(ttest_ind(*values, equal_var=False).pvalue)


def _verdict(metric: str, first: Summary, second: Summary, p: float) -> str:
    if math.isnan(p):
        return UNTESTED
    if p > LEVEL:
        return STAYED
    direction = metric_label(metric).direction
    if direction not in ("higher", "lower"):
        return MOVED
    return BETTER if (second.mean > first.mean) == (direction == "higher") else WORSE


def as_rows(found: Moves) -> list[dict[str, Any]]:
    """The cells as records, for JSON and CSV.

    Args:
        found: What `compare` returned.

    Returns:
        One record a cell, the surest changes first; a number that is not finite is None.
    """
    rows = []
    for move in found.of(*ORDER):
        row: dict[str, Any] = {"dataset": move.dataset, "model": move.model, "metric": move.metric}
        for name, one in (("first", move.first), ("second", move.second)):
            row |= {name: one.mean, f"{name}_error": one.error, f"{name}_n": one.n}
        row |= {"change": move.change, "p": move.p, "verdict": move.verdict}
        rows.append({key: _finite(value) for key, value in row.items()})
    return rows


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def said(found: Moves, every: bool = False) -> str:
    """What changed, in words: the counts, then a line a cell that moved.

    Args:
        found: What `compare` returned.
        every: Whether to list the cells that stayed within their noise and those without a test too.

    Returns:
        Lines of text.
    """
    count = {verdict: len(found.of(verdict)) for verdict in ORDER}
    moved = count[WORSE] + count[BETTER] + count[MOVED]
    lines = [
        f"{found.first} -> {found.second}: {moved} of {len(found.moves)} values moved beyond their noise "
        f"({count[BETTER]} better, {count[WORSE]} worse, {count[MOVED]} without a better side), {count[STAYED]} did "
        f"not, {count[UNTESTED]} have too few seeds for a test (Welch's t at {LEVEL:.0%}, Holm over all)"
    ]
    for move in found.of(*ORDER) if every else found.of(WORSE, BETTER, MOVED):
        label = metric_label(move.metric)
        pair = [label.number(one.mean, one.error) for one in (move.first, move.second)]
        p = "" if math.isnan(move.p) else ", p < 0.001" if move.p < 0.001 else f", p = {move.p:.3f}"
        where = f"{move.dataset}/{move.model}"
        lines.append(f"  {move.verdict:<7} {where}  {label.label}: {pair[0]} -> {pair[1]}{p}")
    lines += [f"  only in {name}: {', '.join(cells)}" for name, cells in found.only.items()]
    if found.unlike:
        lines.append(f"  measured under different protocols, not compared: {', '.join(found.unlike)}")
    return "\n".join(lines)
