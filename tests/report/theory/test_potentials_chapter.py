"""The chapter on the two potentials follows its numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from otbench.report.theory import potentials
from otbench.theory import compute
from otbench.utils import plotting
from tests.report.theory.branches import check_branches

TINY = {"targets": 6, "sides": [6, 24], "tolerance": 0.1, "discrete": 12}


@pytest.fixture(scope="module")
def found():
    return compute("potentials", TINY)


def test_the_paragraphs_say_the_numbers(found):
    text = "\n".join(potentials.said(found))
    assert "6 random targets" in text and "24 x 24 pixels" in text
    assert f"{found.facts['cost']:.6f}" in text and "they bracket Newton's cost" in text
    assert "its sign is wrong" in text and "some optimal phi, not for any" in text


def test_the_paragraphs_turn_with_the_facts(found):
    turned = {"cost": 1.0, "ascent_tolerance_met": True, "hessian_printed_sign": True, "matching_apart": 0.0}
    text = "\n".join(potentials.said(replace(found, facts=found.facts | turned | {"identity_order": 0.0})))
    assert "do not bracket" in text and "does not fall steadily" in text
    assert ", met its tolerance" in text and "its sign is wrong" not in text
    assert "and so do the potentials" in text


def test_the_tables_hold_the_values(found):
    methods, pixels, known = potentials.tables(found)
    assert [row.label for row in methods.rows] == list(potentials.LABELS.values())
    assert methods.rows[0].cells[0].raw[""] == pytest.approx(found.facts["cost"])
    assert [row.label for row in pixels.rows] == ["6 x 6", "24 x 24"]
    assert len(known.rows) == len(found.tables["known"])
    assert all(one.name.startswith("theory_potentials") for one in (methods, pixels, known))


def test_neighbours_get_different_tints(found):
    pairs = found.arrays["pairs"]
    tints = potentials.tinted(6, pairs, 5)
    assert all(tints[i] != tints[j] for i, j in pairs)


def test_the_figures_draw(found):
    import matplotlib.pyplot as plt

    with plotting.styled():
        for name, _, caption, form, make in potentials.figures(found):
            figure = make()
            assert name.startswith("theory_potentials") and caption and form == "svg"
            figure.canvas.draw()
            plt.close(figure)


def test_every_branch_of_the_template_is_rendered(found):
    check_branches(potentials, found)
