"""The papers' claims beside a run: each verdict from numbers that are made for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from otbench.report.claims import CANNOT, FAILS, HOLDS, OPEN, findings
from otbench.report.comparison import Comparison
from otbench.report.results import load_run

Make = Callable[..., Path]
MODELS = ("gan", "pacgan2", "ali", "ae-ot", "real", "memoriser", "collapsed", "noise")


def verdicts(folder: Path, values: dict[str, tuple[float, ...]]) -> dict[str, tuple[str, str]]:
    """Text of each claim about modes -> verdict and why, with these numbers of modes by model at the end."""
    table = pd.read_parquet(folder / "metrics.parquet")
    for model, modes in values.items():
        for seed, value in enumerate(modes):
            # at every snapshot, so that the row has settled
            chosen = (table["model"] == model) & (table["metric"] == "modes") & (table["seed"] == seed)
            table.loc[chosen, "value"] = value
    table.to_parquet(folder / "metrics.parquet")
    found = findings([Comparison(load_run(folder), None, ())])
    return {one.claim.text: (one.verdict, one.why) for one in found if one.claim.metric == "modes"}


@pytest.fixture
def folder(tmp_path: Path, make: Make) -> Path:
    return make(tmp_path, datasets=("grid",), models=MODELS)


def test_a_claim_holds_where_every_difference_is_significant(folder: Path) -> None:
    modes = {"gan": (15.0, 16.0, 15.0), "pacgan2": (23.0, 24.0, 23.0), "ali": (12.0, 13.0, 12.0), "ae-ot": (25.0,) * 3}
    found = verdicts(folder, modes)
    assert found["Packing finds more modes than a GAN"][0] == HOLDS
    verdict, why = found["AE-OT finds more modes than any GAN"]
    assert verdict == HOLDS  # p = 0.038 beside PacGAN2 is the largest of ten, which Holm leaves as it is
    assert "25.0" in why and "PacGAN2" in why  # set beside the strongest of the others


def test_a_claim_does_not_hold_where_the_other_is_significantly_better(folder: Path) -> None:
    modes = {"gan": (23.0, 24.0, 23.0), "pacgan2": (15.0, 16.0, 15.0)}
    verdict, why = verdicts(folder, modes)["Packing finds more modes than a GAN"]
    assert verdict == FAILS and "behind GAN" in why


def test_a_claim_is_open_where_seeds_do_not_tell(folder: Path) -> None:
    modes = {"gan": (15.0, 22.0, 18.0), "pacgan2": (16.0, 23.0, 18.0)}
    assert verdicts(folder, modes)["Packing finds more modes than a GAN"][0] == OPEN


def test_a_claim_about_rows_that_have_not_settled_cannot_be_compared(folder: Path) -> None:
    table = pd.read_parquet(folder / "metrics.parquet")
    early = (table["snapshot"] < 0.8) & (table["model"] == "pacgan2")
    table.loc[early & (table["metric"] == "high_quality"), "value"] = 0.001
    table.to_parquet(folder / "metrics.parquet")
    verdict, why = verdicts(folder, {})["Packing finds more modes than a GAN"]
    assert verdict == CANNOT and why == "PacGAN2 had not settled"


def test_a_claim_by_a_metric_that_misorders_the_controls_cannot_be_compared(folder: Path) -> None:
    verdict, why = verdicts(folder, {"collapsed": (25.0,) * 3, "real": (20.0,) * 3})[
        "AE-OT finds more modes than any GAN"
    ]
    assert verdict == CANNOT and "misorders the controls" in why


def test_a_claim_about_models_that_the_run_lacks_is_left_out(tmp_path: Path, make: Make) -> None:
    few = make(tmp_path, datasets=("grid",), models=("gan", "real", "noise"))
    assert findings([Comparison(load_run(few), None, ())]) == []
