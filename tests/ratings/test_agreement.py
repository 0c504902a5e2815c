"""Agreement against examples worked out in the literature."""

from __future__ import annotations

import numpy as np
import pytest

from otbench.ratings.agreement import alpha, cohen, fleiss, together

NAN = np.nan


def test_alpha_of_krippendorffs_example() -> None:
    """Krippendorff, Computing Krippendorff's alpha-reliability (2011), example C: four observers, twelve units,
    missing values; nominal alpha 0.743.
    """
    values = np.array(
        [
            [1, 2, 3, 3, 2, 1, 4, 1, 2, NAN, NAN, NAN],
            [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NAN, 3],
            [NAN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NAN],
            [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NAN],
        ]
    )
    assert alpha(values) == pytest.approx(0.743, abs=5e-4)


def test_alpha_of_two_observers_and_two_answers() -> None:
    """The same paper, example A: ten units, binary; alpha 0.095."""
    values = np.array([[0, 1, 0, 0, 0, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]], dtype=float)
    assert alpha(values) == pytest.approx(0.095, abs=5e-4)


def test_kappa_of_fourteen_raters() -> None:
    """The table of ten subjects, fourteen raters and five categories that textbooks use for Fleiss' kappa: 0.210."""
    counts = np.array(
        [
            [0, 0, 0, 0, 14],
            [0, 2, 6, 4, 2],
            [0, 0, 3, 5, 6],
            [0, 3, 9, 2, 0],
            [2, 2, 8, 1, 1],
            [7, 7, 0, 0, 0],
            [3, 2, 6, 3, 0],
            [2, 5, 3, 2, 2],
            [6, 5, 2, 1, 0],
            [0, 2, 2, 3, 7],
        ]
    )
    assert fleiss(counts) == pytest.approx(0.210, abs=5e-4)


def test_cohens_kappa_by_hand() -> None:
    """20 both yes, 15 both no, 5 and 10 unlike: agreement 0.7, by chance 0.5, kappa 0.4."""
    first = np.repeat([1, 1, 0, 0], [20, 5, 10, 15])
    second = np.repeat([1, 0, 1, 0], [20, 5, 10, 15])
    assert cohen(first, second) == pytest.approx(0.4)


def test_kappa_and_alpha_of_binary_answers_by_hand() -> None:
    """Three raters, four items with 3, 3, 0 and 1 of 3 saying 1: Fleiss (5/6 - 37/72) / (1 - 37/72); the item that one
    rater left out does not count.
    """
    values = np.array([[1, 1, 0, 1, 1], [1, 1, 0, 0, NAN], [1, 1, 0, 0, 1]])
    told = together(values)
    share = 7 / 12
    chance = share**2 + (1 - share) ** 2
    assert (told["items"], told["raters"]) == (4, 3)
    assert told["fleiss_kappa"] == pytest.approx((5 / 6 - chance) / (1 - chance))
    # alpha: 1 - observed / expected disagreement, the expected over pairs of the 12 answers without replacement
    expected = 2 * 7 * 5 / (12 * 11)
    assert told["krippendorff_alpha"] == pytest.approx(1 - (1 / 6) / expected)


def test_what_is_not_defined_is_none() -> None:
    same = np.ones((3, 4))
    assert together(same) == {"items": 4, "raters": 3, "krippendorff_alpha": None, "fleiss_kappa": None}
    assert together(np.zeros((0, 4)))["krippendorff_alpha"] is None
    assert together(np.array([[1.0, NAN], [NAN, 0.0]]))["items"] == 0
    assert together(np.array([[1.0, 0.0]]))["fleiss_kappa"] is None
    assert cohen(np.ones(5), np.ones(5)) is None and cohen(np.array([]), np.array([])) is None
