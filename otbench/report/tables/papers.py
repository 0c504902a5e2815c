"""Tables of papers with rows and networks of their own: WAE's (distance and sharpness) and AE-OT-GAN's (two networks).

Published figures stand beside this run's only where both are on Inception's features of the same data set; else in a
table of their own.
"""

from __future__ import annotations

from otbench.report.comparison import Comparison
from otbench.report.labels import INCEPTION, NETWORKS, metric_label
from otbench.report.recipes.images import AE_OT_GAN_ROWS, WAE_ROWS
from otbench.report.recipes.published import Published
from otbench.report.results import RunResults
from otbench.report.summary import summarise
from otbench.report.tables.base import ABSENT, Cell, Column, Row, Table, measured
from otbench.report.tables.comparison import BEST, best_of
from otbench.report.tables.images import NOT_RUN, left_out, quoted, said_of_runs

WAE, AE_OT_GAN = ("WAE", "Table 1"), ("AE-OT-GAN", "Table 1")
KINDS = ("standard", "ResNet")


def paper_tables(comparison: Comparison) -> list[Table]:
    """The tables of WAE and AE-OT-GAN, on every network's features and as published.

    Args:
        comparison: Image study of a run.

    Returns:
        The tables; those as published only where this run measured some of the paper's models.
    """
    tables: list[Table | None] = []
    for make, apart in ((wae_table, wae_published), (ae_ot_gan_table, ae_ot_gan_published)):
        made = [table for table in (make(comparison, network) for network in NETWORKS) if table is not None]
        tables += [*made, apart(comparison)] if made else []
    return [table for table in tables if table is not None]


def wae_table(comparison: Comparison, network: str) -> Table | None:
    """Distance and sharpness on one network's features, a group of columns a data set.

    Args:
        comparison: Image study of a run.
        network: Network of the features.

    Returns:
        The table; None where none of its models was measured so.

    Source: Table 1 of WAE.
    """
    names = _with(comparison, list(WAE_ROWS), network)
    if not names:
        return None
    records = _records(comparison, WAE)
    columns: list[Column] = []
    filled: list[dict[str, Cell]] = []
    for dataset in names:
        for metric in (f"fid@{network}", "sharpness"):
            base, group = metric.partition("@")[0], f"{comparison.dataset_title(dataset)}: {_label(comparison, metric)}"
            published = {
                record.model: record for record in records if (record.dataset, record.metric) == (dataset, base)
            }
            if published and network == "inception":
                columns.append(Column(f"{dataset}_{base}_published", "published", group))
                filled.append({model: quoted(published.get(model), base) for model in WAE_ROWS})
            for label, run in comparison.runs.items():
                columns.append(Column(f"{dataset}_{base}_{label.replace(' ', '_')}", label, group))
                filled.append(_cells(comparison, run, dataset, list(WAE_ROWS), metric))
    rows = [Row(model, title, "", tuple(cells[model] for cells in filled)) for model, title in WAE_ROWS.items()]
    caption = (
        "Samples of every model; true data are held-out images. A lower distance is better; sharpness is the mean over "
        "images of the variance of an image's Laplacian, on [0, 1], to be read against true data's: noise is sharper "
        f"than any image. Mean ± standard error over seeds. {said_of_runs(comparison)}"
    )
    title = f"WAE Table 1: distance and sharpness, {NETWORKS[network]}"
    notes = doubts(records) if any(column.label == "published" for column in columns) else []
    notes += [note for dataset in names for note in left_out(comparison, dataset, WAE_ROWS)]
    return Table(f"images_wae_{network}", title, caption, tuple(columns), tuple(rows), tuple(notes), reading=BEST)


def wae_published(comparison: Comparison) -> Table | None:
    """Distance and sharpness as published, where this run cannot stand beside them.

    Args:
        comparison: Image study of a run.

    Returns:
        The table; None where the run stands beside it, or nothing is published.

    Source: Table 1 of WAE.
    """
    records = _records(comparison, WAE)
    if not records or comparison.has(records[0].dataset, "fid@inception"):
        return None
    figures = {(record.model, record.metric): record for record in records}
    columns = (Column("fid", "FID"), Column("sharpness", "Sharpness"))
    rows = tuple(
        Row(model, title, "", tuple(quoted(figures.get((model, column.key)), column.key) for column in columns))
        for model, title in WAE_ROWS.items()
    )
    caption = (
        f"{comparison.dataset_title(records[0].dataset)}, Inception features, as published. "
        "This run measured no Inception "
        "features of that data set: compare the order of the rows, not the figures."
    )
    title = "Published: WAE Table 1, not to be set beside this run's figures"
    return Table("images_wae_published", title, caption, columns, rows, tuple(doubts(records)))


def ae_ot_gan_table(comparison: Comparison, network: str) -> Table | None:
    """The Fréchet distance on one network's features, standard network and ResNet side by side.

    Args:
        comparison: Image study of a run.
        network: Network of the features.

    Returns:
        The table; None where none of its models was measured so.

    Source: Table 1 of AE-OT-GAN.
    """
    models = [model for pair in AE_OT_GAN_ROWS.values() for model in pair if model]
    names, key = _with(comparison, models, network), f"fid@{network}"
    if not names:
        return None
    records = _records(comparison, AE_OT_GAN)
    columns: list[Column] = []
    filled: list[list[Cell]] = []
    for dataset in names:
        published = (
            {record.model: record for record in records if record.dataset == dataset} if network == "inception" else {}
        )
        for at, kind in enumerate(KINDS):
            pairs = [pair[at] for pair in AE_OT_GAN_ROWS.values()]
            group = f"{comparison.dataset_title(dataset)}, {kind}"
            if published:
                columns.append(Column(f"{dataset}_{kind.lower()}_published", "published", group))
                filled.append([quoted(published.get(model), "fid") for model in pairs])
            for label, run in comparison.runs.items():
                cells = _cells(comparison, run, dataset, [model for model in pairs if model], key, among=models)
                columns.append(Column(f"{dataset}_{kind.lower()}_{label.replace(' ', '_')}", label, group))
                filled.append([cells.get(model, ABSENT) for model in pairs])
    rows = [Row(row, row, "", tuple(cells[at] for cells in filled)) for at, row in enumerate(AE_OT_GAN_ROWS)]
    caption = (
        f"{metric_label(key).label}, lower is better, of larger networks than those of AE-OT's tables: "
        "the “standard” CNN of "
        "SNGAN, and ResNets (PGGAN: its own). –: the paper has no such row. Mean ± standard error over seeds. "
        f"{said_of_runs(comparison)}"
    )
    title = f"AE-OT-GAN Table 1: standard networks and ResNets, {NETWORKS[network]}"
    notes = doubts(records) if any(column.label == "published" for column in columns) else []
    notes += [note for dataset in names for note in left_out(comparison, dataset, models)]
    reading = BEST.replace("generative model", "model of either network")
    name = f"images_ae_ot_gan_{network}"
    return Table(name, title, caption, tuple(columns), tuple(rows), tuple(notes), reading=reading)


def ae_ot_gan_published(comparison: Comparison) -> Table | None:
    """The FID as published, on the data sets where this run cannot stand beside it.

    Args:
        comparison: Image study of a run.

    Returns:
        The table; None where there is no such data set.

    Source: Table 1 of AE-OT-GAN.
    """
    records = [
        record for record in _records(comparison, AE_OT_GAN) if not comparison.has(record.dataset, "fid@inception")
    ]
    if not records:
        return None
    fids = {(record.dataset, record.model): record for record in records}
    names = list(dict.fromkeys(record.dataset for record in records))
    columns = tuple(
        Column(f"{dataset}_{kind.lower()}", kind, comparison.dataset_title(dataset))
        for dataset in names
        for kind in KINDS
    )
    rows = tuple(
        Row(row, row, "", tuple(quoted(fids.get((dataset, model)), "fid") for dataset in names for model in pair))
        for row, pair in AE_OT_GAN_ROWS.items()
    )
    caption = (
        "FID on Inception features, as published. This run measured no Inception features of these data sets: compare "
        "the order of the rows, not the figures."
    )
    title = "Published: AE-OT-GAN Table 1, not to be set beside this run's figures"
    return Table("images_ae_ot_gan_published", title, caption, columns, rows, tuple(doubts(records)))


def _with(comparison: Comparison, models: list[str], network: str) -> list[str]:
    """The data sets on which one of the models, not a control, was measured on these features."""
    ranked = [model for model in models if model not in comparison.controls]
    return [
        dataset
        for dataset in comparison.datasets
        if any(
            summarise(run, dataset, model, f"fid@{network}").n for run in comparison.runs.values() for model in ranked
        )
    ]


def _cells(
    comparison: Comparison,
    run: RunResults,
    dataset: str,
    models: list[str],
    metric: str,
    among: list[str] | None = None,
) -> dict[str, Cell]:
    """The cell of every model, the best one among `among` (default: these) marked; controls are not ranked."""
    found, compared = comparison.budgets(dataset, run), comparison.compared(dataset, run)
    ranked = [model for model in among or models if model in compared]
    best, equal = best_of({model: summarise(run, dataset, model, metric) for model in ranked}, metric)
    return {
        model: measured(
            summarise(run, dataset, model, metric), metric, model == best, model in equal, not found[model].compared
        )
        if (dataset, model) in run.cells
        else NOT_RUN
        for model in models
    }


def _label(comparison: Comparison, metric: str) -> str:
    base, _, network = metric.partition("@")
    if network == "inception":
        return INCEPTION[base]
    return (
        "Fréchet distance"
        if base == "fid"
        else comparison.study.short.get(base, metric_label(base).label.partition(",")[0])
    )


def _records(comparison: Comparison, table: tuple[str, str]) -> list[Published]:
    return [record for record in comparison.published if (record.paper, record.table) == table]


def doubts(records: list[Published]) -> list[str]:
    """Doubts on published figures, each once, with its metrics.

    Args:
        records: Published figures.

    Returns:
        Notes for a table.
    """
    by_doubt: dict[tuple[str, str], list[str]] = {}
    for record in records:
        if not record.certain:
            label = INCEPTION.get(record.metric, metric_label(record.metric).label.partition(",")[0])
            by_doubt.setdefault((record.source, record.note), []).append(label)
    return [f"† {source}, {', '.join(dict.fromkeys(labels))}: {note}." for (source, note), labels in by_doubt.items()]
