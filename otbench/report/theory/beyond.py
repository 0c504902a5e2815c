"""The chapter on other maps in place of the piecewise one: the OTVAE report's open questions, with numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from otbench.report.figures import marks
from otbench.report.theory.parts import seeds, table
from otbench.utils import plotting

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from otbench.report.figures.base import Wanted
    from otbench.report.tables.base import Table
    from otbench.theory.findings import Findings

WHERE = {
    "gaussian": "Gaussian to Gaussian, d = 2",
    "gaussian-8": "Gaussian to Gaussian, d = 8",
    "ring": "square to a ring of 8 modes",
    "digits": "Gaussian to codes of digits",
}
MAPS = {
    "real": "held-out real points",
    "memoriser": "memoriser",
    "semi-discrete": "semi-discrete map",
    "ae-ot": "AE-OT's extension",
    "plan, nearest": "exact plan, nearest point",
    "plan, two nearest": "exact plan, two nearest (OTVAE)",
    "plan, interpolated": "exact plan, interpolated",
    "regression": "network on the semi-discrete map",
    "convex": "convex network on that map",
    "flow": "flow matching, pairs at random",
    "flow, coupled": "flow matching, pairs by plan",
}
NETWORKS = ("regression", "convex", "flow", "flow, coupled")
NEW = 0.01
"""A map gives new samples where less than this share of them are copies of training points."""
STEADY = 0.1
"""A map counts as continuous where it jumps by less than this share of the target's spread."""


def title(name: str) -> str:
    """What a map is called."""
    return MAPS.get(name) or f"entropic map, {name.removeprefix('entropic ')}"


def said(findings: Findings) -> list[str]:
    """What was computed, and what the numbers say to each open question."""
    f = findings.facts
    names = _order(findings)
    text = (
        "The OTVAE report leaves open whether regularised Sinkhorn can give the transport map, whether interpolation "
        "in high dimensions can extend it to new points, and what would cost less. "
        f"{len(names) - 2} maps were fitted to {f['points']} points a problem: from N(0, I) to a Gaussian (the optimal "
        "map is Bures' closed form; L2-UVP is the mean squared error over the target's variance), from a square to a "
        f"ring of 8 modes, and from N(0, I) to {f['dimension']} principal components of scikit-learn's digits, scored "
        f"against its test split; means over {seeds(f)}. In its limits the entropic map is what theory says: "
        f"{_percent(f['limit_mean'], 2)} of the target's spread from the mean at a regularisation of 1,000 and "
        f"{_percent(f['limit_plan'])} from the exact plan's map at 0.0001 (60 points)."
    )
    return [text, f"{_sinkhorn(findings)} {_interpolation(findings)}", f"{_networks(findings)} {_verdict(findings)}"]


def _sinkhorn(findings: Findings) -> str:
    f, entropic = findings.facts, _entropic(findings)
    low, high = entropic[0], entropic[-1]
    best = {one: min(entropic, key=lambda name: f[f"{one}/{name}/uvp"]) for one in ("gaussian", "gaussian-8")}
    text = "Regularised Sinkhorn: "
    for one, dimension in (("gaussian", 2), ("gaussian-8", 8)):
        text += (
            f"in {dimension} dimensions the best of its maps (regularisation {_number(best[one])} of the mean cost) "
            f"has an L2-UVP of {f[f'{one}/{best[one]}/uvp']:.1f} %, the semi-discrete map "
            f"{f[f'{one}/semi-discrete/uvp']:.1f} % and AE-OT's extension {f[f'{one}/ae-ot/uvp']:.1f} %; "
        )
    text += f"at {_number(low)} {_percent(f[f'gaussian-8/{low}/copies'], 0)} of the samples in 8 dimensions are copies"
    if len(entropic) > 1:
        text += f", at {_number(high)} its L2-UVP is {f[f'gaussian-8/{high}/uvp']:.0f} % (the constant mean: 100 %)"
    shares = [f"{_percent(f[f'ring/{name}/quality'], 0)} at {_number(name)}" for name in entropic]
    text += (
        f". On the ring {', '.join(shares)} of its points lie within three standard deviations of a mode, against "
        f"{_percent(f['ring/semi-discrete/quality'])} for the semi-discrete map."
    )
    return text


def _interpolation(findings: Findings) -> str:
    f = findings.facts
    kinds = ("plan, nearest", "plan, two nearest", "plan, interpolated")
    uvp = [f[f"gaussian-8/{name}/uvp"] for name in kinds]
    near = [_percent(f[f"ring/{name}/quality"], 0) for name in kinds]
    best = int(np.argmin(uvp))
    text = (
        f"Extension of the exact plan: in 8 dimensions taking the nearest point's image has L2-UVP {uvp[0]:.0f} %, "
        f"OTVAE's random mix of two {uvp[1]:.0f} %, interpolation by radial functions {uvp[2]:.1f} %. "
    )
    text += (
        "So interpolation does extend a smooth map"
        if best == 2
        else f"So interpolation does not help here; best is: {title(kinds[best])}"
    )
    text += f"; on the ring, where the map must jump, the shares near a mode are {', '.join(near)} in that order."
    return text


def _networks(findings: Findings) -> str:
    f = findings.facts
    uvp = {name: f[f"gaussian-8/{name}/uvp"] for name in NETWORKS}
    least = min(uvp, key=uvp.get)
    listed = ", ".join(f"{title(name)} {uvp[name]:.1f} %" for name in NETWORKS)
    steps = (findings.info.get("options") or {}).get("steps")
    text = f"Networks{f' after {steps:,} steps' if steps else ''}, L2-UVP in 8 dimensions: {listed}. "
    steady = uvp[least] < f["gaussian-8/semi-discrete/uvp"]
    text += (
        f"The best is below the semi-discrete map's {f['gaussian-8/semi-discrete/uvp']:.0f} %, though two of them were "
        "fitted to that very map: a smooth fit averages out the noise of few points. "
        if steady and min(uvp["regression"], uvp["convex"]) < f["gaussian-8/semi-discrete/uvp"]
        else ""
    )
    new = [n for n in _order(findings) if n not in ("real", "memoriser") and f[f"digits/{n}/copies"] < NEW]
    ranked = sorted(new, key=lambda name: f[f"digits/{name}/frechet"])
    if ranked:
        first = ranked[0]
        text += (
            f"On the digits' codes, of the maps that give new samples {title(first)} comes nearest, Frechet distance "
            f"{f[f'digits/{first}/frechet']:.3f} (held-out real codes {f['digits/real/frechet']:.3f}, memoriser "
            f"{f['digits/memoriser/frechet']:.3f}, AE-OT's extension {f['digits/ae-ot/frechet']:.3f}, OTVAE's "
            f"{f['digits/plan, two nearest/frechet']:.3f}); by W2 it is "
            f"{title(min(new, key=lambda name: f[f'digits/{name}/w2']))}."
        )
    return text


def _verdict(findings: Findings) -> str:
    f = findings.facts
    every = [name for name in _order(findings) if name not in ("real", "memoriser")]
    rejecting = [name for name in every if f.get(f"ring/{name}/kept", 1) < 1]
    steady = [name for name in every if f[f"ring/{name}/jump"] < STEADY and name not in rejecting]
    text = ""
    if steady:
        best = max(steady, key=lambda name: f[f"ring/{name}/quality"])
        text += (
            f"Of the maps without a jump none has more than {_percent(f[f'ring/{best}/quality'], 0)} of its points "
            f"near a mode ({title(best)}); AE-OT's extension, which rejects {_percent(1 - f['ring/ae-ot/kept'])} of "
            f"the source, has {_percent(f['ring/ae-ot/quality'])} and gives new points. "
        )
    seconds = {name: np.mean([f[f"{one}/{name}/seconds"] for one in WHERE]) for name in every}
    cheap, dear = min(seconds, key=seconds.get), max(seconds, key=seconds.get)
    text += (
        f"Cost: from {seconds[cheap]:.3f} s ({title(cheap)}) to {seconds[dear]:.2f} s ({title(dear)}) a fit; the "
        f"semi-discrete map {seconds['semi-discrete']:.2f} s."
    )
    return text


def tables(findings: Findings) -> list[Table]:
    """All scores, a block a problem."""
    f, order = findings.facts, _order(findings)
    frame = findings.tables["scores"].copy()
    frame["rank"] = frame["map"].map({name: k for k, name in enumerate(order)})
    frame["place"] = frame["problem"].map({name: k for k, name in enumerate(WHERE)})
    frame = frame.sort_values(["place", "rank"])
    frame["title"], frame["where"] = frame["map"].map(title), frame["problem"].map(WHERE)
    for name in ("quality", "mixture", "copies"):
        frame[name] *= 100
    return [
        table(
            "theory_beyond_scores",
            "Maps in place of the piecewise one",
            f"Means over {seeds(f)}; {f['points']} training points. L2-UVP: mean squared error against the closed "
            "form over the target's variance. W2: to fresh real points. Near a mode: within three standard deviations, "
            "98.9 % for true samples. Between modes: share on a bridge between two. Frechet: on the codes, to the test "
            "split. Copies: samples that are training points. Jump: largest change of the map between neighbours of "
            "4,001 points on a line through the source, over the target's spread. Seconds: processor time of the fit.",
            frame,
            "title",
            [
                ("uvp", "L2-UVP, %"),
                ("w2", "W2"),
                ("quality", "Near a mode, %"),
                ("mixture", "Between modes, %"),
                ("reverse_kl", "Reverse KL, nats"),
                ("frechet", "Frechet"),
                ("copies", "Copies, %"),
                ("jump", "Jump"),
                ("seconds", "Seconds"),
            ],
            head="Map",
            block="where",
        )
    ]


def figures(findings: Findings) -> Iterator[Wanted]:
    """The ring under every map; the scores with a known best."""
    f = findings.facts
    yield (
        "theory_beyond_ring",
        "A ring of eight modes under every map",
        f"{f['points']} samples of every map from a square (green) over held-out real points (orange), first seed. "
        "Percent: points within three standard deviations of a mode, mean over seeds.",
        "png",
        lambda: ring_figure(findings),
    )
    yield (
        "theory_beyond_scores",
        "Scores of the maps",
        f"Means over {seeds(f)}. A, B: error against the closed form, percent of the target's variance. C: share of "
        "points within three standard deviations of a mode. D: Frechet distance between codes of digits. Green: "
        "semi-discrete; red: from plans; blue: networks. Hollow: more than 1 % of the samples are training points. "
        "Dashes: held-out real points (C, D).",
        "svg",
        lambda: scores_figure(findings),
    )


def ring_figure(findings: Findings) -> Figure:
    """A panel a map, all with the same limits."""
    import matplotlib.pyplot as plt

    names = [name for name in _order(findings) if f"made/{name}" in findings.arrays]
    across = 5
    down = -(-len(names) // across)
    size = (plotting.WIDTH, 1.52 * down)
    figure, grid = plt.subplots(down, across, figsize=size, sharex=True, sharey=True, squeeze=False)
    figure.set_layout_engine("constrained")
    for axes, name in zip(grid.flat, names, strict=False):
        axes.scatter(*findings.arrays["real"].T, s=4, color=marks.REAL, linewidths=0, rasterized=True)
        axes.scatter(*findings.arrays[f"made/{name}"].T, s=1.8, color=marks.GENERATED, linewidths=0, rasterized=True)
        share = _percent(findings.facts[f"ring/{name}/quality"], 0)
        axes.set_title(f"{_brief(name)}, {share}", fontsize=7, pad=2)
        axes.set(xlim=(-2.6, 2.6), ylim=(-2.6, 2.6), xticks=[-2, 0, 2], yticks=[-2, 0, 2], aspect="equal")
    for at, axes in enumerate(grid.flat):
        axes.tick_params(labelbottom=at + across >= len(names))
        axes.set_axis_on() if at < len(names) else axes.set_axis_off()
    return figure


def scores_figure(findings: Findings) -> Figure:
    """Four panels of dots that share the maps on the vertical axis."""
    import matplotlib.pyplot as plt
    from matplotlib.ticker import NullFormatter

    f = findings.facts
    names = [name for name in _order(findings) if name not in ("real", "memoriser")][::-1]
    size = (plotting.WIDTH, 0.9 + 0.19 * len(names))
    figure, panels = plt.subplots(1, 4, figsize=size, sharey=True, layout="constrained")
    wanted = [
        ("gaussian", "uvp", "L2-UVP, d = 2, %", 1.0),
        ("gaussian-8", "uvp", "L2-UVP, d = 8, %", 1.0),
        ("ring", "quality", "Near a mode, %", 100.0),
        ("digits", "frechet", "Frechet, codes", 1.0),
    ]
    for letter, axes, (where, score, label, scale) in zip("ABCD", panels, wanted, strict=True):
        for row, name in enumerate(names):
            copied = f[f"{where}/{name}/copies"] >= NEW
            colour = (
                plotting.BLUE
                if name in NETWORKS
                else plotting.GREEN
                if name in ("ae-ot", "semi-discrete")
                else plotting.RED
            )
            value = scale * f[f"{where}/{name}/{score}"]
            axes.plot(value, row, "o", color=colour, markerfacecolor="white" if copied else colour, markersize=4.5)
        if f"{where}/real/{score}" in f:
            axes.axvline(scale * f[f"{where}/real/{score}"], color=plotting.GREY, linestyle=(0, (4, 2)), linewidth=1)
        if score != "quality":
            held = [f[f"{where}/{name}/{score}"] for name in [*names, "real"] if f"{where}/{name}/{score}" in f]
            axes.set_xscale("log")
            axes.set_xlim(10 ** np.floor(np.log10(min(held))) * 0.8, 10 ** np.ceil(np.log10(max(held))) * 1.25)
            axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
            axes.xaxis.set_minor_formatter(NullFormatter())
        else:
            axes.set_xlim(-5, 105)
        axes.set_xlabel(label)
        axes.set_title(letter, loc="left", fontweight="bold")
    panels[0].set_yticks(range(len(names)), [title(name) for name in names])
    return figure


def _brief(name: str) -> str:
    short = {
        "semi-discrete": "semi-discrete",
        "ae-ot": "AE-OT",
        "plan, two nearest": "plan, two (OTVAE)",
        "plan, interpolated": "plan, interp.",
        "regression": "network",
        "convex": "convex network",
    }
    return short.get(name, name)


def _order(findings: Findings) -> list[str]:
    """Names of the maps: controls, the semi-discrete ones, entropic by regularisation, plans, networks."""
    names = list(MAPS)
    return [*names[:4], *_entropic(findings), *names[4:]]


def _entropic(findings: Findings) -> list[str]:
    return [f"entropic {value}" for value in sorted(str(findings.facts["regularisations"]).split(), key=float)]


def _number(name: str) -> str:
    return name.removeprefix("entropic ")


def _percent(share: float, digits: int = 1) -> str:
    return f"{100 * share:.{digits}f} %"
