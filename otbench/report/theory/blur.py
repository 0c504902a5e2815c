"""What the report says and draws of why models on autoencoders blur."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from otbench.report.figures import marks, plots
from otbench.report.figures.base import FigureSpec
from otbench.report.tables.base import Table
from otbench.report.theory.parts import table
from otbench.report.theory.prose import fill
from otbench.utils import plotting

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from otbench.theory.findings import Findings

CHAPTER = "blur"
NAME = f"theory_{CHAPTER}"
MARKS = {
    "AE-OT": marks.Mark(plotting.GREEN, "*"),
    "AE + Gaussian": marks.Mark(plotting.BLACK, "D"),
    "AE + prior": marks.Mark(plotting.GREY, "X"),
    "WAE-MMD": marks.Mark(plotting.BLUE, "s"),
    "VAE": marks.Mark(plotting.PURPLE, "v"),
}
SYMBOLS = {"WAE-MMD": "λ", "VAE": "β"}


@dataclass(frozen=True)
class Sweep:
    """What a penalty's factor changes from its least to its most, and where samples are best."""

    title: str
    factor: str
    rises: bool
    inner: bool
    weight: float
    frechet: float
    least_weight: float
    most_weight: float
    least_l2: float
    most_l2: float
    least_frechet_back: float
    most_frechet_back: float


@dataclass(frozen=True)
class Derived:
    """What the sentences need besides the study's facts."""

    sweeps: tuple[Sweep, ...]
    wae_blurs: bool
    vae_blurs: bool
    best: float
    """Least Fréchet distance of the matched models."""
    some_better: bool
    better_than_all: bool
    within_chance: bool
    codes_suffice: bool
    codes_help: bool
    stays_near: bool
    seeds: int


def derived(findings: Findings) -> Derived:
    """Decides what the paragraphs may say of what matching the prior costs, and of where AE-OT lies.

    Args:
        findings: What the study found.

    Returns:
        What the sentences need besides the study's facts.
    """
    f = findings.facts
    best, ot, gaussian = min(f["wae_frechet"], f["vae_frechet"]), f["ot_frechet"], f["gaussian_frechet"]
    return Derived(
        sweeps=(_sweep(f, "wae", "WAE", "lambda"), _sweep(f, "vae", "VAE", "beta")),
        wae_blurs=_blurs(f, "wae"),
        vae_blurs=_blurs(f, "vae"),
        best=best,
        some_better=f["dominating"] > 0,
        better_than_all=f["dominated"] == f["matched"],
        within_chance=abs(f["lead_l2"]) < 2 * f["lead_l2_se"],
        codes_suffice=ot < gaussian < best and gaussian - ot < best - gaussian,
        codes_help=gaussian < best,
        stays_near=f["ot_novelty"] < 0.95,
        seeds=int(findings.tables["settings"]["seeds"].min()),
    )


def _sweep(f: dict, model: str, title: str, factor: str) -> Sweep:
    ends = [f"{end}_{key}" for end in ("least", "most") for key in ("weight", "l2", "frechet_back")]
    values = {key: f[f"{model}_{key}"] for key in ("inner", "weight", "frechet", *ends)}
    return Sweep(title, factor, values["most_l2"] > values["least_l2"], **values)


def _blurs(f: dict, model: str) -> bool:
    return f[f"{model}_sharpness"] < 0.95 * f["sharpness_real"]


def said(findings: Findings) -> list[str]:
    """Says what blurs, and why.

    Args:
        findings: What the study found.

    Returns:
        Two paragraphs: what matching the prior costs, and where AE-OT lies.
    """
    text = fill(CHAPTER, findings, derived(findings))
    return [text("matching"), text("transport")]


def tables(findings: Findings) -> list[Table]:
    """Makes the chapter's table.

    Args:
        findings: What the study found.

    Returns:
        The table of every setting, with standard errors.
    """
    settings = findings.tables["settings"]
    columns = [
        ("l2", "L2 per pixel"),
        ("l2_se", "s.e."),
        ("frechet", "Fréchet, samples"),
        ("frechet_se", "s.e."),
        ("frechet_back", "Fréchet, given back"),
        ("sharpness", "sharpness, samples"),
        ("sharpness_back", "sharpness, given back"),
        ("novelty", "novelty"),
        ("frontier", "on the frontier"),
    ]
    caption = fill(CHAPTER, findings, derived(findings))("settings_table")
    return [table(f"{NAME}_settings", "Reconstruction and samples", caption, settings, "name", columns, "model")]


def figures(findings: Findings) -> Iterator[FigureSpec]:
    """Describes the chapter's figures.

    Args:
        findings: What the study found.

    Yields:
        The figure of the frontier, and the samples of every setting.
    """
    text = fill(CHAPTER, findings, derived(findings))
    title, caption = "Reconstruction against samples", text("frontier_figure")
    yield FigureSpec(f"{NAME}_frontier", title, caption, "svg", lambda: frontier(findings))
    title, caption = "Samples along the frontier", text("samples_figure")
    yield FigureSpec(f"{NAME}_samples", title, caption, "png", lambda: samples(findings))


def frontier(findings: Findings) -> Figure:
    """Draws two panels over the same L2.

    Args:
        findings: What the study found.

    Returns:
        The figure.
    """
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(1, 2, figsize=(plotting.WIDTH, 3.1), layout="constrained")
    f, settings = findings.facts, findings.tables["settings"]
    floors = (("frechet_floor", "training images"), ("sharpness_real", "held-out images"))
    for axes, measure, (floor, label) in zip(panels, ("frechet", "sharpness"), floors, strict=True):
        axes.axhline(f[floor], color=plotting.ORANGE, lw=1, ls=":")
        axes.text(0.99, f[floor], label, fontsize=7, ha="right", va="bottom", transform=axes.get_yaxis_transform())
        for family, rows in settings.groupby("family", sort=False):
            _curve(axes, str(family), rows.sort_values("weight"), measure)
        axes.margins(x=0.12)
        if settings["l2"].max() > 8 * settings["l2"].min():
            axes.set_xscale("log")
            plots.plain(axes.xaxis, *axes.get_xlim())
        axes.set_xlabel("L2 per pixel, held-out images given back")
    panels[0].set_yscale("log")
    plots.plain(panels[0].yaxis, *panels[0].get_ylim())
    panels[0].set_ylabel("Fréchet distance of samples")
    panels[1].set_ylabel("sharpness of samples")
    panels[1].set_ylim(bottom=0)
    for axes, letter in zip(panels, "ab", strict=True):
        axes.set_title(f"({letter})", loc="left")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    return figure


def _curve(axes: Axes, family: str, own: pd.DataFrame, measure: str) -> None:
    mark = MARKS.get(family, marks.Mark(plotting.RED))
    bars = {f"{axis}err": own[f"{key}_se"].fillna(0) for axis, key in (("x", "l2"), ("y", measure))}
    size = 9 if mark.marker == "*" else 4.5
    axes.errorbar(
        own["l2"],
        own[measure],
        **bars,
        color=mark.colour,
        marker=mark.marker,
        ms=size,
        lw=1,
        elinewidth=0.7,
        label=family if family != "AE + prior" else "AE + N(0, I)",
        zorder=4 if mark.marker == "*" else 3,
    )
    for weight, x, y in zip(own["weight"], own["l2"], own[measure], strict=True):
        if family in SYMBOLS and measure == "frechet":
            label = f"{SYMBOLS[family]} {weight:g}"
            axes.annotate(
                label,
                (x, y),
                (5, 4 if weight == own["weight"].min() else -9),
                textcoords="offset points",
                fontsize=7,
                color=mark.colour,
            )


def samples(findings: Findings) -> Figure:
    """Draws a row of images for each setting.

    Args:
        findings: What the study found.

    Returns:
        The figure.
    """
    import matplotlib.pyplot as plt

    sheet, names = findings.arrays["sheet"], list(findings.tables["sheet"]["sheet"])
    rows, count, _, h, w = sheet.shape
    wide, left = 0.85 * plotting.WIDTH, 0.23
    tall = rows * (wide * (1 - left) / count * h / w + 0.03)
    figure, panels = plt.subplots(rows, 1, figsize=(wide, tall))
    figure.subplots_adjust(left=left, right=1, top=1, bottom=0, hspace=0.05)
    # one Axes or an array of them, which matplotlib's types do not tell apart
    every = np.atleast_1d(panels)  # pyright: ignore[reportCallIssue, reportArgumentType]
    for axes, images, name in zip(every, sheet, names, strict=True):
        strip = np.concatenate(list(images), axis=-1).transpose(1, 2, 0)
        grey = strip.shape[-1] == 1
        axes.imshow(strip[..., 0] if grey else strip, cmap="gray" if grey else None, vmin=0, vmax=255, aspect="equal")
        axes.set_ylabel(metric_label(name), rotation=0, ha="right", va="center", fontsize=7)
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
    return figure


def metric_label(name: str) -> str:
    """Shortens a row's name for the sheet.

    Args:
        name: The row's name in the study's table.

    Returns:
        The name that stands beside the row.
    """
    return name.replace("AE, held-out images given back", "given back").replace("AE + prior", "AE + N(0, I)")
