"""What is said of primal and dual follows the numbers; tables hold them; figures draw."""

import dataclasses

import pytest

from otbench.report.theory import chapters
from otbench.report.theory import primal_dual as chapter
from otbench.theory import compute
from tests.conftest import smoke
from tests.report.theory.branches import check_branches

TINY = smoke("primal-dual")


@pytest.fixture(scope="module")
def found():
    return compute("primal-dual", TINY)


def changed(found, **facts):
    return dataclasses.replace(found, facts={**found.facts, **facts})


def test_paragraphs_follow_the_facts(found):
    good = chapter.said(changed(found, broken=0, wae_greatest=0.99, w1_relu=0.8, w1_pairs=0.9, vae_cost_last=5.0))
    assert "lie on their side" in good[0] and "turns the bound around" in good[1] and "It is not" in good[1]
    assert "loosely: 0.80 with ReLU" in good[0]
    bad = chapter.said(changed(found, broken=3, wae_greatest=1.2, w1_relu=0.9, w1_pairs=0.8, vae_cost_last=1.0))
    assert "3 lie on the wrong side" in bad[0] and "has not converged" in bad[1] and "It is not" not in bad[1]
    assert "is above W from" not in chapter.said(changed(found, vae_over_from=float("nan"), vae_cost_last=2.0))[1]


def test_tables_hold_the_values(found):
    bounds, relaxed = chapter.tables(found)
    assert len(bounds.rows) == len(found.tables["bounds"]) == 13
    assert {row.block for row in bounds.rows} == set(chapter.PROBLEMS.values())
    assert bounds.rows[0].cells[2].raw[""] == found.tables["bounds"]["last"][0]
    assert [row.label for row in relaxed.rows] == ["0.1", "10"]


def test_figures_draw(found, tmp_path):
    (one,) = chapters({"primal-dual": found}, tmp_path)
    assert [figure.name for figure in one.figures] == ["theory_primal_dual_bounds", "theory_primal_dual_relaxed"]
    assert all(figure.path.stat().st_size > 1000 for figure in one.figures)


def test_every_branch_of_the_template_is_rendered(found):
    check_branches(chapter, found)
