"""The chapter on collaboration: one step read off a critic, against generators that are trained."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from otbench.report.figures import marks
from otbench.report.theory.parts import seeds, table
from otbench.theory.collaboration.problems import problem
from otbench.theory.collaboration.training import WAYS
from otbench.utils import plotting

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from otbench.report.figures.base import Wanted
    from otbench.report.tables.base import Table
    from otbench.theory.findings import Findings

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


def said(findings: Findings) -> list[str]:
    """What was computed and what it shows."""
    return [_one_step(findings), _compared(findings)]


def _one_step(findings: Findings) -> str:
    f = findings.facts
    best = exact(findings)
    text = (
        "Under the cost |x - y|^2 / 2 the critic at its optimum is Kantorovich's potential phi, and Eq. 33 replaces "
        "the generator g by (id - grad phi) o g. One such step was made on four problems in the plane, with "
        f"{f['points']} training points a side and {seeds(f)}; W2 is taken between as many fresh generated points and "
        "held-out real ones. "
    )
    text += (
        f"With phi in closed form W2 falls from {f['translation/none']:.2f} to {f['translation/closed']:.3f} for a "
        f"translation and from {f['affine/none']:.2f} to {f['affine/closed']:.3f} for an affine map; two samples of "
        f"the real law are {f['translation/floor']:.3f} and {f['affine/floor']:.3f} apart. With phi computed from "
        f"samples it falls to {f['translation/semi-discrete']:.3f} and {f['affine/semi-discrete']:.3f}. "
    )
    name = f["compete"]
    text += (
        f"On the problem '{problem(name).title}' it falls from {f[f'{name}/none']:.2f} to {best:.3f} (the "
        f"training points themselves {f[f'{name}/training']:.3f}), floor "
        f"{f[f'{name}/floor']:.3f}; the critic took {f[f'{name}/{_critic(f)}/seconds']:.2f} s. From a generator "
        f"that had collapsed onto two modes of eight, W2 falls from {f['collapsed/none']:.2f} to "
        f"{f['collapsed/discrete']:.3f}, floor {f['collapsed/floor']:.3f}. "
    )
    text += (
        "With finitely many real points the exact step returns these very points, with their uneven modes: it is a "
        "memoriser, and smooth only where the critic is smoothed. "
    )
    w1 = f["translation/w1"]
    text += (
        f"The cost matters: the same step with W1's critic, whose slope is 1 everywhere, leaves W2 = {w1:.2f} of the "
        f"translation, as |t| - 1 = {f['w1_left']:.2f} says."
    )
    return text


def _compared(findings: Findings) -> str:
    f, best = findings.facts, exact(findings)
    name, parts = f["compete"], []
    for way in WAYS:
        reached = int(f[f"{way}/reached"])
        end = f"W2 {f[f'{way}/w2']:.3f} at the end ({f[f'{way}/seconds']:.1f} s)"
        if reached:
            parts.append(
                f"{LOOKS[way][3]}: {reached} of {f['seeds']} seeds, after {f[f'{way}/steps']:.0f} steps and "
                f"{f[f'{way}/caught']:.2f} s, {end}"
            )
        else:
            parts.append(f"{LOOKS[way][3]}: not within {_last(findings)} steps, {end}")
    text = (
        f"A generator network trained by gradient descent from the same start ('{problem(name).title}') was called "
        f"level once its W2 was within 10 % of that one step's. {'; '.join(parts)}. "
    )
    better = [LOOKS[way][3] for way in WAYS if f[f"{way}/w2"] < best]
    slowest = min((f[f"{way}/caught"] for way in WAYS if f[f"{way}/reached"]), default=np.nan)
    cost = f[f"{name}/{_critic(f)}/seconds"]
    if np.isfinite(slowest):
        text += f"The quickest of them took {slowest / max(cost, 1e-9):.0f} times the seconds of the one step. "
    if better:
        text += (
            f"By W2 alone training was no worse in the end: below the one step's {best:.3f} ended {_listed(better)}. "
        )
    else:
        text += f"None ended below the one step's {best:.3f}. "
    key = f"{name}/{_critic(f)}/quality"
    if key in f and np.isfinite(f[key]):
        shares = [f"{LOOKS[way][3]} {100 * f[f'{way}/quality']:.0f} %" for way in WAYS]
        text += (
            f"Within three standard deviations of a mode lie {100 * f[key]:.1f} % of the points after one step, and of "
            f"the trained generators' {', '.join(shares)}; W2 hardly sees the points between modes. A continuous map "
            "must cross the gaps; the exact step need not. "
        )
    last = f["critic_steps"]
    marks = sorted(int(one.split("/")[1]) for one in f if one.startswith("network/") and one.endswith("/w2"))
    middle = marks[len(marks) // 2]
    text += (
        f"Half way, with a smooth network as critic, Eq. 33 gives W2 {f[f'network/{middle}/w2']:.3f} after {middle} "
        f"steps of the critic (dual value {100 * f[f'network/{middle}/attained']:.0f} % of the optimum) and "
        f"{f[f'network/{last}/w2']:.3f} after {last} ({100 * f[f'network/{last}/attained']:.1f} %"
    )
    if np.isfinite(f.get(f"network/{last}/quality", np.nan)):
        text += f"; {100 * f[f'network/{last}/quality']:.0f} % of the points near a mode"
    text += "). "
    if f[f"network/{last}/w2"] > 1.25 * best:
        return text + "A critic so far from its optimum cannot stand in for a generator's training."
    text += "The generator's training can be skipped, as the text says, but not the critic's way to its optimum"
    if f.get(f"network/{last}/quality", np.nan) < f.get(key, np.nan) - 0.05:
        text += ": near the optimal value its gradient, and so the map, is still wrong between the modes"
    text += "."
    return text


def tables(findings: Findings) -> list[Table]:
    """One step with every critic; the trained generators."""
    f = findings.facts
    steps = findings.tables["steps"].copy()
    order = [name for name in CRITICS if name in set(steps["critic"])]
    steps["rank"] = steps["critic"].map({name: k for k, name in enumerate(order)})
    steps = steps.sort_values("rank", kind="stable")
    steps["title"] = steps["critic"].map(CRITICS)
    steps["where"] = [problem(name).title for name in steps["problem"]]
    steps["quality"] *= 100
    blocks = {name: k for k, name in enumerate(("translation", "affine", "ring", "collapsed"))}
    steps = steps.sort_values("problem", key=lambda names: names.map(blocks), kind="stable")
    measured = f"means over {seeds(f)}; {f['points']} points a side"
    against = findings.tables["against"].copy()
    against["title"] = against["way"].map(WAYS)
    against["quality"] *= 100
    columns = [("w2", "W2 after"), ("spread", "s.d. over seeds"), ("quality", "Near a mode, %"), ("seconds", "Seconds")]
    return [
        table(
            "theory_collaboration_steps",
            "One step of Eq. 33",
            f"W2 between fresh generated points after the step and held-out real ones, {measured}. Seconds: processor "
            "time of the critic. Near a mode: within three standard deviations, 98.9 % for true samples.",
            steps,
            "title",
            columns,
            head="Critic",
            block="where",
        ),
        table(
            "theory_collaboration_against",
            "Generators trained by gradient descent",
            f"From the same generated measure, on '{problem(f['compete']).title}', {measured}. Level: W2 within 10 % "
            "of that of one step with the exact critic; steps and processor seconds are means over the seeds that got "
            "there.",
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


def figures(findings: Findings) -> Iterator[Wanted]:
    """Samples of the first seed; W2 against steps and seconds, and against the critic's training."""
    f = findings.facts
    where = problem(f["compete"]).title
    yield (
        "theory_collaboration_samples",
        "One step against many",
        f"Generated points (green) over held-out real ones (orange), {f['points']} each, first seed, on '{where}': at "
        "the start, after one step of Eq. 33 (critic exact, entropic, or a network after so many own steps), and "
        "after so many steps of gradient descent of a generator network.",
        "png",
        lambda: samples_figure(findings),
    )
    yield (
        "theory_collaboration_curves",
        "W2 against steps and seconds",
        f"On '{where}', means over {seeds(f)}, bands the range. A: W2 against the generator's steps. B: against "
        "processor seconds of training (star: the exact critic). C: after a step of Eq. 33 with a critic network that "
        "was trained for so many steps. D: share of points within three standard deviations of a mode. Black: one step "
        "with the exact critic; grey dashes: two samples of the real law (floor).",
        "svg",
        lambda: curves_figure(findings),
    )


def samples_figure(findings: Findings) -> Figure:
    """Eight panels of points at most, all with the same limits."""
    import matplotlib.pyplot as plt

    arrays, last = findings.arrays, findings.facts["critic_steps"]
    early = sorted(int(key.split("/")[1]) for key in arrays if key.startswith("network/"))
    early = min(early, key=lambda step: abs(step - 32))
    shown = [("generated", "start"), (f"step/{_critic(findings.facts)}", "Eq. 33, exact critic")]
    shown += [("step/entropic", "Eq. 33, entropic critic")]
    shown += [(f"network/{step}", f"Eq. 33, critic of {step} steps") for step in sorted({early, last})]
    shown += [(f"trained/{way}", f"{_last(findings)} steps, {SHORT[way]}") for way in WAYS]
    shown = [(key, title) for key, title in shown if key in arrays]
    figure, grid = plt.subplots(2, 4, figsize=(plotting.WIDTH, 3.9), sharex=True, sharey=True, layout="constrained")
    every = np.concatenate([arrays["real"], arrays["generated"]])
    middle, reach = (every.max(0) + every.min(0)) / 2, 0.66 * np.ptp(every, axis=0).max()
    for letter, axes, (key, title) in zip("ABCDEFGH", grid.flat, shown, strict=False):
        axes.scatter(*arrays["real"].T, s=5, color=marks.REAL, linewidths=0, rasterized=True)
        axes.scatter(*arrays[key].T, s=2.5, color=marks.GENERATED, linewidths=0, rasterized=True)
        axes.set_title(f"{letter}  {title}", fontsize=7, loc="left")
        axes.set(xlim=middle[0] + reach * np.array([-1, 1]), ylim=middle[1] + reach * np.array([-1, 1]), aspect="equal")
    for axes in list(grid.flat)[len(shown) :]:
        axes.set_axis_off()
    return figure


def curves_figure(findings: Findings) -> Figure:
    """W2 against the generator's steps, seconds and the critic's steps; with modes, the share of points near them."""
    import matplotlib.pyplot as plt
    from matplotlib.ticker import NullFormatter

    f, curves, halfway = findings.facts, findings.tables["curves"], findings.tables["halfway"]
    halfway = halfway[halfway["problem"] == f["compete"]]
    figure, grid = plt.subplots(2, 2, figsize=(plotting.WIDTH, 4.4), layout="constrained")
    steps, seconds, critic, near = grid.flat
    for way, (colour, marker, dash, title) in LOOKS.items():
        one, look = curves[curves["way"] == way], {"color": colour, "marker": marker, "linestyle": dash}
        _line(steps, one, "step", "w2", look | {"label": title})
        _line(seconds, one, "seconds", "w2", look)
        _line(near, one, "step", "quality", look)
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
    for letter, axes in zip("ABCD", grid.flat, strict=True):
        axes.set_title(letter, loc="left", fontweight="bold")
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
    if not np.isfinite(share):
        near.set_axis_off()
        near.set_title("")
    found = [axes.get_legend_handles_labels() for axes in (steps, critic)]
    named = {label: handle for handles, labels in found for handle, label in zip(handles, labels, strict=True)}
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
    """W2 after one step with the exact critic, on the problem of the competition."""
    f = findings.facts
    return float(f[f"{f['compete']}/{_critic(f)}"])


def _critic(f: dict) -> str:
    return "semi-discrete" if f"{f['compete']}/semi-discrete" in f else "discrete"


def _last(findings: Findings) -> int:
    curves: pd.DataFrame = findings.tables["curves"]
    return int(curves["step"].max())


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
