"""What the report says and draws of two parallel lines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from otbench.report.figures.base import Wanted
from otbench.report.tables.base import Table
from otbench.report.theory.parts import significant, table
from otbench.theory.parallel_lines.training import GAMES
from otbench.utils import plotting

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

    from otbench.theory.findings import Findings

NAME = "theory_parallel_lines"
COLOURS = {"minimax": plotting.RED, "ns": plotting.PURPLE, "clip": plotting.SKY, "gp": plotting.BLUE}


def said(findings: Findings) -> list[str]:
    """Two paragraphs: the losses and their slopes, and what training does with them."""
    return [_losses(findings), _training(findings)]


def _losses(findings: Findings) -> str:
    f, options = findings.facts, findings.info.get("options", {})
    hidden = f["js_histogram_least"] < 0.5 * np.log(2)
    text = (
        f"Real points lie on the line x = 0, generated ones on x = theta, both uniform over unit height. Exactly, W1 = "
        f"|theta|, while JS = log 2 = 0.693, total variation = 1 and KL is infinite for every theta but 0. From "
        f"{options.get('samples', '')} points of each line, POT's exact plan gives W1 to within "
        f"{f['w1_error_greatest']:.1g} at |theta| = {f['theta_greatest']:g} and {f['w1_error_least']:.1g} at "
        f"{f['theta_least']:g}; at 0, where the truth is 0, it gives {f['w1_at_zero']:.3f} by chance alone (expected: "
        f"{f['w1_at_zero_expected']:.3f}). Sliced W1 is {f['sliced_ratio']:.3f} |theta| (exactly 2/pi = 0.637). A "
        f"discriminator trained for {f['marks_last']} steps bounds JS from below by {f['js_bound_greatest']:.4f} at "
        f"|theta| = {f['theta_greatest']:g} and {f['js_bound_least']:.4f} at {f['theta_least']:g}: it saturates, and "
        f"says nothing of the distance. "
    )
    if hidden:
        text += (
            f"A histogram cannot tell that from its cells: with cells of {f['histogram_cell']:g}, it finds JS = "
            f"{f['js_histogram_least']:.3f} at theta = {f['theta_least']:g}, where the lines share their cells. "
        )
    text += (
        f"The slope of W1 through the optimal plan is {f['slope_w1_greatest']:.3f} at |theta| = "
        f"{f['theta_greatest']:g} and {f['slope_w1_least']:.2f} at {f['theta_least']:g} (exactly 1: matching by height "
        f"blunts it once theta is of the order of the distances between points). At |theta| = {f['followed']:g} the "
        f"minimax GAN's slope is at most {f['minimax_peak']:.2g}, after {f['minimax_peak_step']} steps of the "
        f"discriminator, and {f['minimax_last']:.2g} after {f['marks_last']}; the optimal one's is 0. "
    )
    if f["ns_last"] > 10 * max(f["minimax_last"], 0):
        text += (
            f"The non-saturating loss does not vanish; its slope is {f['ns_last']:.3g} by then, tied to the "
            f"discriminator's steepness rather than to the distance. "
        )
    return text + (
        "The slides call W1 'even differentiable' at 0; |theta| is continuous there, but its slopes on the two sides "
        "are -1 and 1, which agrees with the theorem's 'almost everywhere'."
    )


def _training(findings: Findings) -> str:
    f, options = findings.facts, findings.info.get("options", {})
    far, steps = f["start_far"], options.get("steps", "")
    told = "; ".join(
        f"{title}: {100 * float(f[f'settled_{game}']):.0f} % (mean |theta| {f[f'end_{game}']:.2g})"
        for game, title in GAMES.items()
    )
    text = (
        f"Then theta is trained, from {len(options.get('starts', []))} starts with {options.get('seeds', '')} seeds "
        f"each, by {steps} plain gradient steps of {options.get('rate', 0):g} with {options.get('critic_steps', '')} "
        f"steps of the same network as discriminator or critic before each. Runs that stay within "
        f"{f['settled_within']:g} of the real line over the last fifth: {told}. "
    )
    if f["moved_far_minimax"] < 0.25 * abs(far):
        text += (
            f"Starting at {far:g}, the minimax GAN has moved by only {f['moved_far_minimax']:.2f} at the end: the "
            f"discriminator wins and the slope is gone. "
        )
    else:
        text += f"Starting at {far:g}, the minimax GAN has moved by {f['moved_far_minimax']:.2f} at the end. "
    if f["settled_ns"] < 0.5 and f["moved_far_ns"] > 0.25 * abs(far):
        text += "The non-saturating GAN does move, but is thrown across the line and does not settle. "
    worst, best = min(f["settled_clip"], f["settled_gp"]), max(f["settled_minimax"], f["settled_ns"])
    if worst > best:
        text += "Both WGANs settle more often than either GAN, from any distance, as the texts say. "
    else:
        text += "At this size the WGANs do not settle more often than the GANs, against what the texts say. "
    return text + (
        "One number with a fixed step is the texts' example, not a fair race: Adam on theta would move it by a "
        "vanishing slope too, and a GAN whose discriminator is regularised may settle as well."
    )


def tables(findings: Findings) -> list[Table]:
    """Losses, slopes and the ends of training."""
    seeds = findings.info.get("options", {}).get("seeds", "")
    three, both = significant(3), f"Means over both signs of theta and {seeds} seeds"
    losses = table(
        f"{NAME}_losses",
        "Losses between parallel lines",
        f"Closed forms, and estimates from samples. {both}; W1 and sliced W1 in units of the lines' height, JS and KL "
        "in nats. JS (bound): by a discriminator, on fresh points. KL infinite: share of the histogram's estimates.",
        findings.tables["losses"].assign(name=lambda frame: frame["theta"].map("{:g}".format)),
        "name",
        [
            ("w1_exact", "W1", three),
            ("w1", "W1 (POT)", three),
            ("w1_se", "its s.e.", significant(1)),
            ("sliced_exact", "sliced", three),
            ("sliced", "sliced (POT)", three),
            ("js_exact", "JS", three),
            ("js_bound", "JS (bound)", three),
            ("js", "JS (histogram)", three),
            ("kl_exact", "KL", three),
            ("kl_infinite", "KL infinite", three),
            ("tv_exact", "TV", three),
            ("tv", "TV (histogram)", three),
        ],
        head="|theta|",
    )
    slopes = table(
        f"{NAME}_slopes",
        "What a generator is told",
        f"Slope of each loss away from the real line. {both}. GAN: discriminators after all their steps.",
        findings.tables["slopes"].assign(name=lambda frame: frame["theta"].map("{:g}".format)),
        "name",
        [
            ("w1_exact", "W1", three),
            ("w1", "W1 (plan)", three),
            ("w1_se", "its s.e.", significant(1)),
            ("js_exact", "JS, optimal D", three),
            ("minimax", "GAN, minimax", three),
            ("minimax_se", "its s.e.", significant(1)),
            ("ns", "GAN, non-saturating", three),
            ("ns_se", "its s.e.", significant(1)),
        ],
        head="|theta|",
    )
    frame = findings.tables["training"]
    training = table(
        f"{NAME}_training",
        "Where theta ends",
        f"|theta| over the last fifth of the steps, mean over {seeds} seeds, and the share of seeds that stay below "
        f"{findings.facts['settled_within']:g} there.",
        frame.assign(name=frame["start"].map("{:g}".format), share=100 * frame["settled"]),
        "name",
        [("end", "|theta|", three), ("end_se", "its s.e.", significant(1)), ("share", "settled, %", three)],
        head="start",
        block="game",
    )
    return [losses, slopes, training]


def figures(findings: Findings) -> Iterator[Wanted]:
    """Losses and slopes; trajectories."""
    f, options = findings.facts, findings.info.get("options", {})
    caption = (
        f"(a) Losses between the lines at 0 and theta: lines are exact, marks are estimates from "
        f"{options.get('samples')} points (W1: POT; histogram: cells of "
        f"{f['histogram_cell']:g}) or from a discriminator (bound from below). "
        f"(b) Their slopes, linear within -1 and 1 and logarithmic beyond; the exact slope of JS is 0. (c) Slope away "
        f"from the real line at |theta| = {f['followed']:g} along the discriminator's training; values that are not "
        f"positive are left out. Means over {options.get('seeds')} seeds, bars are standard errors."
    )
    yield f"{NAME}_losses", "Losses and their slopes", caption, "svg", lambda: _draw_losses(findings)
    caption = (
        f"theta along training from {len(options.get('starts', []))} starts, {options.get('seeds')} seeds each; a "
        f"gradient step of {options.get('rate')} for every {options.get('critic_steps')} steps of discriminator or "
        f"critic. The real line is at 0; the first seed is drawn strong. Runs that leave the panel "
        "have been thrown further."
    )
    yield f"{NAME}_training", "GAN against WGAN", caption, "svg", lambda: _draw_training(findings)


def _draw_losses(findings: Findings) -> Figure:
    import matplotlib.pyplot as plt

    figure, (losses, slopes, along) = plt.subplots(1, 3, figsize=(plotting.WIDTH, 3.2), layout="constrained")
    _panel_losses(losses, findings)
    _panel_slopes(slopes, findings)
    _panel_along(along, findings)
    for axes, letter in zip((losses, slopes, along), "abc", strict=True):
        axes.set_title(f"({letter})", loc="left")
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), handlelength=1.8)
    return figure


def _bars(axes: Axes, x: np.ndarray, values: np.ndarray, **drawn: object) -> None:
    error = values.std(1, ddof=1) / np.sqrt(values.shape[1])
    axes.errorbar(x, values.mean(1), error, capsize=1.5, elinewidth=0.7, **drawn)


def _panel_losses(axes: Axes, findings: Findings) -> None:
    held, reach = findings.arrays, findings.facts["theta_greatest"]
    thetas = held["thetas"]
    ends = np.array([-reach, 0, reach])
    axes.plot(ends, abs(ends), color=plotting.BLUE, label="W1 = |theta|")
    axes.plot(ends, [np.log(2)] * 3, color=plotting.RED, label="JS = log 2 (0 at 0)")
    axes.plot([0], [0], "o", color=plotting.RED, markersize=4.5, zorder=4)
    axes.plot([0], [np.log(2)], "o", color=plotting.RED, markersize=4.5, markerfacecolor="white", zorder=4)
    _bars(axes, thetas, held["sampled_w1"], fmt="o", color=plotting.BLUE, label="W1, samples")
    _bars(axes, thetas, held["sampled_js"], fmt="s", color=plotting.ORANGE, label="JS, histogram")
    _bars(axes, thetas, held["trained_js"][-1], fmt="x", color=plotting.BLACK, label="JS, discriminator")
    axes.set(xlabel="theta", ylabel="loss (W1: length; JS: nats)", ylim=(-0.05, None))


def _panel_slopes(axes: Axes, findings: Findings) -> None:
    held, reach = findings.arrays, findings.facts["theta_greatest"]
    thetas, marks = held["thetas"], held["marks"]
    axes.plot([-reach, 0, 0, reach], [-1, -1, 1, 1], color=plotting.BLUE, label="W1: sign(theta)")
    _bars(axes, thetas, held["sampled_slope"], fmt="o", color=plotting.BLUE, label="W1, plan of samples")
    early = int(np.argmin(np.abs(marks - findings.facts["minimax_peak_step"])))
    for at, colour, shape in ((early, plotting.ORANGE, "^--"), (len(marks) - 1, plotting.RED, "s-")):
        label = f"minimax, {marks[at]} steps of D"
        _bars(axes, thetas, held["trained_minimax"][at], fmt=shape, color=colour, label=label, linewidth=0.8)
    _bars(
        axes,
        thetas,
        held["trained_ns"][-1],
        fmt="v:",
        color=plotting.PURPLE,
        label=f"non-saturating, {marks[-1]} steps of D",
        linewidth=0.8,
    )
    axes.set_yscale("symlog", linthresh=1)
    _plain(axes.yaxis)
    axes.set(xlabel="theta", ylabel="d loss / d theta")


def _panel_along(axes: Axes, findings: Findings) -> None:
    held, at = findings.arrays, int(np.argmin(np.abs(findings.arrays["thetas"] - findings.facts["followed"])))
    mirror = len(held["thetas"]) - 1 - at
    for name, label in (("ns", "non-saturating"), ("minimax", "minimax")):
        values = np.concatenate([held[f"trained_{name}"][:, at], -held[f"trained_{name}"][:, mirror]], axis=1)
        shown = values.mean(1) > 0
        _bars(axes, held["marks"][shown] + 1, values[shown], fmt="o-", color=COLOURS[name], label=label)
    axes.axhline(1, color=plotting.BLUE, label="W1 (exact)")
    axes.set(xscale="log", yscale="log", xlabel="steps of the discriminator + 1", ylabel="slope away from the line")
    _plain(axes.xaxis)
    _plain(axes.yaxis)


def _plain(axis: Axis) -> None:
    """Numbers without powers, which the style leaves unset."""
    axis.set_major_formatter(lambda value, _: f"{value:g}")


def _draw_training(findings: Findings) -> Figure:
    import matplotlib.pyplot as plt

    held = findings.arrays
    starts = held["starts"]
    limit = 1.3 * float(np.abs(starts).max())
    figure, row = plt.subplots(1, len(GAMES), figsize=(plotting.WIDTH, 2.2), sharey=True, layout="constrained")
    colours = (plotting.BLUE, plotting.ORANGE, plotting.GREEN, plotting.PURPLE, plotting.SKY, plotting.BLACK)
    for axes, letter, (game, title) in zip(row, "abcd", GAMES.items(), strict=True):
        for at in range(len(starts)):
            colour, path = colours[at % len(colours)], held[f"path_{game}"][:, at]
            axes.plot(path[:, 1:], color=colour, linewidth=0.4, alpha=0.35)
            axes.plot(path[:, 0], color=colour, linewidth=0.8)
        axes.axhline(0, color=plotting.BLACK, linewidth=0.8, linestyle=":")
        axes.set_title(f"({letter}) {title}", fontsize=7.5)
        axes.set(xlabel="steps of theta", ylim=(-limit, limit))
    row[0].set_ylabel("theta")
    return figure
