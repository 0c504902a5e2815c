"""What makes AE-OT-GAN that model: codes of the extended map, pairs of codes and images; AE-OT's other networks."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

from otbench.errors import OtbenchError, WorkFailed
from otbench.fingerprints import fit_version, sources
from otbench.models import configure, find
from otbench.models.images.ae_ot import Centred
from otbench.models.images.ae_ot_gan import pooled
from otbench.models.images.autoencoder import coders
from otbench.nets import infogan, resnet, sndcgan
from otbench.nets.replicas import Replicas
from otbench.training.fit import fit
from otbench.training.trainer import Options, Trainer, key
from otbench.transport import AngleRule
from otbench.transport.extension import extended_at
from otbench.transport.sources import named
from tests.models.small_images import batches, build, close, options, slopes, taken
from tests.nets.counting import parameter_count

NAMES = ("ae-ot-gan", "ae-ot-gan-resnet")
DRAWN = 200


def ready(data, name="ae-ot-gan", seeds=(0,), **more):
    """A model at the start of its adversarial stage, after three batches of the autoencoder."""
    model = build(name, data, seeds, drawn=DRAWN, **more)
    for batch in batches(model, 3):
        model.step(batch)
    model.stages()[1].solve()
    for network in model.networks.values():
        network.train()
    return model


# ------------------------------------------------------------------ codes


def random_map(n=14, d=3, seed=0):
    random = np.random.default_rng(seed)
    known = random.uniform(-0.5, 0.5, (n, d))
    known[5] = np.nan
    return Centred(random.standard_normal((n, d)), np.zeros(n), np.full(n, 1 / n), named("cube", d), known=known)


def algorithm_2(found, x, rule):
    """The code at a source point x (d,), or None where x is to be drawn again."""
    distance = [np.inf if np.isnan(c).any() else np.linalg.norm(x - c) for c in found.known]
    near = np.argsort(distance)[: len(x) + 1]
    normals = [np.append(rule.scale * (y - rule.centre), -1) for y in found.target]
    normals = [v / np.linalg.norm(v) for v in normals]
    kept = [k for k in near if np.arccos(min(1, normals[k] @ normals[near[0]])) <= rule.threshold]
    if kept == [near[0]]:
        return None
    total = sum(1 / distance[k] for k in kept)
    return sum(found.target[k] / distance[k] / total for k in kept)


def test_codes_follow_algorithm_2_and_a_place_waits_for_a_source_point_that_passes():
    found, rule = random_map(), AngleRule(0.6, 5.0, np.array([0.1, 0.2, -0.1]))
    x = found.source.sample(200, np.random.default_rng(1))
    samples, fine = extended_at(found, x, rule)
    expected = [algorithm_2(found, one, rule) for one in x]
    assert fine.tolist() == [e is not None for e in expected] and 20 < fine.sum() < 180
    assert samples == pytest.approx(np.stack([e for e in expected if e is not None]), abs=1e-8)
    stream, codes = np.random.default_rng(7), [None] * 30
    while any(code is None for code in codes):
        drawn = found.source.sample(30, stream)
        codes = [algorithm_2(found, one, rule) if c is None else c for c, one in zip(codes, drawn, strict=True)]
    assert pooled(found, rule, 30, 7).numpy() == pytest.approx(np.stack(codes), abs=1e-8)


def test_a_threshold_that_nothing_passes_gets_a_sentence():
    with pytest.raises(WorkFailed, match="30 of 30 codes found no source point under the angle threshold of 1e-09 rad"):
        pooled(random_map(), AngleRule(1e-9, 1.0, np.zeros(3)), 30, 0)


def test_every_replica_takes_its_codes_from_its_own_law(pictures):
    model = ready(pictures, seeds=(0, 3))
    slot = torch.tensor([[0.0, 0.5, 0.99999994], [0.004, 0.006, 0.0]])
    codes = model.codes_at(slot)
    assert torch.equal(codes[0], model.pool[0][[0, DRAWN // 2, DRAWN - 1]])
    assert torch.equal(codes[1], model.pool[3][[0, 1, 0]])
    for seed in (0, 3):
        target, pool = model.laws[seed]["target"].double(), model.pool[seed].double()
        low, high = target.min(0).values - 1e-5, target.max(0).values + 1e-5
        assert pool.shape == (DRAWN, 6) and bool(((pool >= low) & (pool <= high)).all()), "mixtures of training codes"
        apart = torch.cdist(pool, target).min(1).values
        assert apart.median() > 0.01 * target.std(), "and new ones"


# ------------------------------------------------------------------ the adversarial stage


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("more", [{}, {"content": 0.0, "feature": 0.0}, {"content": 3.0, "feature": 7.0}])
def test_a_step_descends_the_hinge_loss_and_the_errors_of_the_pairs(name, more, pictures):
    model = ready(pictures, name, gan_rate=0.01, **more)
    (batch,) = batches(model, stage=2)
    e, g, d = (copy.deepcopy(model.networks[n].module) for n in ("encoder", "decoder", "discriminator"))
    x = batch["real"][0]
    z = e.eval()(x).detach()
    new = model.pool[0][(batch["slot"][0].double() * DRAWN).floor().long()]
    images = g(torch.cat([new, z]))
    generated, back = images[:16], images[16:]
    a, b = d(x), d(generated.detach())
    hinge = (1 - a).clamp(min=0).mean() + (1 + b).clamp(min=0).mean()
    to_d = slopes(hinge, d)
    losses = model.adversarial_step(batch)
    assert losses["discriminator"].item() == pytest.approx(hinge.item(), rel=1e-4)
    close(taken(model, "discriminator"), to_d)
    # the discriminator as it is after its own step; its vectors of the spectral norm go on from here
    for mine, stepped in zip(d.parameters(), model.discriminator.module.parameters(), strict=True):
        mine.data.copy_(stepped)
    c = model.config
    adversarial, content = -d(generated).mean(), ((back - x) ** 2).mean()
    feature = ((e(back) - z) ** 2).mean() / z.var(0).mean()
    assert losses["generator"].item() == pytest.approx(adversarial.item(), rel=1e-3, abs=1e-5)
    assert losses["l2"].item() == pytest.approx(content.item(), rel=1e-4)
    assert ("feature" in losses) == (c.feature > 0)
    if c.feature:
        assert losses["feature"].item() == pytest.approx(feature.item(), rel=1e-3)
    close(taken(model, "generator"), slopes(adversarial + c.content * content + c.feature * feature, g))


def test_the_encoder_stays_as_it_was_and_the_others_move(pictures):
    model = ready(pictures)
    before = {n: {k: v.clone() for k, v in r.state().items()} for n, r in model.networks.items()}
    for batch in batches(model, 4, stage=2):
        model.adversarial_step(batch)
    for name, state in before.items():
        same = [k for k, v in state.items() if torch.equal(v, model.networks[name].state()[k])]
        if name == "encoder":
            assert same == list(state), "statistics and all"
        else:
            assert not [k for k in same if k.endswith("weight")], name


def test_the_generator_starts_as_the_decoder_or_afresh(pictures):
    for start in (True, False):
        model = build("ae-ot-gan", pictures, (2,), drawn=DRAWN, from_decoder=start)
        for batch in batches(model, 2):
            model.step(batch)
        decoder = {k: v.clone() for k, v in model.decoder.state().items()}
        model.freeze()
        fresh = Replicas(coders(model.config, pictures.shape)[1], [2], "generator", torch.device("cpu")).state()
        expected, other = (decoder, fresh) if start else (fresh, decoder)
        after = model.decoder.state()
        assert all(torch.equal(after[k], expected[k]) for k in expected)
        assert not all(torch.equal(after[k], other[k]) for k in other)


def test_stages_share_the_budget_and_rates_are_sngans(pictures):
    model = build("ae-ot-gan", pictures, before=0.25, drawn=DRAWN)
    plan = Trainer(model, 40, [1.0], Options(), None).plan()
    assert [(s.name, n) for s, n in plan] == [("autoencoder", 10), ("transport", 0), ("adversarial", 30), ("error", 0)]
    settings = {n: (o.param_groups[0]["lr"], o.param_groups[0]["betas"]) for n, o in model.optimisers.items()}
    assert settings["autoencoder"] == (3e-3, (0.5, 0.999))
    assert settings["generator"] == settings["discriminator"] == (2e-4, (0.0, 0.9))
    for name in (*NAMES, "ae-ot-deep", "ae-ot-standard", "ae-ot-resnet"):
        assert find(name, "images").paper_budget("cifar10") == 78_125, "the study's"


def test_a_cut_run_goes_on_with_the_same_codes(pictures, tmp_path, monkeypatch):
    from safetensors.torch import load_file

    small = options("ae-ot-gan", width=2, drawn=DRAWN, before=0.05)
    call = dict(seeds=[0], steps=58, options=small, training=Options(checkpoint=0))
    fit("ae-ot-gan", pictures, out=tmp_path / "whole", **call)
    model, plain, count = find("ae-ot-gan", "images"), find("ae-ot-gan", "images").adversarial_step, [0]

    def step(self, batch):
        count[0] += 1
        if count[0] == 55:
            raise KeyboardInterrupt
        return plain(self, batch)

    monkeypatch.setattr(model, "adversarial_step", step)
    with pytest.raises(KeyboardInterrupt):
        fit("ae-ot-gan", pictures, out=tmp_path / "cut", **call)
    fit("ae-ot-gan", pictures, out=tmp_path / "cut", **call)
    assert count[0] == 55 + 5, "it went on from the 50th step of 55"
    first, second = (load_file(tmp_path / part / "weights.safetensors") for part in ("whole", "cut"))
    assert first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


def test_a_diverged_replica_leaves_the_others_their_codes(pictures, monkeypatch):
    model = build("ae-ot-gan", pictures, (0, 1, 2), width=2, drawn=DRAWN, before=0.04)
    plain, seen = model.adversarial_step, []

    def step(batch):
        if 1 in model.seeds:
            batch["real"][model.seeds.index(1)] = float("nan")
        seen.append(len(model.codes_at(batch["slot"])))
        return plain(batch)

    monkeypatch.setattr(model, "adversarial_step", step)
    record = Trainer(model, 54, [1.0], Options(), None).run()
    status = {k: c["status"] for k, c in record.cells.items()}
    assert status == {key(0, 1.0): "ok", key(1, 1.0): "diverged", key(2, 1.0): "ok"}
    assert seen == [3] * 50 + [2] * 2


# ------------------------------------------------------------------ AE-OT's other networks


def test_names_mean_networks():
    expected = {
        **{"ae-ot": infogan, "ae-ot-deep": infogan, "ae-ot-standard": sndcgan, "ae-ot-resnet": resnet},
        **{"ae-ot-gan": sndcgan, "ae-ot-gan-resnet": resnet},
    }
    for name, nets in expected.items():
        encoder, decoder = coders(configure(name, {"width": 2}, "images"), (1, 16, 16))
        assert type(encoder()) is nets.Encoder and type(decoder()) is nets.Generator, name
    with pytest.raises(OtbenchError, match="model ae-ot-gan, option 'networks'"):
        configure("ae-ot-gan", {"networks": "infogan"}, "images")
    assert fit_version("ae-ot-gan", "images") != fit_version("ae-ot", "images")
    assert {"nets/resnet.py", "nets/sndcgan.py"} <= sources("ae-ot-gan", "images"), "a change there refits"
    widths = {name: find(name, "images").names[name].get("width", 64) for name in expected}
    assert {n for n, w in widths.items() if w == 128} == {"ae-ot-resnet", "ae-ot-gan-resnet"}, "ResNet's full size"


@pytest.mark.parametrize(
    ("shape", "layers"), [((1, 16, 16), 4), ((1, 28, 28), 2), ((3, 32, 32), 4), ((3, 64, 64), 4), ((1, 24, 16), 3)]
)
def test_the_deep_autoencoder_halves_as_often_as_the_sides_allow(shape, layers):
    encoder, decoder = (make() for make in coders(configure("ae-ot-deep", {"width": 2}, "images"), shape))
    down = [m for m in encoder.modules() if isinstance(m, nn.Conv2d)]
    up = [m for m in decoder.modules() if isinstance(m, nn.ConvTranspose2d)]
    assert [m.out_channels for m in down] == [2 * 2**k for k in range(layers)]
    assert [m.in_channels for m in up] == [2 * 2**k for k in reversed(range(layers))]
    assert decoder(encoder(torch.rand(3, *shape))).shape == (3, *shape)


def test_sides_that_cannot_be_halved_twice_are_refused():
    for name in ("ae-ot", "ae-ot-deep"):
        encoder, _ = coders(configure(name, {}, "images"), (1, 30, 28))
        with pytest.raises(OtbenchError, match="30x28 pixels: this network needs sides divisible by 4"):
            encoder()


def test_parameters_at_full_size():
    count = lambda name, shape: tuple(parameter_count(m()) for m in coders(configure(name, {}, "images"), shape))
    with torch.device("meta"):
        # without biases in front of a normalisation, which has two values a channel
        convolutions = 27 * 64 + 16 * (64 * 128 + 128 * 256 + 256 * 512) + 9 * (128**2 + 256**2 + 512**2)
        standard = convolutions + 64 + 2 * (128 * 2 + 256 * 2 + 512 * 2) + (8192 + 1) * 64
        top = 64 * 8192 + 2 * 8192 + 16 * (512 * 256 + 256 * 128 + 128 * 64) + 2 * (256 + 128 + 64) + 27 * 64 + 3
        assert count("ae-ot-standard", (3, 32, 32)) == (standard, top)
        down = 16 * (3 * 64 + 64 * 128 + 128 * 256 + 256 * 512) + 64 + 128 + 256 + 512 + 2 * (128 + 256 + 512)
        up = 16 * (512 * 256 + 256 * 128 + 128 * 64 + 64 * 3) + 256 + 128 + 64 + 3 + 2 * (256 + 128 + 64)
        deep = down + 8193 * 1024 + 2048 + 1025 * 64, 65 * 1024 + 2048 + 1025 * 8192 + 2 * 8192 + up
        assert count("ae-ot-deep", (3, 64, 64)) == deep


def test_models_with_the_same_networks_have_bitwise_the_same_codes(pictures):
    two = [build(name, pictures, drawn=DRAWN) for name in ("ae-ot-standard", "ae-ot-gan")]
    for model in two:
        for batch in batches(model, 3):
            model.step(batch)
        model.freeze()
    for name in ("target", "height", "centroid"):
        assert torch.equal(two[0].laws[0][name], two[1].laws[0][name])
