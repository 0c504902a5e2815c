"""What the report says and draws of VAE as primal and GAN as dual."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from otbench.report.figures.base import Wanted
from otbench.report.tables.base import Table
from otbench.report.theory.parts import significant, table
from otbench.utils import plotting

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from otbench.theory.findings import Findings

NAME = "theory_primal_dual"
PROBLEMS = {"gaussian": "Gaussians, W2²", "w2": "point sets, W2²", "w1": "point sets, W1"}
BELOW = (plotting.BLUE, plotting.GREEN, plotting.PURPLE, plotting.BLACK)


def said(findings: Findings) -> list[str]:
    """Two paragraphs: the bounds along optimisation, and what relaxing the constraint does."""
    return [_bounds(findings), _relaxed(findings)]


def _bounds(findings: Findings) -> str:
    f, options = findings.facts, findings.info.get("options", {})
    text = (
        f"With the generator held fixed, its transport cost W to the data is known, and two networks look for it. A "
        f"critic (the dual, as in WGAN) is a potential h with its c-transform, min c - h: whatever h is, its objective "
        f"is at most W. An encoder (the primal, as in VAE and WAE) is a plan between data and codes: its "
        f"reconstruction cost is sure to be at least W only if the codes follow the prior. Between Gaussians in "
        f"{options.get('dimension', '')} dimensions (W2² = {f['gaussian_exact']:.4f}, all in closed form) linear "
        f"encoders that meet the constraint end at {f['gaussian_above']:.4f} W, quadratic critics at "
        f"{f['gaussian_below']:.4f} W. Between sets of {options.get('points', '')} points, where POT gives W, a "
        f"network for encoder, its plan brought to the prior by scaling, ends at {f['w2_above']:.3f} (W2²) and "
        f"{f['w1_above']:.3f} (W1), heights on the data with c-transform at {f['w2_heights']:.4f} and "
        f"{f['w1_heights']:.4f}, and a network for critic with c-transform at {f['w2_critic']:.4f} and "
        f"{f['w1_critic']:.4f}. "
    )
    if f["broken"]:
        text += f"Of {f['iterates']:,} objectives that should bound W, {f['broken']:,} lie on the wrong side of it. "
    else:
        text += (
            f"All {f['iterates']:,} objectives that are certified to bound W, from the first step to the last, lie on "
            f"their side of it (to rounding: {max(-f['slack'], 0):.0e} W). "
        )
    if f["w1_relu"] < f["w1_pairs"]:
        text += (
            f"A critic made 1-Lipschitz by the spectral norms of its layers bounds W1 without a c-transform, but "
            f"loosely: {f['w1_relu']:.2f} with ReLU, {f['w1_pairs']:.2f} with an activation that sorts pairs; that gap "
            f"is the network's, not the dual's. "
        )
    else:
        text += (
            f"Critics made 1-Lipschitz by the spectral norms of their layers reach {f['w1_relu']:.2f} (ReLU) and "
            f"{f['w1_pairs']:.2f} (sorted pairs) of W1. "
        )
    return text + (
        f"The text prints the c-transform with max; with it, the same critics would give {f['w2_printed']:.1f} W2², "
        f"no bound from below."
    )


def _relaxed(findings: Findings) -> str:
    f = findings.facts
    if f["wae_greatest"] <= 1 + 1e-6:
        text = (
            f"Relaxing the constraint to a penalty, lambda KL(codes | prior), as the text does and WAE after it, turns "
            f"the bound around. A plan that meets the constraint pays no penalty, so the relaxed minimum is at most "
            f"W: it rises from {f['wae_first']:.3f} W at lambda = {f['weight_first']:g} to {f['wae_last']:.3f} W at "
            f"{f['weight_last']:g}, and before it has converged it may lie on either side. "
        )
    else:
        text = (
            f"Relaxed to a penalty, lambda KL(codes | prior), the minimum should be at most W; after these steps it is "
            f"up to {f['wae_greatest']:.3f} W: the optimisation has not converged. "
        )
    text += (
        f"An encoder's own figures still give a bound from above: (root of its cost + W2 from generated codes to "
        f"generated prior) squared is at least W by the triangle inequality, and at best {f['repaired_least']:.4f} W. "
        f"Between point sets, the penalised objective ends at {f['w2_penalised']:.3f} (W2²) and "
        f"{f['w1_penalised']:.3f} (W1) with {100 * f['w2_off']:.1f} % and {100 * f['w1_off']:.1f} % of the codes' mass "
        f"off the prior. "
    )
    if f["vae_cost_last"] > 1.1:
        over = "" if math.isnan(f["vae_over_from"]) else f" is above W from lambda = {f['vae_over_from']:g} on and"
        text += (
            f"The text calls this 'almost equivalent' to the VAE's ELBO. It is not, for the VAE's KL is taken for each "
            f"datum: it also charges for what the codes tell of the data. Its minimum{over} ends at "
            f"{f['vae_last']:.2f} W (closed form met to {f['vae_error']:.0e}), with a reconstruction cost of "
            f"{f['vae_cost_last']:.2f} W, next to {f['independent']:.2f} W of the coupling that ignores the data: a "
            f"valid plan, but not the optimal one. "
        )
    return text + "All is computed without sampling; with minibatches both objectives would be estimates, not bounds."


def tables(findings: Findings) -> list[Table]:
    """Every bound's way, and the weights of the relaxed constraint."""
    options, three = findings.info.get("options", {}), significant(3)
    frame = findings.tables["bounds"]
    four = "{:.4f}".format
    bounds = table(
        f"{NAME}_bounds",
        "Bounds on a known transport cost",
        f"Objectives over the exact cost: at the start, at the end, and the end's range over {options.get('seeds')} "
        "starts. Slack: how far the worst iterate stays on its side; negative where it would be broken.",
        frame.assign(where=frame["problem"].map(PROBLEMS)),
        "bound",
        [
            ("side", "bounds from"),
            ("first", "start", three),
            ("last", "end", four),
            ("least", "least", four),
            ("greatest", "greatest", four),
            ("slack", "slack", significant(2)),
        ],
        head="objective",
        block="where",
    )
    relaxed = table(
        f"{NAME}_relaxed",
        "The constraint relaxed",
        f"Between Gaussians, after {options.get('weight_steps')} steps; all but KL (nats) over the exact W2². WAE: "
        "KL of all codes from the prior; VAE: mean KL of each datum's codes. Repaired: bound from above by the "
        "triangle inequality. Known: the VAE's minimum in closed form.",
        findings.tables["relaxed"].assign(name=lambda values: values["weight"].map("{:g}".format)),
        "name",
        [
            ("wae_objective", "WAE", four),
            ("wae_cost", "its cost", four),
            ("wae_kl", "its KL", significant(2)),
            ("wae_repaired", "repaired", four),
            ("vae_objective", "VAE", four),
            ("vae_known", "known", four),
            ("vae_cost", "its cost", four),
            ("vae_kl", "its KL", significant(2)),
        ],
        head="lambda",
    )
    return [bounds, relaxed]


def figures(findings: Findings) -> Iterator[Wanted]:
    """Bounds along optimisation; the relaxed constraint."""
    options = findings.info.get("options", {})
    caption = (
        f"Objectives along optimisation over the exact cost (dotted), {options.get('seeds')} starts each: (a) between "
        f"Gaussians in {options.get('dimension')} dimensions, (b) and (c) between sets of {options.get('points')} "
        f"points. Full lines are certified bounds at every step; dashed ones, with the constraint relaxed, are none."
    )
    yield f"{NAME}_bounds", "Bounds from above and below", caption, "svg", lambda: _draw_bounds(findings)
    caption = (
        "Minimum of the relaxed primal between Gaussians against the weight of its penalty, over the exact W2² "
        "(dotted). (a) KL of all codes from the prior (WAE). (b) Mean KL of each datum's codes (VAE); crosses: closed "
        "form."
    )
    yield f"{NAME}_relaxed", "The constraint relaxed", caption, "svg", lambda: _draw_relaxed(findings)


def _draw_bounds(findings: Findings) -> Figure:
    import matplotlib.pyplot as plt

    figure, row = plt.subplots(1, 3, figsize=(plotting.WIDTH, 3.3), sharey=True, layout="constrained")
    for axes, letter, (problem, title) in zip(row, "abc", PROBLEMS.items(), strict=True):
        _curves(axes, findings, problem)
        axes.axhline(1, color=plotting.BLACK, linestyle=":", linewidth=1.0)
        axes.set_title(f"({letter}) {title}")
        axes.set(xscale="log", xlabel="steps + 1", ylim=(0, 2))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.18), handlelength=1.8)
    row[0].set_ylabel("objective / exact cost")
    return figure


def _curves(axes: Axes, findings: Findings, problem: str) -> None:
    below = iter(BELOW)
    rows = findings.tables["bounds"]
    for _, bound in rows[rows["problem"] == problem].iterrows():
        dash = "--" if bound["side"] == "neither" else "-"
        colour = {"above": plotting.RED, "neither": plotting.ORANGE}.get(bound["side"]) or next(below)
        key = f"{problem}/{bound['bound']}"
        steps, values = findings.arrays[f"steps/{key}"] + 1, findings.arrays[f"curve/{key}"]
        for at in range(values.shape[1]):
            label = bound["bound"] if at == 0 else None
            axes.plot(steps, values[:, at], dash, color=colour, linewidth=0.9, label=label)


def _draw_relaxed(findings: Findings) -> Figure:
    import matplotlib.pyplot as plt

    frame = findings.tables["relaxed"]
    figure, row = plt.subplots(1, 2, figsize=(plotting.WIDTH, 3.2), layout="constrained")
    drawn = (("objective", plotting.ORANGE, "o--", "minimum"), ("cost", plotting.BLUE, "s-", "its reconstruction cost"))
    for axes, letter, name in zip(row, "ab", ("wae", "vae"), strict=True):
        for column, colour, shape, label in drawn:
            axes.plot(frame["weight"], frame[f"{name}_{column}"], shape, color=colour, label=label)
        axes.plot(
            frame["weight"], frame[f"{name}_repaired"], "^-", color=plotting.RED, label="repaired: bound from above"
        )
        axes.axhline(1, color=plotting.BLACK, linestyle=":", linewidth=1.0)
        axes.set_title(f"({letter}) {name.upper()}")
        axes.set(xscale="log", xlabel="lambda (squared length per nat)", ylim=(0, None))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    row[1].plot(frame["weight"], frame["vae_known"], "x", color=plotting.BLACK, markersize=5, label="closed form")
    ignoring = findings.facts["independent"]
    row[1].axhline(ignoring, color=plotting.GREY, linestyle="-.", linewidth=0.9, label="plan that ignores the data")
    top = max(1.2, float(np.nanmax(frame["wae_repaired"])) * 1.1)
    row[0].set_ylim(0, top)
    row[0].set_ylabel("over the exact W2²")
    for axes in row:
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=2)
    return figure
