"""The chapter on transport in space says what the facts say."""

from dataclasses import replace

import pytest

from otbench.report.theory import chapters, folding
from otbench.theory import compute
from tests.report.theory.branches import check_branches

TINY = {"solids": ["torus", "ellipsoid"], "points": 60, "samples": 4000, "particles": 40, "tolerance": 0.3}


@pytest.fixture(scope="module")
def found():
    return compute("folding", TINY, seed=0)


def with_facts(found, **facts):
    return replace(found, facts=found.facts | facts)


def test_paragraphs_follow_the_facts(found):
    maps, path = folding.said(with_facts(found, ellipsoid_w2=0.62))
    assert ", within the" in maps
    assert "no facet is singular" in maps
    assert "geodesic of constant speed" in path
    assert "nothing folds over" in path
    maps, path = folding.said(
        with_facts(found, ellipsoid_w2=5.0, geodesic_error=0.1, stretch_holds=False, ellipsoid_singular=1)
    )
    assert "NOT within" in maps
    assert "1 facet is singular" in maps
    assert "NOT a straight path" in path
    assert "nothing folds over" not in path


def test_tables_hold_the_values(found):
    maps, path = folding.tables(found)
    assert [row.label for row in maps.rows] == ["solid torus", "ellipsoid"]
    assert maps.rows[0].cells[1].raw == {"": pytest.approx(found.facts["torus_w2"])}
    assert path.rows[-1].cells[0].text == path.rows[-1].cells[1].text
    assert path.rows[1].label == "t = 0.25"


def test_figures_are_drawn(found, tmp_path):
    chapter = next(chapters({"folding": found}, tmp_path))
    names = [figure.name for figure in chapter.figures]
    assert names[:2] == ["theory_folding_paths", "theory_folding_slices"]
    assert ("theory_folding_singular" in names) == bool(found.facts["torus_singular"])
    assert all(figure.path.stat().st_size > 5000 for figure in chapter.figures)


def test_every_branch_of_the_template_is_rendered(found):
    check_branches(folding, found)
