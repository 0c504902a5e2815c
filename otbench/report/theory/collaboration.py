"""The chapter on collaboration: one step read off a critic, against generators that are trained."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from otbench.report.figures import marks
from otbench.report.figures.base import FigureSpec
from otbench.report.theory.parts import table
from otbench.report.theory.prose import fill
from otbench.theory.collaboration.problems import problem
from otbench.theory.collaboration.training import WAYS
from otbench.utils import plotting

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from otbench.report.tables.base import Table
    from otbench.theory.findings import Findings

CHAPTER = "collaboration"
NAME = f"theory_{CHAPTER}"
CRITICS = {
    "none": "no step: the generated measure",
    "closed": "critic in closed form",
    "semi-discrete": "exact critic, semi-discrete",
    "discrete": "exact critic of the samples, extended",
    "entropic": "entropic critic (smooth)",
    "network": "critic network, partly trained",
    "w1": "critic of W1, the same step",
    "training": "the training points themselves",
    "floor": "other real points (floor)",
}
LOOKS = {
    "wgan-gp": (plotting.RED, "o", "--", "WGAN-GP"),
    "quadratic": (plotting.BLUE, "s", "-.", "quadratic critic"),
    "plan": (plotting.PURPLE, "^", ":", "exact critic of the batch"),
}
SHORT = {"wgan-gp": "WGAN-GP", "quadratic": "quadratic critic", "plan": "exact critic"}


@dataclass(frozen=True)
class Trained:
    """Where a generator that is trained ends; `steps` and `caught` (seconds) are those until it was level."""

    title: str
    level: bool
    reached: int
    steps: float
    caught: float
    seconds: float
    w2: float
    quality: float


@dataclass(frozen=True)
class Critic:
    """What Eq. 33 gives with a critic network after so many steps."""

    steps: int
    w2: float
    attained: float
    has_modes: bool
    quality: float


@dataclass(frozen=True)
class Derived:
    """What the sentences need besides the study's facts; times are in seconds, all but `trained` is of one step."""

    problem: str
    start: float
    best: float
    memoriser: float
    floor: float
    seconds: float
    has_modes: bool
    quality: float
    trained: tuple[Trained, ...]
    last_step: int
    some_level: bool
    times_seconds: float
    some_better: bool
    better: list[str]
    halfway: Critic
    last: Critic
    critic_far: bool
    slope_wrong: bool


def derived(findings: Findings) -> Derived:
    """Decides what the paragraphs may say of one step beside the generators that are trained.

    Args:
        findings: What the study found.

    Returns:
        What the sentences need besides the study's facts.
    """
    f, best, name = findings.facts, exact(findings), findings.facts["compete"]
    step = f"{name}/{_critic(f)}"
    quality, seconds = f.get(f"{step}/quality", math.nan), f[f"{step}/seconds"]
    trained = tuple(_trained(f, way) for way in WAYS)
    marks = sorted(int(key.split("/")[1]) for key in f if key.startswith("network/") and key.endswith("/w2"))
    last = _network(f, f["critic_steps"])
    quickest = min((generator.caught for generator in trained if generator.level), default=math.nan)
    better = [generator.title for generator in trained if generator.w2 < best]
    return Derived(
        problem=problem(name).title,
        start=f[f"{name}/none"],
        best=best,
        memoriser=f[f"{name}/training"],
        floor=f[f"{name}/floor"],
        seconds=seconds,
        has_modes=math.isfinite(quality),
        quality=quality,
        trained=trained,
        last_step=_last(findings),
        some_level=math.isfinite(quickest),
        times_seconds=quickest / max(seconds, 1e-9),
        some_better=bool(better),
        better=better,
        halfway=_network(f, marks[len(marks) // 2]),
        last=last,
        critic_far=last.w2 > 1.25 * best,
        slope_wrong=last.quality < quality - 0.05,
    )


def _trained(f: dict, way: str) -> Trained:
    reached = int(f[f"{way}/reached"])
    rest = {key: f.get(f"{way}/{key}", math.nan) for key in ("steps", "caught", "seconds", "w2", "quality")}
    return Trained(LOOKS[way][3], reached > 0, reached, **rest)


def _network(f: dict, steps: int) -> Critic:
    quality = f.get(f"network/{steps}/quality", math.nan)
    return Critic(steps, f[f"network/{steps}/w2"], f[f"network/{steps}/attained"], math.isfinite(quality), quality)


def said(findings: Findings) -> list[str]:
    """Says what one step reaches, and what training reaches.

    Args:
        findings: What the study found.

    Returns:
        Two paragraphs: one step with every critic, and the generators that are trained.
    """
    text = fill(CHAPTER, findings, derived(findings))
    return [text("one_step"), text("compared")]


def tables(findings: Findings) -> list[Table]:
    """Makes the chapter's tables.

    Args:
        findings: What the study found.

    Returns:
        The tables of one step with every critic, and of the trained generators.
    """
    f, text = findings.facts, fill(CHAPTER, findings, derived(findings))
    steps = findings.tables["steps"].copy()
    order = [name for name in CRITICS if name in set(steps["critic"])]
    steps["rank"] = steps["critic"].map({name: k for k, name in enumerate(order)})
    steps = steps.sort_values("rank", kind="stable")
    steps["title"] = steps["critic"].map(CRITICS)
    steps["where"] = [problem(name).title for name in steps["problem"]]
    steps["quality"] *= 100
    blocks = {name: k for k, name in enumerate(("translation", "affine", "ring", "collapsed"))}
    steps = steps.sort_values("problem", key=lambda names: names.map(blocks), kind="stable")
    against = findings.tables["against"].copy()
    against["title"] = against["way"].map(WAYS)
    against["quality"] *= 100
    columns = [("w2", "W2 after"), ("spread", "s.d. over seeds"), ("quality", "Near a mode, %"), ("seconds", "Seconds")]
    return [
        table(
            f"{NAME}_steps",
            "One step of Eq. 33",
            text("steps_table"),
            steps,
            "title",
            columns,
            head="Critic",
            block="where",
        ),
        table(
            f"{NAME}_against",
            "Generators trained by gradient descent",
            text("against_table"),
            against,
            "title",
            [
                ("w2", "W2 at the end"),
                ("spread", "s.d. over seeds"),
                ("quality", "Near a mode, %"),
                ("seconds", "Seconds in all"),
                ("reached", f"Seeds level, of {f['seeds']}"),
                ("steps", "Steps until level"),
                ("caught", "Seconds until level"),
            ],
            head="Training",
        ),
    ]


def figures(findings: Findings) -> Iterator[FigureSpec]:
    """Describes the chapter's figures.

    Args:
        findings: What the study found.

    Yields:
        The figure of the first seed's samples, and that of W2 against steps, seconds and the critic's training.
    """
    text = fill(CHAPTER, findings, derived(findings))
    title, caption = "One step against many", text("samples_figure")
    yield FigureSpec(f"{NAME}_samples", title, caption, "png", lambda: samples_figure(findings))
    title, caption = "W2 against steps and seconds", text("curves_figure")
    yield FigureSpec(f"{NAME}_curves", title, caption, "svg", lambda: curves_figure(findings))


def samples_figure(findings: Findings) -> Figure:
    """Draws at most eight panels of points, all with the same limits.

    Args:
        findings: What the study found.

    Returns:
        The figure.
    """
    import matplotlib.pyplot as plt

    arrays, last = findings.arrays, findings.facts["critic_steps"]
    early = sorted(int(key.split("/")[1]) for key in arrays if key.startswith("network/"))
    early = min(early, key=lambda step: abs(step - 32))
    panels = [("generated", "start"), (f"step/{_critic(findings.facts)}", "Eq. 33, exact critic")]
    panels += [("step/entropic", "Eq. 33, entropic critic")]
    panels += [(f"network/{step}", f"Eq. 33, critic of {step} steps") for step in sorted({early, last})]
    panels += [(f"trained/{way}", f"{_last(findings)} steps, {SHORT[way]}") for way in WAYS]
    panels = [(key, title) for key, title in panels if key in arrays]
    figure, grid = plt.subplots(2, 4, figsize=(plotting.WIDTH, 3.9), sharex=True, sharey=True, layout="constrained")
    every = np.concatenate([arrays["real"], arrays["generated"]])
    middle, reach = (every.max(0) + every.min(0)) / 2, 0.66 * np.ptp(every, axis=0).max()
    for letter, axes, (key, title) in zip("abcdefgh", grid.flat, panels, strict=False):
        axes.scatter(*arrays["real"].T, s=5, color=marks.REAL, linewidths=0, rasterized=True)
        axes.scatter(*arrays[key].T, s=2.5, color=marks.GENERATED, linewidths=0, rasterized=True)
        axes.set_title(f"({letter}) {title}", fontsize=7, loc="left")
        axes.set(xlim=middle[0] + reach * np.array([-1, 1]), ylim=middle[1] + reach * np.array([-1, 1]), aspect="equal")
    for axes in list(grid.flat)[len(panels) :]:
        axes.set_axis_off()
    marks.points_legend(figure)
    return figure


def curves_figure(findings: Findings) -> Figure:
    """Draws W2 against the generator's steps, seconds and the critic's steps, and the share of points near a mode.

    Args:
        findings: What the study found.

    Returns:
        The figure, of four panels.
    """
    import matplotlib.pyplot as plt
    from matplotlib.ticker import NullFormatter

    f, curves, halfway = findings.facts, findings.tables["curves"], findings.tables["halfway"]
    halfway = halfway[halfway["problem"] == f["compete"]]
    figure, grid = plt.subplots(2, 2, figsize=(plotting.WIDTH, 4.4), layout="constrained")
    steps, seconds, critic, near = grid.flat
    for way, (colour, marker, dash, title) in LOOKS.items():
        rows, look = curves[curves["way"] == way], {"color": colour, "marker": marker, "linestyle": dash}
        _line(steps, rows, "step", "w2", look | {"label": title})
        _line(seconds, rows, "seconds", "w2", look)
        _line(near, rows, "step", "quality", look)
    look = {"color": plotting.GREEN, "marker": "D", "label": "Eq. 33, critic network"}
    _line(critic, halfway, "step", "w2", look)
    _line(near, halfway, "step", "quality", look)
    for axes in (steps, seconds, critic):
        axes.axhline(exact(findings), color=plotting.BLACK, linewidth=1, label="Eq. 33, exact critic")
        axes.axhline(f[f"{f['compete']}/floor"], color=plotting.GREY, linewidth=1, linestyle=(0, (4, 2)), label="floor")
        axes.set(ylabel="W2 to held-out points", ylim=(0, None))
    spent = f[f"{f['compete']}/{_critic(f)}/seconds"]
    seconds.plot([max(spent, 1e-4)], [exact(findings)], color=plotting.BLACK, marker="*", markersize=9)
    steps.set_xlabel("Generator's steps")
    seconds.set_xlabel("Processor seconds of training")
    critic.set_xlabel("Critic's steps, then one step of Eq. 33")
    near.set(xlabel="Steps (generator's or critic's)", ylabel="Points near a mode, %", ylim=(0, 103))
    share = f.get(f"{f['compete']}/{_critic(f)}/quality", np.nan)
    near.axhline(100 * share, color=plotting.BLACK, linewidth=1)
    for letter, axes in zip("abcd", grid.flat, strict=True):
        axes.set_title(f"({letter})", loc="left")
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
    if not np.isfinite(share):
        near.set_axis_off()
        near.set_title("")
    legends = [axes.get_legend_handles_labels() for axes in (steps, critic)]
    named = {label: handle for handles, labels in legends for handle, label in zip(handles, labels, strict=True)}
    figure.legend(named.values(), named.keys(), loc="outside lower center", ncols=3)
    return figure


def _line(axes: Axes, rows: pd.DataFrame, x: str, y: str, look: dict) -> None:
    """Mean over seeds at every step but the first, and the range."""
    scale = 100 if y == "quality" else 1
    where = rows[rows["step"] > 0].groupby("step")[x].mean() if x != "step" else None
    mean = scale * rows[rows["step"] > 0].groupby("step")[y].agg(["mean", "min", "max"])
    at = mean.index if where is None else where
    axes.plot(at, mean["mean"], **look)
    axes.fill_between(at, mean["min"], mean["max"], color=look["color"], alpha=0.15, linewidth=0)


def exact(findings: Findings) -> float:
    """Reads W2 after one step with the exact critic, on the problem of the competition.

    Args:
        findings: What the study found.

    Returns:
        The distance, a mean over seeds.
    """
    f = findings.facts
    return float(f[f"{f['compete']}/{_critic(f)}"])


def _critic(f: dict) -> str:
    return "semi-discrete" if f"{f['compete']}/semi-discrete" in f else "discrete"


def _last(findings: Findings) -> int:
    curves: pd.DataFrame = findings.tables["curves"]
    return int(curves["step"].max())
