"""The one style of every figure: colour-blind safe, ready for print, the same bytes on every run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

# Okabe and Ito's palette (2008), told apart by readers with any common colour blindness.
ORANGE, SKY, GREEN, YELLOW = "#E69F00", "#56B4E9", "#009E73", "#D9C400"
BLUE, RED, PURPLE, BLACK = "#0072B2", "#D55E00", "#CC79A7", "#000000"
GREY, LIGHT = "#777777", "#D0D0D0"

REAL, GENERATED = ORANGE, GREEN
PUBLISHED, REFERENCE, RUN = BLACK, BLUE, RED

WIDTH = 7.2  # inches: two columns of a paper
DPI = 200


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
        return Path(outline.vertices - (box.p0 + box.p1) / 2, outline.codes)


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
    "dcgan": Mark(BLACK, "s"),
    "pacdcgan2": Mark(SKY, "s"),
    "pacdcgan3": Mark(BLUE, "D"),
    "pacdcgan4": Mark(PURPLE, "^"),
    "ae": Mark(GREY, letter="A"),
    "ae-gaussian": Mark(GREY, letter="G"),
    "ae-gmm": Mark(GREY, letter="X"),
    "real": Mark(GREY, letter="R"),
    "memoriser": Mark(GREY, letter="M"),
    "collapsed": Mark(GREY, letter="C"),
    "noise": Mark(GREY, letter="N"),
}
_SPARE = [Mark(colour, "d", "-.") for colour in (RED, BLUE, BLACK, PURPLE, SKY, ORANGE)]


def mark(model: str) -> Mark:
    """The model's colour and marker; one that has none gets a spare that depends only on its name."""
    return MARKS.get(model) or _SPARE[sum(model.encode()) % len(_SPARE)]


@contextmanager
def styled() -> Iterator[None]:
    """Draw in the report's style, without a display."""
    import matplotlib
    import seaborn

    settings = {
        "font.family": "DejaVu Sans",
        "mathtext.fontset": "dejavusans",
        "font.size": 8,
        "axes.titlesize": 8.5,
        "axes.labelsize": 8,
        "xtick.labelsize": 7,
        "ytick.labelsize": 7,
        "legend.fontsize": 7,
        "legend.frameon": False,
        "axes.linewidth": 0.6,
        "axes.edgecolor": "#444444",
        "axes.grid": True,
        "grid.color": "#E4E4E4",
        "grid.linewidth": 0.5,
        "xtick.major.width": 0.6,
        "ytick.major.width": 0.6,
        "xtick.minor.width": 0.4,
        "ytick.minor.width": 0.4,
        "lines.linewidth": 1.2,
        "lines.markersize": 3.5,
        "axes.axisbelow": True,
        "figure.dpi": DPI,
        "savefig.dpi": DPI,
        "savefig.facecolor": "white",
        "pdf.fonttype": 42,
        "svg.fonttype": "path",
        "svg.hashsalt": "otbench",
        "text.parse_math": False,
    }
    matplotlib.use("Agg")
    with seaborn.axes_style("ticks"), matplotlib.rc_context(settings):
        yield
