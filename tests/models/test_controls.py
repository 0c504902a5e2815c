"""Controls and AE-OT: whose rows they draw, and what the certificate says."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from otbench.models import configure, find
from otbench.models.images.shared.base import mapped
from otbench.training.trainer import Options, Trainer, key
from otbench.utils.rng import generator
from tests.conftest import four_modes
from tests.models.conftest import four_pictures


def build(name, data, seeds=(0,), **options):
    return find(name)(configure(name, options), data, list(seeds))


# ------------------------------------------------------------------ controls


def drawn(name, data, n, seed=0, **options):
    return build(name, data, (seed,), **options).draw(n, [generator(seed, "samples")])[0].numpy()


def rows(values):
    return {tuple(row) for row in values.tolist()}


@pytest.mark.parametrize("n", [300, 3000])
def test_real_and_collapsed_draw_held_out_rows_only(n, data):
    for name in ("real", "collapsed"):
        samples = rows(drawn(name, data, n))
        assert samples <= rows(data.held_out) and not samples & (rows(data.reference) | rows(data.train))
    assert len(rows(drawn("real", data, len(data.held_out)))) == len(data.held_out), "no row twice while there are more"


def test_the_memoriser_gives_training_rows_back(data):
    assert rows(drawn("memoriser", data, len(data.train))) == rows(data.train)
    assert rows(drawn("memoriser", data, 3000)) <= rows(data.train)


@pytest.mark.parametrize(("share", "left"), [(0.4, 2), (0.05, 1), (0.75, 3), (1.0, 4)])
def test_collapsed_keeps_its_share_of_the_modes(share, left, data):
    modes = [rows(np.sign(drawn("collapsed", data, 500, seed, share=share))) for seed in range(6)]
    assert [len(m) for m in modes] == [left] * 6
    assert left == 4 or len({frozenset(m) for m in modes}) > 1, "the seed chooses which"


def test_noise_fills_the_bounding_box_of_the_training_points(data):
    low, high = data.train.min(0), data.train.max(0)
    samples = drawn("noise", data, 8000)
    assert (samples >= low).all() and (samples <= high).all()
    counts = np.histogram2d(*samples.T, bins=4, range=np.stack([low, high], 1))[0]
    assert counts == pytest.approx(np.full((4, 4), 500), abs=110), "five standard deviations of a cell's count"


def pictured(name, data, n, seed=0, **options):
    model = find(name, "images")(configure(name, options, "images"), data, [seed])
    return np.round(model.draw(n, [generator(seed, "samples")])[0].numpy() * 255).astype(np.uint8).reshape(n, -1)


def flat(values):
    return rows(values.reshape(len(values), -1))


def test_controls_of_images_draw_from_the_splits_that_they_should(pictures):
    assert flat(pictured("real", pictures, 40)) == flat(pictures.validation), "each once, to the byte"
    assert flat(pictured("memoriser", pictures, 120)) == flat(pictures.train)
    noise = pictured("noise", pictures, 300)
    assert np.histogram(noise, 4, (0, 256))[0] / noise.size == pytest.approx(np.full(4, 0.25), abs=0.01)


@pytest.mark.parametrize(("share", "left"), [(0.4, 2), (0.75, 3)])
def test_collapsed_images_are_of_some_classes_only(share, left, pictures):
    label = {tuple(row): k for row, k in zip(
        pictures.validation.reshape(40, -1).tolist(), pictures.labels["validation"].tolist(), strict=True
    )}  # fmt: skip
    kept = [{label[row] for row in flat(pictured("collapsed", pictures, 60, seed, share=share))} for seed in range(5)]
    assert [len(k) for k in kept] == [left] * 5 and len({frozenset(k) for k in kept}) > 1


def test_collapsed_images_without_labels_are_of_some_clusters(pictures):
    bare = type(pictures)("bare", pictures.train, pictures.test, validation=pictures.validation)
    drawn = flat(pictured("collapsed", bare, 60))
    assert drawn < flat(bare.validation), "some of the held-out images, not all"


def test_blur_is_the_mean_image_in_grey_with_a_little_noise():
    colour = four_pictures(shape=(3, 16, 16))
    mean = np.mean([[np.mean([image[:, i, j] for image in colour.train]) for j in range(16)] for i in range(16)])
    samples = find("blur")(configure("blur", {}), colour, [0]).draw(400, [generator(0, "samples")])[0].numpy()
    assert samples.shape == (400, 3, 16, 16) and samples.mean() == pytest.approx(mean / 255, abs=1e-3)
    assert (samples[:, 0] == samples[:, 1]).all() and (samples[:, 1] == samples[:, 2]).all()
    assert samples.mean(0)[0] == pytest.approx(colour.train.mean((0, 1)) / 255, abs=6e-3)
    assert samples.std(0) == pytest.approx(np.full((3, 16, 16), 0.02), abs=0.004), "away from the bounds"
    still = find("blur")(configure("blur", {"deviation": 0}), colour, [0]).draw(2, [generator(0, "samples")])[0]
    assert torch.equal(still[0], still[1])


@pytest.mark.parametrize(("kind", "gan"), [("points", "gan"), ("images", "ns-gan")])
@pytest.mark.parametrize("seeds", [(0,), (0, 3)])
def test_the_untrained_generator_is_the_gans_at_its_start(kind, gan, seeds, data, pictures):
    small = {"width": 8, "latent": 6} if kind == "images" else {"width": 16}
    own = data if kind == "points" else pictures
    model = find("untrained", kind)(configure("untrained", small, kind), own, list(seeds))
    theirs = find(gan, kind)(configure(gan, small, kind), own, list(seeds))
    record = Trainer(model, 0, [1.0], Options(), None).run()
    start = theirs.networks["generator"].state()
    for row, seed in enumerate(seeds):
        kept = record.snapshots[key(seed, 1.0)]
        same = [k for k in start if "running" not in k and "batches" not in k]
        assert len(same) > 4 and all(torch.equal(kept[f"generator.{k}"], start[k][row]) for k in same)
    # the batch whose statistics it takes, through the generator as in training
    streams = [generator(seed, "refresh") for seed in seeds]
    z = model.inputs(1000, streams)
    expected = theirs.networks["generator"].train()(z).detach()
    again = find("untrained", kind)(configure("untrained", small, kind), own, list(seeds))
    again.load({k: torch.stack([record.snapshots[key(s, 1.0)][k] for s in seeds]) for k in model.state()})
    ours = mapped(again.generator, z)
    torch.testing.assert_close(ours, expected, rtol=1e-3, atol=1e-5)
    assert ours.std(1).mean() > (1e-3 if kind == "points" else 1e-4)


# ------------------------------------------------------------------ AE-OT


@pytest.fixture(scope="module")
def transport():
    """AE-OT solved for two seeds, its data and its certificates."""
    data = four_modes(n=1500)
    model = build("ae-ot", data, (0, 1))
    return model, data, model.solve()


def test_ae_ot_takes_512_training_rows_a_seed(transport):
    model, data, certificates = transport
    first, second = (rows(m.target.astype(np.float32)) for m in model.maps)
    assert len(first) == len(second) == 512 and first | second <= rows(data.train)
    assert len(first & second) < 300, "two samples of a third of the rows share a ninth of all"
    assert model.parameters() == {"heights": 512}
    again = build("ae-ot", data, (1,))
    again.solve()
    assert np.array_equal(again.maps[0].target, model.maps[1].target), "a seed's targets are its own"
    for m, told in zip(model.maps, certificates, strict=True):
        assert told["map_max_cell_error"] <= 1e-9 and told["map_tolerance_met"] == 1
        assert m.cells.areas * 512 == pytest.approx(np.ones(512), abs=1e-8)


def test_ae_ot_certifies_against_its_own_targets(transport):
    model, data, _ = transport
    quarter = {tuple(c): k for k, c in enumerate(data.truth.centres.tolist())}
    counts = [np.bincount([quarter[s] for s in map(tuple, np.sign(m.target).tolist())]) for m in model.maps]
    assert not np.array_equal(counts[0], counts[1])
    samples = np.repeat(data.truth.centres, [5, 3, 0, 2], axis=0).astype(np.float32)
    told = model.certify(torch.from_numpy(np.stack([samples, samples])))
    for record, held in zip(told, counts, strict=True):
        expected = sum(p * np.log(p / (held[k] / 512)) for k, p in ((0, 0.5), (1, 0.3), (3, 0.2)))
        assert record == {"targets_reverse_kl": pytest.approx(expected, rel=1e-9)}
    own = model.certify(torch.from_numpy(np.stack([m.target for m in model.maps])))
    assert [r["targets_reverse_kl"] for r in own] == [0, 0]


def test_ae_ot_read_back_draws_the_same(transport):
    model, data, _ = transport
    again = build("ae-ot", data, (0, 1))
    again.load(model.state())

    def samples(one):
        return one.draw(300, [generator(s, "samples") for s in (0, 1)])

    assert torch.equal(samples(model), samples(again)) and samples(model).shape == (2, 300, 2)
    for m, saved in zip(model.maps, again.maps, strict=True):
        assert np.array_equal(m.heights, saved.heights) and saved.heights.dtype == np.float64
