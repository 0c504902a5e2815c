"""The figures of a report: what is drawn for which data set, with its caption, and how it is saved."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from otbench.files import whole
from otbench.report import costs, plots, points, ratings, statistics, style
from otbench.report.compare import Comparison
from otbench.report.gathered import REAL
from otbench.report.registry import points_in, shown
from otbench.report.summary import summarise
from otbench.studies.images import NAME as IMAGES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Dates and the versions of the drawing library would make equal figures differ.
METADATA = {
    "png": {"Software": None},
    "pdf": {"Creator": None, "Producer": None, "CreationDate": None},
    "svg": {"Creator": None, "Date": None},
}


Wanted = tuple[str, str, str, str, Callable[[], "Figure"]]
"""Name, title, caption and form of a figure, and what draws it."""


@dataclass(frozen=True)
class Drawn:
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


def draw(comparison: Comparison, dataset: str, folder: Path) -> list[Drawn]:
    """Draw and save every figure that the data set has numbers for."""
    from otbench.report.image_figures import wanted

    of_kind = {"points": _wanted, "images": wanted}[comparison.study.kind]
    every = (
        of_kind(comparison, dataset),
        ratings.rating_figures(comparison, dataset),
        statistics.statistics_figures(comparison, dataset),
        costs.cost_figures(comparison, dataset),
    )
    return drawn(chain(*every), comparison.run.title("datasets", dataset), folder)


def draw_study(comparison: Comparison, folder: Path) -> list[Drawn]:
    """Draw and save the figures over all data sets of the study, which that of images alone has."""
    from otbench.report.image_figures import wanted_overall

    wanted = wanted_overall(comparison) if comparison.study.name == IMAGES else ()
    return drawn(chain(wanted, statistics.study_figures(comparison)), comparison.study.title, folder)


def drawn(wanted: Iterable[Wanted], where: str, folder: Path) -> list[Drawn]:
    """Draw the figures in the report's style and save them; where: what they are about, for those who cannot see."""
    found = []
    with style.styled():
        for name, title, caption, embed, make in wanted:
            save(make(), folder, name)
            found.append(Drawn(name, title, caption, f"{title}, {where}", folder, embed))
    return found


def save(figure: Figure, folder: Path, name: str) -> None:
    """Write the figure as PNG, PDF and SVG, each whole or not at all, and close it."""
    import matplotlib.pyplot as plt

    try:
        figure.draw_without_rendering()
        figure.set_layout_engine("none")  # the layout is found: saving need not look for it three times more
        for kind, metadata in METADATA.items():
            with whole(folder / f"{name}.{kind}") as temporary:
                figure.savefig(temporary, format=kind, metadata=metadata)
    finally:
        plt.close(figure)


def _wanted(comparison: Comparison, dataset: str) -> Iterator[Wanted]:
    run, about = comparison.run, comparison.run.info["datasets"].get(dataset, {})
    said = _said(comparison, dataset)
    real = run.scatter.get(f"{dataset}/{REAL}")
    if real is not None and len(real):
        caption = (
            "Generated points over held-out real ones, the first seed that is ok, at the end of training; all panels "
            "have the same limits, and points outside them are counted. Under each panel: means over the seeds. "
        )
        yield f"{dataset}_scatter", "Samples", caption + said, "png", lambda: points.scatter(comparison, dataset)
    held = [metric for metric in comparison.study.headline if (dataset, metric) in run.protocols]
    if held:
        caption = "Bars are standard errors over seeds (published: as the papers give them). "
        if comparison.beside(dataset):
            caption += "Hollow: figure or protocol uncertain. "
        caption += f"Dotted: what a perfect sampler is expected to reach. {protocol_of(comparison, dataset, held)}"
        title = "Published, reference and this run" if comparison.beside(dataset) else "All models"
        yield f"{dataset}_compare", title, caption + said, "svg", lambda: plots.dots(comparison, dataset, held)
    curved = [metric for metric in ("modes", "reverse_kl") if metric in held]
    if curved and plots.curve_groups(comparison, dataset):
        caption = "Mean over seeds along training; bands are standard errors. "
        caption += protocol_of(comparison, dataset, curved)
        yield (
            f"{dataset}_curves",
            "Training curves",
            caption + said,
            "svg",
            lambda: plots.curves(comparison, dataset, curved),
        )
    if real is not None and len(real) and about.get("centres"):
        caption = (
            "Share of the points nearest to each mode, for the first seed that is ok at the end of training; a perfect "
            "sampler follows the orange line. "
        )
        yield (
            f"{dataset}_histograms",
            "Balance over modes",
            caption + said,
            "svg",
            lambda: points.histograms(comparison, dataset),
        )
    priced = [metric for metric in ("reverse_kl", "w2") if (dataset, metric) in run.protocols] or held[:1]
    if priced and _has_cost(comparison, dataset):
        caption = "Quality against seconds of training; bars are standard errors over seeds; controls left out. "
        caption += protocol_of(comparison, dataset, priced)
        yield (
            f"{dataset}_cost",
            "Quality against cost",
            caption + said,
            "svg",
            lambda: plots.cost(comparison, dataset, priced),
        )


def _said(comparison: Comparison, dataset: str) -> str:
    metrics = [metric for where, metric in comparison.run.protocols if where == dataset]
    return comparison.said(
        dataset, [metric for metric in metrics if points_in(comparison.run.protocol(dataset, metric))]
    )


def protocol_of(comparison: Comparison, dataset: str, metrics: list[str]) -> str:
    """The metrics with the protocol each was measured under, for a caption."""
    found: dict[str, list[str]] = {}
    for metric in metrics:
        found.setdefault(comparison.run.protocol(dataset, metric), []).append(shown(metric).label.split(", %")[0])
    return " ".join(f"{'; '.join(names)}: {protocol}." for protocol, names in found.items()) + " "


def _has_cost(comparison: Comparison, dataset: str) -> bool:
    spent = [summarise(comparison.run, dataset, model, "seconds") for model in comparison.generative(dataset)]
    return any(one.n and one.mean > 0 for one in spent)
