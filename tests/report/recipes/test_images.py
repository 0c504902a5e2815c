"""The recipe of the image study: rows, what may stand beside it, what the controls and the alarms must show."""

from __future__ import annotations

from pathlib import Path

import pytest

from otbench.errors import OtbenchError
from otbench.report.recipes import recipe, recipes
from otbench.report.recipes.images import (
    AE_OT_GAN_ROWS,
    BY_TRANSPORT,
    CONTINUOUS,
    OTVAE_PARTS,
    RECIPE,
    RIVALS,
    TABLES_3_AND_4,
    WAE_ROWS,
    excellence,
)
from otbench.report.recipes.published import Published, read_published
from otbench.report.summary import Summary
from otbench.report.tables.controls import RIGHT, UNSURE, WRONG, verdict


@pytest.fixture(scope="module")
def records() -> list[Published]:
    return read_published(Path(__file__).parents[3] / "config" / "published.csv")


def test_rows_stand_in_the_order_of_tables_3_and_4() -> None:
    models = ["noise", "real", "ae-ot", "wgan-mlp", "mine", "otvae", "ns-gan", "ae", "vae", "ae-gmm"]
    found = RECIPE.rows(models, ["noise", "real"], ["mm-gan", "glann", "ae-ot"])
    assert [place.model for place in found] == [
        *("mm-gan", "ns-gan", "vae", "glann", "ae-ot", "otvae", "ae-gmm", "wgan-mlp", "mine", "ae", "real", "noise")
    ]
    assert {place.block for place in found} == {
        *("adversarial", "autoencoders", "latent", "transport", "rivals", "further", "reconstructions", "control")
    }


def test_published_figures_stand_beside_inception_alone(records: list[Published]) -> None:
    beside = RECIPE.published_for(records, "mnist")
    assert str(beside["ae-ot", "fid@inception"].value) == "6.4"  # the paper's, not the slides' 6.2
    assert ("ae-ot", "fid") not in beside and ("ae-ot", "fid@classifier") not in beside
    assert str(beside["ae-ot", "l2_train"].value) == "0.0005"  # a loss knows no features
    assert {one.paper for one in RECIPE.published_elsewhere(records, "mnist")} == {"AE-OT slides"}
    assert RECIPE.published_for(records, "digits") == {}


def test_excellence_rates_and_their_epochs(records: list[Published]) -> None:
    found = [(one.model, float(one.value), low, high) for one, low, high in excellence(records, "mnist")]
    otvae = [("otvae", 0.4, 3, 4), ("otvae", 0.8, 100, 100), ("otvae", 0.875, 100, 100)]
    assert found == [*otvae, ("wgan-mlp", 0.375, 200, 200)]
    assert excellence(records, "digits") == []


def test_studies_by_name() -> None:
    assert list(recipes()) == ["mode-collapse", "images", "stacked"]
    with pytest.raises(OtbenchError, match="no study is called 'image', expected one of mode-collapse, images, st"):
        recipe("image")


def held(**means: float) -> dict[str, Summary]:
    return {name: Summary((mean - 0.01, mean, mean + 0.01), {"ok": 3}) for name, mean in means.items()}


@pytest.mark.parametrize(
    ("metric", "means", "status", "reason"),
    [
        ("fid@classifier", {"real": 4, "collapsed": 60, "noise": 300}, RIGHT, ""),
        ("fid@inception", {"real": 4, "collapsed": 4, "noise": 300}, WRONG, "does not tell collapsed"),
        ("recall@classifier", {"real": 0.8, "collapsed": 0.3, "noise": 0.8}, RIGHT, "does not see noise"),
        ("prd_f1_8@classifier", {"real": 0.9, "collapsed": 0.97, "noise": 0}, WRONG, "prefers collapsed"),
        ("excellence_proxy", {"real": 0.95, "collapsed": 0.95, "noise": 0}, RIGHT, "does not see collapsed"),
        ("excellence_proxy", {"real": 0.95, "collapsed": 1, "noise": 0}, WRONG, "prefers collapsed"),
        ("excellence_proxy", {"real": 0.95, "collapsed": 0.9, "noise": 0, "blur": 0.995}, WRONG, "prefers blur"),
        ("excellence_proxy", {"real": 0.95, "collapsed": 0.9, "noise": 0, "untrained": 0.95}, WRONG, "tell untrained"),
        ("recall@classifier", {"real": 0.8, "collapsed": 0.3, "noise": 0.8, "blur": 0, "untrained": 0}, RIGHT, ""),
        (
            "memorised@classifier",
            {"real": 0.05, "memoriser": 1, "noise": 0, "blur": 0},
            RIGHT,
            "says nothing of quality",
        ),
        ("memorised@classifier", {"real": 0.05, "memoriser": 0.05}, WRONG, "does not tell memoriser"),
        ("data_copying@classifier", {"real": 0.1, "memoriser": -20, "noise": 30}, RIGHT, "tells a memoriser"),
        ("data_copying@classifier", {"real": 0.1, "noise": 30}, UNSURE, "memoriser was not measured"),
        ("sharpness", {"real": 0.02, "collapsed": 0.02, "noise": 1}, UNSURE, "no side is better"),
    ],
)
def test_verdict_on_a_metric(metric: str, means: dict[str, float], status: str, reason: str) -> None:
    found = verdict(metric, held(**means), RECIPE)
    assert found[0] == status
    assert reason in found[1]


def test_every_row_of_the_papers_tables_has_a_place(records: list[Published]) -> None:
    grouped = {model for group in RECIPE.groups for model in group.models}
    pairs = {model for pair in AE_OT_GAN_ROWS.values() for model in pair if model}
    assert {*TABLES_3_AND_4, *WAE_ROWS, *pairs} - grouped == {"real"}
    others = {
        "ali",
        "aae",
        "imle",
        "otvae",
        "wgan-mlp",
        "ae-ot-deep",
        "ae-ot-paper",
        *RIVALS,
        *BY_TRANSPORT,
        *CONTINUOUS,
        *OTVAE_PARTS,
    }
    assert grouped - others == {*(*TABLES_3_AND_4, *WAE_ROWS, *pairs)} - {"real"}
    assert grouped <= set(RECIPE.titles)
    assert {one.model for one in records if one.paper == "WAE"} == set(WAE_ROWS)
    assert {one.model for one in records if one.paper == "AE-OT-GAN"} == pairs
    # these tables have their own set-ups, so they never stand beside those of AE-OT
    assert not [one for one in RECIPE.published_for(records, "celeba").values() if one.paper == "AE-OT-GAN"]
    assert RECIPE.published_for(records, "celeba-140") == {} and RECIPE.published_elsewhere(records, "celeba-140") == []
