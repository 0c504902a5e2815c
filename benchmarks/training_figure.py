"""The tables and the figure of `benchmarks/training.py`, from what it wrote.

    python benchmarks/training_figure.py results/benchmark-training

Reads machine.json, times.csv and roofline.csv in the folder and writes table.md and roofline.png there. Every ratio and
every forecast is computed here, from the seconds in times.csv.
"""

from __future__ import annotations

import csv
import math
import sys
from pathlib import Path
from typing import Any

from otbench.utils.files import atomic_write, read_json

PLAIN, ALONE, TOGETHER, CAPTURED = "plain loop", "one seed", "all at once", ", captured"
#: the suite's ways, in the order of the tables' columns
WAYS = (ALONE, ALONE + CAPTURED, TOGETHER, TOGETHER + CAPTURED)
COUNTED = (
    "Operations are those of matrix products and convolutions; bytes are the unfused traffic, what every operation of"
    " PyTorch reads and writes, so that work which stays in a cache can exceed the bound. Bound: min(peak, bandwidth x"
    " operations a byte). Ops: operations that touch memory, each a kernel or more on a GPU.\n"
)
Row = dict[str, Any]


def write(folder: Path) -> str:
    """Write table.md into the folder, and return it."""
    record = read_json(folder / "machine.json")
    times, counts = rows(folder / "times.csv"), rows(folder / "roofline.csv")
    parts = [said(record), times_table(times), forecast_table(times), roofline_table(record, counts)]
    text = "\n".join(part for part in parts if part)
    with atomic_write(folder / "table.md") as path:
        path.write_text(text)
    return text


def rows(path: Path) -> list[Row]:
    """Rows of a CSV file by column, numbers as numbers."""
    words = ("case", "stage", "way", "precision", "note", "op")
    with open(path, newline="") as file:
        return [{k: v if k in words else float(v) for k, v in row.items()} for row in csv.DictReader(file)]


def said(record: Row) -> str:
    """The machine and the versions, in a sentence or two."""
    place = f"{record['gpu']}, " if record["device"].startswith("cuda") else ""
    place += f"{record['cores']} cores of an {record['cpu']}, {record['threads']} thread"
    place += "s" if record["threads"] > 1 else ""
    versions = f"Python {record['versions']['python']}, torch {record['versions']['torch']}"
    peaks = ", ".join(f"{shown(rate / 1e9)} GFLOP/s in {name}" for name, rate in record["peak"].items())
    clock = "Times are CPU time of the process, as the machine was not alone." if record["clock"] == "process" else ""
    tiny = "**Tiny networks: these figures say only that it runs.**" if record["tiny"] else ""
    lines = [f"{place}; {versions}; images: {record['images']}. {clock} {tiny}".strip() + "\n"]
    copied = f"{shown(record['bandwidth'] / 1e9)} GB/s, read and written"
    lines += [f"Measured roofs: matrix product {peaks}; copy {copied}.\n"]
    return "\n".join(lines)


def shown(value: float) -> str:
    """Three digits, with thousands marked; a dash for no number."""
    if not math.isfinite(value):
        return "-"
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def grouped(times: list[Row]) -> dict[tuple[str, str, str], dict[str, Row]]:
    """The suite's rows by way, for each (case, stage, precision), with the plain loop's beside them."""
    found: dict[tuple[str, str, str], dict[str, Row]] = {}
    plain = {(r["case"], r["stage"]): r for r in times if r["way"] == PLAIN}
    for row in times:
        if row["way"] != PLAIN and row["full_steps"] > 1:
            group = found.setdefault((row["case"], row["stage"], row["precision"]), {})
            group[row["way"]] = row
            if (row["case"], row["stage"]) in plain:
                group[PLAIN] = plain[row["case"], row["stage"]]
    return found


def each(row: Row | None) -> float:
    """Seconds of a step of one seed."""
    return row["seconds"] / row["seeds"] if row else math.nan


def table(head: list[str], lines: list[list[str]]) -> str:
    """A Markdown table."""
    return "\n".join("| " + " | ".join(line) + " |" for line in [head, ["---"] * len(head), *lines]) + "\n"


def ways_of(times: list[Row]) -> list[str]:
    """The suite's ways that were measured."""
    return [way for way in WAYS if any(row["way"] == way for row in times)]


def times_table(times: list[Row]) -> str:
    """Milliseconds of a step of one seed, and how many times as fast as the plain loop that is."""
    ways, lines = ways_of(times), []
    for (case, stage, precision), group in grouped(times).items():
        seeds = max(row["seeds"] for row in group.values())
        cells = [shown(1e3 * each(group.get(PLAIN)))]
        for way in ways:
            mine = each(group.get(way))
            cells.append(f"{shown(1e3 * mine)} ({shown(each(group.get(PLAIN)) / mine)}x)")
        lines.append([case, stage, precision, f"{seeds:.0f}", *cells])
    head = ["case", "stage", "precision", "seeds", PLAIN, *ways]
    return "Milliseconds of a step of one seed; in brackets the plain loop's over it.\n\n" + table(head, lines)


def forecast_table(times: list[Row]) -> str:
    """Seconds of the whole budget at the measured step, and those of the transport."""
    ways, lines, notes = [PLAIN, *ways_of(times)], [], []
    for (case, stage, precision), group in grouped(times).items():
        full = group[next(way for way in WAYS if way in group)]
        whole_run = full["full_steps"] * full["full_seeds"]
        cells = [shown(whole_run * each(group.get(way))) for way in ways]
        lines.append([case, stage, precision, f"{full['full_steps']:,.0f}", f"{full['full_seeds']:.0f}", *cells])
    for row in times:
        if row["stage"] == "transport":
            notes.append(f"\nTransport, measured: {row['note']}, {shown(row['seconds'])} s a seed.\n")
    head = ["case", "stage", "precision", "steps", "seeds", *ways]
    text = "Forecasts, not measured: seconds of the papers' budget for all its seeds at the measured step.\n\n"
    return text + table(head, lines) + "".join(notes)


def roofline_table(record: Row, counts: list[Row]) -> str:
    """Operations, bytes and kernels of a step, and what share of the bound they run at."""
    lines = []
    for row in counts:
        rate, intensity = row["flops"] / row["seconds"], row["flops"] / row["bytes"]
        cells = [f"{row['seeds']:.0f}", shown(row["flops"] / 1e9), shown(row["bytes"] / 1e6), shown(intensity)]
        cells += [shown(rate / 1e9), shown(row["bound"] / 1e9), f"{100 * rate / row['bound']:.2g} %"]
        cells += [f"{row['ops']:,.0f}", shown(1e6 * row["seconds"] / row["ops"])]
        lines.append([row["case"], row["stage"], row["way"], row["precision"], *cells])
    head = ["case", "stage", "way", "precision", "seeds", "GFLOP a step", "MB a step", "FLOP/B", "GFLOP/s", "bound"]
    return COUNTED + "\n" + table([*head, "share", "ops a step", "µs an op"], lines)


# ---------------------------------------------------------------------- figure


def figure(folder: Path) -> None:
    """Operations a second against operations a byte, under the machine's roofs, as roofline.png."""
    from otbench.report.figures import plots
    from otbench.utils import plotting

    record, counts = read_json(folder / "machine.json"), rows(folder / "roofline.csv")
    with plotting.styled():
        import matplotlib.pyplot as plt

        fig, axis = plt.subplots(figsize=(plotting.WIDTH * 0.8, 3.2), layout="constrained")
        axis.set(xscale="log", yscale="log", xlabel="operations a byte of unfused traffic (FLOP/B)")
        axis.set_ylabel("operations a second (GFLOP/s)")
        points = placed(counts)
        ridges = [rate / record["bandwidth"] for rate in record["peak"].values()]
        low, high = min([x for x, *_ in points] + ridges) / 3, max([x for x, *_ in points] + ridges) * 3
        axis.set_xlim(low, high)
        axis.set_ylim(min(y for _, y, *_ in points) / 2, max(record["peak"].values()) / 1e9 * 1.8)
        drawn_roofs(axis, record, low, high)
        drawn_points(axis, points)
        plots.plain(axis.xaxis, *axis.get_xlim())
        plots.plain(axis.yaxis, *axis.get_ylim())
        axis.set_title(
            f"A training step on {where(record)}:\none seed (hollow), all seeds at once (filled)", loc="left"
        )
        with atomic_write(folder / "roofline.png") as path:
            fig.savefig(path, format="png")
        plt.close(fig)


def where(record: Row) -> str:
    """The device in a few words."""
    if record["device"].startswith("cuda"):
        return record["gpu"]
    return "one CPU thread" if record["threads"] == 1 else f"{record['threads']} CPU threads"


def placed(counts: list[Row]) -> list[tuple[float, float, Row]]:
    """A point (FLOP/B, GFLOP/s) for one seed and for all at once of each case, stage and precision: the faster of
    plain and captured steps.
    """
    best: dict[tuple, tuple[float, float, Row]] = {}
    for row in counts:
        place = (row["case"], row["stage"], row["precision"], row["way"].removesuffix(CAPTURED))
        point = (row["flops"] / row["bytes"], row["flops"] / row["seconds"] / 1e9, row)
        if place not in best or point[1] > best[place][1]:
            best[place] = point
    return list(best.values())


def drawn_roofs(axis: Any, record: Row, low: float, high: float) -> None:
    """The slope of the bandwidth up to the highest peak, and every peak as a level with its name."""
    from otbench.utils import plotting

    band = record["bandwidth"] / 1e9
    top = max(record["peak"].values()) / 1e9
    axis.plot([low, top / band], [low * band, top], color=plotting.GREY, linewidth=1.0)
    place = 1.4 * low
    axis.annotate(f"copy, {shown(band)} GB/s", (place, place * band / 1.2), fontsize=7, color=plotting.GREY, va="top")
    for name, rate in record["peak"].items():
        axis.plot([rate / 1e9 / band, high], [rate / 1e9] * 2, color=plotting.GREY, linewidth=1.0)
        text = f"{name} product, {shown(rate / 1e9)} GFLOP/s"
        axis.annotate(text, (high / 1.05, rate / 1e9 * 1.08), fontsize=7, color=plotting.GREY, ha="right")


def drawn_points(axis: Any, points: list[tuple[float, float, Row]]) -> None:
    """A mark for each case, hollow for one seed and filled for all at once, tied to each other; the precision beside
    them where there are several.
    """
    from matplotlib.lines import Line2D

    from otbench.utils import plotting

    colours = (
        plotting.BLACK,
        plotting.SKY,
        plotting.GREEN,
        plotting.RED,
        plotting.PURPLE,
        plotting.BLUE,
        plotting.ORANGE,
    )
    names = list(dict.fromkeys(named(row) for *_, row in points))
    symbols = {name: (colours[k % 7], "osDp*v^"[k % 7]) for k, name in enumerate(names)}
    several = len({row["precision"] for *_, row in points}) > 1
    for name, (colour, marker) in symbols.items():
        for precision in {row["precision"] for *_, row in points}:
            own = [p for p in points if (named(p[2]), p[2]["precision"]) == (name, precision)]
            axis.plot([x for x, *_ in own], [y for _, y, _ in own], color=colour, linewidth=0.6, alpha=0.6, zorder=1)
            for x, y, row in own:
                filled = row["way"].startswith(TOGETHER)
                axis.plot(x, y, marker, color=colour, markersize=5, mfc=colour if filled else "white")
                if several and filled:
                    axis.annotate(f" {precision}", (x, y), fontsize=6, color=colour, va="center")
    handles = [Line2D([], [], color=colour, marker=marker, linestyle="") for colour, marker in symbols.values()]
    axis.legend(handles, symbols, loc="center left", bbox_to_anchor=(1, 0.5), fontsize=7, frameon=False)


def named(row: Row) -> str:
    """The case, with its stage where it has several."""
    return row["case"] + (f" ({row['stage']})" if row["case"] == "ae-ot" else "")


if __name__ == "__main__":
    print(write(Path(sys.argv[1])))
    figure(Path(sys.argv[1]))
