"""The first screen names no winner where there is nothing to win."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from otbench.report.comparison import Comparison
from otbench.report.page.answers import NONE, answers
from otbench.report.results import load_run

Make = Callable[..., Path]


def found(folder: Path) -> dict[str, tuple[tuple[str, ...], str]]:
    return {one.question: (one.winners, one.sure) for one in answers(Comparison(load_run(folder), None, ()), "grid")}


def test_a_model_alone_wins_nothing(tmp_path: Path, make: Make) -> None:
    folder = make(tmp_path, datasets=("grid",), models=("gan", "real", "noise"))
    rows = found(folder)
    assert rows and all(winners == (NONE,) and "only model" in sure for winners, sure in rows.values()), rows


def test_a_model_that_is_no_better_than_noise_wins_nothing(tmp_path: Path, make: Make) -> None:
    folder = make(tmp_path, datasets=("grid",), models=("gan", "pacgan2", "ali", "ae-ot", "real", "noise"))
    won = {question for question, (winners, _) in found(folder).items() if winners != (NONE,)}
    assert won, found(folder)
    # noise becomes as good as perfect samples by every metric that has a better side
    table = pd.read_parquet(folder / "metrics.parquet")
    real = table[table["model"] == "real"].set_index(["metric", "seed", "snapshot"])["value"]
    noise = table["model"] == "noise"
    keys = pd.MultiIndex.from_frame(table.loc[noise, ["metric", "seed", "snapshot"]])
    table.loc[noise, "value"] = real.reindex(keys).to_numpy()
    table.to_parquet(folder / "metrics.parquet")
    assert all(winners == (NONE,) for winners, _ in found(folder).values())
