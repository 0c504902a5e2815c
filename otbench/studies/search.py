"""A model trained with randomly drawn options, and what each draw reaches: Lucic et al. 2018, and tuning."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from otbench.config.search_spaces import AGAIN, RANGES, SPACES, Range, options_of
from otbench.config.tuning import SELECT, TUNING, draw_options, tuning_ranges
from otbench.data.base import DataSet
from otbench.errors import OtbenchError
from otbench.provenance import digest
from otbench.utils.bounds import to_the_end
from otbench.utils.files import atomic_write, read_columns, read_json, write_json

if TYPE_CHECKING:
    import pandas

    from otbench.metrics.reference import Features

COLUMNS: list[str] = [*"dataset model space trial seed snapshot metric value protocol status options seconds".split()]
METRICS = ["fid", "fid_validation", "prd_f8", "prd_f1_8"]
"""What a trial is judged by: on the test images, as in Lucic et al., on validation images, as one should, and by the
pair of precision and recall that Fig. 14 of AE-OT shows of every trial."""
TEXTS = ("dataset", "model", "space", "metric", "protocol", "status", "options")


@dataclass(frozen=True)
class Budget:
    """What every trial of a search gets: training steps (None: the paper's), snapshots, samples, the options of all."""

    steps: int | None = None
    snapshots: tuple[float, ...] = (1.0,)
    samples: int = 10_000
    #: options of every trial, below those drawn
    options: dict[str, Any] = field(default_factory=dict)
    #: seed of the weights and of the options drawn
    seed: int = 0
    device: str = "cpu"


def search(
    model: str,
    data: DataSet,
    features: Features | None,
    space: str,
    trials: Iterable[int],
    budget: Budget,
    out: Path,
    found: Iterable[Path] = (),
) -> pandas.DataFrame:
    """Training and measurement of a model with the options of each trial.

    A trial that is finished is kept beside `out` until all are, so that an interrupted call resumes where it was.

    Args:
        model: Name of the model.
        data: Data set to train on.
        features: Features of its real images; None for points.
        space: Ranges that the options are drawn from: wide or narrow, of Lucic et al., or tuning; or again, the best
            trial of `found` with other seeds, the budget's and so many more, from one up.
        trials: Numbers of the trials, from 0 up.
        budget: What every trial gets.
        out: Where the table is written, .csv.
        found: Tables of a search of this model on this data; for the space `again` alone.

    Returns:
        Table COLUMNS, as written.

    Raises:
        OtbenchError: Where the model, space or trials cannot be searched.
    """
    import pandas

    drawn = _again(model, data, list(found)) if space == AGAIN else _options(model, data.kind, space, budget.seed)
    trials = list(trials)
    if not trials or min(trials) < 0:
        raise OtbenchError(f"search: trials must be numbers from 0 up, got {trials}")
    info = features.info if features else None
    base = [digest({"budget": vars(budget), "data": data.digest(), "features": info, "space": space})]
    metrics = SELECT[data.kind] if space == TUNING else METRICS
    rows: list[dict[str, Any]] = []
    for trial in trials:
        options = budget.options | drawn(trial)
        path = out.parent / f".{out.stem}-{trial}-{digest([*base, model, options])[:12]}.json"
        measured = _kept(path)
        if measured is None:
            own = replace(budget, seed=budget.seed + 1 + trial) if space == AGAIN else budget
            measured = [
                _row(model, data, space, trial, options, score)
                for score in _trial(model, data, features, options, own, metrics)
            ]
            write_json(path, measured)
        rows += measured
    table = pandas.DataFrame(rows, columns=COLUMNS).astype({"value": "float64"})
    write_search(table, out)
    for left in out.parent.glob(f".{out.stem}-*.json"):
        left.unlink()
    return table


def ranges_of(model: str, kind: str) -> dict[str, Range]:
    """The ranges that a model is tuned over.

    Args:
        model: Name of the model.
        kind: `points` or `images`.

    Returns:
        Option to its range; empty where nothing of the model can be tuned.

    Raises:
        OtbenchError: Where there is no such model.
    """
    from otbench.models import find

    return tuning_ranges(model, kind, find(model, kind).Config.model_fields)


def best_options(table: pandas.DataFrame) -> dict[str, Any]:
    """The options of the trial with the least distance to the test images over all its snapshots.

    On Inception's features where the table has them, else on those that come first in it.

    Args:
        table: Table COLUMNS of one model's search on one data set.

    Returns:
        Option to its value.

    Raises:
        OtbenchError: Where no trial reached a value.

    Source: Lucic et al. (2018), whose code chooses checkpoint and configuration so.
    """
    rows = table[(table["metric"] == "fid") & (table["status"] == "ok") & table["value"].notna()]
    if not len(rows):
        raise OtbenchError("search: no trial of the tables found a distance, so none can be trained again")
    protocols = list(dict.fromkeys(rows["protocol"]))
    chosen = next((text for text in protocols if "features=inception" in text), protocols[0])
    rows = rows[rows["protocol"] == chosen]
    return json.loads(rows.loc[rows["value"].idxmin(), "options"])


def _again(model: str, data: DataSet, found: list[Path]) -> Callable[[int], dict[str, Any]]:
    """The best options of tables, whatever the trial."""
    import pandas

    if not found:
        raise OtbenchError("search: --space again needs --found, the tables of the search whose best trial it takes")
    table = pandas.concat([read_search(path) for path in found], ignore_index=True)
    others = table[(table["model"] != model) | (table["dataset"] != data.name)]
    if len(others):
        where = f"{others['model'].iloc[0]} on {others['dataset'].iloc[0]}"
        raise OtbenchError(f"search: --found holds trials of {where}, expected those of {model} on {data.name}")
    options = best_options(table)
    return lambda trial: options


def _options(model: str, kind: str, space: str, seed: int) -> Callable[[int], dict[str, Any]]:
    """The function from the number of a trial to its options; raises OtbenchError where nothing can be drawn."""
    if space == TUNING:
        ranges = ranges_of(model, kind)
        if not ranges:
            raise OtbenchError(f"search: model {model} has no options to tune")
        return lambda trial: draw_options(ranges, model, trial, seed)
    if space not in SPACES:
        raise OtbenchError(f"search: no space is called '{space}', expected {', '.join(SPACES)} or {TUNING}")
    if kind != "images":
        raise OtbenchError(f"search: the space {space} is of models of images; points are searched in {TUNING}")
    if model not in RANGES[space]:
        raise OtbenchError(f"search: model {model} has no ranges to search, expected one of {', '.join(RANGES[space])}")
    return lambda trial: options_of(model, space, trial, seed)


def _kept(path: Path) -> list[dict[str, Any]] | None:
    try:
        return read_json(path)
    except OtbenchError:
        return None


def _row(
    model: str, data: DataSet, space: str, trial: int, options: dict[str, Any], found: dict[str, Any]
) -> dict[str, Any]:
    fixed = {"dataset": data.name, "model": model, "space": space, "trial": trial}
    return fixed | {"options": json.dumps(options, sort_keys=True)} | found


def _trial(
    model: str,
    data: DataSet,
    features: Features | None,
    options: dict[str, Any],
    budget: Budget,
    metrics: list[str],
) -> Iterator[dict[str, Any]]:
    """Scores of one configuration, trained and measured at every snapshot; no value where it diverges or fails."""
    from otbench.models import configure, find
    from otbench.training.fit import work_failed
    from otbench.training.trainer import Options, Trainer, key
    from otbench.utils.rng import generator

    kind, config = find(model, data.kind), configure(model, options, data.kind)
    steps = budget.steps or kind.paper_budget(data.name) or 0
    marks = to_the_end(budget.snapshots)
    trained = kind(config, data, [budget.seed], budget.device)
    trainer = Trainer(trained, steps, marks, Options(budget.device), None)
    try:
        record = trainer.run(f"{model} on {data.name}, {options}")
    except Exception as error:
        if not work_failed(error):
            raise
        print(f"failed: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
        record = trainer.fail(str(error))
    for mark in marks:
        cell = record.cells[key(budget.seed, mark)]
        status, samples = cell["status"], None
        if status == "ok":
            drawn = kind(config, data, [budget.seed], budget.device, training=False)
            drawn.load({name: value.unsqueeze(0) for name, value in record.snapshots[key(budget.seed, mark)].items()})
            samples = _drawn(drawn, budget.samples, generator(budget.seed, "samples"))
            status = "ok" if samples is not None else "failed"
        common = {"seed": budget.seed, "snapshot": mark, "status": status, "seconds": round(cell["seconds"], 3)}
        for name, value, text in _scores(data, samples, features, budget.device, metrics):
            # the distance from images of one colour can be infinite, and JSON has no infinity
            stated = "failed" if status == "ok" and math.isnan(value) else status
            kept = value if math.isfinite(value) else None
            yield common | {"metric": name, "value": kept, "protocol": text, "status": stated}


def _drawn(model: Any, n: int, stream: Any) -> np.ndarray | None:
    from otbench.data.samples import as_bytes
    from otbench.training.draw import check_samples
    from otbench.training.fit import work_failed

    try:
        samples = check_samples(model.draw(n, [stream]), n, model.data)[0]
        return as_bytes(samples) if model.data.kind == "images" else samples.cpu().numpy()
    except Exception as error:
        if not work_failed(error):
            raise
        return None


def _scores(
    data: DataSet, samples: np.ndarray | None, features: Features | None, device: str, metrics: list[str]
) -> Iterator[tuple[str, float, str]]:
    from otbench.metrics.measure import expected, measure

    if samples is None:
        for name, text in expected(data, 0, True, features, metrics):
            yield name, math.nan, text
        return
    refused: dict[tuple[str, str], str] = {}
    for score in measure(data, samples, 0, metrics, features, device=device, refused=refused):
        yield score.metric, score.value, score.protocol
    for (name, text), why in refused.items():
        print(f"failed: {name} ({text}): {why}", file=sys.stderr, flush=True)


def write_search(table: pandas.DataFrame, path: Path) -> None:
    """Write a table of a search as CSV, whole or not at all.

    Args:
        table: Table COLUMNS.
        path: Where to write, .csv.
    """
    with atomic_write(path) as temporary:
        table.to_csv(temporary, index=False)


def read_search(path: Path) -> pandas.DataFrame:
    """Table that `search` wrote.

    Args:
        path: Where it lies, .csv.

    Returns:
        Table COLUMNS.

    Raises:
        OtbenchError: Where it is missing, damaged or another table.
    """
    return read_columns(path, COLUMNS, dict.fromkeys(TEXTS, "str"))
