"""What tuning was worth, model by model: the score of the values that a row started from and that of its best draw."""

from __future__ import annotations

from otbench.report.comparison import Comparison
from otbench.report.labels import metric_label
from otbench.report.tables.base import ABSENT, Cell, Column, Row, Table

BASE = "not tuned"


def tuning_table(comparisons: list[Comparison]) -> Table | None:
    """How the values of every row were chosen.

    Args:
        comparisons: Studies of a run.

    Returns:
        The table, a row a data set and model; None where nothing was tuned.
    """
    rows, tuned = [], False
    for comparison, dataset in [(study, dataset) for study in comparisons for dataset in study.datasets]:
        models = comparison.run.info.get("models", {})
        for place in comparison.rows(dataset):
            if (dataset, place.model) not in comparison.run.cells or place.model in comparison.controls:
                continue
            found = models.get(place.model, {}).get("tuned", {}).get(dataset)
            tuned = tuned or bool(found)
            rows.append(_row(comparison, dataset, place.model, found))
    if not tuned:
        return None
    columns = (
        Column("model", "Model", align="l"),
        Column("draws", "Draws"),
        Column("chosen", "Chosen draw"),
        Column("metric", "Selected by", align="l"),
        Column("base", "Before tuning"),
        Column("best", "Best draw"),
        Column("options", "Options that won", align="l"),
    )
    caption = (
        "Every model of a study that has anything to tune gets the same number of draws at the study's budget; draw 0 "
        "is its values without tuning. Draws are selected on validation images, or in the plane by high quality and "
        "reverse KL against the known law, with a seed that no comparison has; scores are of that one seed, so the "
        "best of them flatters itself. Options that are not named are as before tuning. docs/tuning.md has the ranges."
    )
    title = "How the values of every row were chosen"
    return Table("tuning", title, caption, columns, tuple(rows), row_head="Data set", named_blocks=False)


def _row(comparison: Comparison, dataset: str, model: str, found: dict | None) -> Row:
    label = comparison.dataset_title(dataset)
    cells = [Cell(comparison.title(model), {"": model})]
    if found is None:
        return Row(dataset, label, label, (*cells, Cell(BASE, {"": BASE}), *[ABSENT] * 5))
    names = list(found["scores"])
    cells += [Cell(str(found["draws"]), {"": found["draws"]}), Cell(str(found["trial"]), {"": found["trial"]})]
    cells.append(Cell(", ".join(metric_label(name).label for name in names), {"": " ".join(names)}))
    for key in ("base", "scores"):
        values = {name: found[key][name] for name in names}
        text = ", ".join("–" if value is None else metric_label(name).number(value) for name, value in values.items())
        cells.append(Cell(text, {f"_{name}": value for name, value in values.items()} | {"": text}))
    options = ", ".join(f"{name} {value}" for name, value in found["set"].items()) or "as before"
    cells.append(Cell(options, {"": options}))
    return Row(dataset, label, label, tuple(cells))
