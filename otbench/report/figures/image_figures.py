"""The figures of the image study: what is drawn for which data set, with its caption."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from otbench.report.comparison import Comparison
from otbench.report.figures import dot_plots, image_grids, image_plots, latent_plots, price_plots, search_figures
from otbench.report.figures.base import FigureSpec, protocol_of
from otbench.report.figures.stacked_figures import stacked_figures
from otbench.report.labels import NETWORKS, lower_first
from otbench.report.recipes.images import WHY_PROXY, excellence
from otbench.report.summary import summarise
from otbench.runs.formats import REFERENCE


def figure_specs(comparison: Comparison, dataset: str) -> Iterator[FigureSpec]:
    """Every figure that the data set has numbers or images for.

    Args:
        comparison: Image study of a run.
        dataset: Name of the data set.

    Yields:
        The figures, in the order of the page.
    """
    yield from stacked_figures(comparison, dataset)
    yield from _pictures(comparison, dataset)
    yield from _measured(comparison, dataset)
    yield from _followed(comparison, dataset)
    yield from _latent(comparison, dataset)


def study_figure_specs(comparison: Comparison) -> Iterator[FigureSpec]:
    """The figures over all data sets: the visual grid, where there are two or more, and the searches.

    Args:
        comparison: Image study of a run.

    Yields:
        The figures, in the order of the page.
    """
    names = image_grids.with_pictures(comparison)
    if len(names) > 1:
        caption = (
            "Samples of the first seed at the end of training, not chosen by eye. The AE's column shows reconstructed "
            "test images; the GAN is the one with the largest F8 + F1/8 on the data set. "
        )
        caption += " ".join(f"{comparison.dataset_title(name)}: {comparison.said(name, [])}" for name in names)
        title = "Visual comparison (AE-OT Fig. 15)"
        yield FigureSpec("images_grid", title, caption, "png", partial(image_grids.overview, comparison))
    yield from search_figures.search_figures(comparison)


def _pictures(comparison: Comparison, dataset: str) -> Iterator[FigureSpec]:
    note = comparison.said(dataset, [])
    if dataset in image_grids.with_pictures(comparison):
        caption = (
            "Samples of the first seed at the end of training, the first 36 of each, not chosen by eye. AE "
            "(reconstructions) are test images through the autoencoder; the best GAN is the one with the largest F8 + "
            "F1/8. Under each panel: the Fréchet distance, mean over seeds. "
        )
        title = "Samples of every model (AE-OT Fig. 15)"
        yield FigureSpec(
            f"{dataset}_grid", title, caption + note, "png", partial(image_grids.grid, comparison, dataset)
        )
    if f"{dataset}/{REFERENCE}" in comparison.run.gallery and image_grids.reconstructing(comparison, dataset):
        caption = (
            "The first test images and their reconstructions by the first seed; L2 is the mean squared error per value "
            "over all test images, mean over seeds. "
        )
        yield FigureSpec(
            f"{dataset}_reconstructions",
            "Reconstructions",
            caption + note,
            "png",
            partial(image_grids.reconstructions, comparison, dataset),
        )


def _measured(comparison: Comparison, dataset: str) -> Iterator[FigureSpec]:
    run = comparison.run
    for network, features in NETWORKS.items():
        pair = [f"prd_f8@{network}", f"prd_f1_8@{network}"]
        if all((dataset, key) in run.protocols for key in pair):
            caption = (
                f"On {features}. Left: precision against recall, the mean over seeds (thin: each seed; dotted: "
                "controls and reconstructions), marked where precision equals recall. Right: the paper's pair, up and "
                f"right is better. {protocol_of(comparison, dataset, pair)}"
            )
            for part, title, models in _parts(comparison, dataset):
                yield FigureSpec(
                    f"{dataset}_prd_{network}{part}",
                    f"Precision and recall, {features} (AE-OT Fig. 14){title}",
                    caption + comparison.said(dataset, pair),
                    "svg",
                    partial(image_plots.prd, comparison, dataset, network, models),
                )
        keys = [key for key in (f"fid@{network}", *pair) if (dataset, key) in run.protocols]
        if keys:
            caption = "Bars are standard errors over seeds. "
            if any(metric in keys for _, metric in comparison.published_for(dataset)):
                caption += "Published figures have the same features; hollow: figure or protocol uncertain. "
            caption += protocol_of(comparison, dataset, keys)
            yield FigureSpec(
                f"{dataset}_compare_{network}",
                f"All models, {features}",
                caption + comparison.said(dataset, keys),
                "svg",
                partial(dot_plots.dots, comparison, dataset, keys),
            )
        floor = f"fid_reconstruction@{network}"
        names = [place.model for place in comparison.rows(dataset) if place.model not in comparison.study.unranked]
        split = [model for model in names if summarise(run, dataset, model, floor).n]
        if split:
            caption = (
                f"On {features}. The floor is the distance of reconstructed test images: what a decoder cannot show. "
                "What is added comes from the law of the codes. Means over seeds, bars: standard error of the whole. "
                f"{protocol_of(comparison, dataset, [f'fid@{network}'])}"
            )
            yield FigureSpec(
                f"{dataset}_split_{network}",
                "Fréchet distance: floor of the decoder, cost of drawing codes",
                caption + comparison.said(dataset, [f"fid@{network}"]),
                "svg",
                partial(image_plots.split_bars, comparison, dataset, network),
            )


def _followed(comparison: Comparison, dataset: str) -> Iterator[FigureSpec]:
    keys = [_along(comparison, dataset, metric) for metric in ("fid", "prd_f8", "prd_f1_8")]
    keys = [key for key in keys if key]
    if keys:
        caption = (
            "Mean over seeds at every snapshot; bands are standard errors; orange: held-out real data. The axes "
            "of work are logarithmic, so that what happens early can be seen. "
            f"{protocol_of(comparison, dataset, keys)}"
        )
        present = {model for key in keys for model in image_plots.followed(comparison, dataset, key)}
        for part, title, models in _parts(comparison, dataset, present):
            yield FigureSpec(
                f"{dataset}_training{part}",
                f"Along training: epochs, gradient steps, seconds{title}",
                caption + comparison.said(dataset, keys),
                "svg",
                partial(image_plots.training, comparison, dataset, keys, models),
            )
    marks = image_grids.snapshots(comparison, dataset)
    present = {model for model, _, mark, _ in image_grids.cells(comparison, dataset) if mark in marks[:1]}
    for part, title, models in _parts(comparison, dataset, present) if marks else []:
        caption = "Samples of the first seed along training; within a row the noise is the same. "
        yield FigureSpec(
            f"{dataset}_progress{part}",
            f"Samples along training{title}",
            caption + comparison.said(dataset, []),
            "png",
            partial(image_grids.progress, comparison, dataset, models),
        )
    proxy = comparison.main_key(dataset, "excellence_proxy")
    models = comparison.generative(dataset)
    if image_plots.followed(comparison, dataset, proxy):
        caption = f"{WHY_PROXY} "
        if excellence(list(comparison.published), dataset):
            caption += "Hollow marks: rates that people gave (OTVAE report, section 6.4); they are another quantity. "
        caption += protocol_of(comparison, dataset, [proxy])
        yield FigureSpec(
            f"{dataset}_excellence",
            "Excellence rate, machine part (a proxy)",
            caption + comparison.said(dataset, [proxy]),
            "svg",
            partial(image_plots.excellence_curves, comparison, dataset, proxy),
        )
    key = comparison.main_key(dataset, "fid")
    spent = [summarise(comparison.run, dataset, model, "seconds") for model in models]
    if (dataset, key) in comparison.run.protocols and any(cost.n and cost.mean > 0 for cost in spent):
        caption = "Quality against seconds of training; bars are standard errors over seeds; controls left out. "
        keys = [key, comparison.main_key(dataset, "prd_f8")]
        caption += protocol_of(comparison, dataset, keys)
        yield FigureSpec(
            f"{dataset}_cost",
            "Quality against cost",
            caption + comparison.said(dataset, keys),
            "svg",
            partial(price_plots.cost, comparison, dataset, keys),
        )


def _parts(comparison: Comparison, dataset: str, there: set[str] | None = None) -> Iterator[tuple[str, str, list[str]]]:
    """(end of the name, end of the title, models) of the figures that all ranked models are shared out to.

    there: the models that have something to show; a part without one is left out.
    """
    for key, title, models in comparison.families(dataset):
        members = [model for model in models if there is None or model in there]
        if members:
            yield f"_{key}" if key else "", f": {lower_first(title)}" if title else "", members


def _along(comparison: Comparison, dataset: str, metric: str) -> str:
    """The metric on the best features with which it was followed along training; empty where it was not."""
    keys = [f"{metric}@{network}" for network in NETWORKS]
    return next((key for key in keys if image_plots.followed(comparison, dataset, key)), "")


def _latent(comparison: Comparison, dataset: str) -> Iterator[FigureSpec]:
    note = comparison.said(dataset, [])
    if latent_plots.has_paths(comparison, dataset):
        caption = (
            "AE-OT's map along two line segments of the source cube, decoded without its sampler's refusal to mix: an "
            "image stands in the middle of a cell's stretch, those between are interpolated. "
        )
        if f"{dataset}/path/crossing/images" in comparison.run.latent:
            caption += "First: the facet with the widest angle of all segments, in the middle of the strip. "
        if f"{dataset}/path/regular/images" in comparison.run.latent:
            caption += "Last: the part without a singular facet whose widest angle is the median of all such parts. "
        caption += latent_plots.middle(comparison, dataset)
        caption += f"{latent_plots.counted(comparison, dataset)} One seed. "
        yield FigureSpec(
            f"{dataset}_path",
            "A path through the singular set (AE-OT Fig. 12b)",
            caption + note,
            "png",
            partial(latent_plots.paths, comparison, dataset),
        )
    if f"{dataset}/tsne/images" in comparison.run.latent:
        number = len(comparison.run.latent[f"{dataset}/tsne/images"])
        caption = (
            f"t-SNE of {number:,} training images and of their codes, coloured by class; distances between clusters "
            "mean nothing in such an embedding. One seed. "
        )
        yield FigureSpec(
            f"{dataset}_tsne",
            "Embedding of images and codes (AE-OT Fig. 1)",
            caption + note,
            "png",
            partial(latent_plots.embeddings, comparison, dataset),
        )
