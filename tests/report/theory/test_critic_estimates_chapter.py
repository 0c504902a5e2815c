"""What is said of critics and batches follows the numbers; tables hold them; the figure draws."""

from __future__ import annotations

import dataclasses

import pytest

from otbench.report.theory import chapters
from otbench.report.theory import critic_estimates as chapter
from otbench.theory import compute
from tests.conftest import smoke
from tests.report.theory.branches import check_branches


@pytest.fixture(scope="module")
def found():
    return compute("critic-estimates", smoke("critic-estimates"))


def changed(found, **facts):
    return dataclasses.replace(found, facts={**found.facts, **facts})


def test_paragraphs_follow_the_facts(found):
    f = {"batch/2/w1": 0.3, "batch/4/w1": 0.4, "critic/2/w1": 0.2, "critic/4/w1": 0.1}
    assert "as the paper says" in chapter.said(changed(found, **f))[1]
    other = {name: 1 - value for name, value in f.items()}
    assert "unlike in the paper" in chapter.said(changed(found, **other))[1]
    assert "depends on the dimension" in chapter.said(changed(found, **f | {"critic/4/w1": 0.9}))[1]
    first = chapter.said(changed(found, **{"batches of 8/3": 1.234, "critic, gp/2": 0.87}))[0]
    assert "still 1.23 with 8" in first and "0.87 of it" in first


def test_tables_hold_the_values(found):
    estimates, generators = chapter.tables(found)
    assert len(estimates.rows) == 8 and {row.block for row in estimates.rows} == {"2 dimensions", "3 dimensions"}
    assert estimates.rows[0].cells[0].raw[""] == found.facts["batches of 4/2"]
    assert len(generators.rows) == 6 and generators.rows[1].cells[0].raw[""] == found.facts["batch/2/w1"]


def test_the_figure_draws(found, tmp_path):
    (one,) = chapters({"critic-estimates": found}, tmp_path)
    assert [figure.name for figure in one.figures] == ["theory_critic_estimates_estimates"]
    assert one.figures[0].path.stat().st_size > 1000 and one.verdict is not None


def test_every_branch_of_the_template_is_rendered(found):
    check_branches(chapter, found)
