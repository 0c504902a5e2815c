"""What people's ratings say: excellence rates with intervals, raters' agreement, and the proxy beside them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from otbench.report.comparison import Comparison
from otbench.report.tables.base import ABSENT, Cell, Column, Row, Table

INTERVALS = (
    "Wilson: 95 % interval of independent answers. Over raters and images: 95 % interval of other raters and other "
    "images of these training seeds, by a two-way cluster bootstrap; it is the one to read, and is left out where "
    "there are fewer than two raters."
)


def rating_tables(comparison: Comparison, dataset: str) -> list[Table]:
    """The tables of people's ratings of a data set.

    Args:
        comparison: Image study of a run.
        dataset: Name of the data set.

    Returns:
        The tables of rates and of raters; none where nobody rated the data set.
    """
    ratings = comparison.run.ratings.get(dataset)
    return [_rates(comparison, dataset, ratings), _raters(comparison, dataset, ratings)] if ratings else []


def _rates(comparison: Comparison, dataset: str, told: dict[str, Any]) -> Table:
    order = [place.model for place in comparison.rows(dataset)]
    place = {model: at for at, model in enumerate(order)}
    rates = sorted(
        told["rates"], key=lambda rate: (place.get(rate["model"], len(order)), rate["model"], rate["snapshot"])
    )
    rows = [
        Row(
            rate["model"],
            comparison.title(rate["model"]),
            "Generated images",
            (_snapshot(rate["snapshot"]), *_rate(rate)),
        )
        for rate in rates
    ]
    if told["real"]:
        rows.append(Row("real", "Held-out real images", "Ceiling", (ABSENT, *_rate(told["real"]))))
    columns = (
        Column("snapshot", "Budget spent"),
        Column("rate", "Called real, %"),
        Column("wilson", "Wilson", "95 % interval, %"),
        Column("bootstrap", "over raters and images", "95 % interval, %"),
        Column("attentive", "Without flagged raters, %"),
        Column("answers", "Answers"),
        Column("raters", "Raters"),
        Column("images", "Images"),
        Column("proxy", "Proxy, %"),
    )
    caption = (
        f"Share of images that people called real (excellence rate), {_people(told)}, over all raters and training "
        f"seeds; repeats and attention checks left out. {comparison.said(dataset, [])}"
    )
    title = f"{comparison.run.title('datasets', dataset)}: excellence rate, by people"
    return Table(f"{dataset}_ratings", title, caption, columns, tuple(rows), tuple(_notes(told)))


def _people(told: dict[str, Any]) -> str:
    raters = f"{told['raters']} rater{'' if told['raters'] == 1 else 's'}"
    return f"session {told['session']}, {raters}, {told['answers']:,} answers"


def _snapshot(value: float) -> Cell:
    return Cell(f"{100 * value:.3g} %", {"": value})


def _rate(one: dict[str, Any]) -> tuple[Cell, ...]:
    return (
        _share(one["rate"]),
        _span(one["wilson"]),
        _span(one["bootstrap"]),
        _share(one["attentive"]["rate"]),
        *(Cell(f"{one[name]:,}", {"": one[name]}) for name in ("answers", "raters", "images")),
        _share(one.get("proxy")),
    )


def _share(value: float | None) -> Cell:
    return ABSENT if value is None else Cell(f"{100 * value:.1f}", {"": value})


def _span(pair: list[float] | None) -> Cell:
    if pair is None:
        return ABSENT
    return Cell(f"{100 * pair[0]:.1f} to {100 * pair[1]:.1f}", {"_low": pair[0], "_high": pair[1]})


def _notes(told: dict[str, Any]) -> Iterator[str]:
    yield INTERVALS
    agreed = told["agreement"]
    if agreed["krippendorff_alpha"] is not None and agreed["fleiss_kappa"] is not None:
        yield (
            f"Agreement on the {agreed['items']} images that all {agreed['raters']} raters saw: Krippendorff's alpha "
            f"{agreed['krippendorff_alpha']:.2f}, Fleiss' kappa {agreed['fleiss_kappa']:.2f} (1: full, 0: by chance)."
        )
    yield correlation(told)
    if told["flagged"]:
        count = len(told["flagged"])
        yield (
            f"{count} of {told['raters']} raters called less than {100 * told['attention_threshold']:.0f} % of the "
            "attention checks real; their answers count in every column but “Without flagged raters”."
        )
    if told["stale"]:
        yield f"{told['stale']:,} answers to earlier sessions, of other images, are left out."


def correlation(told: dict[str, Any]) -> str:
    """How people's rate goes with the classifier proxy, in words.

    Args:
        told: A data set's ratings, as `ratings.analysis` gives them.

    Returns:
        One sentence.
    """
    proxy = told["proxy"]
    if proxy["pearson"] is None:
        return f"People's rate and the classifier proxy: too few models with both to correlate (n = {proxy['n']})."
    return (
        f"People's rate and the classifier proxy, over {proxy['n']} models and snapshots: Pearson "
        f"{proxy['pearson']:.2f}, Spearman {proxy['spearman']:.2f}."
    )


def _raters(comparison: Comparison, dataset: str, told: dict[str, Any]) -> Table:
    rows = []
    for rater in told["by_rater"]:
        seconds, kappa = rater["median_seconds"], rater["kappa"]
        attention = _share(rater["attention"])
        if rater["flagged"]:
            attention = Cell(f"{attention.text} (flagged)", attention.raw, kind="trouble")
        cells = (
            Cell(f"{rater['answers']:,}", {"": rater["answers"]}),
            attention,
            Cell(str(rater["checks"]), {"": rater["checks"]}),
            _share(rater["consistency"]),
            ABSENT if kappa is None else Cell(f"{kappa:.2f}", {"": kappa}),
            Cell(str(rater["repeats"]), {"": rater["repeats"]}),
            ABSENT if seconds is None else Cell(f"{seconds:.1f}", {"": seconds}),
        )
        rows.append(Row(rater["rater"], rater["rater"], "", cells))
    columns = (
        Column("answers", "Answers"),
        Column("attention", "called real, %", "Attention checks"),
        Column("checks", "n", "Attention checks"),
        Column("consistency", "same answer, %", "Shown twice"),
        Column("kappa", "Cohen's kappa", "Shown twice"),
        Column("repeats", "n", "Shown twice"),
        Column("seconds", "Median time, s"),
    )
    caption = f"Raters of {_people(told)}. Attention checks are held-out real images that count for no rate."
    title = f"{comparison.run.title('datasets', dataset)}: raters"
    return Table(f"{dataset}_raters", title, caption, columns, tuple(rows), row_head="Rater")
