"""The chapter on collaboration: the paragraphs follow the facts, the tables hold them, the figures draw."""

import dataclasses

import matplotlib.pyplot as plt
import pytest

from otbench.report.theory import collaboration as chapter
from otbench.theory import compute
from otbench.utils.plotting import styled
from tests.report.theory.branches import check_branches

TINY = {"points": 40, "seeds": 1, "steps": 3, "critic_steps": 4, "width": 8, "batch": 16}


@pytest.fixture(scope="module", params=["ring", "translation", "collapsed"])
def found(request):
    return compute("collaboration", TINY | {"compete": request.param})


def but(found, **facts):
    return dataclasses.replace(found, facts=found.facts | {k.replace("__", "/"): v for k, v in facts.items()})


def test_paragraphs_state_the_numbers(found):
    first, second = chapter.said(found)
    assert f"{found.facts['translation/closed']:.3f} for a translation" in first and "one seed" in first
    assert f"W2 {found.facts['wgan-gp/w2']:.3f} at the end" in second


def test_the_verdict_follows_the_facts(found):
    f = found.facts
    far = but(found, network__4__w2=10.0)
    assert "cannot stand in" in chapter.said(far)[1]
    near = but(found, network__4__w2=chapter.exact(found))
    assert "can be skipped" in chapter.said(near)[1]
    lost = but(found, **{f"{way}__w2": 99.0 for way in ("wgan-gp", "quadratic", "plan")})
    assert "None ended below" in chapter.said(lost)[1]
    none = but(found, **{f"{way}__reached": 0 for way in ("wgan-gp", "quadratic", "plan")})
    text = chapter.said(none)[1]
    assert "not within 3 steps" in text and "The quickest" not in text
    assert f["seeds"] == 1


def test_tables_hold_the_facts(found):
    steps, against = chapter.tables(found)
    row = next(row for row in steps.rows if row.label == chapter.CRITICS["closed"])
    assert row.cells[0].raw[""] == pytest.approx(found.facts["translation/closed"])
    assert len(against.rows) == 3
    assert against.rows[0].cells[0].raw[""] == pytest.approx(found.facts["wgan-gp/w2"])


def test_figures_draw(found):
    with styled():
        for name, _, caption, _, make in chapter.figures(found):
            assert name.startswith("theory_collaboration") and caption
            plt.close(make())


def test_every_branch_of_the_template_is_rendered(found):
    check_branches(chapter, found)
