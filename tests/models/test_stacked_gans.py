"""What makes DCGAN, PacDCGAN, the unrolled GAN and VEEGAN of images those models."""

from __future__ import annotations

import copy

import pytest
import torch
from torch.func import functional_call

from otbench.models import configure, find
from otbench.models.images.dcgan import pack
from otbench.nets.dcgan import UNROLLED, VEEGAN
from otbench.utils.rng import generator
from tests.models.small_images import batches, build, close, loud, slopes, sp, taken

SMALL_NAMES = [f"{name}-{size}" for name in ("dcgan", "pacdcgan2", "unrolled-gan-5") for size in ("quarter", "half")]


def copies(model, *names):
    return [copy.deepcopy(model.networks[name].module) for name in names]


def kept(model, name):
    return [p.detach().clone() for p in model.networks[name].parameters()]


# ------------------------------------------------------------------ DCGAN and packing


@pytest.mark.parametrize("name", ["dcgan", "pacdcgan3"])
def test_the_discriminator_steps_then_the_generator_twice_on_the_same_noise(name, pictures, double):
    model = loud(build(name, pictures, rate=0.02))
    (batch,) = batches(model)
    g, d = copies(model, "generator", "discriminator")
    slots = range(model.config.packing)
    real = torch.cat([batch["real"][0, m] for m in slots], 1)
    images = torch.cat([g(batch["z"][0, m]) for m in slots], 1)
    loss = sp(-d(real)).mean() + sp(d(images.detach())).mean()
    to_d = slopes(loss, d)
    losses = model.step(batch)
    assert losses["discriminator"].item() == pytest.approx(loss.item(), rel=1e-4)
    close(taken(model, "discriminator"), to_d)
    steps = {n: {int(s["step"]) for s in model.optimisers[n].state.values()} for n in ("discriminator", "generator")}
    assert steps == {"discriminator": {1}, "generator": {2}}
    # the generator's own two steps, written out against the discriminator as it is now
    (after,) = copies(model, "discriminator")
    adam = torch.optim.Adam(g.parameters(), 0.02, (0.5, 0.999))
    for _ in range(2):
        score = sp(-after(torch.cat([g(batch["z"][0, m]) for m in slots], 1))).mean()
        adam.zero_grad()
        score.backward()
        adam.step()
    assert losses["generator"].item() == pytest.approx(score.item(), rel=1e-6)
    for ours, theirs in zip(kept(model, "generator"), g.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs.detach(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("name", "m"), [("dcgan", 1), ("pacdcgan2", 2), ("pacdcgan4", 4), ("pacdcgan3-half", 3)])
def test_a_pack_is_images_side_by_side_as_channels(name, m, pictures):
    model = build(name, pictures)
    assert model.config.packing == m and model.discriminator.module.body.layers[0].in_channels == m
    (batch,) = batches(model)
    assert batch["real"].shape == (1, m, 16, 1, 16, 16) and batch["z"].shape == (1, m, 16, 6)
    images = torch.randn(2, m, 5, 3, 4, 4)
    rows = pack(images)
    assert rows.shape == (2, 5, 3 * m, 4, 4)
    for slot in range(m):
        assert torch.equal(rows[1, 3, 3 * slot : 3 * slot + 3], images[1, slot, 3])


def test_slots_pass_the_generator_apart_and_real_and_generated_the_discriminator(pictures):
    model = loud(build("pacdcgan2", pictures))
    (batch,) = batches(model)
    asked, seen = [], []
    model.generator.module.register_forward_pre_hook(lambda _, x: asked.append(x[0].clone()))
    model.discriminator.module.register_forward_pre_hook(lambda _, x: seen.append(x[0].detach().clone()))
    model.step(batch)
    assert len(asked) == 4 and all(torch.equal(asked[k], batch["z"][0, k % 2]) for k in range(4))
    assert [x.shape for x in seen] == [(16, 2, 16, 16)] * 4, "real, generated, then the generator's two updates"
    assert torch.equal(seen[0], pack(batch["real"])[0]) and torch.equal(seen[1], seen[2])
    assert not torch.equal(seen[2], seen[3]), "made anew after the first update"


def test_the_published_mismatch_of_ranges_is_an_option(pictures):
    stream = generator(0, "samples")
    plain, published = (loud(build("dcgan", pictures, mismatched=value)) for value in (False, True))
    (batch,) = batches(published)
    raw, mapped = published.generated(batch["z"]), plain.generated(batch["z"])
    assert raw.min() < -0.5 and torch.allclose((raw + 1) / 2, mapped, atol=1e-6)
    x = pack(batch["real"])
    assert torch.allclose(plain.discriminator((x + 1) / 2), published.discriminator(x), atol=1e-4)
    for model in (plain, published):
        model.step(batch)
    drawn = published.draw(20, [stream])
    assert drawn.min() == 0 and drawn.max() <= 1


def test_the_two_set_ups(pictures):
    first, second = build("pacdcgan2", pictures), build("pacdcgan2-quarter", pictures, width=8)
    assert first.form is VEEGAN and second.form is UNROLLED
    (a,), (b,) = batches(first), batches(second)
    assert a["z"].abs().max() <= 1 and a["z"].min() < -0.9, "uniform on [-1, 1]"
    assert b["z"].max() > 1.5 and b["z"].std().item() == pytest.approx(1, abs=0.15), "Gaussian"
    widths = [build(f"dcgan-{size}", pictures, width=8).channels for size in ("quarter", "half")]
    assert widths == [2, 4] and build("dcgan", pictures, width=8).channels == 8
    values = ("latent", "batch", "width", "rate", "generator_rate", "beta1", "beta2", "generator_steps")
    for name, expected in {
        "dcgan": (100, 64, 64, 2e-4, 1.0, 0.5, 0.999, 2),
        "pacdcgan4-half": (256, 128, 8, 2e-4, 0.5, 0.5, 0.99, 1),
    }.items():
        config = configure(name, {}, "images")
        assert tuple(getattr(config, value) for value in values) == expected
    for name in SMALL_NAMES:
        model = build(name, pictures, rate=2e-4)
        groups = {n: o.param_groups[0] for n, o in model.optimisers.items()}
        assert {n: (g["lr"], tuple(g["betas"])) for n, g in groups.items()} == {
            "discriminator": (2e-4, (0.5, 0.99)),
            "generator": (1e-4, (0.5, 0.99)),
        }


def test_budgets_count_discriminator_updates():
    budgets = {"dcgan": 100_000, "pacdcgan4": 100_000, "veegan": 100_000, "unrolled-gan": 600_000}
    budgets |= {"dcgan-half": 500_000, "unrolled-gan-1-half": 1_000_000, "unrolled-gan-10-quarter": 5_500_000}
    for name, steps in budgets.items():
        assert find(name, "images").paper_budget("stacked-mnist") == steps


def test_titles_tell_the_set_ups_apart():
    names = [*SMALL_NAMES, "dcgan", "pacdcgan2", "pacdcgan3", "pacdcgan4", "unrolled-gan", "veegan"]
    titles = [find(name, "images").title_of(name) for name in names]
    assert len(set(titles)) == len(names) and "PacDCGAN2, D 1/4 G" in titles
    assert find("unrolled-gan-10-half", "images").title_of("unrolled-gan-10-half") == "Unrolled GAN, 10 steps, D 1/2 G"


# ------------------------------------------------------------------ unrolled GAN


def test_without_unrolling_both_networks_step_at_once_as_a_gan(pictures):
    model = loud(build("unrolled-gan", pictures, unrolled=0, rate=0.02))
    (batch,) = batches(model)
    g, d = copies(model, "generator", "discriminator")
    real, images = batch["real"][0, 0], g(batch["z"][0, 0])
    a, b = d(real), d(images)
    to_d, to_g = slopes(sp(-a).mean() + sp(b).mean(), d), slopes(sp(-b).mean(), g)
    losses = model.step(batch)
    assert losses["generator"].item() == pytest.approx(sp(-b).mean().item(), rel=1e-4)
    close(taken(model, "discriminator"), to_d)
    close(taken(model, "generator"), to_g)


@pytest.mark.parametrize("seeds", [(0,), (0, 1)])
@pytest.mark.parametrize("steps", [0, 3])
def test_one_unrolled_step_is_adams(steps, seeds, pictures, double):
    model = loud(build("unrolled-gan", pictures, seeds, unrolled=1, rate=1e-3))
    *before, batch = batches(model, steps + 1)
    for earlier in before:
        model.step(earlier)
    with torch.no_grad():
        generated = model.generated(batch["z"])
    ahead = [p.detach() for p in model.unroll(pack(batch["real"]), generated)]
    start = kept(model, "discriminator")
    model.step(batch)
    moved = kept(model, "discriminator")
    assert max((a - s).abs().max().item() for a, s in zip(ahead, start, strict=True)) > 5e-4
    for a, m in zip(ahead, moved, strict=True):
        torch.testing.assert_close(a, m, rtol=1e-5, atol=1e-6)


def test_the_generator_learns_through_the_unrolled_step(pictures, double):
    rate = 1e-2
    model = loud(build("unrolled-gan", pictures, unrolled=1, rate=rate, normalised=False))
    (batch,) = batches(model)
    g, d = copies(model, "generator", "discriminator")
    images = g(batch["z"][0, 0])
    a, b = d(batch["real"][0, 0]), d(images)
    named = dict(d.named_parameters())
    slope = torch.autograd.grad(sp(-a).mean() + sp(b).mean(), list(named.values()), create_graph=True)
    # Adam's first step, its second moment held constant
    moved = {n: p - rate * s / (s.detach().abs() + 1e-8) for (n, p), s in zip(named.items(), slope, strict=True)}
    loss = sp(-functional_call(d, moved, (images,))).mean()
    through = slopes(loss, g)
    still = {n: p.detach() for n, p in moved.items()}
    beside = slopes(sp(-functional_call(d, still, (images,))).mean(), g)
    scale = max(s.abs().max() for s in through)
    assert max((x - y).abs().max() for x, y in zip(through, beside, strict=True)) > 1e-2 * scale
    assert model.step(batch)["generator"].item() == pytest.approx(loss.item(), rel=1e-6)
    for ours, theirs in zip(taken(model, "generator"), through, strict=True):
        assert (ours - theirs).abs().max() < 1e-5 * scale


@pytest.mark.parametrize(
    ("name", "steps"), [("unrolled-gan", 5), ("unrolled-gan-1-half", 1), ("unrolled-gan-10-half", 10)]
)
def test_unrolled_steps_count_as_updates(name, steps, pictures):
    model = build(name, pictures)
    assert model.config.unrolled == steps and model.stages()[0].cost == 1 + steps


# ------------------------------------------------------------------ VEEGAN


def test_veegan_moves_each_network_along_its_own_loss(pictures):
    model = loud(build("veegan", pictures, rate=0.02))
    (batch,) = batches(model)
    g, f, d = copies(model, "generator", "reconstructor", "discriminator")
    x, z = batch["real"][0], batch["z"][0]
    images = g(z)
    error = ((f(images) - z) ** 2).sum(1).mean()
    generated, real = d(images, z), d(x, f(x))
    loss_d = sp(-generated).mean() + sp(real).mean()
    to_d, to_f, to_g = slopes(loss_d, d), slopes(error, f), slopes(generated.mean() + error, g)
    assert max(s.abs().max() for s in slopes(loss_d, f)) > 1e-3, "a reconstructor that followed D would be seen"
    losses = model.step(batch)
    assert losses["discriminator"].item() == pytest.approx(loss_d.item(), rel=1e-4)
    assert losses["reconstruction"].item() == pytest.approx(error.item(), rel=1e-4)
    assert losses["ratio"].item() == pytest.approx(generated.mean().item(), rel=1e-3)
    for name, theirs in {"discriminator": to_d, "reconstructor": to_f, "generator": to_g}.items():
        scale = max(s.abs().max().item() for s in theirs)
        for a, b in zip(taken(model, name), theirs, strict=True):
            assert (a - b).abs().max() < 1e-3 * scale, name
    for name, optimiser in model.optimisers.items():
        own = {id(p) for p in model.networks[name].parameters()}
        assert {id(p) for group in optimiser.param_groups for p in group["params"]} == own
    assert batch["z"].max() > 1.5, "noise is Gaussian"
