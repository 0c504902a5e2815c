"""The recipe of the mode-collapse study: order of rows, which published figures may stand beside it, the controls."""

from __future__ import annotations

from pathlib import Path

import pytest

from otbench.report.recipes.mode_collapse import RECIPE as study
from otbench.report.recipes.published import read_published
from otbench.report.summary import Summary
from otbench.report.tables.controls import RIGHT, UNSURE, WRONG, verdict


def test_rows_stand_in_the_papers_order_then_ours() -> None:
    models = ["noise", "real", "mine", "wgan", "ae-ot-pyomt", "ae-ot", "gan", "my-control"]
    found = study.rows(models, ["real", "noise", "my-control"], ["ali", "gan"])
    assert [place.model for place in found] == [
        *("gan", "ali", "ae-ot", "wgan", "mine", "ae-ot-pyomt", "real", "noise", "my-control")
    ]
    assert [place.block for place in found][-3:] == ["control"] * 3


def test_published_tables_are_never_mixed() -> None:
    records = read_published(Path(__file__).parents[3] / "config" / "published.csv")
    assert {one.paper for one in study.published_for(records, "grid").values()} == {"PacGAN", "AE-OT"}
    assert {one.paper for one in study.published_elsewhere(records, "grid")} == {"VEEGAN"}
    assert ("veegan", "modes") not in study.published_for(records, "grid")
    assert study.published_for(records, "grid-pyomt") == {}


def held(**means: float) -> dict[str, Summary]:
    return {name: Summary((mean - 0.01, mean, mean + 0.01), {"ok": 3}) for name, mean in means.items()}


@pytest.mark.parametrize(
    ("metric", "means", "status", "reason"),
    [
        ("modes", {"real": 25, "collapsed": 5, "noise": 25}, RIGHT, "does not see noise (not what it is for)"),
        ("modes", {"real": 25, "collapsed": 25, "noise": 20}, WRONG, "does not tell collapsed from held-out real data"),
        ("reverse_kl", {"real": 0.5, "collapsed": 1.6, "noise": 0.1}, WRONG, "prefers noise to held-out real data"),
        (
            "reverse_kl",
            {"real": 0.1, "collapsed": 1.6, "noise": 0.5, "memoriser": 0.1},
            RIGHT,
            "a memoriser passes as real",
        ),
        ("high_quality", {"real": 0.9, "collapsed": 0.9, "noise": 0.1}, RIGHT, "does not see collapsed"),
        ("w2", {"real": 0.1, "collapsed": 0.1, "noise": 1.0}, WRONG, "does not tell collapsed"),
        ("w2", {"real": 0.1, "noise": 1.0}, UNSURE, "collapsed was not measured"),
        ("w2", {"noise": 1.0}, UNSURE, "held-out real data were not measured"),
    ],
)
def test_verdict_on_a_metric(metric: str, means: dict[str, float], status: str, reason: str) -> None:
    found = verdict(metric, held(**means))
    assert found[0] == status
    assert reason in found[1]
