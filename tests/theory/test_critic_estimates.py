"""What a critic and a batch estimate of W1, against distances and slopes that are known."""

from __future__ import annotations

import itertools

import numpy as np
import ot
import pytest
import torch

from otbench.errors import OtbenchError
from otbench.theory import compute, configure
from otbench.theory.critic_estimates import players
from tests.conftest import smoke

TINY = smoke("critic-estimates")


def test_the_distance_of_batches_is_pots_and_that_of_every_matching():
    draw = np.random.default_rng(0)
    x, y = draw.standard_normal((2, 40, 3))
    assert players.w1(x, y) == pytest.approx(ot.emd2([], [], ot.dist(x, y, metric="euclidean")))
    few = [np.linalg.norm(x[:5] - y[list(order)], axis=1).mean() for order in itertools.permutations(range(5))]
    assert players.w1(x[:5], y[:5]) == pytest.approx(min(few))
    assert players.w1(x, x[::-1]) == 0 and players.w1(x, x + 2) == pytest.approx(2 * np.sqrt(3))


def test_a_matched_loss_is_the_distance_and_pulls_along_the_matching():
    torch.manual_seed(0)
    real, made = torch.randn(2, 6, 2), torch.randn(2, 6, 2, requires_grad=True)
    loss = players.matched(real, made)
    expected = sum(players.w1(a.numpy(), b.detach().numpy()) for a, b in zip(real, made, strict=True))
    assert loss.item() == pytest.approx(expected, rel=1e-5)
    (slope,) = torch.autograd.grad(loss, made)
    assert torch.allclose(slope.norm(dim=2), torch.full((2, 6), 1 / 6), atol=1e-6), "unit vectors over the batch"


@pytest.mark.parametrize(("norm", "two", "one"), [(0.5, 0.25, 0.0), (3.0, 4.0, 4.0)])
def test_a_linear_critics_value_and_penalty_are_known(norm, two, one):
    critic = [(torch.tensor([[[norm], [0.0]]]), torch.zeros(1, 1, 1))]
    for tensor in players.parameters(critic):
        tensor.requires_grad_()
    real, made = torch.randn(1, 9, 2) + torch.tensor([5.0, 0.0]), torch.randn(1, 9, 2)
    gap = norm * (real - made)[0, :, 0].mean().item()
    assert players.value(critic, real, made).item() == pytest.approx(gap, rel=1e-5)
    for one_sided, penalty in ((False, two), (True, one)):
        found = players.critic_loss(critic, real, made, torch.rand(1, 9, 1), 7.0, one_sided).item()
        assert found == pytest.approx(7 * penalty - gap, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("d", [2, 4, 16])
def test_the_mixture_has_eight_modes_on_the_sphere_and_scores_its_own_samples(d):
    law = players.mixture(d).check(d)
    assert np.allclose(np.linalg.norm(law.centres, axis=1), 1) and len(np.unique(law.centres.round(6), axis=0)) == 8
    points = law.sample(4000, np.random.default_rng(0))
    told = players.scores(law, points[:200], points[200:400])
    assert players.scores(law, points[:50], points[:50])["w1"] == 0
    assert told["quality"] > 0.97 and 0.75 < told["spread"] < 1.25
    assert players.scores(law, law.centres, law.centres)["spread"] == pytest.approx(0, abs=1e-20)


def test_batches_overestimate_more_in_more_dimensions_and_critics_come_near():
    found = compute("critic-estimates", TINY | {
        "dimensions": [2, 16], "batches": [8, 64], "repeats": 6, "critic_updates": 150, "width": 16, "batch": 32,
        "rate": 1e-2,
    })  # fmt: skip
    f = found.facts
    assert f["batches of 8/16"] > f["batches of 64/16"] > 1.5 and f["batches of 64/16"] > f["batches of 64/2"]
    assert f["rate/2"] < f["rate/16"] < 0, "distances of equal laws fall more slowly in more dimensions"
    assert f["batches of 8/2/zero"] > f["batches of 64/2/zero"] > 0
    curve = found.arrays["curve/gp/2"]
    assert curve.shape == (150,) and 0.5 < f["critic, gp/2"] < 1.5 and abs(curve[:5].mean()) < 0.5


def test_generators_come_near_the_mixture():
    asked = {"width": 32, "batch": 64, "steps": 120, "updates": 3, "seeds": 2, "judged": 200}
    options = configure("critic-estimates", asked | {"rate": 1e-3, "generator_rate": 1e-3})
    law = players.mixture(2)
    real = law.sample(200, np.random.default_rng(1))
    start = players.trained(law, options.model_copy(update={"steps": 0}), "batch", 0)
    for way in ("batch", "critic"):
        made = players.trained(law, options, way, 0)
        assert made.shape == (2, 200, 2) and not np.array_equal(made[0], made[1])
        before, after = (np.mean([players.w1(real, points) for points in side]) for side in (start, made))
        assert after < (0.7 if way == "batch" else 0.95) * before, (way, before, after)


def test_the_study_repeats_and_refuses_what_it_cannot_do():
    found, again = compute("critic-estimates", TINY), compute("critic-estimates", TINY)
    for name, value in found.facts.items():
        assert value == again.facts[name] or np.isnan(value), name
    assert set(found.tables["generators"]["way"]) == {"real", "batch", "critic"}
    assert len(found.tables["estimates"]) == 2 * (2 + 2)
    with pytest.raises(OtbenchError, match="spaces of 2 or from 4 on"):
        compute("critic-estimates", TINY | {"spaces": [3]})
