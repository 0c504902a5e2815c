"""What every model must do, whoever wrote it, on points and on images."""

from contextlib import nullcontext

import numpy as np
import pytest
import torch

from otbench.errors import OtbenchError
from otbench.fingerprints import fit_version
from otbench.models import configure, find, models
from otbench.registry import KINDS, models_of
from otbench.training.feed import Feed
from otbench.training.fit import fit
from otbench.training.trainer import Options, Trainer, key
from otbench.utils.rng import generator
from tests.conftest import in_double

NAMES = [(kind, name) for kind in KINDS for name in models_of(kind)]
TRAINED = [(kind, name) for kind, name in NAMES if find(name, kind).paper_steps]
IMAGES = [(kind, name) for kind, name in NAMES if kind == "images"]
# small networks, where the model has them: the contract does not depend on width
SMALL = {
    "points": {
        **{"width": 16, "maxout": 8, "targets": 64},
        # explicit maps and Sinkhorn's iterations
        **{"sources": 64, "inner_steps": 2, "iterations": 5},
        **{"solver_points": 500, "solver_steps": 20},
        **{"evaluations": 4, "pairs": 40},
    },
    "images": {
        **{"width": 8, "latent": 6, "batch": 16, "rate": 1e-4, "gan_rate": 1e-5, "clip": 0.1},
        **{"targets": 40, "early": 30, "components": 3, "pretraining": 2, "blocks": (1, 1)},
        **{"sources": 40, "map_steps": 3, "map_width": 8, "inner_steps": 2, "iterations": 5},
        # a generator whose images are still alike magnifies rounding in the normalisation behind them
        "generator_rate": 0.1,
        **{"solver_points": 500, "solver_steps": 20},
        **{"evaluations": 4, "pairs": 40, "flow_steps": 20, "flow_width": 16},
    },
}
STEPS = {"points": 12, "images": 20}
#: models whose samples depend on no random stream
FIXED = {"ae"}


def small(kind: str, name: str) -> dict:
    return {k: v for k, v in SMALL[kind].items() if k in find(name, kind).Config.model_fields}


def build(kind, name, data, seeds):
    return find(name, kind)(configure(name, small(kind, name), kind), data, list(seeds))


def trained(kind, name, data, seeds, saved=None):
    model = build(kind, name, data, seeds)
    return model, Trainer(model, STEPS[kind], [0.5, 1.0] if model.paper_steps else [1.0], Options(), saved)


@pytest.fixture(scope="session")
def dataset(data, pictures):
    """The small data set of a kind."""
    return {"points": data, "images": pictures}.get


@pytest.fixture(scope="module")
def case(request):
    """Kind and name of a model; by its scope the tests of one model follow one another, and share its trainings."""
    return request.param


@pytest.fixture(scope="module")
def alone(case, dataset):
    """A model after a training with seed 3, its networks before it, and the record."""
    torch.manual_seed(0)
    model, trainer = trained(*case, dataset(case[0]), [3])
    before = {n: {k: v.clone() for k, v in r.state().items()} for n, r in model.networks.items()}
    return model, before, trainer.run()


@pytest.fixture(scope="module")
def group(case, dataset):
    """A model after a training with two seeds at once in double precision, and the record."""
    torch.manual_seed(0)
    with in_double():
        model, trainer = trained(*case, dataset(case[0]), [0, 1])
        return model, trainer.run()


#: of the unrolled GAN's set-up one size of discriminators is enough: names differ in the width alone
WIDTHS = ("-half",)
CASES = [case for case in NAMES if not case[1].endswith(WIDTHS)]
of_all = pytest.mark.parametrize("case", CASES, indirect=True, ids="-".join)
of_trained = pytest.mark.parametrize(
    "case", [case for case in TRAINED if not case[1].endswith(WIDTHS)], indirect=True, ids="-".join
)


@pytest.mark.parametrize(("kind", "name"), NAMES)
def test_says_where_it_comes_from(kind, name):
    model = find(name, kind)
    assert model.title_of(name) and model.paper and model.family and kind in model.kinds and model.__doc__
    assert model.Config().model_dump() is not None, "every option has a default"
    for dataset in ("grid", "mnist", "cifar10", "celeba", "folder"):
        budget = model.paper_budget(dataset)
        assert (budget is None) == (model.paper_steps is None) and (budget is None or budget > 0)


@pytest.mark.parametrize(("kind", "name"), NAMES)
def test_refuses_an_unknown_option(kind, name):
    with pytest.raises(OtbenchError, match=f"model {name}, option 'nonsense'"):
        configure(name, {"nonsense": 1}, kind)


@of_all
def test_trains_and_draws_samples_that_are_its_own(case, alone, dataset):
    (kind, name), (model, _, record) = case, alone
    data = dataset(kind)
    assert record.cells[key(3, 1.0)]["status"] == "ok"
    again = build(kind, name, data, [3])
    again.load({k: v[None] for k, v in record.snapshots[key(3, 1.0)].items()})
    one = model.draw(50, [generator(3, "samples")])
    two = again.draw(50, [generator(3, "samples")])
    assert one.shape == (1, 50, *data.shape) and one.dtype == torch.float32 and one.isfinite().all()
    assert kind == "points" or (one.min() >= 0 and one.max() <= 1)
    assert torch.equal(one, two), "a model read back draws the same"
    other = again.draw(50, [generator(4, "samples")])
    assert name in FIXED or not torch.equal(one, other), "another stream draws other samples"
    for mark in (f for f in (0.5,) if model.paper_steps):
        early = build(kind, name, data, [3])
        early.load({k: v[None] for k, v in record.snapshots[key(3, mark)].items()})
        drawn = early.draw(50, [generator(3, "samples")])
        assert drawn.shape == one.shape and drawn.isfinite().all() and not torch.equal(drawn, one)


@of_trained
def test_every_network_learns(alone):
    model, before, _ = alone
    for n, r in model.networks.items():
        after = r.state()
        trained_names = {k for k, _ in r.module.named_parameters()}
        moved = [k for k in trained_names if not torch.equal(before[n][k], after[k])]
        # a bias in front of a maximum may see no gradient in a dozen steps; everything else moves
        assert len(moved) >= len(trained_names) - 1, (n, trained_names - set(moved))


@of_trained
def test_a_seed_means_the_same_alone_and_in_a_group(case, group, dataset, double):
    single, trainer = trained(*case, dataset(case[0]), [1])
    trainer.run()
    together = group[0].state()
    for part, values in single.state().items():
        # a law of codes may jump with their rounding
        if not part.startswith("law."):
            torch.testing.assert_close(together[part][1], values[0], rtol=1e-5, atol=1e-7, msg=near(part))
    (first, x), y = shown(group[0], [0, 1]), shown(single, [1])[0]
    apart = (first - x).abs().mean()
    assert (x - y).abs().mean() < 1e-5 * apart, "the same replica, where another is much further off"


@of_trained
def test_seeds_differ(group):
    first, second = (group[1].snapshots[key(s, 1.0)] for s in (0, 1))
    assert any(not torch.equal(first[k], second[k]) for k in first)


@pytest.mark.parametrize(("kind", "name"), TRAINED)
def test_a_first_step_in_single_precision_is_the_same_alone_and_in_a_group(kind, name, dataset):
    (group, together), (alone, losses) = (stepped(kind, name, dataset(kind), seeds) for seeds in ([0, 1], [1]))
    for loss, value in losses.items():
        torch.testing.assert_close(together[loss][1], value[0], rtol=1e-3, atol=1e-4, msg=near(loss))
    for network, replica in alone.networks.items():
        pairs = zip(group.networks[network].parameters(), replica.parameters(), strict=True)
        pairs = [(ours.grad[1], own.grad.reshape(ours.shape[1:])) for ours, own in pairs if own.grad is not None]
        # of a bias in front of a normalisation the gradient is nothing but rounding, on the scale of the others
        scale = max((float(own.abs().max()) for _, own in pairs), default=0.0)
        for ours, own in pairs:
            torch.testing.assert_close(ours, own, rtol=1e-3, atol=1e-3 * scale, msg=near(network))


@pytest.mark.parametrize(("kind", "name"), TRAINED)
def test_a_first_step_in_mixed_precision_is_near_that_in_single(kind, name, dataset):
    mixed = torch.autocast("cpu", dtype=torch.bfloat16, cache_enabled=False)
    losses = stepped(kind, name, dataset(kind), [0], mixed)[1]
    for loss, value in stepped(kind, name, dataset(kind), [0])[1].items():
        # eight bits of mantissa through some ten layers, and in WGAN-div to the sixth power
        torch.testing.assert_close(losses[loss].float(), value, rtol=0.15, atol=0.02, msg=near(loss))


def near(part):
    """A message that names the tensor."""
    return lambda text: f"{part}: {text}"


def stepped(kind, name, data, seeds, context=None):
    """A model after the first step of its first stage that has steps, and the losses of that step."""
    model = build(kind, name, data, seeds)
    for stage in model.stages():
        if stage.step:
            break
        stage.solve()
    for network in model.networks.values():
        network.train()
    if stage.schedule:
        stage.schedule(0.0)
    chunk = Feed(stage.inputs, torch.from_numpy(data.train), seeds, stage.name, model.device).chunk()
    with context or nullcontext():
        return model, stage.step({name: values[0] for name, values in chunk.items()})


def shown(model, seeds):
    """Samples of a model or, where a law of codes lies between, which may jump with their rounding, reconstructions."""
    if hasattr(model, "laws"):
        return model.reconstruct(torch.from_numpy(model.data.test))
    return model.draw(64, [generator(s, "samples") for s in seeds])


@pytest.mark.parametrize(("kind", "name"), IMAGES)
def test_what_encodes_and_decodes_gives_images_back(kind, name, pictures):
    model = build(kind, name, pictures, [0, 1])
    assert hasattr(model, "reconstruct") == (hasattr(model, "encode") and hasattr(model, "decode"))
    if hasattr(model, "reconstruct"):
        images = torch.from_numpy(pictures.reference[:7]).float() / 255
        codes = model.encode(images)
        assert codes.shape == (2, 7, 6)
        back = model.reconstruct(images)
        assert back.shape == (2, 7, *pictures.shape) and torch.equal(back, model.decode(codes))
        assert back.min() >= 0 and back.max() <= 1


def test_one_name_may_mean_a_model_of_points_and_one_of_images():
    assert find("wgan", "points") is not find("wgan", "images") and find("wgan") is find("wgan", "points")
    assert find("vae") is find("vae", "images") and find("real", "points") is find("real", "images")
    assert configure("wgan", {"latent": 7}, "images").latent == 7
    for kind in KINDS:
        assert set(models(kind)) == set(models_of(kind))
        assert all(kind in model.kinds for model in models(kind).values())
    assert set(models()) == set(models_of("points")) | set(models_of("images"))


def test_a_fit_depends_on_the_sources_that_its_model_imports():
    assert fit_version("wgan", "images") == fit_version("wgan-mlp", "images") != fit_version("wgan", "points")
    assert fit_version("vae", "images") != fit_version("ae", "images") != fit_version("ae-ot", "images")
    assert fit_version("vae") == fit_version("vae", "images") and fit_version("wgan") == fit_version("wgan", "points")


def test_an_unknown_model_is_named(data, tmp_path):
    with pytest.raises(OtbenchError, match="unknown model 'gann'; known are aae"):
        find("gann")
    with pytest.raises(OtbenchError, match="model vae takes images, not points; models for points are ae-ot"):
        fit("vae", data, [0], tmp_path)


def test_wrong_value_is_refused():
    with pytest.raises(OtbenchError, match="model gan, option 'batch'"):
        configure("gan", {"batch": "many"})


def test_names_are_lower_case_and_their_own():
    assert {("points", "gan"), ("points", "ae-ot"), ("images", "ae-ot"), ("images", "real")} <= set(NAMES)
    assert all(isinstance(find(n, k).names, dict) and n in find(n, k).names for k, n in NAMES)
    assert np.all([n == n.lower() for _, n in NAMES])
