"""The numbers that a figure shows, read back from its panels, as a CSV for whoever wants to draw it again."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from otbench.report.tables.base import spreadsheet_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HEADS = ("panel", "series", "kind", "x", "y")


def data_of(figure: Figure) -> str:
    """Every line, point and bar of a figure with its coordinates.

    Pictures, rules across a panel and bands are left out: sheets hold the pictures, and the bands' numbers stand in the
    tables.

    Args:
        figure: Drawn figure.

    Returns:
        Text of a CSV with a header: panel (title or label), series (the legend's), kind (line, points or bar), x, y;
        empty where the figure shows pictures alone.
    """
    rows = [row for at, axes in enumerate(figure.axes) for row in _panel(axes, at)]
    if not rows:
        return ""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(HEADS)
    writer.writerows(rows)
    return out.getvalue()


def _panel(axes: Axes, at: int) -> Iterator[tuple[str, ...]]:
    name = axes.get_title() or axes.get_ylabel() or axes.get_xlabel() or str(at + 1)
    panel = spreadsheet_text(" ".join(name.split()))
    names = _named(axes)
    for line in axes.get_lines():
        if line.get_transform() == axes.transData:
            series = _series(line, names)
            yield from _pairs(panel, series, "line", line.get_xdata(orig=False), line.get_ydata(orig=False))
    for cloud in axes.collections:
        offsets = np.ma.filled(np.ma.asarray(cloud.get_offsets(), dtype=float), np.nan)
        if len(offsets) and type(cloud).__name__ == "PathCollection":
            yield from _pairs(panel, _series(cloud, names), "points", offsets[:, 0], offsets[:, 1])
    for bars in axes.containers:
        if type(bars).__name__ == "BarContainer":
            series = _series(bars, names)
            for bar in bars.patches:  # type: ignore[attr-defined]
                x = bar.get_x() + bar.get_width() / 2
                yield (panel, series, "bar", f"{x:.6g}", f"{bar.get_y() + bar.get_height():.6g}")


def _named(axes: Axes) -> dict[int, str]:
    """Artist -> label of the container that it is part of, such as the line of points with error bars."""
    names: dict[int, str] = {}
    for container in axes.containers:
        label = str(container.get_label())
        for part in container:
            for artist in part if isinstance(part, (tuple, list)) else [part]:
                names[id(artist)] = label
    return names


def _series(artist: Any, names: dict[int, str]) -> str:
    label = str(artist.get_label())
    label = names.get(id(artist), "") if label.startswith("_") else label
    return spreadsheet_text("" if label.startswith("_") else label)


def _pairs(panel: str, series: str, kind: str, x: Any, y: Any) -> Iterator[tuple[str, ...]]:
    for first, second in zip(np.asarray(x, dtype=float).ravel(), np.asarray(y, dtype=float).ravel(), strict=False):
        yield panel, series, kind, f"{first:.6g}", f"{second:.6g}"
