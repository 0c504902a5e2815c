"""What the report says and draws of why models on autoencoders blur."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from otbench.report.figures import marks, plots
from otbench.report.figures.base import Wanted
from otbench.report.tables.base import Table
from otbench.report.theory.parts import table
from otbench.utils import plotting

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from otbench.theory.findings import Findings

NAME = "theory_blur"
MARKS = {
    "AE-OT": marks.Mark(plotting.GREEN, "*"),
    "AE + Gaussian": marks.Mark(plotting.BLACK, "D"),
    "AE + prior": marks.Mark(plotting.GREY, "X"),
    "WAE-MMD": marks.Mark(plotting.BLUE, "s"),
    "VAE": marks.Mark(plotting.PURPLE, "v"),
}
SYMBOLS = {"WAE-MMD": "λ", "VAE": "β"}


def said(findings: Findings) -> list[str]:
    """Two paragraphs: what matching the prior costs, and where AE-OT lies."""
    return [_matching(findings), _transport(findings)]


def _setup(findings: Findings) -> str:
    f, o = findings.facts, findings.info.get("options", {})
    return (
        f"One autoencoder (AE-OT's, {o.get('latent', '')} latent dimensions) was trained on {f['train']:,} images with "
        f"a penalty that pulls its codes to N(0, I): MMD with factor lambda (WAE) or the divergence with factor beta "
        f"(VAE), each against the squared error summed over an image; {o.get('steps', '')} batches of "
        f"{o.get('batch', '')}, mean of {o.get('seeds', '')} seeds. L2 is the mean squared error per pixel of "
        f"{f['held_out']:,} held-out images given back, values in [0, 1]; the Frechet distance of as many samples from "
        f"the same images is in {f['features']} (training images themselves: {f['frechet_floor']:.2f}). "
    )


def _matching(findings: Findings) -> str:
    f = findings.facts
    text = _setup(findings)
    text += (
        f"Without a penalty L2 is {f['prior_l2']:.4f}, and codes from N(0, I) give a Frechet distance of "
        f"{f['prior_frechet']:.1f}. "
    )
    for short, name, symbol in (("wae", "WAE", "lambda"), ("vae", "VAE", "beta")):
        least, most = f[f"{short}_least_l2"], f[f"{short}_most_l2"]
        moved = "rises" if most > least else "goes"
        text += (
            f"From {symbol} = {f[f'{short}_least_weight']:g} to {f[f'{short}_most_weight']:g} the {name}'s L2 {moved} "
            f"from {least:.4f} to {most:.4f}, and the Frechet distance of its reconstructions goes from "
            f"{f[f'{short}_least_frechet_back']:.2f} to {f[f'{short}_most_frechet_back']:.2f}; its samples are best at "
            f"{symbol} = {f[f'{short}_weight']:g}, with {f[f'{short}_frechet']:.2f}"
        )
        text += (
            ", between too little match and too little reconstruction. "
            if f[f"{short}_inner"]
            else ", an end of the sweep. "
        )
    real = f["sharpness_real"]
    blurred = [n for s, n in (("wae", "WAE"), ("vae", "VAE")) if f[f"{s}_sharpness"] < 0.95 * real]
    text += (
        f"Sharpness (the Laplacian's variance) of samples at those best settings is {f['wae_sharpness']:.4f} (WAE) and "
        f"{f['vae_sharpness']:.4f} (VAE), of held-out images {real:.4f}: "
    )
    if len(blurred) == 2:
        return text + "both blur."
    if blurred:
        other = "VAE" if blurred == ["WAE"] else "WAE"
        text += f"by this measure the {blurred[0]} blurs and the {other} does not"
        return text + f", so blur is not all that is wrong with the {other}'s samples."
    return text + "by this measure neither blurs, against what the texts say of them."


def _transport(findings: Findings) -> str:
    f = findings.facts
    text = (
        f"AE-OT's transport onto the codes of the autoencoder without penalty gives a Frechet distance of "
        f"{f['ot_frechet']:.2f} at L2 {f['ot_l2']:.4f}"
    )
    best = min(f["wae_frechet"], f["vae_frechet"])
    n, dominated, dominating = f["matched"], f["dominated"], f["dominating"]
    if dominating:
        text += f"; {dominating} of {n} settings of WAE and VAE are better in both at once. "
    elif dominated == n:
        text += f", better in both than all {n} settings of WAE and VAE: it lies off their frontier. "
    else:
        text += (
            f". None of the {n} settings of WAE and VAE is better in both, and it is better in both than {dominated} "
            f"of them. "
        )
    text += (
        f"The best of theirs has {best:.2f}, which is {f['lead_frechet']:.2f} more (standard error of the difference "
        f"over seeds: {f['lead_frechet_se']:.2f}); the least L2 of theirs differs from AE-OT's by "
        f"{f['lead_l2']:+.1e} (standard error {f['lead_l2_se']:.1e})"
    )
    chance = abs(f["lead_l2"]) < 2 * f["lead_l2_se"]
    text += ", no more than chance: matched weakly, an autoencoder gives back as well. " if chance else ". "
    gaussian = f["gaussian_frechet"]
    if gaussian < best:
        text += (
            f"But a Gaussian fitted to the same codes already gives {gaussian:.2f}: most of the gain here is from "
            f"leaving the codes as they are, and {gaussian - f['ot_frechet']:.2f} of it from the transport. "
            if gaussian - f["ot_frechet"] < best - gaussian and gaussian > f["ot_frechet"]
            else f"But a Gaussian fitted to the same codes gives {gaussian:.2f}, so that a part of the gain is from "
            f"leaving the codes as they are, not from the transport. "
        )
    else:
        text += f"A Gaussian fitted to the same codes gives {gaussian:.2f}, so that the gain is the transport's. "
    text += (
        f"Nor is AE-OT's advantage free: a sample's mean distance to the nearest training image is "
        f"{f['ot_novelty']:.2f} of a held-out image's ({f['gaussian_novelty']:.2f} with the Gaussian, "
        f"{f['wae_novelty']:.2f} for the WAE and {f['vae_novelty']:.2f} for the VAE at their best)"
    )
    if f["ot_novelty"] < 0.95:
        return text + ": it interpolates between codes of training images and stays nearer to them than new images are."
    return text + "."


def tables(findings: Findings) -> list[Table]:
    """Every setting, with standard errors."""
    settings = findings.tables["settings"]
    columns = [
        ("l2", "L2 per pixel"),
        ("l2_se", "s.e."),
        ("frechet", "Frechet, samples"),
        ("frechet_se", "s.e."),
        ("frechet_back", "Frechet, given back"),
        ("sharpness", "sharpness, samples"),
        ("sharpness_back", "sharpness, given back"),
        ("novelty", "novelty"),
        ("frontier", "on the frontier"),
    ]
    caption = (
        f"Means over {int(settings['seeds'].min())} seeds and their standard errors. Frechet distances are in "
        f"{findings.facts['features']}. Novelty: mean distance of a sample to the nearest training image, over that of "
        f"a held-out image. On the frontier: no other row is as good in both L2 and the Frechet distance of samples."
    )
    return [table(f"{NAME}_settings", "Reconstruction and samples", caption, settings, "name", columns, "model")]


def figures(findings: Findings) -> Iterator[Wanted]:
    """The frontier, and samples of every setting."""
    f = findings.facts
    caption = (
        f"(a) L2 of {f['held_out']:,} held-out images given back against the Frechet distance of samples "
        f"({f['features']}); down and to the left is better. (b) L2 against the sharpness of samples. Bars: standard "
        f"errors over seeds; lines join settings in order of the factor, which (a) has beside them."
    )
    yield f"{NAME}_frontier", "Reconstruction against samples", caption, "svg", lambda: frontier(findings)
    caption = (
        "Samples of the first seed, each model from its own law of codes; the first two rows are held-out images and "
        "what the autoencoder without penalty gives back of them."
    )
    yield f"{NAME}_samples", "Samples along the frontier", caption, "png", lambda: samples(findings)


def frontier(findings: Findings) -> Figure:
    """Two panels over the same L2."""
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(1, 2, figsize=(plotting.WIDTH, 3.1), layout="constrained")
    f, settings = findings.facts, findings.tables["settings"]
    floors = (("frechet_floor", "training images"), ("sharpness_real", "held-out images"))
    for axes, measure, (floor, said_) in zip(panels, ("frechet", "sharpness"), floors, strict=True):
        axes.axhline(f[floor], color=plotting.ORANGE, lw=1, ls=":")
        axes.text(0.99, f[floor], said_, fontsize=7, ha="right", va="bottom", transform=axes.get_yaxis_transform())
        for family, own in settings.groupby("family", sort=False):
            _curve(axes, str(family), own.sort_values("weight"), measure)
        axes.margins(x=0.12)
        if settings["l2"].max() > 8 * settings["l2"].min():
            axes.set_xscale("log")
            plots.plain(axes.xaxis, *axes.get_xlim())
        axes.set_xlabel("L2 per pixel, held-out images given back")
    panels[0].set_yscale("log")
    plots.plain(panels[0].yaxis, *panels[0].get_ylim())
    panels[0].set_ylabel("Frechet distance of samples")
    panels[1].set_ylabel("sharpness of samples")
    panels[1].set_ylim(bottom=0)
    for axes, letter in zip(panels, "ab", strict=True):
        axes.set_title(letter, loc="left", fontweight="bold")
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
            said_ = f"{SYMBOLS[family]} {weight:g}"
            axes.annotate(
                said_,
                (x, y),
                (5, 4 if weight == own["weight"].min() else -9),
                textcoords="offset points",
                fontsize=7,
                color=mark.colour,
            )


def samples(findings: Findings) -> Figure:
    """A row of images for each setting."""
    import matplotlib.pyplot as plt

    sheet, names = findings.arrays["sheet"], list(findings.tables["sheet"]["sheet"])
    rows, count, _, h, w = sheet.shape
    wide, left = 0.85 * plotting.WIDTH, 0.23
    tall = rows * (wide * (1 - left) / count * h / w + 0.03)
    figure, panels = plt.subplots(rows, 1, figsize=(wide, tall))
    figure.subplots_adjust(left=left, right=1, top=1, bottom=0, hspace=0.05)
    for axes, images, name in zip(np.atleast_1d(panels), sheet, names, strict=True):
        strip = np.concatenate(list(images), axis=-1).transpose(1, 2, 0)
        grey = strip.shape[-1] == 1
        axes.imshow(strip[..., 0] if grey else strip, cmap="gray" if grey else None, vmin=0, vmax=255, aspect="equal")
        axes.set_ylabel(shown(name), rotation=0, ha="right", va="center", fontsize=7)
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
    return figure


def shown(name: str) -> str:
    """A row's name on the sheet, broken where it is long."""
    return name.replace("AE, held-out images given back", "given back").replace("AE + prior", "AE + N(0, I)")
