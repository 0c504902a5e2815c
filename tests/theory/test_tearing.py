"""What continuous maps must leave between modes: the bound against closed forms, the stretching of known maps."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import ndtr

from otbench.errors import OtbenchError
from otbench.theory import compute, configure
from otbench.theory.tearing import PROBLEMS, gap_of, problem
from otbench.theory.tearing.maps import MODELS, at, half, least, stretching, trained
from otbench.utils.rng import generator
from tests.conftest import smoke

TINY = smoke("tearing")


@pytest.fixture(scope="module")
def found():
    return compute("tearing", TINY)


def test_the_bound_is_reached_by_the_map_that_stretches_across_a_line():
    """T(x) = (clip(L x_1, -1, 1), 0) sends Phi(-1 / L) to either end, and is the best there is."""
    for stretch in (0.5, 3.0, 40.0):
        inside = float(ndtr(-1 / stretch))
        assert least(inside, 2.0, stretch) == pytest.approx(1 - 2 * inside, abs=1e-12)
        assert least(inside, 2.0, stretch) == pytest.approx(2 * ndtr(1 / stretch) - 1, abs=1e-12)
        assert least(inside, 2.0, 2 * stretch) < least(inside, 2.0, stretch)
    assert least(0.0, 1.0, 5.0) == 0 == least(1.0, 1.0, 5.0) and least(0.5, 1.0, 1e9) == pytest.approx(0, abs=1e-8)


def test_the_stretching_of_known_maps_is_found():
    x = torch.randn(2, 300, 2, generator=generator(0, "x"))
    turn = torch.tensor([[3.0, 1.0], [0.0, 0.5]])
    norm = float(torch.linalg.matrix_norm(turn, 2))
    assert stretching(lambda y: y @ turn.T, x, 0).tolist() == pytest.approx([norm] * 2, rel=1e-2)
    # steep in a strip 0.2 wide: found although few of the points at which the search begins lie in it
    steep = stretching(lambda y: torch.tanh(y * torch.tensor([40.0, 1.0])), x, 0)
    assert steep.tolist() == pytest.approx([40] * 2, rel=0.02)


def test_modes_and_the_gap_between_them():
    two, ring = (problem(name, 0.05, 0).truth for name in PROBLEMS)
    assert gap_of(two) == pytest.approx(1.7) and gap_of(ring) == pytest.approx(2 * np.sin(np.pi / 8) - 0.3)
    modes, good = np.array([0, 1, 1, 3, 2, 0]), np.array([True, True, False, True, True, True])
    assert half(modes, good, 4) == pytest.approx(3 / 6)


def test_trained_maps_are_above_the_bound_and_more_evaluations_stretch_more():
    data = problem("two", 0.05, 0)
    options = {"batch": 64, "rate": 3e-3, "width": 32}
    model = trained("fm", data, [0], 500, options)
    x = torch.randn(1, 4000, 2, generator=generator(0, "x"))
    stretched = {}
    for count in (2, 32):
        made = at(model, count)
        stretched[count] = float(stretching(made, x[:, :300], 0))
        sides = made(x)[0].numpy()
        left, right = ((np.linalg.norm(sides - c, axis=1) < 0.15).mean() for c in data.truth.centres)
        bound = least(left, gap_of(data.truth), stretched[count])
        assert 1 - left - right > bound - 0.01, (count, left, right, bound)
    assert stretched[32] > 1.5 * stretched[2]
    assert model.config.evaluations == 100, "drawing leaves the config as it was"


def test_the_findings_have_every_model_and_number(found):
    means = found.tables["means"]
    assert len(means) == len(PROBLEMS) * (len(MODELS) * 2 + 1)
    assert set(means["model"]) == {*MODELS, "ae-ot"} and found.facts["maps"] == len(PROBLEMS) * len(MODELS) * 2
    assert means["between"].le(means["outside"] + 1e-12).all()
    assert found.arrays["two/fm"].shape == (60, 2)
    assert found.tables["means"].equals(compute("tearing", TINY).tables["means"]), "the same seed, the same numbers"


@pytest.mark.parametrize("counts", [[], [0], [1001]])
def test_wrong_numbers_are_refused(counts):
    with pytest.raises(OtbenchError, match="theory tearing, option"):
        configure("tearing", {"counts": counts})
