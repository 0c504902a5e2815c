"""Continuous-time models against closed forms: Gaussian pairs, exact matchings, straightened paths, the schedule."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment

from otbench.data.base import DataSet
from otbench.errors import OtbenchError
from otbench.metrics import modes
from otbench.models import configure, find
from otbench.models.diffusion import ddim, kept, visited
from otbench.models.flows import bending, integrate, partners, straight
from otbench.models.images.shared.average import follow
from otbench.training.feed import Feed
from otbench.training.trainer import Options, Trainer, key
from otbench.utils.rng import generator
from tests.models import small_images

#: mean and standard deviation of Gaussian data, a coordinate
MEAN, SPREAD = torch.tensor([1.0, -0.5], dtype=torch.float64), 0.4


def build(name, data, seeds=(0,), **options):
    return find(name, "points")(configure(name, options, "points"), data, list(seeds))


def trained(name, data, steps, seeds=(0,), **options):
    model = build(name, data, seeds, **options)
    return model, Trainer(model, steps, [1.0], Options(), None).run()


def batch_of(model, stage=0):
    one = model.stages()[stage]
    chunk = Feed(one.inputs, torch.from_numpy(model.data.train), model.seeds, one.name, model.device).chunk()
    return {name: values[0] for name, values in chunk.items()}


def regressed(model, step, batch):
    """Points, times and targets that a step hands to the regression."""
    seen = []
    model.regress = lambda x, t, target: seen.append((x, t, target)) or {}
    step(batch)
    return seen[0]


@pytest.fixture(scope="module")
def gaussian():
    """4,000 points of N(MEAN, SPREAD^2 I)."""
    points = MEAN.numpy() + SPREAD * np.random.default_rng(0).standard_normal((4000, 2))
    return DataSet("gaussian", points.astype(np.float32), points.astype(np.float32), None, "Gaussian", "test")


def exact(x, t):
    """E[x_1 - x_0 | x_t = x] of independent N(0, I) and N(MEAN, SPREAD^2 I)."""
    t = t.reshape(*t.shape, 1)
    variance = (1 - t) ** 2 + t**2 * SPREAD**2
    return MEAN.to(x) + (t * SPREAD**2 - (1 - t)) / variance * (x - t * MEAN.to(x))


# ------------------------------------------------------------------ paths and solvers


def test_a_path_runs_from_noise_to_data_at_its_velocity():
    x0, x1 = torch.randn(2, 3, 7, 2, dtype=torch.float64)
    t = torch.rand(3, 7, dtype=torch.float64)
    start, _ = straight(x0, x1, torch.zeros_like(t), 0.1)
    end, _ = straight(x0, x1, torch.ones_like(t), 0.1)
    assert torch.equal(start, x0) and torch.allclose(end, x1 + 0.1 * x0)
    (a, v), (b, _) = straight(x0, x1, t, 0.1), straight(x0, x1, t + 1e-6, 0.1)
    assert torch.allclose((b - a) / 1e-6, v, atol=1e-6)


@pytest.mark.parametrize("t", [0.1, 0.5, 0.9])
def test_the_mean_target_of_a_gaussian_pair_is_the_closed_form(t):
    stream = generator(0, "pairs")
    x0, z = torch.randn(2, 1, 200_000, 2, dtype=torch.float64, generator=stream)
    x, v = straight(x0, MEAN + SPREAD * z, torch.full((1, 200_000), t, dtype=torch.float64))
    # the conditional mean is affine in x, so least squares finds it
    design = torch.cat([x[0, :, :1], torch.ones(200_000, 1, dtype=torch.float64)], 1)
    slope, offset = torch.linalg.lstsq(design, v[0, :, :1]).solution.flatten().tolist()
    at = exact(torch.tensor([[[0.0, 0.0], [1.0, 0.0]]], dtype=torch.float64), torch.full((1, 2), t))[0, :, 0]
    assert offset == pytest.approx(float(at[0]), abs=0.025) and slope == pytest.approx(float(at[1] - at[0]), abs=0.025)


def test_solvers_converge_to_the_exact_map_at_their_orders():
    x = torch.randn(1, 500, 2, dtype=torch.float64, generator=generator(0, "x"))
    truth = MEAN + SPREAD * x

    def off(evaluations, solver):
        return float((integrate(exact, x, evaluations, solver) - truth).abs().max())

    euler = [off(n, "euler") for n in (50, 100, 200)]
    midpoint = [off(n, "midpoint") for n in (50, 100, 200)]
    assert euler[0] / euler[1] == pytest.approx(2, rel=0.15) and euler[1] / euler[2] == pytest.approx(2, rel=0.15)
    assert midpoint[1] / midpoint[2] > 3.5 and midpoint[2] < 0.1 * euler[2], "of order two at least"
    growth = [float(integrate(lambda y, t: y * t[..., None], x, n, "midpoint")[0, 0, 0] / x[0, 0, 0]) for n in (20, 40)]
    first, second = (abs(value - np.exp(0.5)) for value in growth)
    assert first / second == pytest.approx(4, rel=0.1), "of order two, at two evaluations a step"


def test_bending_is_nothing_for_straight_paths_and_known_for_a_quarter_circle():
    x = torch.randn(2, 40, 2, dtype=torch.float64, generator=generator(0, "x"))
    assert bending(lambda y, t: torch.ones_like(y), x, 10).tolist() == [0, 0]
    turn = torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=torch.float64) * torch.pi / 2
    # speed pi/2 r along the arc, sqrt(2) r across: (pi/2)^2 / 2 - 1
    found = bending(lambda y, t: y @ turn.T, x, 4000)
    assert found.tolist() == pytest.approx([torch.pi**2 / 8 - 1] * 2, rel=5e-3)


def test_a_trained_field_and_its_flow_are_those_of_the_gaussian_pair(gaussian):
    model, _ = trained("fm", gaussian, 700, rate=2e-3, evaluations=50)
    t = torch.rand(1, 2000, generator=generator(0, "t"))
    x0, z = torch.randn(2, 1, 2000, 2, generator=generator(0, "x"))
    x, _ = straight(x0, MEAN.float() + SPREAD * z, t)
    with torch.no_grad():
        error = (model.velocity(x, t) - exact(x, t)).square().mean() / exact(x, t).square().mean()
        moved = model.at_the_end(model.field(), x0, [])
    assert error < 0.03, "share of the field's mean square"
    assert (moved - (MEAN.float() + SPREAD * x0)).square().mean().sqrt() < 0.1 * SPREAD + 0.05


# ------------------------------------------------------------------ optimal transport within a batch


@pytest.mark.parametrize("shape", [(2,), (1, 4, 4)])
def test_partners_are_the_exact_assignment(shape):
    x, y = torch.randn(2, 60, *shape, generator=generator(0, "x"))
    cost = ((x.flatten(1)[:, None] - y.flatten(1)[None]) ** 2).sum(-1)
    _, expected = linear_sum_assignment(cost.numpy())
    assert partners(x, y).tolist() == expected.tolist()


def test_ot_cfm_regresses_on_the_matched_pairs_of_each_replica(data):
    model, plain = build("ot-cfm", data, (0, 1), batch=50), build("fm", data, (0, 1), batch=50, sigma_min=0.0)
    batch = batch_of(model)
    for one, name in ((model, "ot-cfm"), (plain, "fm")):
        x, t, v = regressed(one, one.step, batch)
        x0 = x - t[..., None] * v
        x1 = x0 + v
        torch.testing.assert_close(x0, batch["z"], rtol=0, atol=1e-4)
        for r in range(2):
            cost = torch.cdist(batch["z"][r].double(), batch["real"][r].double()) ** 2
            least = cost[linear_sum_assignment(cost.numpy())].sum()
            found = (x1[r] - x0[r]).double().square().sum()
            assert found == pytest.approx(float(least), rel=1e-4) if name == "ot-cfm" else found > 1.1 * least


# ------------------------------------------------------------------ rectified flow


def test_reflow_makes_paths_straighter_and_one_step_good_enough(data):
    model, record = trained("rectified-flow", data, 600, rate=5e-3, batch=128, evaluations=30, pairs=1000)
    told = record.cells[key(0, 1.0)]["certificate"]
    assert told["bending"] < 0.25 * told["bending_first"], told
    x = torch.randn(1, 1000, 2, generator=generator(0, "x"))
    with torch.no_grad():
        ends = [integrate(network, x, n) for network in (model.first, model.velocity) for n in (1, 30)]
    first, second = ((a - b).square().sum(-1).mean() for a, b in (ends[:2], ends[2:]))
    assert second < 0.25 * first, "one step is nearer to thirty"


def test_pairs_are_noise_and_its_image_under_the_first_flow_and_can_be_made_again(data):
    model = build("rectified-flow", data, (0, 3), width=8, evaluations=5, pairs=30)
    model.step(batch_of(model))
    model.freeze()
    x0, x1 = model.made()
    model.reflow_step(batch_of(model, stage=2))
    assert not torch.equal(model.first.state()["body.0.weight"], model.velocity.state()["body.0.weight"])
    assert torch.allclose(x1, integrate(model.first, x0, 5), atol=1e-6)
    x, t, v = regressed(model, model.reflow_step, batch := batch_of(model, stage=2))
    rows = (batch["place"] * 30).long()
    assert torch.allclose(x - t[..., None] * v, torch.stack([p[k] for p, k in zip(x0, rows, strict=True)]), atol=1e-5)
    assert torch.allclose(v, torch.stack([(b - a)[k] for a, b, k in zip(x0, x1, rows, strict=True)]), atol=1e-6)
    again = build("rectified-flow", data, (0, 3), width=8, evaluations=5, pairs=30)
    again.load_training_state(model.training_state())
    assert all(torch.equal(a, b) for a, b in zip(again.made(), (x0, x1), strict=True))


# ------------------------------------------------------------------ diffusion


def test_the_schedule_gives_the_variances_of_the_noising_steps():
    shares = kept(1000, 1e-4, 0.02)
    betas = np.linspace(1e-4, 0.02, 1000)
    variance, signal = 0.0, 1.0
    for k, beta in enumerate(betas):
        variance, signal = (1 - beta) * variance + beta, np.sqrt(1 - beta) * signal
        assert variance == pytest.approx(1 - float(shares[k + 1])) and signal**2 == pytest.approx(float(shares[k + 1]))
    assert shares[0] == 1 and float(shares[-1]) == pytest.approx(4.04e-5, rel=0.01)


def test_a_step_noises_by_the_schedule_and_asks_for_the_noise(gaussian):
    model = build("ddpm", gaussian, batch=4000)
    batch = batch_of(model)
    x, t, e = regressed(model, model.step, batch)
    a = model.shares[(t * 1000).round().long()][..., None]
    clean = (x - (1 - a).sqrt() * e) / a.sqrt()
    early = (a > 0.05)[0, :, 0]
    torch.testing.assert_close(clean[0, early].float(), model.unit(batch["real"])[0, early], rtol=0, atol=1e-4)
    assert torch.equal(e, batch["z"]) and t.min() >= 1e-3 and t.max() <= 1
    assert model.unit(torch.from_numpy(gaussian.train)).abs().max() == pytest.approx(1)


def test_the_steps_visited_are_even_and_begin_with_the_last():
    assert visited(1000, 1000) == list(range(1000, 0, -1)) and visited(1000, 1) == [1000]
    assert visited(1000, 4) == [1000, 750, 500, 250] and visited(10, 3) == [10, 7, 4]


def predictor(shares):
    """The expected noise in a point at a step, of data N(MEAN, SPREAD^2 I)."""

    def predict(x, k):
        a = shares[k]
        return (1 - a).sqrt() * (x - a.sqrt() * MEAN) / (a * SPREAD**2 + 1 - a)

    return predict


def test_ddim_with_all_steps_is_the_exact_map_of_gaussian_data():
    shares = kept(1000, 1e-4, 0.02)
    x = torch.randn(1, 300, 2, dtype=torch.float64, generator=generator(0, "x"))
    made = ddim(predictor(shares), x, shares, 1000)
    a = shares[-1]
    # the flow of the probabilities keeps each point's place in units of the standard deviation
    truth = MEAN + SPREAD * (x - a.sqrt() * MEAN) / (a * SPREAD**2 + 1 - a).sqrt()
    assert (made - truth).abs().max() < 0.02 * SPREAD
    few = ddim(predictor(shares), x, shares, 10)
    assert (few - truth).abs().max() > 5 * (made - truth).abs().max(), "fewer steps are further off"


@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_samples_of_the_exact_predictor_have_the_datas_moments(eta):
    shares = kept(1000, 1e-4, 0.02)
    x = torch.randn(1, 20_000, 2, generator=generator(0, "x"), dtype=torch.float64)
    made = ddim(predictor(shares), x, shares, 1000, eta, [generator(1, "more")])[0]
    assert made.mean(0).tolist() == pytest.approx(MEAN.tolist(), abs=0.015)
    assert made.std(0).tolist() == pytest.approx([SPREAD] * 2, rel=0.025)


# ------------------------------------------------------------------ evaluations


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("fm", {"evaluations": 6}),
        ("fm", {"evaluations": 6, "solver": "midpoint"}),
        ("rectified-flow", {"evaluations": 3}),
        ("ddpm", {"evaluations": 7}),
    ],
)
def test_a_sample_takes_as_many_evaluations_as_the_option_says(name, options, data):
    model, seen = build(name, data, width=8, **options), []
    module = model.velocity.module
    handle = module.register_forward_hook(lambda *_: seen.append(1))
    drawn = model.draw(20, [generator(0, "samples")])
    handle.remove()
    assert len(seen) == options["evaluations"]
    assert torch.equal(drawn, model.draw(20, [generator(0, "samples")]))


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("fm", {"solver": "midpoint", "evaluations": 5}, "two evaluations a step"),
        ("ddpm", {"steps": 10, "evaluations": 11}, "at most 10 evaluations"),
        ("fm", {"evaluations": 0}, "option 'evaluations'"),
    ],
)
def test_evaluations_that_cannot_be_made_are_refused(name, options, said):
    for kind in ("points", "images"):
        with pytest.raises(OtbenchError, match=said):
            configure(name, options, kind)


# ------------------------------------------------------------------ learning


@pytest.mark.parametrize("name", ["fm", "ot-cfm", "rectified-flow", "ddpm"])
def test_it_learns_four_modes(name, data):
    more = {"pairs": 1000} if name == "rectified-flow" else {}
    model, record = trained(name, data, 600, rate=5e-3, batch=128, evaluations=30, **more)
    samples = model.draw(1000, [generator(0, "samples")])[0].numpy()
    assert record.cells[key(0, 1.0)]["status"] == "ok"
    before = build(name, data, evaluations=30).draw(1000, [generator(0, "samples")])[0].numpy()

    def good(points):
        return modes.high_quality(modes.assign(points, data.truth))

    share = modes.histogram(modes.assign(samples, data.truth), 4, False) / 1000
    assert share.min() > 0.15, share
    assert good(samples) > 0.25 > 5 * good(before), (good(samples), good(before))


# ------------------------------------------------------------------ images


def test_images_are_drawn_from_the_average_which_follows_by_its_rule(pictures):
    model = small_images.build("fm", pictures, evaluations=2, average=0.5)
    by_hand = {k: v.clone() for k, v in model.velocity.state().items()}
    for k, batch in enumerate(small_images.batches(model, 12)):
        model.step(batch)
        share = max(0.5, 9 / (10 + k))
        for name, value in model.velocity.state().items():
            by_hand[name] = by_hand[name] + share * (value - by_hand[name])
    state = model.average.state()
    for name, value in by_hand.items():
        torch.testing.assert_close(state[name], value, rtol=1e-4, atol=1e-6)
    x = torch.randn(1, 5, 1, 16, 16, generator=generator(0, "samples"))
    images = model.draw(5, [generator(0, "samples")])
    expected = ((integrate(model.average, x, 2) + 1) / 2).clamp(0, 1)
    torch.testing.assert_close(images, expected, rtol=1e-4, atol=1e-5)
    follow(model.average, model.velocity)
    assert not torch.equal(model.draw(5, [generator(0, "samples")]), images)


def test_the_law_of_ae_fm_moves_noise_to_the_codes(pictures):
    model = small_images.build(
        "ae-fm", pictures, flow_steps=500, flow_width=32, flow_batch=128, flow_rate=5e-3, evaluations=20
    )
    random = np.random.default_rng(0)
    side = np.where(random.random((2000, 1)) < 0.7, 3.0, -3.0)
    codes = (side * np.array([1, 1, 0, 0, 0, 0]) + 0.5 * random.standard_normal((2000, 6)) + 7).astype(np.float32)
    law, told = model.fit_law(codes, 0)
    assert law["mean"].numpy() == pytest.approx(codes.mean(0), abs=1e-4) and 0 < told["flow_l2"] < 2
    drawn = model.draw_codes(law, 2000, generator(0, "samples")).numpy()
    assert drawn.mean(0) == pytest.approx(codes.mean(0), abs=0.25)
    assert (drawn[:, 0] > 7).mean() == pytest.approx(0.7, abs=0.05), "both clusters, in their proportions"
    between = np.abs(drawn[:, 0] - 7) < 1
    assert between.mean() < 0.08
    again = model.draw_codes(law, 2000, generator(0, "samples")).numpy()
    assert np.array_equal(drawn, again)
    other, _ = model.fit_law(codes[:100], 1)
    assert not torch.equal(other["flow.body.0.weight"], law["flow.body.0.weight"]), "a replica's weights are its own"
