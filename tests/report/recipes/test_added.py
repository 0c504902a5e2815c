"""A metric that no recipe names: its table, and the controls that it must rank."""

from __future__ import annotations

from dataclasses import replace

import pytest

from otbench.metrics import METRICS
from otbench.report.recipes import ELSEWHERE, recipes


def test_without_additions_the_recipes_name_every_metric() -> None:
    named = {metric for recipe in recipes().values() for metric in recipe.metrics}
    assert set(METRICS) <= named | set(ELSEWHERE) and not named & set(ELSEWHERE)
    added = {
        metric
        for recipe in recipes().values()
        for table in recipe.tables
        if table.name.startswith("added")
        for metric in table.metrics
    }
    assert added == {name for name, metric in METRICS.items() if metric.on_request}


@pytest.mark.parametrize(
    ("kinds", "uses", "expected"),
    [
        (("points",), "features", {"mode-collapse": [("added", "")]}),
        (
            ("images",),
            "features",
            {
                study: [("added_inception", "inception"), ("added_classifier", "classifier")]
                for study in ("images", "stacked")
            },
        ),
        (("images",), "classes", {study: [("added_classifier", "classifier")] for study in ("images", "stacked")}),
        (
            ("points", "images"),
            "pixels",
            {study: [("added", "")] for study in ("mode-collapse", "images", "stacked")},
        ),
    ],
)
def test_an_added_metric_has_tables_where_it_applies(monkeypatch, kinds, uses, expected) -> None:
    monkeypatch.setitem(METRICS, "mine", replace(METRICS["w2"], name="mine", kinds=kinds, uses=uses))
    found = {
        name: [(table.name, table.features) for table in recipe.tables if "mine" in table.metrics]
        for name, recipe in recipes().items()
    }
    assert {name: tables for name, tables in found.items() if tables} == expected


def test_an_added_metric_says_which_controls_it_must_rank(monkeypatch) -> None:
    monkeypatch.setitem(METRICS, "mine", replace(METRICS["w2"], name="mine", must_see=("noise",)))
    study = recipes()["mode-collapse"]
    assert study.must_rank("mine") == study.must_rank("mine@classifier") == {"noise"}
    assert study.must_rank("modes") == {"collapsed"}, "the recipe's word comes first"
    assert study.must_rank("unknown") == {"collapsed", "noise"}
