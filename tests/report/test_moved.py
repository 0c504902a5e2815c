"""Two runs side by side: what moved beyond its noise, and what only looks as if it had."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_ind

from otbench.errors import OtbenchError
from otbench.report.moved import BETTER, STAYED, UNTESTED, WORSE, as_rows, compare, said, welch
from otbench.report.summary import Summary

Make = Callable[..., Path]


def changed(folder: Path, rows: dict[tuple[str, str], float]) -> Path:
    """The run with an amount added to (model, metric) on the ring."""
    table = pd.read_parquet(folder / "metrics.parquet")
    for (model, metric), amount in rows.items():
        table.loc[(table["model"] == model) & (table["metric"] == metric), "value"] += amount
    table.to_parquet(folder / "metrics.parquet")
    return folder


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory, make: Make) -> tuple[Path, Path]:
    """A run and the same one with GAN's W2 far worse, PacGAN2's W2 far better, and WGAN left out."""
    about = {"datasets": ("ring",), "seeds": (0, 1, 2, 3)}
    first = make(tmp_path_factory.mktemp("a"), "before", models=("gan", "pacgan2", "wgan", "real"), **about)
    second = make(tmp_path_factory.mktemp("b"), "after", models=("gan", "pacgan2", "ali", "real"), **about)
    table = pd.read_parquet(first / "metrics.parquet").query("model != 'wgan'")
    table.assign(run="after").to_parquet(second / "metrics.parquet")
    info = json.loads((second / "run.json").read_text())
    info["expected"] = [cell for cell in info["expected"] if cell[1] != "ali"] + [["ring", "ali", 0]]
    (second / "run.json").write_text(json.dumps(info))
    return first, changed(second, {("gan", "w2"): 1.0, ("pacgan2", "w2"): -0.2})


def test_only_what_was_changed_has_moved(pair: tuple[Path, Path]) -> None:
    found = compare(*pair)
    verdicts = {(move.model, move.metric): move.verdict for move in found.moves}
    assert verdicts["gan", "w2"] == WORSE and verdicts["pacgan2", "w2"] == BETTER
    assert {verdict for key, verdict in verdicts.items() if key[1] != "w2"} == {STAYED}
    assert found.only == {"before": ["ring/wgan"], "after": ["ring/ali"]}
    moved = found.of(WORSE, BETTER)
    assert [move.model for move in moved] == ["gan", "pacgan2"] and moved[0].change == pytest.approx(1.0)
    text = said(found)
    assert text.splitlines()[0].startswith(f"before -> after: 2 of {len(found.moves)} values moved beyond their noise")
    assert "worse   ring/gan" in text and "only in before: ring/wgan" in text
    assert len(said(found, every=True).splitlines()) == len(found.moves) + 3


def test_a_run_beside_itself_has_not_moved(pair: tuple[Path, Path]) -> None:
    found = compare(pair[0], pair[0])
    assert {move.verdict for move in found.moves} == {STAYED} and not found.only and not found.unlike
    assert {row["change"] for row in as_rows(found)} == {0.0}


def test_another_protocol_is_not_compared(pair: tuple[Path, Path], tmp_path: Path) -> None:
    table = pd.read_parquet(pair[1] / "metrics.parquet")
    table.loc[table["metric"] == "w2", "protocol"] = "n_real=100;n_generated=100"
    table.to_parquet(tmp_path / "metrics.parquet")
    (tmp_path / "run.json").write_text((pair[1] / "run.json").read_text())
    found = compare(pair[0], tmp_path)
    assert found.unlike == ["ring/w2"] and not [move for move in found.moves if move.metric == "w2"]
    assert "not compared: ring/w2" in said(found)


def test_the_test_is_welchs_on_the_metrics_scale() -> None:
    first, second = (0.8, 1.1, 0.9, 1.3), (2.1, 1.7, 2.6, 2.2)
    expected = ttest_ind(np.log(first), np.log(second), equal_var=False).pvalue
    assert welch("w2", Summary(first, {"ok": 4}), Summary(second, {"ok": 4})) == pytest.approx(expected)
    one = Summary((0.8,), {"ok": 1})
    assert np.isnan(welch("w2", one, Summary(second, {"ok": 4}))) and welch("w2", one, one) == 1.0
    flat = Summary((8.0, 8.0), {"ok": 2}), Summary((7.0, 7.0), {"ok": 2})
    assert welch("modes", *flat) == 0.0


def test_one_seed_has_no_test_and_no_run_gets_a_sentence(make: Make, tmp_path: Path) -> None:
    about = {"datasets": ("ring",), "models": ("gan", "real"), "seeds": (0,)}
    first = make(tmp_path / "a", "a", **about)
    second = changed(make(tmp_path / "b", "b", **about), {("gan", "w2"): 1.0})
    verdicts = {(move.model, move.metric): move.verdict for move in compare(first, second).moves}
    assert verdicts["gan", "w2"] == UNTESTED and verdicts["gan", "modes"] == STAYED
    with pytest.raises(OtbenchError, match="no run at"):
        compare(first, tmp_path / "none")
