"""A figure of the report: what it is, how it is saved, and its protocol in words."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from otbench.report.comparison import Comparison
from otbench.report.labels import metric_label
from otbench.utils import plotting
from otbench.utils.files import atomic_write

if TYPE_CHECKING:
    from matplotlib.figure import Figure


# Dates and the versions of the drawing library would make equal figures differ.
METADATA = {
    "png": {"Software": None},
    "pdf": {"Creator": None, "Producer": None, "CreationDate": None},
    "svg": {"Creator": None, "Date": None},
}


class FigureSpec(NamedTuple):
    """A figure that is to be drawn.

    Attributes:
        name: stem of its files.
        title, caption: what stands above and below it.
        form: the kind of file that a page holds, `png` or `svg`.
        draw: draws it.
    """

    name: str
    title: str
    caption: str
    form: str
    draw: Callable[[], Figure]


@dataclass(frozen=True)
class SavedFigure:
    """A figure on disk: files `name`.png, .pdf, .svg in `folder`; embed is the form that a page should hold."""

    name: str
    title: str
    caption: str
    alt: str
    folder: Path
    embed: str

    @property
    def path(self) -> Path:
        """The file that a page should hold."""
        return self.folder / f"{self.name}.{self.embed}"


def save_figures(specs: Iterable[FigureSpec], where: str, folder: Path) -> list[SavedFigure]:
    """Draw the figures in the report's style and save them.

    Args:
        specs: Figures to draw.
        where: What the figures are about, for their alternative texts.
        folder: Folder of the files.

    Returns:
        The saved figures, in the order of `specs`.
    """
    saved = []
    with plotting.styled():
        for name, title, caption, embed, make in specs:
            save(make(), folder, name)
            saved.append(SavedFigure(name, title, caption, f"{title}, {where}", folder, embed))
    return saved


def save(figure: Figure, folder: Path, name: str) -> None:
    """Write the figure as PNG, PDF and SVG, each whole or not at all, and close it.

    Args:
        figure: Figure to write.
        folder: Folder of the files.
        name: Stem of the files.
    """
    import matplotlib.pyplot as plt

    try:
        figure.draw_without_rendering()
        figure.set_layout_engine("none")  # the layout is found: saving need not look for it three times more
        for kind, metadata in METADATA.items():
            with atomic_write(folder / f"{name}.{kind}") as temporary:
                figure.savefig(temporary, format=kind, metadata=metadata)
    finally:
        plt.close(figure)


def protocol_of(comparison: Comparison, dataset: str, metrics: list[str]) -> str:
    """The metrics with the protocol each was measured under, for a caption.

    Args:
        comparison: Study of a run.
        dataset: Name of the data set.
        metrics: Metrics to name, `metric@network` where on a network's features.

    Returns:
        A sentence for each protocol, and a space.
    """
    by_protocol: dict[str, list[str]] = {}
    for metric in metrics:
        by_protocol.setdefault(comparison.run.protocol(dataset, metric), []).append(
            metric_label(metric).label.split(", %")[0]
        )
    return " ".join(f"{'; '.join(names)}: {protocol}." for protocol, names in by_protocol.items()) + " "
