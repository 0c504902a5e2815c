"""The chapter on scaling follows its numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from otbench.report.theory import scaling
from otbench.theory import compute
from otbench.utils import plotting
from tests.conftest import smoke
from tests.report.theory.branches import check_branches

TINY = smoke("scaling")


@pytest.fixture(scope="module")
def found():
    return compute("scaling", TINY)


def test_the_paragraphs_say_the_numbers(found):
    text = "\n".join(scaling.said(found))
    assert "3 Gaussians" in text and "30 %" in text and "60 codes in 4 dimensions" in text
    assert f"{found.facts['real_w2']:.2f}" in text and "In the plane Newton" in text


def test_the_paragraphs_turn_with_the_facts(found):
    def text(**turned):
        return "\n".join(scaling.said(replace(found, facts=found.facts | turned)))

    assert "Hardly:" in text(worst_w2=1.0, best_w2=1.0)
    assert "They do: " in text(worst_w2=2.0, best_w2=1.0, best_error=0.1, gained_w2=0.1)
    assert "ever less so" in text(worst_w2=2.0, best_w2=1.0, best_error=0.1, gained_w2=0.5)
    assert "better than every map" in text(worst_w2=2.0, best_w2=1.0, target_w2=0.5)
    assert "worse than the best map" in text(worst_w2=2.0, best_w2=1.0, target_w2=1.5)
    assert "In the plane" not in text(has_plane=False) and "Beyond the plane" not in text(has_high=False)
    assert " MiB" in text() and "nan" not in text(mib_high=float("nan"))
    assert "decide the score" in text(ranks_alike=0.9) and "decide" not in text(ranks_alike=0.5)
    assert "always" in text(met=1.0) and "in 50 % of the cases" in text(met=0.5)


def test_the_tables_hold_the_values(found):
    resources, samples = scaling.tables(found)
    assert [row.block for row in resources.rows[::2]] == ["d = 2, Newton", "d = 2", "d = 4"]
    assert [row.label for row in samples.rows][:3] == ["map, 100 %", "map, 30 %", "real draws"]
    w2 = [column.key for column in samples.columns].index("w2")
    assert samples.rows[2].cells[w2].raw[""] == pytest.approx(found.facts["real_w2"])
    assert resources.rows[0].cells[2].kind == "absent"


def test_the_figures_draw(found):
    import matplotlib.pyplot as plt

    with plotting.styled():
        for name, _, caption, form, make in scaling.figures(found):
            figure = make()
            assert name.startswith("theory_scaling") and caption and form == "svg"
            figure.canvas.draw()
            plt.close(figure)


def test_every_branch_of_the_template_is_rendered(found):
    check_branches(scaling, found)
