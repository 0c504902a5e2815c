"""What the report says and draws of losses that mean something."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from otbench.report.figures import plots
from otbench.report.figures.base import Wanted
from otbench.report.tables.base import Table
from otbench.report.theory.parts import table
from otbench.theory.meaningful_loss import GENERATORS, LOSSES
from otbench.utils import plotting

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from otbench.theory.findings import Findings

NAME = "theory_meaningful_loss"
COLOURS = (plotting.BLUE, plotting.RED)
PLAYERS = ("WGAN", "GAN")
#: rank correlations from here on are called strong
STRONG = 0.6
#: a divergence of at least this share of log 2 is called close to it
NEAR = 0.8


def said(findings: Findings) -> list[str]:
    """Two paragraphs: what was run and the Wasserstein estimate; the Jensen-Shannon estimate and what disagrees."""
    return [_setup(findings) + _wasserstein(findings), _jensen_shannon(findings) + _verdict(findings)]


def _setup(findings: Findings) -> str:
    f, o = findings.facts, findings.info.get("options", {})
    asked = "both were asked, as they stood, "
    if _steps(findings):
        asked = (
            f"a copy of each was trained on against the generator as it was then ({_steps(findings)} updates on "
            f"training images, at the same rate and clip; the game went on without it) and asked "
        )
    return (
        f"A WGAN's critic (weights clipped to {o.get('clip', 0):g}, RMSProp, {o.get('critic_steps', '')} updates to "
        f"each of the generator's) and a standard GAN's discriminator, the same network without batch normalisation, "
        f"were trained on {f['train']:,} images against three generators, {f['updates']:,} updates of each with "
        f"{f['trainings']} seeds: far fewer than the texts'. At {len(findings.arrays['steps'])} checkpoints {asked}on "
        f"{f['held_out']:,} held-out images and as many samples. Quality is the exact W1 between those images "
        f"and samples (Euclidean, pixels in [0, 1]; training images have {f['w1_floor']:.2f}) and the Frechet distance "
        f"in 24 principal components ({f['frechet_floor']:.2f}); neither game sees either. "
    )


def _steps(findings: Findings) -> int:
    """Updates of the judge; findings from before there was one have none."""
    return int(findings.info.get("options", {}).get("judge_steps", 0))


def _along(f: dict, short: str) -> str:
    """The correlations of an estimate with both qualities, along a training and over all."""
    return (
        f"between {f[f'{short}_w1_least']:+.2f} and {f[f'{short}_w1_most']:+.2f} for the three generators, with the "
        f"Frechet distance between {f[f'{short}_frechet_least']:+.2f} and {f[f'{short}_frechet_most']:+.2f}; over all "
        f"checkpoints of all of them it is {f[f'{short}_w1_pooled']:+.2f} and {f[f'{short}_frechet_pooled']:+.2f}. "
    )


def _standing(findings: Findings, short: str, player: str) -> str:
    """How the player says quality as it stands in the game."""
    f = findings.facts
    if not _steps(findings):
        return ""
    return (
        f"Asked as it stands in the game, the {player} has between {f[f'{short}_as_is_least']:+.2f} and "
        f"{f[f'{short}_as_is_most']:+.2f} with W1 along a training and {f[f'{short}_as_is_pooled']:+.2f} over all. "
    )


def _wasserstein(findings: Findings) -> str:
    f = findings.facts
    text = (
        f"The Wasserstein estimate, E f(real) - E f(generated), is K W1 at the best K-Lipschitz critic, and clipping "
        f"leaves K open. Its rank correlation with the exact W1 along a training, the mean over seeds, is "
        f"{_along(f, 'w')}{_standing(findings, 'w', 'critic')}The critic's steepest slope on segments between real and "
        f"generated images varies from {f['slope_least']:.2g} to {f['slope_most']:.2g} under one and the same clip; "
        f"the estimate divided by it has {f['w_scaled_pooled']:+.2f} with W1 over all, and is {f['bound_mean']:.2f} of "
        f"W1 on average ({f['bound_least']:.2f} to {f['bound_most']:.2f})"
    )
    if f["bound_most"] > 1:
        return text + ": above 1 at times, since the slope is only sampled."
    return text + ": a lower bound, as the dual says, and a loose one. The number itself is not a distance."


def _jensen_shannon(findings: Findings) -> str:
    f, w1 = findings.facts, findings.arrays["w1"][1]
    ceiling = ""
    if f["js_lowest"] >= NEAR * math.log(2):
        ceiling = ": it stays close to its ceiling, where the texts say that it tells nothing of how far apart laws are"
    return (
        f"The Jensen-Shannon estimate, log 2 + (E log D(real) + E log(1 - D(generated))) / 2, lies between "
        f"{f['js_lowest']:.3f} and {f['js_highest']:.3f} (log 2 = 0.693) while W1 of this game's samples goes from "
        f"{w1.max():.1f} to {w1.min():.1f}{ceiling}. Its rank correlation with W1 along a "
        f"training is {_along(f, 'js')}{_standing(findings, 'js', 'discriminator')}At the end the estimates on "
        f"training images are {f['js_last_estimate_train']:.3f} against {f['js_last_estimate']:.3f} on held-out ones "
        f"(Wasserstein: {f['w_last_estimate_train']:.2g} against {f['w_last_estimate']:.2g}). "
    )


def _ahead(findings: Findings) -> int:
    """With how many generators the critic's estimate follows W1 along a training better than the discriminator's."""
    frame = findings.tables["correlations"]
    own = [frame[(frame["loss"] == loss) & (frame["generator"] != "all")]["w1"].to_numpy() for loss in LOSSES]
    return int((own[0] > own[1]).sum())


def _verdict(findings: Findings) -> str:
    f, ahead = findings.facts, _ahead(findings)
    w, js = f["w_w1_least"], f["js_w1_most"]
    if w >= STRONG and js < STRONG:
        text = (
            "Here, as the texts say, the critic's loss means something with every generator, the discriminator's not. "
        )
    elif w >= STRONG:
        text = (
            "The critic's loss follows quality with every generator; that the discriminator's never does, as the texts "
            "have it, is not seen here. "
        )
    elif f["w_w1_pooled"] > f["js_w1_pooled"]:
        text = (
            f"Over all, the critic's loss follows quality better than the discriminator's; along a training it does so "
            f"with {ahead} of the {len(GENERATORS)} generators. "
        )
    else:
        text = "That the critic's loss follows quality better than the discriminator's is not seen at this size. "
    text += (
        f"Two curves that both go down agree whatever they mean: between one checkpoint and the next the changes have "
        f"a mean rank correlation with those of W1 of {f['w_w1_changes']:+.2f} (Wasserstein) and "
        f"{f['js_w1_changes']:+.2f} (Jensen-Shannon)"
    )
    if not _steps(findings):
        return text + (
            ". Critic and discriminator are asked as they stand, not trained to their optimum first as the texts would "
            "have it."
        )
    text += f", as they stand {f['w_as_is_changes']:+.2f} and {f['js_as_is_changes']:+.2f}. "
    if f["w_w1_pooled"] > f["w_as_is_pooled"] and f["w_w1_changes"] > f["w_as_is_changes"]:
        gained = "So over all and in its changes the critic's number means more when it is trained on first, as the "
        return f"{text}{gained}texts have it."
    return f"{text}That training the critic on first, as the texts have it, gives its number more meaning is not seen."


def tables(findings: Findings) -> list[Table]:
    """Correlations, and where each game ends."""
    frame = findings.tables["correlations"].copy()
    columns = [
        ("w1", "rank correlation with W1"),
        ("w1_se", "s.e."),
        ("w1_changes", "of changes"),
        ("as_is", "as it stands"),
        ("as_is_changes", "of changes"),
        ("scaled", "over its slope"),
        ("frechet", "with the Frechet distance"),
        ("last_estimate", "estimate at the end"),
        ("last_w1", "W1 at the end"),
        ("last_frechet", "Frechet at the end"),
    ]
    asked = f"of a judge trained on for {_steps(findings)} updates" if _steps(findings) else "as the network stands"
    caption = (
        f"Spearman's rank correlation of each estimate, {asked}, on held-out images, with W1 and with the Frechet "
        f"distance over the checkpoints of a training: means and standard errors over {findings.facts['trainings']} "
        f"seeds; of changes: of what changes from one checkpoint to the next. as it stands: with W1, of the critic or "
        f"discriminator as the game has it; over its slope: with W1, of the estimate divided by the critic's steepest "
        f"slope. all: over all checkpoints, generators and seeds at once. The Wasserstein estimate has the unit of the "
        f"critic, the Jensen-Shannon estimate is in nats."
    )
    return [table(f"{NAME}_correlations", "Estimates and quality", caption, frame, "generator", columns, block="loss")]


def figures(findings: Findings) -> Iterator[Wanted]:
    """The curves of both estimates and of quality, and sample sheets along them."""
    f, judge = findings.facts, ""
    if _steps(findings):
        judge = (
            f", each by a copy trained on for {_steps(findings)} updates against the generator at hand; grey, "
            f"dash-dotted: by the network as it stands, on held-out images"
        )
    caption = (
        f"Above: the estimates on {f['held_out']:,} held-out images (solid) and on training ones (dashed, black)"
        f"{judge}. Below: exact W1 and Frechet distance between samples and held-out images (dotted: of training "
        f"images). Thin lines are seeds, thick ones their mean. The Wasserstein estimate is up to the critic's "
        f"Lipschitz constant."
    )
    yield f"{NAME}_curves", "Estimates and quality along training", caption, "svg", lambda: curves(findings)
    caption = (
        "Samples of the first seed from the same noise at three moments, with the estimate at the checkpoint nearest "
        "to each (W: the critic's, JS: the discriminator's, nats) and the exact W1."
    )
    caption = caption.replace("three moments", f"{len(findings.arrays['fractions'])} moments")
    yield f"{NAME}_samples", "Samples along the curves", caption, "png", lambda: sheets(findings)


def curves(findings: Findings) -> Figure:
    """A column a generator; a row for each estimate and each measure of quality."""
    import matplotlib.pyplot as plt

    a = findings.arrays
    figure, panels = plt.subplots(4, 3, figsize=(plotting.WIDTH, 6.4), layout="constrained", sharex=True)
    for row, j in itertools.product(range(4), (1, 2)):
        panels[row, j].sharey(panels[row, 0])
        panels[row, j].tick_params(labelleft=False)
    for j, name in enumerate(GENERATORS):
        panels[0, j].set_title(name)
        for i in range(len(LOSSES)):
            panels[i, j].axhline(0, color=plotting.LIGHT, lw=0.8)
            _lines(panels[i, j], a["steps"], a["estimate"][i, j], COLOURS[i], PLAYERS[i])
            if _steps(findings):
                standing = a["as_is"][i, j].mean(0)
                panels[i, j].plot(a["steps"], standing, color=plotting.GREY, ls="-.", lw=1, label="as it stands")
            own = a["estimate_train"][i, j].mean(0)
            panels[i, j].plot(a["steps"], own, color=plotting.BLACK, ls="--", lw=0.8, label="on training images")
            for row, measure in ((2, "w1"), (3, "frechet")):
                _lines(panels[row, j], a["steps"], a[measure][i, j], COLOURS[i], PLAYERS[i])
        panels[1, j].axhline(math.log(2), color=plotting.GREY, lw=0.8, ls=":")
        for row, floor in ((2, "w1_floor"), (3, "frechet_floor")):
            panels[row, j].axhline(findings.facts[floor], color=plotting.ORANGE, lw=1, ls=":")
        panels[3, j].set_yscale("log")
        plots.plain(panels[3, j].yaxis, *panels[3, j].get_ylim())
        panels[3, j].set_xlabel("updates of the generator")
    panels[1, 0].set_ylim(top=0.85)
    over = panels[1, 0].get_yaxis_transform()
    panels[1, 0].text(0.02, math.log(2) + 0.01, "log 2", fontsize=7, va="bottom", transform=over)
    labels = ("Wasserstein estimate\n(unit of the critic)", "Jensen-Shannon\nestimate, nats")
    for row, label in enumerate((*labels, "exact W1\n(pixels in [0, 1])", "Frechet distance\n(24 components)")):
        panels[row, 0].set_ylabel(label)
    # both players' curves are in the lower panels, what else is drawn of an estimate in the upper
    handles, names = panels[2, 0].get_legend_handles_labels()
    upper = panels[0, 0].get_legend_handles_labels()
    more = [(h, name) for h, name in zip(*upper, strict=True) if name not in PLAYERS]
    handles, names = handles + [h for h, _ in more], names + [name for _, name in more]
    figure.legend(handles, names, loc="outside lower center", ncols=len(names))
    return figure


def _lines(axes: Axes, steps: np.ndarray, values: np.ndarray, colour: str, label: str) -> None:
    for own in values:
        axes.plot(steps, own, color=colour, lw=0.5, alpha=0.5)
    axes.plot(steps, values.mean(0), color=colour, lw=1.6, label=label)


def sheets(findings: Findings) -> Figure:
    """A row a game, a block of samples a moment."""
    import matplotlib.pyplot as plt

    a = findings.arrays
    found = a["sheets"]
    losses, count, moments, shown, _, h, w = found.shape
    columns = math.ceil(shown / 2)
    wide = plotting.WIDTH
    block = (0.86 * wide / moments - 0.1) / columns * 2 * h / w
    rows = losses * count
    figure, panels = plt.subplots(rows, moments, figsize=(wide, rows * (block + 0.22) + 0.15), squeeze=False)
    figure.subplots_adjust(left=0.14, right=1, top=1 - 0.2 / figure.get_figheight(), bottom=0, wspace=0.03, hspace=0.22)
    for i in range(losses):
        for j, name in enumerate(GENERATORS):
            for m, fraction in enumerate(a["fractions"]):
                axes = panels[i * count + j, m]
                _block(axes, found[i, j, m], columns)
                nearest = int(np.abs(a["steps"] / a["steps"][-1] - fraction).argmin())
                own = a["estimate"][i, j, 0, nearest], a["w1"][i, j, 0, nearest]
                said_ = f"{100 * fraction:g} %: {('W', 'JS')[i]} {own[0]:.2g}, W1 {own[1]:.2f}"
                axes.set_title(said_, fontsize=7, pad=2)
            label = f"{PLAYERS[i]},\n{name.replace(' without', chr(10) + 'without')}"
            panels[i * count + j, 0].set_ylabel(label, rotation=0, ha="right", va="center", fontsize=7)
    return figure


def _block(axes: Axes, images: np.ndarray, columns: int) -> None:
    """Two rows of images (n, c, h, w)."""
    n, c, h, w = images.shape
    # a white line to the right of and below each
    padded = np.full((2 * columns, c, h + 1, w + 1), 255, np.uint8)
    padded[:n, :, :h, :w] = images
    tiled = padded.reshape(2, columns, c, h + 1, w + 1).transpose(0, 3, 1, 4, 2).reshape(2 * (h + 1), -1, c)
    axes.imshow(tiled[..., 0] if c == 1 else tiled, cmap="gray" if c == 1 else None, vmin=0, vmax=255)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
