"""How a model is drawn in every figure: its colour, marker and dash pattern."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from otbench.utils.plotting import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, RED, SKY, YELLOW

if TYPE_CHECKING:
    from matplotlib.figure import Figure

REAL, GENERATED = ORANGE, GREEN
PUBLISHED, REFERENCE, RUN = BLACK, BLUE, RED


@dataclass(frozen=True)
class Mark:
    """How a model is drawn: colour, marker, dash pattern; a letter where that is the marker."""

    colour: str
    marker: str = "o"
    dash: str = "-"
    letter: str = ""

    @property
    def shape(self) -> object:
        """The marker as the drawing library takes it."""
        if not self.letter:
            return self.marker
        from matplotlib.path import Path
        from matplotlib.textpath import TextPath

        outline = TextPath((0, 0), self.letter, size=10)
        box = outline.get_extents()
        # arrays, which matplotlib's types call tuples
        middle = (box.p0 + box.p1) / 2  # pyright: ignore[reportOperatorIssue]
        return Path(outline.vertices - middle, outline.codes)


MARKS = {
    "gan": Mark(BLACK, "o"),
    "pacgan2": Mark(SKY, "s"),
    "pacgan3": Mark(BLUE, "D"),
    "pacgan4": Mark(PURPLE, "^"),
    "ali": Mark(ORANGE, "v"),
    "md-gan": Mark(RED, "P"),
    "unrolled-gan": Mark(BLUE, "<"),
    "veegan": Mark(PURPLE, ">"),
    "wgan": Mark(SKY, "h"),
    "wgan-gp": Mark(RED, "p", "--"),
    "ae-ot": Mark(GREEN, "*"),
    "ae-ot-10k": Mark(GREEN, "P", ":"),
    "ae-ot-pyomt": Mark(GREEN, "X", "--"),
    "ae-ot-paper": Mark(GREEN, "H", "-."),
    "mm-gan": Mark(BLUE, "o", "--"),
    "ns-gan": Mark(BLACK, "o"),
    "lsgan": Mark(YELLOW, "o", "-."),
    "dragan": Mark(GREEN, "p", "-."),
    "began": Mark(PURPLE, "s", "--"),
    "vae": Mark(PURPLE, "v"),
    "wae-vae": Mark(SKY, "v", "-."),
    "wae-mmd": Mark(BLUE, "s"),
    "wae-gan": Mark(RED, "s"),
    "big-vae": Mark(SKY, "^", ":"),
    "big-wae-mmd": Mark(BLUE, "D", ":"),
    "big-wae-gan": Mark(RED, "D", ":"),
    "aae": Mark(BLACK, "X", "--"),
    "glo": Mark(YELLOW, "s", "--"),
    "imle": Mark(BLUE, "X", "-."),
    "glann": Mark(YELLOW, "D"),
    "ae-ot-deep": Mark(GREEN, "d", "--"),
    "otvae": Mark(RED, "P"),
    "otvae-labels": Mark(RED, "X", "-."),
    "wgan-mlp": Mark(BLUE, "H", "--"),
    "wgan-gp-standard": Mark(RED, "o"),
    "wgan-gp-resnet": Mark(RED, "h", "--"),
    "pggan": Mark(BLACK, "^"),
    "sngan": Mark(BLUE, "d"),
    "sngan-resnet": Mark(BLUE, "p", "--"),
    "wgan-div": Mark(SKY, "P"),
    "wgan-div-resnet": Mark(SKY, "X", "--"),
    "wgan-qc": Mark(PURPLE, "X", "--"),
    "ae-ot-standard": Mark(YELLOW, "*"),
    "ae-ot-resnet": Mark(YELLOW, "p", "--"),
    "ae-ot-gan": Mark(GREEN, "D"),
    "ae-ot-gan-resnet": Mark(GREEN, "v", "--"),
    "wgan-lp": Mark(ORANGE, "p", "-."),
    "sinkhorn-gan": Mark(YELLOW, "h", "--"),
    "sinkhorn-barycentric": Mark(PURPLE, "*", ":"),
    "w2-icnn": Mark(GREEN, "s", "-."),
    "not": Mark(BLACK, "D", ":"),
    "swae": Mark(ORANGE, "s"),
    "sinkhorn-ae": Mark(ORANGE, "D", "--"),
    "ae-sinkhorn": Mark(PURPLE, "*", ":"),
    "ae-icnn": Mark(GREEN, "s", "-."),
    "ae-not": Mark(BLACK, "D", ":"),
    "otvae-sinkhorn": Mark(ORANGE, "P", "--"),
    "otvae-barycentric": Mark(BLUE, "P", ":"),
    "otvae-paper": Mark(GREEN, "P", "-."),
    "otvae-kernel": Mark(PURPLE, "P", "--"),
    "otvae-ae": Mark(BLACK, "P", ":"),
    "otvae-wae": Mark(YELLOW, "P", "-."),
    "fm": Mark(ORANGE, "o", "-."),
    "ot-cfm": Mark(ORANGE, "X", "--"),
    "rectified-flow": Mark(ORANGE, "^", ":"),
    "ddpm": Mark(BLACK, "d", "-."),
    "ae-fm": Mark(ORANGE, "*"),
    "dcgan": Mark(BLACK, "s"),
    "pacdcgan2": Mark(SKY, "s"),
    "pacdcgan3": Mark(BLUE, "D"),
    "pacdcgan4": Mark(PURPLE, "^"),
    "unrolled-gan-1": Mark(ORANGE, "<"),
    "unrolled-gan-5": Mark(RED, ">", "--"),
    "unrolled-gan-10": Mark(GREEN, "v", "-."),
    "ae": Mark(GREY, letter="A"),
    "ae-gaussian": Mark(GREY, "s", "-."),
    "ae-gmm": Mark(GREY, "D", "-."),
    "real": Mark(GREY, letter="R"),
    "memoriser": Mark(GREY, letter="M"),
    "collapsed": Mark(GREY, letter="C"),
    "noise": Mark(GREY, letter="N"),
    "untrained": Mark(GREY, letter="U"),
    "blur": Mark(GREY, letter="B"),
}
SIZES = ("-quarter", "-half")
"""Ends of the names of models whose discriminator has a part of the generator's size."""
_SPARE = [Mark(colour, "d", "-.") for colour in (RED, BLUE, BLACK, PURPLE, SKY, ORANGE)]


def mark(model: str) -> Mark:
    """The model's colour and marker.

    Args:
        model: Name of the model.

    Returns:
        The model's mark; one without gets a spare that depends only on its name.
    """
    for end in SIZES:  # the sizes of a discriminator stand in panels of their own
        model = model.removesuffix(end)
    return MARKS.get(model) or _SPARE[sum(model.encode()) % len(_SPARE)]


def points_legend(figure: Figure) -> None:
    """Say below a figure of points in the plane which are real and which generated.

    Args:
        figure: The figure, with room below its panels.
    """
    from matplotlib.lines import Line2D

    kinds = (("held-out real", REAL, 4), ("generated", GENERATED, 3))
    handles = [Line2D([], [], color=c, marker="o", ls="", ms=size, mew=0, label=label) for label, c, size in kinds]
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
