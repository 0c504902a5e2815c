"""The recipe of the stacked study: the rows of PacGAN's tables, their published figures, the models' titles."""

from __future__ import annotations

from pathlib import Path

import pytest

from otbench.config.study import KINDS
from otbench.models import find
from otbench.report.recipes import recipe
from otbench.report.recipes.published import Published, read_published
from otbench.report.recipes.stacked import HALF_ROWS, QUARTER_ROWS, RECIPE, VEEGAN_ROWS
from otbench.report.summary import Summary
from otbench.report.tables.controls import RIGHT, WRONG, verdict
from otbench.runs.check import checked


@pytest.fixture(scope="module")
def records() -> list[Published]:
    return read_published(Path(__file__).parents[3] / "config" / "published.csv")


def test_every_row_of_the_papers_tables_is_a_model_with_its_own_figures(records: list[Published]) -> None:
    rows = (*VEEGAN_ROWS, *QUARTER_ROWS, *HALF_ROWS)
    assert len(rows) == len(set(rows)) == 7 + 7 + 7
    beside = RECIPE.published_for(records, "stacked-mnist")
    assert set(beside) == {(model, f"{metric}@classifier") for model in rows for metric in ("modes", "reverse_kl")}
    for model in rows:
        assert find(model, "images").title_of(model) == RECIPE.titles[model]
    setups = {model: beside[model, "modes@classifier"].setup for model in rows}
    assert all(setups[model].startswith("VEEGAN set-up") for model in VEEGAN_ROWS)
    assert all("D 1/4 of G" in setups[model] for model in QUARTER_ROWS)
    assert all("D 1/2 of G" in setups[model] for model in HALF_ROWS)


@pytest.mark.parametrize(
    ("model", "modes", "divergence"),
    [
        ("dcgan", "78.9", "4.50"),
        ("ali", "16", "5.40"),
        ("pacdcgan4", "1000", "0.07"),
        ("dcgan-quarter", "78.5", "5.21"),
        ("unrolled-gan-10-quarter", "327.2", "4.66"),
        ("pacdcgan4-quarter", "667.4", "1.81"),
        ("dcgan-half", "487.7", "2.24"),
        ("unrolled-gan-5-half", "732.0", "1.66"),
        ("pacdcgan3-half", "866.6", "0.90"),
    ],
)
def test_figures_as_in_the_papers(records: list[Published], model: str, modes: str, divergence: str) -> None:
    beside = RECIPE.published_for(records, "stacked-mnist")
    assert str(beside[model, "modes@classifier"].value) == modes
    assert str(beside[model, "reverse_kl@classifier"].value) == divergence


def test_what_others_ran_is_marked_or_apart(records: list[Published]) -> None:
    beside = RECIPE.published_for(records, "stacked-mnist")
    doubted = {model for (model, _), one in beside.items() if not one.certain}
    assert doubted == {"ali", "unrolled-gan", "veegan"}, "VEEGAN's runs, as PacGAN quotes them"
    assert {(one.model, str(one.value)) for one in RECIPE.published_elsewhere(records, "stacked-mnist")} == {
        ("dcgan", "99"),
        ("dcgan", "3.40"),
        ("dcgan-quarter", "30.6"),
        ("dcgan-quarter", "5.99"),
        ("dcgan-half", "628.0"),
        ("dcgan-half", "2.58"),
    }
    assert RECIPE.published_for(records, "stacked-digits") == {} == RECIPE.published_for(records, "mnist")


def test_set_ups_stand_in_tables_of_their_own() -> None:
    apart = [columns.blocks for columns in RECIPE.tables if columns.metrics == ("modes", "reverse_kl")]
    assert apart == [("veegan", "further"), ("quarter",), ("half",)]
    found = RECIPE.rows(["noise", "mine", "dcgan-half", "dcgan", "real"], ["noise", "real"], ["pacdcgan2-quarter"])
    assert [(place.model, place.block) for place in found] == [
        ("dcgan", "veegan"),
        ("pacdcgan2-quarter", "quarter"),
        ("dcgan-half", "half"),
        ("mine", "further"),
        ("real", "control"),
        ("noise", "control"),
    ]


def test_a_config_may_ask_for_it() -> None:
    section = {"datasets": ["stacked-digits"], "models": ["dcgan", "ali"], "steps": 4}
    run = checked({"run": "r", "seeds": [0], "studies": {"stacked": section}})
    assert run.kind("stacked-digits") == KINDS["stacked"] == "images" and run.study_of["stacked-digits"] == "stacked"
    assert recipe("stacked").tables[: len(RECIPE.tables)] == RECIPE.tables and recipe("stacked").name == "stacked"


@pytest.mark.parametrize(
    ("metric", "means", "status"),
    [
        ("modes@classifier", {"real": 900, "collapsed": 200, "noise": 300}, RIGHT),
        ("modes@classifier", {"real": 900, "collapsed": 900, "noise": 300}, WRONG),
        ("reverse_kl@classifier", {"real": 0.2, "collapsed": 1.6, "noise": 0.3}, RIGHT),
        ("memorised@classifier", {"real": 0.05, "memoriser": 1, "noise": 0}, RIGHT),
    ],
)
def test_verdicts(metric: str, means: dict[str, float], status: str) -> None:
    held = {name: Summary((mean * 0.99, mean, mean * 1.01), {"ok": 3}) for name, mean in means.items()}
    assert verdict(metric, held, RECIPE)[0] == status
