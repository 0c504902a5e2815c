"""A figure of the report: what it is, how it is saved, and its protocol in words."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from otbench.report.comparison import Comparison
from otbench.report.figures.cache import Kept
from otbench.report.figures.data import data_of
from otbench.report.labels import metric_label, protocol_words
from otbench.utils import plotting
from otbench.utils.files import atomic_write, write_text

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
    """A figure on disk: files `name`.png, .pdf, .svg in `folder`, and .csv with its numbers where it has any.

    embed is the form that a page should hold.
    """

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

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height in pixels, so that a page can leave room before the file is loaded."""
        try:
            with (self.folder / f"{self.name}.png").open("rb") as file:
                head = file.read(24)
        except OSError:
            return None
        width, height = int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")
        return (width, height) if head[:8] == b"\x89PNG\r\n\x1a\n" else None

    @property
    def has_data(self) -> bool:
        """Whether there is a file of its numbers; a figure of pictures alone has none."""
        return (self.folder / f"{self.name}.csv").is_file()


def save_figures(specs: Iterable[FigureSpec], where: str, folder: Path, key: str = "") -> list[SavedFigure]:
    """Draw the figures in the report's style and save them; those that are there under the same key stay.

    Args:
        specs: Figures to draw.
        where: What the figures are about, for their alternative texts.
        folder: Folder of the files.
        key: Key of what they show, see `cache`; empty draws them all.

    Returns:
        The saved figures, in the order of `specs`.
    """
    saved, kept = [], Kept(folder)
    with plotting.styled():
        for name, title, caption, embed, make in specs:
            if not kept.brings(name, key, METADATA):
                kept.forget(name)
                save(make(), folder, name)
                kept.keep(name, key, METADATA)
            saved.append(SavedFigure(name, title, caption, f"{title}, {where}", folder, embed))
    return saved


def save(figure: Figure, folder: Path, name: str) -> None:
    """Write the figure as PNG, PDF and SVG, and its numbers as CSV, each whole or not at all, and close it.

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
        numbers = data_of(figure)
        if numbers:
            write_text(folder / f"{name}.csv", numbers)
        else:
            (folder / f"{name}.csv").unlink(missing_ok=True)
    finally:
        plt.close(figure)


def protocol_of(comparison: Comparison, dataset: str, metrics: list[str]) -> str:
    """The metrics with what each was measured on, for a caption; the table of protocols has every detail.

    Args:
        comparison: Study of a run.
        dataset: Name of the data set.
        metrics: Metrics to name, `metric@network` where on a network's features.

    Returns:
        A sentence for each way of measuring, and a space.
    """
    by_protocol: dict[str, list[str]] = {}
    for metric in metrics:
        words = protocol_words(comparison.run.protocol(dataset, metric), comparison.study.kind)
        by_protocol.setdefault(words, []).append(metric_label(metric).label.split(", %")[0])
    return " ".join(f"{'; '.join(names)}: {words}." for words, names in by_protocol.items() if words) + " "
