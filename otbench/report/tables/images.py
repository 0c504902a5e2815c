"""The image study's own tables: loss before and after freezing, Fréchet distances over data sets, and their split."""

from __future__ import annotations

from collections.abc import Collection

from otbench.report.comparison import Comparison
from otbench.report.labels import NETWORKS, metric_label
from otbench.report.recipes.images import TABLES_3_AND_4
from otbench.report.recipes.published import Published
from otbench.report.results import RunResults
from otbench.report.summary import Summary, difference, summarise
from otbench.report.tables.base import ABSENT, APART, Cell, Column, Row, Table, measured
from otbench.report.tables.comparison import BEST, best_of

OWNER = "ae-ot"
"""The model whose autoencoder Table 1 of the AE-OT paper is about."""

LOSSES = (
    ("l2_before_train", "Before freezing, training images"),
    ("l2_train", "After freezing, training images"),
    ("l2_before", "Before freezing, test images"),
    ("l2", "After freezing, test images"),
)
SPLIT = ("fid", "train", "floor", "transport", "gap")

NOT_RUN = Cell("not run", {}, kind="absent")
"""A row of a paper's table whose model this run does not have."""


def study_tables(comparison: Comparison) -> list[Table]:
    """The tables over all data sets of the image study: Table 1 and Tables 3 and 4 of the AE-OT paper.

    Args:
        comparison: Image study of a run.

    Returns:
        The tables that there are numbers for.
    """
    tables = [loss_table(comparison), distance_table(comparison, "inception")]
    tables += [distance_table(comparison, "classifier"), published_table(comparison)]
    return [table for table in tables if table is not None]


def loss_table(comparison: Comparison) -> Table | None:
    """The autoencoder's loss before and after its encoder is frozen, a row a data set.

    Args:
        comparison: Image study of a run.

    Returns:
        The table; None where no run measured the loss.

    Source: Table 1 of the AE-OT paper.
    """
    runs, rows = comparison.runs, []
    owned = {
        (record.dataset, record.metric): record
        for record in comparison.published
        if (record.paper, record.table) == _TABLE_1
    }
    names = [dataset for run in runs.values() for dataset in run.datasets] + [dataset for dataset, _ in owned]
    names = comparison.study.ordered(list(dict.fromkeys(names)))
    losses = {
        (label, dataset, metric): summarise(run, dataset, OWNER, metric)
        for label, run in runs.items()
        for dataset in names
        for metric, _ in LOSSES
    }
    if not any(summary.n for summary in losses.values()):
        return None
    columns = [
        Column(f"{metric}_{label.replace(' ', '_')}", label, group)
        for metric, group in LOSSES
        for label in (["published"] if any(key == metric for _, key in owned) else []) + list(runs)
    ]
    for dataset in names:
        cells: list[Cell] = []
        for metric, _ in LOSSES:
            if any(key == metric for _, key in owned):
                cells.append(quoted(owned.get((dataset, metric)), metric))
            cells += [measured(losses[label, dataset, metric], metric) for label in runs]
        if any(cell.kind != "absent" for cell in cells):
            rows.append(Row(dataset, comparison.dataset_title(dataset), "", tuple(cells)))
    notes = []
    if owned:
        first = next(iter(owned.values()))
        notes.append(f"† Published, {first.source}: {first.note}. {_capital(first.setup)}.")
    caption = (
        f"Mean squared error per value of images on [0, 1], of {comparison.title(OWNER)}'s autoencoder: when the "
        "encoder is frozen, and at the end of training the decoder alone. Mean ± standard error over seeds. "
        f"{said_of_runs(comparison)}"
    )
    title = "AE-OT Table 1: loss of the autoencoder before and after its encoder is frozen"
    return Table("images_loss", title, caption, tuple(columns), tuple(rows), tuple(notes), row_head="Data set")


_TABLE_1 = ("AE-OT", "Table 1")


def distance_table(comparison: Comparison, network: str) -> Table | None:
    """The Fréchet distance on every data set, on one network's features.

    Every row of the papers' tables is there, whether this run has it or not, and the controls; the other models too
    where there are several data sets.

    Args:
        comparison: Image study of a run.
        network: Network of the features.

    Returns:
        The table; None where no data set was measured with these features.

    Source: Tables 3 and 4 of the AE-OT paper.
    """
    key = f"fid@{network}"
    names = [dataset for dataset in comparison.datasets if comparison.has(dataset, key)]
    if not names:
        return None
    columns, filled = [], []
    for dataset in names:
        group = comparison.dataset_title(dataset)
        beside = {
            model: record for (model, metric), record in comparison.published_for(dataset).items() if metric == key
        }
        if beside:
            columns.append(Column(f"{dataset}_published", "published", group))
            filled.append({model: quoted(record, "fid") for model, record in beside.items()})
        for label, run in comparison.runs.items():
            if any(where == dataset for where, _ in run.cells):
                columns.append(Column(f"{dataset}_{label.replace(' ', '_')}", label, group))
                filled.append(_distances(comparison, run, dataset, key, len(names) > 1))
    measured_ones = {model for cells in filled for model in cells}
    models = {*TABLES_3_AND_4, *(measured_ones if len(names) > 1 else measured_ones & comparison.controls)}
    places = comparison.study.rows(sorted(models), sorted(comparison.controls), [])
    rows = [
        Row(
            place.model,
            comparison.title(place.model),
            comparison.study.blocks[place.block],
            tuple(_place(cells, place.model, column) for cells, column in zip(filled, columns, strict=True)),
        )
        for place in places
    ]
    label = metric_label(key).label
    where = "all data sets" if len(names) > 1 else comparison.dataset_title(names[0])
    title = f"AE-OT Tables 3 and 4: {label}, {where}"
    caption = (
        f"{label}, lower is better; WGAN-GP and DRAGAN are rows of Lucic et al., whom these tables quote. Mean ± "
        f"standard error over seeds. {said_of_runs(comparison)}"
    )
    notes = [note for dataset in names for note in left_out(comparison, dataset, models)]
    return Table(f"images_fid_{network}", title, caption, tuple(columns), tuple(rows), tuple(notes), reading=BEST)


def left_out(comparison: Comparison, dataset: str, models: Collection[str]) -> list[str]:
    """Notes of a table over several data sets on the rows that are not compared, of every run.

    Args:
        comparison: Study of a run.
        dataset: Name of the data set.
        models: Models of the table's rows.

    Returns:
        Sentences that begin with the data set, and the reference's with its name.
    """
    title, notes = comparison.dataset_title(dataset), []
    for run in comparison.runs.values():
        said = title if run is comparison.run else f"{title}, reference"
        sentences = comparison.left_out(dataset, models, run, said)
        notes += [f"{APART} {text}" if ": not compared" in text else text for text in sentences]
    return notes


def _place(cells: dict[str, Cell], model: str, column: Column) -> Cell:
    """The cell of a model; one of the papers' that the run lacks is NOT_RUN."""
    if model in cells:
        return cells[model]
    return NOT_RUN if model in TABLES_3_AND_4 and column.label != "published" else ABSENT


def _distances(comparison: Comparison, run: RunResults, dataset: str, key: str, every: bool) -> dict[str, Cell]:
    """The cells of all models; all of them are ranked, or the papers' rows alone."""
    models = [model for where, model in run.cells if where == dataset]
    frechet = {model: summarise(run, dataset, model, key) for model in models}
    ranked = [model for model in comparison.compared(dataset, run) if every or model in TABLES_3_AND_4]
    best, equal = best_of({model: frechet[model] for model in ranked}, key)
    found = comparison.budgets(dataset, run)
    return {
        model: measured(summary, key, model == best, model in equal, not found[model].compared)
        for model, summary in frechet.items()
    }


def published_table(comparison: Comparison) -> Table | None:
    """The published FIDs of data sets that this run did not measure on Inception's features, in a table of their own.

    Args:
        comparison: Image study of a run.

    Returns:
        The table; None where there are no such FIDs.
    """
    tables = {"Table 3", "Table 4", "FID table"}
    records = [
        record
        for record in comparison.published
        if (record.paper, record.table) in comparison.study.same_setup
        and record.table in tables
        and not comparison.has(record.dataset, "fid@inception")
    ]
    if not records:
        return None
    names = comparison.study.ordered(list(dict.fromkeys(record.dataset for record in records)))
    models = list(dict.fromkeys(record.model for record in records))
    rows = []
    for place in comparison.study.rows([], [], models):
        fids = {record.dataset: record for record in records if record.model == place.model}
        cells = tuple(quoted(fids.get(dataset), "fid") for dataset in names)
        rows.append(Row(place.model, comparison.title(place.model), comparison.study.blocks[place.block], cells))
    caption = (
        "FID on Inception features as published: 10,000 test images against 10,000 generated ones in the figures that "
        "the papers quote; of their own rows, AE and AE-OT, the number of images is not stated. This run was not "
        "measured with Inception on these data sets, so none of its figures may stand beside these: distances on other "
        "features are on another scale."
    )
    notes = [
        f"† {record.source}: {record.note}."
        for record in _first_of_each([record for record in records if not record.certain])
    ]
    columns = tuple(Column(dataset, comparison.dataset_title(dataset)) for dataset in names)
    title = "Published FID (AE-OT Tables 3 and 4), not to be set beside this run's figures"
    return Table("images_fid_published", title, caption, columns, tuple(rows), tuple(notes))


def split_table(comparison: Comparison, dataset: str, network: str) -> Table | None:
    """The Fréchet distance split into the decoder's floor, what drawing codes adds, and what generalising costs.

    Args:
        comparison: Image study of a run.
        dataset: Name of the data set.
        network: Network of the features.

    Returns:
        The table; None where no model's reconstructions were measured on these features.
    """
    run = comparison.run
    models = [
        place.model
        for place in comparison.rows(dataset)
        if place.model not in comparison.study.unranked
        and summarise(run, dataset, place.model, f"fid_reconstruction@{network}").n
    ]
    if not models:
        return None
    rows = []
    for model in models:
        parts = split(comparison, dataset, model, network)
        cells = tuple(measured(parts[part], f"fid@{network}") for part in SPLIT)
        rows.append(Row(model, comparison.title(model), "", cells))
    real = split(comparison, dataset, "real", network)
    if real["fid"].n:
        cells = [measured(real[part], f"fid@{network}") if real[part].n else ABSENT for part in SPLIT]
        rows.append(Row("real", comparison.title("real"), comparison.study.blocks["control"], tuple(cells)))
    name = metric_label(f"fid@{network}").label
    columns = (
        Column("fid", "test images", "Samples to"),
        Column("train", "training images", "Samples to"),
        Column("floor", "test images (floor)", "Reconstructions to"),
        Column("transport", "samples − floor", "Cost of drawing codes"),
        Column("gap", "test − training", "Generalisation gap"),
    )
    caption = (
        f"{name}. The floor is what the decoder cannot show; what is above it comes from the law of the codes. Samples "
        "nearer to the training images than to as many test images have a gap above 0; the gap of held-out real data "
        "says how much of it is chance. Differences are taken seed by seed; mean ± standard error over seeds. "
        f"{comparison.said(dataset, [f'fid@{network}'])}"
    )
    title = f"{run.title('datasets', dataset)}: {name}, split"
    return Table(f"{dataset}_split_{network}", title, caption, columns, tuple(rows))


def split(comparison: Comparison, dataset: str, model: str, network: str) -> dict[str, Summary]:
    """The parts of a model's Fréchet distance over seeds.

    Args:
        comparison: Image study of a run.
        dataset: Name of the data set.
        model: Name of the model.
        network: Network of the features.

    Returns:
        Part (SPLIT) -> its distance over the seeds.
    """
    run, total = comparison.run, f"fid@{network}"
    floor, train = f"fid_reconstruction@{network}", f"fid_train@{network}"
    return {
        "fid": summarise(run, dataset, model, total),
        "floor": summarise(run, dataset, model, floor),
        "transport": difference(run, dataset, model, total, floor),
        "train": summarise(run, dataset, model, train),
        "gap": difference(run, dataset, model, total, train),
    }


def split_tables(comparison: Comparison, dataset: str) -> list[Table]:
    """The split on every network's features.

    Args:
        comparison: Image study of a run.
        dataset: Name of the data set.

    Returns:
        A table for each network on whose features reconstructions were measured.
    """
    tables = [split_table(comparison, dataset, network) for network in NETWORKS]
    return [table for table in tables if table is not None]


def quoted(record: Published | None, metric: str) -> Cell:
    """The cell of a published figure, with † where it is uncertain.

    Args:
        record: The published figure, or None.
        metric: Name of the metric, which scales the figure.

    Returns:
        The cell; an absent one without a record.
    """
    if record is None:
        return ABSENT
    raw = {"": str(record.value), "_error": None if record.error is None else str(record.error)}
    return Cell(record.text(metric_label(metric).factor) + ("" if record.certain else " †"), raw)


def _first_of_each(records: list[Published]) -> list[Published]:
    return list({(record.source, record.note): record for record in records}.values())


def said_of_runs(comparison: Comparison) -> str:
    """The runs with their budgets, for a caption over all data sets.

    Args:
        comparison: Study of a run and its reference.

    Returns:
        One sentence for each run.
    """
    parts = [f"{_capital(label)}: {run.name} ({run.budget})" for label, run in comparison.runs.items()]
    return ". ".join(parts) + "."


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
