"""The chapter on polar factorisation: paragraphs, table and figures follow the facts."""

import dataclasses

import matplotlib.pyplot as plt
import pytest

from otbench.report.theory import polar_factorisation as chapter
from otbench.theory import compute
from otbench.utils.plotting import styled
from tests.conftest import smoke
from tests.report.theory.branches import check_branches


@pytest.fixture(scope="module")
def found():
    return compute("polar-factorisation", smoke("polar-factorisation"))


def test_paragraphs_state_the_numbers_and_follow_them(found):
    check, generators = chapter.said(found)
    assert f"W2^2 = {found.facts['linear_least']:.4f}" in check
    assert "GAN from the identity" in generators and "one seed" in generators
    far = {f"{way}/fresh/last/rearrangement": 0.9 for way in ("gan", "wgan-gp")}
    near = {f"{way}/identity/last/rearrangement": 0.1 for way in ("gan", "wgan-gp")}
    apart = dataclasses.replace(found, facts=found.facts | far | near)
    alike = dataclasses.replace(found, facts=found.facts | far | dict.fromkeys(near, 0.9))
    assert "comes from the start" in chapter.said(apart)[1] and "much the same" in chapter.said(alike)[1]


def test_the_table_holds_every_kind_at_both_ends(found):
    (one,) = chapter.tables(found)
    assert len(one.rows) == 8 and {row.block for row in one.rows} == {"before training", "after 2 steps"}
    row = next(row for row in one.rows if row.label == "WGAN-GP from random weights" and row.block == "after 2 steps")
    assert row.cells[0].raw[""] == pytest.approx(found.facts["wgan-gp/fresh/last/w2"])


def test_figures_draw(found):
    with styled():
        for name, _, caption, _, make in chapter.figures(found):
            assert name.startswith("theory_polar_factorisation") and caption
            plt.close(make())


def test_every_branch_of_the_template_is_rendered(found):
    check_branches(chapter, found)
