"""The chapter on tearing: the paragraphs follow the facts, the table holds them, the figures draw."""

import dataclasses

import matplotlib.pyplot as plt
import pytest

from otbench.report.theory import tearing as chapter
from otbench.theory import compute
from otbench.utils.plotting import styled
from tests.conftest import smoke
from tests.report.theory.branches import check_branches


@pytest.fixture(scope="module")
def found():
    return compute("tearing", smoke("tearing"))


def test_paragraphs_state_the_numbers(found):
    text = " ".join(chapter.said(found))
    assert "one network" in text and f"FM {100 * found.facts['two/fm/most/between']:.1f} %" in text


def test_the_verdict_follows_the_facts(found):
    low = {f"{where}/ae-ot/most/between": -1.0 for where in chapter.WHERE}
    assert "No continuous model" in chapter.said(dataclasses.replace(found, facts=found.facts | low))[1]
    high = {f"{where}/ae-ot/most/between": 2.0 for where in chapter.WHERE}
    assert "Not every continuous model" in chapter.said(dataclasses.replace(found, facts=found.facts | high))[1]
    holds = found.facts | {"holding": found.facts["maps"]}
    assert "leave as much outside as the bound" in chapter.said(dataclasses.replace(found, facts=holds))[0]


def test_the_table_holds_every_map(found):
    (one,) = chapter.tables(found)
    assert len(one.rows) == len(found.tables["means"])
    last = [row for row in one.rows if row.label == "AE-OT"]
    assert len(last) == 2 and [cell.kind for cell in last[0].cells].count("absent") == 2
    assert last[0].cells[1].raw[""] == pytest.approx(found.facts["two/ae-ot/most/between"])


def test_figures_draw(found):
    with styled():
        for name, _, caption, _, make in chapter.figures(found):
            assert name.startswith("theory_tearing") and caption
            plt.close(make())


def test_every_branch_of_the_template_is_rendered(found):
    check_branches(chapter, found)
