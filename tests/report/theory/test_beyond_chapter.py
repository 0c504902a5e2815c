"""The chapter on other maps: the paragraphs follow the facts, the table holds them, the figures draw."""

import dataclasses

import matplotlib.pyplot as plt
import pytest

from otbench.report.theory import beyond as chapter
from otbench.theory import compute
from otbench.utils.plotting import styled
from tests.report.theory.branches import check_branches


@pytest.fixture(scope="module")
def found():
    tiny = {"points": 30, "seeds": 1, "steps": 2, "width": 8, "batch": 16, "dimension": 3}
    return compute("beyond", tiny | {"regularisations": [0.1, 0.5]})


def test_paragraphs_state_the_numbers(found):
    text = " ".join(chapter.said(found))
    assert "one seed" in text and "3 principal components" in text
    assert f"{found.facts['digits/real/frechet']:.3f}" in text
    assert f"L2-UVP {found.facts['gaussian-8/plan, nearest/uvp']:.0f} %" in text


def test_the_verdict_follows_the_facts(found):
    facts = {f"gaussian-8/plan, {name}/uvp": value for name, value in (("nearest", 50.0), ("two nearest", 40.0))}
    good = dataclasses.replace(found, facts=found.facts | facts | {"gaussian-8/plan, interpolated/uvp": 9.0})
    bad = dataclasses.replace(found, facts=found.facts | facts | {"gaussian-8/plan, interpolated/uvp": 90.0})
    assert "interpolation does extend" in chapter.said(good)[1]
    assert "interpolation does not help" in chapter.said(bad)[1] and "two nearest" in chapter.said(bad)[1]
    nets = {f"gaussian-8/{name}/uvp": 500.0 for name in chapter.NETWORKS}
    assert "averages out" not in chapter.said(dataclasses.replace(found, facts=found.facts | nets))[2]


def test_the_table_holds_every_map(found):
    (one,) = chapter.tables(found)
    assert len(one.rows) == len(chapter.WHERE) * (len(chapter.MAPS) + 2)
    first = next(row for row in one.rows if row.label == "semi-discrete map")
    assert first.cells[0].raw[""] == pytest.approx(found.facts["gaussian/semi-discrete/uvp"])
    assert [cell.kind for cell in first.cells].count("absent") == 4  # no modes, no codes


def test_figures_draw(found):
    with styled():
        for name, _, caption, _, make in chapter.figures(found):
            assert name.startswith("theory_beyond") and caption
            plt.close(make())


def test_every_branch_of_the_template_is_rendered(found):
    check_branches(chapter, found)
