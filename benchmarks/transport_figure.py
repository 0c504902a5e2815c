"""The table and the figure of `benchmarks/transport.py`, from what it wrote.

    python benchmarks/transport_figure.py results/benchmark

Reads machine.json, times.csv, exact.csv and scaling.csv in the folder and writes table.md and times.png there.
"""

from __future__ import annotations

import csv
import json
import math
import sys
from pathlib import Path
from typing import Any

ERRORS = (0.5, 0.2, 0.1, 0.05)
Curves = dict[tuple[str, str], list[tuple[float, float]]]
PROBLEMS = {
    "grid": "25 Gaussians in the plane",
    "mixture": "mixture of 20 Gaussians",
    "codes": "mixture of 20 Gaussians",
}
# Okabe and Ito's colours, told apart by every common kind of colour vision, and markers for print without colour.
STYLES = {
    "otbench": ("#0072B2", "o"),
    "otbench exact": ("#000000", "D"),
    "OTT-JAX": ("#E69F00", "s"),
    "POT": ("#009E73", "^"),
    "pyOMT": ("#D55E00", "v"),
}


def write(folder: Path) -> str:
    """Write table.md and times.png into the folder, and return the table."""
    record = json.loads((folder / "machine.json").read_text())
    curves: Curves = {}
    for row in rows_of(folder / "times.csv"):
        point = (float(row["seconds"]), float(row["error"]))
        curves.setdefault((row["problem"], row["solver"]), []).append(point)
    parts = [said(record), times_table(curves, record["problems"])]
    for name, columns in (("exact", exact_table), ("scaling", scaling_table)):
        if (folder / f"{name}.csv").exists():
            parts.append(columns(rows_of(folder / f"{name}.csv")))
    text = "\n".join(parts)
    (folder / "table.md").write_text(text)
    figure(curves, record["problems"], folder / "times.png")
    return text


def rows_of(path: Path) -> list[dict[str, str]]:
    """Rows of a CSV file by column."""
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def said(record: dict[str, Any]) -> str:
    """The machine and the versions, in a sentence."""
    versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    place = f"{record['cores']} cores of an {record['processor']}, {record['threads']} threads"
    if record["device"] != "CPU":
        place += f", {record['device']}"
    loops = "with" if record["compiled loops"] else "without"
    return f"{place}; {versions}; {loops} compiled loops.\n"


def seconds_to(curve: list[tuple[float, float]], error: float) -> float:
    """The first time at which the error was reached; infinite where it never was."""
    return min((passed for passed, found in curve if found <= error), default=math.inf)


def shown(seconds: float) -> str:
    """Seconds with two digits, or a dash."""
    if math.isinf(seconds):
        return "-"
    return f"{seconds:.0f}" if seconds >= 10 else f"{seconds:.2g}"


def times_table(curves: Curves, problems: dict[str, dict[str, float]]) -> str:
    """Seconds to each error, and the best error with the time spent, as a Markdown table."""
    head = "| n | d | solver | " + " | ".join(f"to {e:g}" for e in ERRORS) + " | least error | run for |"
    lines = [head, "|" + "---|" * (len(ERRORS) + 5)]
    for (problem, name), curve in curves.items():
        place = problems[problem]
        best, seen = min(e for _, e in curve), place["resolution"]
        least = f"< {seen:.1g}" if best < seen else f"{best:.2g}"
        cells = [shown(seconds_to(curve, e)) for e in ERRORS] + [least, f"{shown(max(t for t, _ in curve))} s"]
        lines.append(f"| {place['n']:,} | {place['d']} | {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def exact_table(rows: list[dict[str, str]]) -> str:
    """The exact solver on every kind of target."""
    lines = ["| target | weights | n | seconds | steps | largest cell error |", "|---|---|---|---|---|---|"]
    for row in rows:
        numbers = f"{float(row['seconds']):.2f} | {row['steps']} | {float(row['largest_error']):.0e}"
        lines.append(f"| {row['target']} | {row['weights']} | {row['n']} | {numbers} |")
    return "\n".join(lines) + "\n"


def scaling_table(rows: list[dict[str, str]]) -> str:
    """Cost of a batch against n and d."""
    lines = ["| n | d | sampling | million points a second | share of the matrix rate |", "|---|---|---|---|---|"]
    for row in rows:
        rate, share = float(row["million_points_a_second"]), float(row["share_of_matrix_rate"])
        lines.append(f"| {int(row['n']):,} | {row['d']} | {row['sampling']} | {rate:.2g} | {share:.2f} |")
    return "\n".join(lines) + "\n"


def figure(curves: Curves, problems: dict[str, dict[str, float]], path: Path) -> None:
    """Mean cell error against the solver's seconds: a panel a problem, one line a solver, named where it ends."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    look = {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "svg.hashsalt": "otbench"}
    with plt.rc_context(look):
        order = [name for name in PROBLEMS if name in problems]
        fig, axes = plt.subplots(1, len(order), figsize=(3.7 * len(order), 3.5), squeeze=False, layout="constrained")
        for axis, problem in zip(axes[0], order, strict=True):
            panel(axis, {name: curve for (where, name), curve in curves.items() if where == problem}, problems[problem])
            place = problems[problem]
            axis.set_title(f"{PROBLEMS[problem]}\nn = {place['n']:,}, d = {place['d']}", fontsize=9, loc="left")
            axis.set_xlabel("solver's time (s)")
        axes[0][0].set_ylabel("mean relative error of the cells' masses")
        fig.savefig(path, dpi=200)
        plt.close(fig)


def panel(axis: Any, curves: dict[str, list[tuple[float, float]]], place: dict[str, float]) -> None:
    """One problem's lines, each of the least error so far; what the judge cannot resolve is shaded, and ends them."""
    from matplotlib import patheffects
    from matplotlib.ticker import NullLocator

    seen = place["resolution"]
    axis.set(xscale="log", yscale="log")
    ends = []
    for name, curve in curves.items():
        colour, marker = STYLES[name]
        points = sorted(curve)
        kept = [points[0]]
        for point in points[1:]:
            if point[1] < kept[-1][1] and kept[-1][1] > seen:
                kept.append((point[0], max(point[1], seen)) if seen else point)
        axis.plot(*zip(*kept, strict=True), color=colour, marker=marker, markersize=3, linewidth=1.4)
        ends.append((name, colour, *kept[-1]))
    for error in ERRORS:
        axis.axhline(error, color="0.85", linewidth=0.6, zorder=0)
    if seen:
        low = seen / 1.6
        axis.set_ylim(bottom=low)
        axis.axhspan(low, seen, color="0.93", zorder=0)
        axis.text(0.02, 0.02, "below what the judge resolves", transform=axis.transAxes, fontsize=7, color="0.45")
        axis.set_yticks([e for e in (1, *ERRORS, 0.02) if e > low], minor=False)
        axis.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axis.yaxis.set_minor_locator(NullLocator())
    axis.set_xlim(right=axis.get_xlim()[1] * 5)
    for name, colour, x, y in spread(ends, axis):
        halo = [patheffects.withStroke(linewidth=2.5, foreground="white")]
        place = {"xytext": (6, 0), "textcoords": "offset points", "va": "center", "path_effects": halo}
        axis.annotate(name, (x, y), color=colour, fontsize=8, **place)


def spread(ends: list[tuple[str, str, float, float]], axis: Any) -> list[tuple[str, str, float, float]]:
    """Places of the labels: at a line's end where that is far from the others', else in a column right of all lines,
    moved apart.
    """
    right = max(x for _, _, x, _ in ends)
    column = sorted((end for end in ends if end[2] > right / 30), key=lambda end: end[3])
    low, high = (math.log10(v) for v in axis.get_ylim())
    gap, levels = (high - low) / 16, []
    for _, _, _, y in column:
        levels.append(max(math.log10(y), levels[-1] + gap if levels else -math.inf))
    for k in reversed(range(len(levels))):
        levels[k] = min(levels[k], levels[k + 1] - gap if k + 1 < len(levels) else high - gap / 2)
    moved = [(name, colour, right, 10**level) for (name, colour, _, _), level in zip(column, levels, strict=True)]
    return moved + [end for end in ends if end not in column]


if __name__ == "__main__":
    print(write(Path(sys.argv[1])))
