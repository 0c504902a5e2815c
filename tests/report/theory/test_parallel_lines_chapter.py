"""What is said of two parallel lines follows the numbers; tables hold them; figures draw."""

import dataclasses

import pytest

from otbench.report.theory import chapters
from otbench.report.theory import parallel_lines as chapter
from otbench.theory import compute
from tests.conftest import smoke
from tests.report.theory.branches import check_branches

TINY = smoke("parallel-lines")


@pytest.fixture(scope="module")
def found():
    return compute("parallel-lines", TINY)


def changed(found, **facts):
    return dataclasses.replace(found, facts={**found.facts, **facts})


def test_paragraphs_follow_the_facts(found):
    wgan = {"settled_clip": 1.0, "settled_gp": 1.0, "settled_minimax": 0.0, "settled_ns": 0.2}
    won = chapter.said(changed(found, **wgan, moved_far_minimax=0.02, moved_far_ns=1.0, js_histogram_least=0.01))
    assert "settle more often than either GAN" in won[1] and "discriminator wins" in won[1]
    assert "does not settle" in won[1] and "share their cells" in won[0]
    lost = chapter.said(changed(found, settled_gp=0.0, settled_minimax=1.0, moved_far_minimax=0.5, ns_last=0.0))
    assert "against what the texts say" in lost[1] and "discriminator wins" not in lost[1]
    assert "non-saturating loss does not vanish" not in lost[0]
    assert "within 0.5 of" in chapter.said(changed(found, settled_within=0.5))[1]


def test_tables_hold_the_values(found):
    losses, slopes, training = chapter.tables(found)
    assert [row.label for row in losses.rows] == ["0", "0.1", "0.5"]
    assert [cell.text for cell in losses.rows[2].cells][:1] == ["0.5"]
    assert "inf" in [cell.text for cell in losses.rows[1].cells]
    assert len(slopes.rows) == 2 and len(training.rows) == 8
    assert training.rows[0].cells[0].raw[""] == found.tables["training"]["end"][0]


def test_figures_draw(found, tmp_path):
    (one,) = chapters({"parallel-lines": found}, tmp_path)
    assert [figure.name for figure in one.figures] == ["theory_parallel_lines_losses", "theory_parallel_lines_training"]
    assert all(figure.path.stat().st_size > 1000 for figure in one.figures)


def test_every_branch_of_the_template_is_rendered(found):
    check_branches(chapter, found)
