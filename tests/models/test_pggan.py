"""What makes PGGAN that model: phases, images that grow, the loss, layers that join, the average."""

import copy

import numpy as np
import pytest
import torch

from otbench.models import find
from otbench.models.images.shared.average import follow
from otbench.training.trainer import Options, Trainer, key
from otbench.utils.rng import generator
from tests.models.conftest import four_pictures
from tests.models.small_images import batches, build, close, loud, taken

SMALL = {"width": 3, "latent": 4, "batch": 4}


def made(data, seeds=(0,), **more):
    return build("pggan", data, seeds, **{**SMALL, **more})


def module(model, name):
    return copy.deepcopy(model.networks[name].module)


# ------------------------------------------------------------------ phases


def test_every_resolution_is_faded_in_and_then_trained_on(pictures):
    stages = made(pictures).stages()
    assert [s.name for s in stages] == ["stabilise-4", "fade-8", "stabilise-8", "fade-16", "stabilise-16"]
    assert [s.share for s in stages] == pytest.approx([0.08] * 4 + [0.68])
    plan = Trainer(made(pictures), 625_000, [1.0], Options(), None).plan()
    # 800,000 images a phase, of 10 million
    assert [n * 16 for _, n in plan] == [800_000] * 4 + [6_800_000]
    wide = [s.name for s in made(four_pictures(n=4, shape=(3, 64, 64))).stages()]
    assert len(wide) == 9 and wide[-2:] == ["fade-64", "stabilise-64"]


def test_the_papers_values_and_those_of_its_cifar_experiment(pictures):
    model = find("pggan", "images")
    assert (model.paper_budget("celeba"), model.paper_budget("cifar10")) == (10_000_000 // 16, 20_000_000 // 16)
    named = {name: copy.copy(pictures) for name in ("celeba", "cifar10")}
    values = {}
    for name, data in named.items():
        object.__setattr__(data, "name", name)
        small = model(model.Config(latent=4, width=3), data, [0])
        free = copy.copy(small)
        free.config = model.Config()
        values[name] = [free.value(v) for v in ("latent", "width", "target", "phase")]
        assert (small.value("latent"), small.value("width")) == (4, 3), "what is asked for comes first"
        for optimiser in small.optimisers.values():
            (group,) = optimiser.param_groups
            assert (group["lr"], tuple(group["betas"]), group["eps"]) == (1e-3, (0.0, 0.99), 1e-8)
    assert values == {"celeba": [512, 512, 1.0, 0.08], "cifar10": [128, 128, 750.0, 0.02]}


def test_layers_learn_from_their_fade_on_and_moments_start_afresh(pictures):
    model = made(pictures, phase=0.1, rate=0.01)
    moved, made_steps = [], []
    for stage in model.stages():
        before = {n: p.detach().clone() for n, p in model.generator.module.named_parameters()}
        # the fade's first step has no share of the new layers yet
        for k, batch in enumerate(batches(model, 3)):
            stage.schedule(k / 3)
            stage.step(batch)
        after = dict(model.generator.module.named_parameters())
        changed = {n for n in before if not torch.equal(before[n], after[n])}
        moved.append({n.partition(".weight")[0] for n in changed if n.endswith(".weight")})
        steps = [{int(s["step"]) for s in o.state.values()} for o in model.optimisers.values()]
        made_steps.append(steps)
    first = {"first", "blocks.0.0"}
    second, third = {"blocks.1.0", "blocks.1.1"}, {"blocks.2.0", "blocks.2.1"}
    colours = [{f"to_colours.{k}"} for k in range(3)]
    assert moved == [
        first | colours[0],
        first | second | colours[0] | colours[1],
        first | second | colours[1],
        first | second | third | colours[1] | colours[2],
        first | second | third | colours[2],
    ]
    assert made_steps == [[{3}, {3}]] * 5, "three steps since the phase began, never more"


def test_a_fade_weighs_the_new_layers_by_its_share_of_the_phase(pictures):
    model = made(pictures)
    for stage, level in ((model.stages()[1], 1), (model.stages()[3], 2)):
        for fraction in (0.0, 0.25, 0.9):
            stage.schedule(fraction)
            for network in model.networks.values():
                assert network.module.fading and network.module.at == level
                assert (network.tensor("level").item(), network.tensor("fade").item()) == (
                    level,
                    pytest.approx(fraction),
                )
    model.stages()[4].schedule(0.0)
    assert not model.generator.module.fading and model.average.tensor("fade").item() == 1


# ------------------------------------------------------------------ images and loss


def test_real_images_are_shrunk_and_mixed_as_the_generated_ones_are(pictures):
    model = made(pictures)
    real = torch.rand(1, 3, 1, 16, 16)
    scaled = 2 * real[0].numpy() - 1

    def mean_of(image, k):
        n, c, h, w = image.shape
        return image.reshape(n, c, h // k, k, w // k, k).mean((3, 5))

    for level in range(3):
        model.grow(level)
        assert model.seen(real)[0].numpy() == pytest.approx(mean_of(scaled, 2 ** (2 - level)), abs=1e-6)
    model.grow(1, 0.3)
    fine, coarse = mean_of(scaled, 2), mean_of(scaled, 4).repeat(2, 2).repeat(2, 3)
    assert model.seen(real)[0].numpy() == pytest.approx(0.3 * fine + 0.7 * coarse, abs=1e-6)


@pytest.mark.parametrize(("level", "fade"), [(0, 1.0), (1, 0.4), (2, 1.0)])
def test_a_step_descends_distance_penalty_and_drift(level, fade, pictures):
    model = loud(made(pictures, target=2.0, penalty=3.0, drift=0.5, rate=0.01))
    model.grow(level, fade)
    follow(model.average, model.generator)
    (batch,) = batches(model)
    g, d = module(model, "generator"), module(model, "discriminator")
    real, fake = model.seen(batch["real"])[0], g(batch["z"][0]).detach()
    a, b = d(real), d(fake)
    x = (real + batch["where"][0][:, None, None, None] * (fake - real)).requires_grad_()
    norm = torch.autograd.grad(d(x).sum(), x, create_graph=True)[0].square().sum((1, 2, 3)).sqrt()
    penalty = ((norm - 2) ** 2).mean() / 4
    loss = b.mean() - a.mean() + 3 * penalty + 0.5 * (a**2).mean()
    working = [p for n, p in d.named_parameters() if d.uses(n)]
    expected = torch.autograd.grad(loss, working)
    losses = model.step(batch)
    assert losses["distance"].item() == pytest.approx((a.mean() - b.mean()).item(), rel=1e-4, abs=1e-5)
    assert losses["penalty"].item() == pytest.approx(penalty.item(), rel=1e-3)
    close(taken(model, "discriminator"), expected)
    # the generator follows the discriminator as it is now, with noise of its own
    after = -module(model, "discriminator")(g(batch["own"][0])).mean()
    assert losses["generator"].item() == pytest.approx(after.item(), rel=1e-3, abs=1e-5)
    close(taken(model, "generator"), [p for n, p in zip(names(g), slopes_used(after, g), strict=True) if g.uses(n)])


def names(network):
    return [n for n, _ in network.named_parameters()]


def slopes_used(loss, network):
    return torch.autograd.grad(loss, list(network.parameters()), allow_unused=True)


# ------------------------------------------------------------------ average, drawing, interruptions


@pytest.mark.parametrize("seeds", [(0,), (0, 1)])
def test_the_average_moves_by_the_decay_or_faster_while_young(seeds, pictures):
    model = made(pictures, seeds, decay=0.2, rate=0.01)
    stage = model.stages()[0]
    expected = {k: v.clone() for k, v in model.generator.state().items()}
    assert all(torch.equal(v, model.average.state()[k]) for k, v in expected.items()), "it starts as a copy"
    for t, batch in enumerate(batches(model, 5)):
        stage.schedule(t / 5)
        stage.step(batch)
        # 9 / 10, 9 / 11, then 1 - 0.2 = 0.8 from 9 / 12 on
        share = max(0.8, 9 / (10 + t))
        expected = {k: (1 - share) * v + share * model.generator.state()[k] for k, v in expected.items()}
    own = model.average.state()
    for name, value in expected.items():
        torch.testing.assert_close(own[name], value, rtol=1e-4, atol=1e-6)
    assert own["moves"].tolist() == [5.0] * len(seeds)
    assert not torch.equal(own["first.weight"], model.generator.state()["first.weight"])


@pytest.mark.parametrize("seeds", [(0,), (0, 1)])
def test_follow_copies_with_a_share_of_one_and_takes_one_share_a_replica(seeds, pictures):
    model = made(pictures, seeds)
    start = {k: v.clone() for k, v in model.average.state().items()}
    target = {k: v.normal_() for k, v in model.generator.state().items()}
    shares = torch.linspace(0.25, 0.5, len(seeds))
    follow(model.average, model.generator, shares)
    for name, value in target.items():
        for r, share in enumerate(shares.tolist()):
            expected = start[name][r] + share * (value[r] - start[name][r])
            torch.testing.assert_close(model.average.state()[name][r], expected, rtol=1e-5, atol=1e-6)
    follow(model.average, model.generator)
    assert all(torch.equal(model.average.state()[name], value) for name, value in target.items())


def test_drawn_images_are_enlarged_to_full_size_and_cut_off(pictures):
    model = made(pictures)
    with torch.no_grad():
        for p in model.average.parameters():
            p.mul_(3)
    z = torch.randn((20, 4), generator=generator(0, "samples"))
    for level in range(3):
        model.grow(level)
        raw = (module(model, "average")(z).detach().numpy() + 1) / 2
        assert raw.min() < 0 and raw.max() > 1
        k = 2 ** (2 - level)
        drawn = model.draw(20, [generator(0, "samples")])[0].numpy()
        assert drawn == pytest.approx(np.clip(raw, 0, 1).repeat(k, 2).repeat(k, 3), abs=1e-5)


def test_a_snapshot_in_a_fade_draws_what_the_model_drew_then(pictures):
    model = made(pictures, (0, 1), phase=0.2, rate=0.01)
    trainer = Trainer(model, 50, [0.3, 0.5, 1.0], Options(), None)
    plain, drawn = trainer._snapshot, {}

    def snapshot(fraction, seconds=None):
        plain(fraction, seconds)
        drawn[fraction] = model.draw(5, [generator(s, "samples") for s in (0, 1)])

    trainer._snapshot = snapshot
    record = trainer.run()
    again = made(pictures, (1,))
    for fraction, levels in ((0.3, (1, True)), (0.5, (1, False)), (1.0, (2, False))):
        again.load({k: v[None] for k, v in record.snapshots[key(1, fraction)].items()})
        assert (again.average.module.at, again.average.module.fading) == levels
        torch.testing.assert_close(again.draw(5, [generator(1, "samples")])[0], drawn[fraction][1], rtol=0, atol=1e-5)


class Stop(BaseException):
    """Stands for a kill at any moment."""


def grown(data, seeds, steps, saved=None, before=lambda count: None, after=lambda count, losses: None, rate=0.01):
    """A trainer on 8x8 pixels, three phases; `before` and `after` are told the number of every step."""
    trainer = Trainer(made(data, seeds, phase=0.35, rate=rate), steps, [1.0], Options(checkpoint=0.0), saved)
    step, count = trainer.model.step, [0]

    def told(batch):
        count[0] += 1
        before(count[0])
        losses = step(batch)
        after(count[0], losses)
        return losses

    trainer.model.step = told
    return trainer, count


def test_training_goes_on_in_any_phase(tmp_path):
    data = four_pictures(shape=(1, 8, 8))
    whole = grown(data, (0,), 170)[0].run()

    for cut in (117, 150):  # in the fade, behind a checkpoint; in the last phase

        def stop(count, cut=cut):
            if count == cut:
                raise Stop

        saved = tmp_path / f"{cut}.pt"
        with pytest.raises(Stop):
            grown(data, (0,), 170, saved, stop)[0].run()
        trainer, count = grown(data, (0,), 170, saved)
        record = trainer.run()
        assert count[0] < 170 - cut + 60, "finished work is not done again"
        assert whole.losses == record.losses
        for cell, state in whole.snapshots.items():
            assert all(torch.equal(v, record.snapshots[cell][k]) for k, v in state.items())


def test_a_replica_that_diverges_leaves_the_other_growing(double):
    data = four_pictures(shape=(1, 8, 8))

    def spoil(count, losses):
        if count == 60:  # in the fade
            losses["generator"][0] = float("nan")

    trainer, _ = grown(data, (0, 1), 120, after=spoil, rate=1e-3)
    model, record = trainer.model, trainer.run()
    assert record.cells[key(0, 1.0)]["status"] == "diverged" and record.cells[key(1, 1.0)]["status"] == "ok"
    assert model.seeds == [1] and model.average.module.at == 1
    alone, ours = grown(data, (1,), 120, rate=1e-3)[0].run().snapshots[key(1, 1.0)], record.snapshots[key(1, 1.0)]
    for name, value in alone.items():
        torch.testing.assert_close(ours[name], value, rtol=1e-5, atol=1e-7)


def test_parameters_are_those_that_are_trained(pictures):
    model = made(pictures)
    assert set(model.parameters()) == {"generator", "discriminator"} and set(model.networks) > set(model.parameters())
