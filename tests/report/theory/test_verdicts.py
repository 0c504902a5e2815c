"""The verdicts on the theory's arguments, from facts that are made for them."""

from __future__ import annotations

import pytest

from otbench.registry import THEORIES
from otbench.report.theory.verdicts import FAILS, HOLDS, OPEN, PARTLY, RULES, verdict_of
from otbench.theory.findings import Findings

TORN = {f"{where}/{name}/most/between": 0.05 for where in ("two", "ring") for name in ("fm", "ot-cfm", "ddpm")}
TORN |= {f"{where}/rectified-flow/most/between": 0.04 for where in ("two", "ring")} | {"maps": 72, "holding": 72}
TORN |= {f"{where}/ae-ot/most/between": 0.01 for where in ("two", "ring")}


@pytest.mark.parametrize(
    ("name", "facts", "verdict"),
    [
        ("parallel-lines", {"js_bound_least": 0.69, "slope_w1_greatest": 0.999}, HOLDS),
        ("parallel-lines", {"js_bound_least": 0.40, "slope_w1_greatest": 0.999}, FAILS),
        ("potentials", {"newton_cost": 0.1084, "newton_dual": 0.10845}, HOLDS),
        ("potentials", {"newton_cost": 0.1084, "newton_dual": 0.12}, FAILS),
        ("singular-sets", {"ellipse_singular": 0, "clusters_singular": 21, "dumbbell_singular": 20}, HOLDS),
        ("singular-sets", {"ellipse_singular": 0, "clusters_singular": 21, "dumbbell_singular": 0}, PARTLY),
        ("singular-sets", {"ellipse_singular": 3, "clusters_singular": 21, "dumbbell_singular": 20}, FAILS),
        ("folding", {"ellipsoid_singular": 0, "star_singular": 69}, HOLDS),
        ("folding", {"ellipsoid_singular": 2, "star_singular": 69}, FAILS),
        ("primal-dual", {"broken": 0, "iterates": 30630}, HOLDS),
        ("primal-dual", {"broken": 1, "iterates": 30630}, FAILS),
        ("scaling", {"met": 1.0, "tolerance": 0.1}, HOLDS),
        ("scaling", {"met": 0.83, "tolerance": 0.1}, PARTLY),
        ("blur", {"dominating": 0, "dominated": 6, "matched": 6}, HOLDS),
        ("blur", {"dominating": 0, "dominated": 4, "matched": 6}, PARTLY),
        ("blur", {"dominating": 1, "dominated": 4, "matched": 6}, FAILS),
        ("meaningful-loss", {"w_w1_changes": 0.7, "js_w1_changes": 0.1}, HOLDS),
        ("meaningful-loss", {"w_w1_changes": 0.1, "js_w1_changes": 0.7}, FAILS),
        ("collaboration", {"translation/none": 3.0, "translation/closed": 0.12, "translation/floor": 0.1}, HOLDS),
        ("collaboration", {"translation/none": 3.0, "translation/closed": 1.0, "translation/floor": 0.1}, PARTLY),
        ("critic-estimates", {"critic_off": 0.2, "batch_off": 0.9, "critic_better": 2, "spaces": 2}, HOLDS),
        ("critic-estimates", {"critic_off": 0.2, "batch_off": 0.9, "critic_better": 1, "spaces": 2}, PARTLY),
        ("critic-estimates", {"critic_off": 0.01, "batch_off": 0.9, "critic_better": 2, "spaces": 2}, FAILS),
        ("tearing", TORN, HOLDS),
        ("tearing", TORN | {"holding": 70}, PARTLY),
        ("tearing", TORN | {"two/ae-ot/most/between": 0.5}, FAILS),
        ("beyond", {"limit_mean": 0.001, "limit_plan": 0.01}, OPEN),
        ("polar-factorisation", {"linear_least": 0.1, "linear_least_closed_form": 0.1, "linear_error": 0.02}, HOLDS),
        ("polar-factorisation", {"linear_least": 0.2, "linear_least_closed_form": 0.1, "linear_error": 0.02}, FAILS),
    ],
)
def test_the_verdict_follows_the_facts(name: str, facts: dict[str, float], verdict: str) -> None:
    found = verdict_of(Findings(name, facts))
    assert found is not None and found.verdict == verdict


def test_every_study_has_a_rule_and_lost_facts_give_no_verdict() -> None:
    assert set(RULES) == set(THEORIES)
    assert all(verdict_of(Findings(name, {})) is None for name in THEORIES)
    assert verdict_of(Findings("another", {"met": 1.0})) is None
