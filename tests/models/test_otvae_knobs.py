"""OTVAE's parts taken alone: names and options, plans, extensions and encoders; the default as it was."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from otbench.models import configure, find
from otbench.models.images.shared.wae import mmd
from otbench.runs.check import read
from otbench.transport import DiscretePlan, otvae_samples, plan
from otbench.transport.matching import kernel_mean, nearest_image
from otbench.utils.rng import generator, stream_seed
from tests.models.small_images import batches, build, close, slopes, taken

#: the option that each name changes
KNOBS = {
    "otvae-sinkhorn": ("plan", "sinkhorn"),
    "otvae-barycentric": ("extension", "barycentric"),
    "otvae-paper": ("extension", "paper"),
    "otvae-kernel": ("extension", "kernel"),
    "otvae-ae": ("encoder", "ae"),
    "otvae-wae": ("encoder", "wae"),
}


def codes_of(n=60, seed=3):
    return np.random.default_rng(seed).standard_normal((n, 6)).astype(np.float32) * 2 + 1


def law_of(n=40):
    random = np.random.default_rng(0)
    return random.standard_normal((n, 6)), random.standard_normal((n, 6))


def test_each_name_turns_one_option(root):
    assert set(find("otvae", "images").names) == {"otvae", "otvae-labels", *KNOBS}
    plain = configure("otvae", kind="images").model_dump()
    assert (plain["plan"], plain["extension"], plain["encoder"]) == ("exact", "dirichlet", "vae")
    for name, (option, value) in KNOBS.items():
        other = configure(name, kind="images").model_dump()
        assert {k: v for k, v in other.items() if v != plain[k]} == {option: value}
    run = read(root / "config" / "otvae-knobs.yaml")
    section = run.section("digits")
    assert run.datasets == ["digits"] and {"otvae", *KNOBS} <= set(section.models)
    same = {str({k: v for k, v in section.options(name, "digits").items()}) for name in ("otvae", *KNOBS)}
    assert len(same) == 1, "all else is alike"


def test_the_default_law_and_its_draws_are_what_they_were(pictures):
    model = build("otvae", pictures)
    law, _ = model.fit_law(codes_of(), 5)
    points = np.random.default_rng(stream_seed(5, "transport/source")).standard_normal((60, 6))
    matching = plan(points, codes_of())
    assert np.array_equal(law["source"].numpy(), points) and np.array_equal(law["image"].numpy(), matching.image())
    assert set(law) == {"source", "image"}
    drawn = model.draw_codes(law, 50, generator(1, "samples"))
    expected = otvae_samples(
        DiscretePlan(points, matching.image(), plan(points, points).plan, 0.0),
        50,
        "gaussian",
        2,
        generator(1, "samples"),
    )
    assert drawn.numpy() == pytest.approx(expected, abs=1e-12)


def test_sinkhorns_plan_gives_barycentric_images(pictures):
    exact, smooth = build("otvae", pictures), build("otvae-sinkhorn", pictures, regularisation=0.1)
    (law, told), (blurred, more) = exact.fit_law(codes_of(), 0), smooth.fit_law(codes_of(), 0)
    assert torch.equal(law["source"], blurred["source"]) and more["match_cost"] > told["match_cost"]
    matching = plan(law["source"].numpy(), codes_of(), method="sinkhorn", regularisation=0.1)
    coupling = matching.plan.toarray()
    expected = coupling @ codes_of() / coupling.sum(1, keepdims=True)
    assert blurred["image"].numpy() == pytest.approx(expected, abs=1e-9)
    assert blurred["image"].var(0).sum() < 0.9 * law["image"].var(0).sum(), "means vary less than what they are of"


def test_extensions_are_their_rules_at_the_streams_points(pictures):
    source, image = law_of()
    law = {"source": torch.from_numpy(source), "image": torch.from_numpy(image)}

    def points(n):
        seed = int(torch.randint(2**62, (1,), generator=generator(1, "samples")))
        return np.random.default_rng(seed).standard_normal((n, 6))

    drawn = build("otvae-barycentric", pictures).draw_codes(law, 30, generator(1, "samples")).numpy()
    assert drawn == pytest.approx(nearest_image(source, image, points(30)))
    gaps = ((points(30)[:, None] - source) ** 2).sum(2)
    assert np.array_equal(drawn, image[gaps.argmin(1)])
    drawn = build("otvae-kernel", pictures, neighbours=3).draw_codes(law, 30, generator(1, "samples")).numpy()
    assert drawn == pytest.approx(kernel_mean(source, image, points(30), 3))
    wide = build("otvae-paper", pictures, threshold=3.2).draw_codes(law, 30, generator(1, "samples")).numpy()
    x = points(4096)[:30]  # none is rejected; the rule draws in batches of 4,096
    gaps = np.sqrt(((x[:, None] - source) ** 2).sum(2))
    near = gaps.argsort(1)[:, :7]
    weight = 1 / np.take_along_axis(gaps, near, 1)
    weight /= weight.sum(1, keepdims=True)
    assert wide == pytest.approx((weight[:, :, None] * image[near]).sum(1))
    narrow = build("otvae-paper", pictures).draw_codes(law, 30, generator(1, "samples")).numpy()
    assert not np.allclose(narrow, wide) and np.isfinite(narrow).all()


@pytest.mark.parametrize("kind", ["ae", "wae"])
def test_deterministic_encoders_have_no_noise(kind, pictures):
    model = build(f"otvae-{kind}", pictures, penalty=5.0)
    (batch,) = batches(model)
    e, g = (copy.deepcopy(model.networks[n].module) for n in ("encoder", "decoder"))
    x = batch["real"][0]
    codes = e(x)[:, :6]
    surprise = F.binary_cross_entropy_with_logits(g(codes), x, reduction="sum") / len(x)
    penalty = 5 * mmd(codes[None], batch["eps"])[0] if kind == "wae" else torch.zeros(())
    expected = slopes(surprise + penalty, g)
    to_encoder = slopes(surprise + penalty, e)
    losses = model.step(batch)
    assert losses["reconstruction"].item() == pytest.approx(surprise.item(), rel=1e-4)
    assert ("penalty" in losses) == (kind == "wae") and "divergence" not in losses
    close(taken(model, "autoencoder"), [*to_encoder, *expected])
    if kind == "wae":
        assert losses["penalty"].item() == pytest.approx(penalty.item(), rel=1e-3, abs=1e-5)
