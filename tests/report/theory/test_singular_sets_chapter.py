"""The chapter on singular sets says what the facts say."""

from dataclasses import replace

import pytest

from otbench.report.theory import chapters, singular_sets
from otbench.theory import compute
from tests.report.theory.branches import check_branches

TINY = {"points": 60, "counts": [60], "widths": [4], "depths": [1], "seeds": 2, "steps": 5, "samples": 200}


@pytest.fixture(scope="module")
def found():
    return compute("singular-sets", TINY, seed=0)


def with_facts(found, **facts):
    return replace(found, facts=found.facts | facts)


def test_paragraphs_follow_the_facts(found):
    true = with_facts(
        found, ellipse_singular=0, clusters_proven_holds=True, annulus_proven_holds=True, clusters_gap_least_of_one=0.01
    )
    maps, nets = singular_sets.said(true)
    assert "2.000000 long" in maps
    assert "no facet is singular, as Theorem 3.15 has it" in maps
    assert "every network keeps" in nets
    assert "no network reaches zero" in nets
    other = with_facts(
        found, ellipse_singular=3, euler_holds=False, clusters_proven_holds=False, clusters_gap_least_of_one=0.0
    )
    maps, nets = singular_sets.said(other)
    assert "3 facets are singular, where Theorem 3.15 allows none" in maps
    assert "not every power diagram" in maps
    assert "NOT every network keeps" in nets
    assert "some network sends no judged point there" in nets


def test_tables_hold_the_values(found):
    maps, lengths, networks = singular_sets.tables(found)
    assert [row.label for row in maps.rows][:2] == ["ellipse (convex)", "two clusters"]
    assert all(row.cells[4].text == "1" for row in maps.rows)
    assert lengths.rows[1].cells[2].text == "2.0000"
    first = found.tables["networks"].iloc[0]
    assert networks.rows[0].cells[0].raw == {"": pytest.approx(100 * first["gap"])}
    assert networks.rows[0].label == "1 x 4"


def test_figures_are_drawn(found, tmp_path):
    chapter = next(chapters({"singular-sets": found}, tmp_path))
    assert [figure.name for figure in chapter.figures] == [
        f"theory_singular_sets_{name}" for name in ("maps", "networks", "astray")
    ]
    assert all(figure.path.stat().st_size > 5000 for figure in chapter.figures)


def test_every_branch_of_the_template_is_rendered(found):
    check_branches(singular_sets, found)
