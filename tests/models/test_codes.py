"""What makes each model of images that model: AE-OT's autoencoder, the laws of codes, OTVAE, and files of samples."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment

from otbench.data.samples import as_bytes
from otbench.errors import WorkFailed
from otbench.models import find
from otbench.models.images.ae_ot import code_angles
from otbench.training.draw import draw
from otbench.training.fit import fit
from otbench.training.saved import open_fit
from otbench.training.trainer import Options, Trainer, key
from otbench.utils.rng import generator
from tests.models.conftest import four_pictures
from tests.models.small_images import batches, build, close, loud, options, slopes, taken

FAMILY = ("ae", "ae-ot", "ae-gaussian", "ae-gmm", "ae-fm")


# ------------------------------------------------------------------ the autoencoder of AE-OT


def run(name, data, seeds=(0,), steps=24, snapshots=(1.0,), **more):
    model = build(name, data, seeds, **more)
    return model, Trainer(model, steps, list(snapshots), Options(), None).run()


def weights(model):
    return {f"{n}.{k}": v for n, r in model.networks.items() for k, v in r.state().items()}


@pytest.fixture(scope="module")
def family():
    """Every model with AE-OT's autoencoder, trained with the same seed."""
    data = four_pictures()
    return {name: run(name, data, snapshots=(0.25, 1.0)) for name in FAMILY}


def test_models_of_the_family_have_bitwise_the_same_autoencoder(family):
    first = weights(family["ae"][0])
    for name in FAMILY[1:]:
        other = weights(family[name][0])
        assert first.keys() == other.keys() and all(torch.equal(first[k], other[k]) for k in first), name
    told = [record.cells[key(0, 1.0)]["certificate"] for _, record in family.values()]
    for name in ("l2", "l2_train", "l2_before", "l2_before_train"):
        assert len({t[name] for t in told}) == 1


def test_the_encoder_is_frozen_with_its_statistics_and_the_decoder_goes_on(pictures):
    model = build("ae", pictures)
    both, frozen, alone, _ = model.stages()
    for batch in batches(model, 5):
        both.step(batch)
    frozen.solve()
    before = {k: v.clone() for k, v in weights(model).items()}
    count = {int(s["step"]) for s in model.optimisers["decoder"].state.values()}
    assert count == {5}, "the decoder's moments go on"
    for network in model.networks.values():
        network.train()
    for batch in batches(model, 5, stage=2):
        alone.step(batch)
    after = weights(model)
    for name, value in before.items():
        same = torch.equal(value, after[name])
        assert same if name.startswith("encoder") else not same, name
    assert {int(s["step"]) for s in model.optimisers["decoder"].state.values()} == {10}
    assert model.encoder.module.training, "modes are put back"


def test_the_decoder_learns_on_codes_of_inference_mode(pictures):
    model = loud(build("ae", pictures))
    for batch in batches(model, 3):
        model.step(batch)
    model.freeze()
    (batch,) = batches(model, stage=2)
    encoder, decoder = (copy.deepcopy(model.networks[n].module) for n in ("encoder", "decoder"))
    x = batch["real"][0]
    loss = ((decoder(encoder.eval()(x).detach()) - x) ** 2).mean()
    assert model.decoder_step(batch)["l2"].item() == pytest.approx(loss.item(), rel=1e-4)
    close(taken(model, "decoder"), slopes(loss, decoder))


def test_errors_before_and_after_are_those_of_the_two_networks(pictures):
    model = build("ae", pictures, (0, 1))
    states = []
    freeze = model.freeze
    model.freeze = lambda: states.append(copy.deepcopy(weights(model))) or freeze()
    record = Trainer(model, 24, [1.0], Options(), None).run()
    states.append(weights(model))
    for r, seed in enumerate((0, 1)):
        told = record.cells[key(seed, 1.0)]["certificate"]
        for name, state in zip(("l2_before", "l2"), states, strict=True):
            one = build("ae", pictures, (seed,))
            for n in ("encoder", "decoder"):
                own = {k.removeprefix(f"{n}."): v[r] for k, v in state.items() if k.startswith(f"{n}.")}
                one.networks[n].module.load_state_dict(own)
                one.networks[n].eval()
            for images, suffix in ((pictures.test, ""), (pictures.train, "_train")):
                x = torch.from_numpy(images).double() / 255
                with torch.no_grad():
                    back = one.networks["decoder"].module(one.networks["encoder"].module(x.float()))
                assert told[name + suffix] == pytest.approx(((back.double() - x) ** 2).mean().item(), rel=1e-4)
    assert told["l2"] < told["l2_before"]


def test_ae_draws_reconstructions_of_the_test_images_in_order(family, pictures):
    model = family["ae"][0]
    back = model.reconstruct(torch.from_numpy(pictures.reference))
    drawn = model.draw(len(pictures.reference) + 7, [generator(0, "samples")])
    assert torch.equal(drawn[:, : len(pictures.reference)], back)
    assert torch.equal(drawn[:, len(pictures.reference) :], back[:, :7])


def test_codes_are_those_of_inference_mode_of_the_rows_asked_for(family, pictures):
    model = family["ae-ot"][0]
    encoder = copy.deepcopy(model.encoder.module).eval()
    with torch.no_grad():
        expected = encoder(torch.from_numpy(pictures.train).float() / 255)
    target = model.laws[0]["target"]
    away = torch.cdist(target, expected, compute_mode="donot_use_mm_for_euclid_dist")
    assert len(target) == 40 == len(away.argmin(1).unique()) and away.min(1).values.max() < 1e-5 * expected.std()
    rows = np.array([[3, 5, 5, 100]])
    assert torch.allclose(model.codes(rows)[0], expected[rows[0]], atol=1e-6)


# ------------------------------------------------------------------ laws of codes


def test_the_gaussian_law_has_the_codes_mean_and_covariance(pictures):
    model = build("ae-gaussian", pictures)
    codes = np.random.default_rng(0).standard_normal((500, 6)) @ np.random.default_rng(1).standard_normal((6, 6)) + 3
    law, _ = model.fit_law(codes.astype(np.float32), 0)
    root = law["root"].numpy()
    covariance = np.cov(codes.T, ddof=0)
    assert law["mean"].numpy() == pytest.approx(codes.mean(0), rel=1e-4)
    assert root @ root.T == pytest.approx(covariance, rel=1e-3, abs=1e-3)
    drawn = model.draw_codes(law, 40_000, generator(0, "samples")).numpy()
    spread = np.sqrt(np.outer(np.diag(covariance), np.diag(covariance)))
    assert np.abs(np.cov(drawn.T) - covariance).max() < 0.04 * spread.max()
    assert np.abs(drawn.mean(0) - codes.mean(0)).max() < 0.03 * np.sqrt(np.diag(covariance)).max()
    flat = np.repeat(codes[:, :1], 6, axis=1).astype(np.float32)
    law, _ = model.fit_law(flat, 0)
    drawn = model.draw_codes(law, 100, generator(0, "samples")).numpy()
    assert np.ptp(drawn, axis=1).max() < 1e-3, "a singular covariance stays so"


def test_the_mixture_finds_separate_components_and_draws_in_their_proportions(pictures):
    model = build("ae-gmm", pictures, floor=1e-6)
    random = np.random.default_rng(0)
    centres = np.array([[0.0] * 6, [20.0] * 6, [-20.0, 20.0] * 3])
    component = np.repeat([0, 1, 2], [300, 200, 100])
    codes = centres[component] + random.standard_normal((600, 6)) * np.array([1, 2, 0.5])[component, None]
    law, _ = model.fit_law(codes.astype(np.float32), 0)
    drawn = model.draw_codes(law, 12_000, generator(0, "samples")).numpy()
    nearest = ((drawn[:, None] - centres) ** 2).sum(-1).argmin(1)
    assert np.bincount(nearest) / len(drawn) == pytest.approx([1 / 2, 1 / 3, 1 / 6], abs=0.02)
    for k, deviation in enumerate((1, 2, 0.5)):
        assert drawn[nearest == k].std(0) == pytest.approx(np.full(6, deviation), rel=0.2)


def test_code_angles_do_not_depend_on_scale_and_place():
    codes = np.random.default_rng(0).standard_normal((50, 6))
    i, j = np.arange(25), np.arange(25, 50)
    about = codes - codes.mean(0)
    cosine = (about[i] * about[j]).sum(1) / np.linalg.norm(about[i], axis=1) / np.linalg.norm(about[j], axis=1)
    for scale, shift in ((1, 0), (1e-4, 1e-3), (1e3, -7e3)):
        rule = code_angles(scale * codes + shift, 0.75)
        assert rule.threshold == 0.75
        assert rule.angles(scale * codes + shift, i, j) == pytest.approx(np.arccos(cosine), abs=1e-2)


def test_ae_ot_certifies_its_map_and_draws_mixtures_of_its_targets(family, pictures):
    model, record = family["ae-ot"]
    told = record.cells[key(0, 1.0)]["certificate"]
    assert told["map_tolerance_met"] == 1 and told["map_mean_cell_error_high"] <= 0.1 == told["map_tolerance"]
    transport, rule = model.transport(0)
    share = np.bincount(transport.cell(transport.source.sample(100_000, np.random.default_rng(5))), minlength=40)
    assert np.abs(share / 100_000 * 40 - 1).mean() < 0.1 + 0.02, "counted on points of our own"
    means = transport.source.sample(400_000, np.random.default_rng(6))
    cell = transport.cell(means)
    expected = np.stack([means[cell == k].mean(0) for k in range(40)])
    assert transport.centroids() == pytest.approx(expected, abs=0.03), "a hundred thousand points, a cell 2,500"
    assert rule.threshold == 0.75
    wide = build("ae-ot", pictures, threshold=1.5)
    law, _ = wide.fit_law(transport.target.astype(np.float32), 0)
    assert (law["threshold"], law["scale"]) == (1.5, 1.0) and not law["centre"].any(), "a number is the papers' angle"
    assert build("ae-ot", type(pictures)(**{**vars(pictures), "name": "cifar10"})).fit_law(
        transport.target.astype(np.float32), 0
    )[0]["threshold"] == pytest.approx(0.68)


def test_ae_ot_image_rule_draws_quarters_of_two_targets(pictures):
    model, _ = run("ae-ot", pictures, rule="pyomt-image", threshold=3.0)
    seen = []
    model.decode = lambda codes: seen.append(codes) or codes
    model.draw(20, [generator(0, "samples")])
    y = model.laws[0]["target"].double()
    pairs = (0.25 * y[:, None] + 0.75 * y[None]).flatten(0, 1)
    assert torch.cdist(seen[0][0].double(), pairs).min(1).values.max() < 1e-5


def test_a_threshold_that_nothing_passes_marks_the_cell_as_failed(pictures, tmp_path):
    fit("ae-ot", pictures, [0], tmp_path / "fit", steps=8, options=options("ae-ot", threshold=1e-9))
    _, load = open_fit(tmp_path / "fit", pictures)
    with pytest.raises(WorkFailed):
        load(0, 1.0).draw(10, [generator(0, "samples")])
    info = draw(tmp_path / "fit", pictures, 10, tmp_path / "samples.npz")
    (cell,) = info["cells"]
    assert cell["status"] == "failed" and "angle threshold" in cell["message"]


# ------------------------------------------------------------------ OTVAE


def test_otvae_matches_optimally(pictures):
    model = build("otvae", pictures)
    codes = np.random.default_rng(3).standard_normal((60, 6)).astype(np.float32) * 2 + 1
    law, told = model.fit_law(codes, 0)
    source, image = law["source"].numpy(), law["image"].numpy()
    cost = ((source[:, None] - codes[None].astype(float)) ** 2).sum(-1)
    rows, columns = linear_sum_assignment(cost)
    assert image == pytest.approx(codes[columns], abs=1e-6), "the matching"
    assert told["match_cost"] == pytest.approx(cost[rows, columns].mean()) and told["match_points"] == 60
    other, _ = model.fit_law(codes, 1)
    assert not np.array_equal(other["source"], source), "a replica's draws are its own"
    many = model.fit_law(np.random.default_rng(0).random((700, 6), np.float32), 0)[0]["source"].numpy()
    assert many.mean() == pytest.approx(0, abs=0.06) and many.std() == pytest.approx(1, abs=0.04)


def test_otvae_mixes_the_matches_of_the_two_nearest_sources(pictures):
    model = build("otvae", pictures)
    random = np.random.default_rng(0)
    source, image = random.standard_normal((30, 6)), random.standard_normal((30, 6))
    law = {"source": torch.from_numpy(source), "image": torch.from_numpy(image)}
    codes = model.draw_codes(law, 4000, generator(0, "samples")).numpy()
    # every code lies on the segment between two images; which two, and how far along
    i, j = np.triu_indices(30, 1)
    step = image[j] - image[i]
    along = np.einsum("npd,pd->np", codes[:, None] - image[i], step) / (step**2).sum(1)
    distance = np.linalg.norm(codes[:, None] - image[i] - along[..., None] * step, axis=2)
    best = distance.argmin(1)
    t = along[np.arange(4000), best]
    assert distance.min(1).max() < 1e-9 and t.min() >= -1e-9 and t.max() <= 1 + 1e-9
    assert np.histogram(t, 4, (0, 1))[0] == pytest.approx(np.full(4, 1000), abs=150), "Dirichlet(1, 1) is uniform"
    # the pairs are those of nearest neighbours of Gaussian points, in their proportions
    x = np.random.default_rng(9).standard_normal((50_000, 6))
    near = np.argpartition(((x**2).sum(1)[:, None] - 2 * x @ source.T + (source**2).sum(1)), 2, axis=1)[:, :2]
    near.sort(1)
    expected = np.bincount(near[:, 0] * 30 + near[:, 1], minlength=900) / len(x)
    found = np.bincount(i[best] * 30 + j[best], minlength=900) / 4000
    assert np.abs(found - expected).sum() < 0.25 and set(np.flatnonzero(found)) <= set(np.flatnonzero(expected))


def test_otvae_targets_are_mean_codes_of_training_images(pictures):
    model, record = run("otvae", pictures, snapshots=(0.5, 1.0))
    encoder = copy.deepcopy(model.networks["encoder"].module).eval()
    with torch.no_grad():
        means = encoder(torch.from_numpy(pictures.train).float() / 255)[:, :6].numpy()
    images = model.laws[0]["image"].numpy()
    assert len(images) == 40
    assert np.abs(images[:, None] - means[None]).max(-1).min(1).max() < 1e-5
    assert record.cells[key(0, 1.0)]["certificate"]["match_points"] == 40
    assert record.snapshots[key(0, 0.5)]["law.image"].shape == (30, 6), "fewer at a snapshot before the end"


# ------------------------------------------------------------------ from fit to samples


class Stop(BaseException):
    """Stands for a kill at any moment."""


@pytest.mark.parametrize("stop_at", [30, 75, 140])
def test_a_staged_model_resumes_bit_for_bit(stop_at, pictures, tmp_path, monkeypatch):
    from safetensors.torch import load_file

    call = dict(
        seeds=[0],
        steps=160,
        snapshots=[0.25, 0.75],
        options=options("ae-ot", width=2),
        training=Options(checkpoint=0.0),
    )
    fit("ae-ot", pictures, out=tmp_path / "whole", **call)
    model, count = find("ae-ot", "images"), [0]

    def counted(plain):
        def step(self, batch):
            count[0] += 1
            if count[0] == stop_at:
                raise Stop
            return plain(self, batch)

        return step

    for name in ("step", "decoder_step"):
        monkeypatch.setattr(model, name, counted(getattr(model, name)))
    with pytest.raises(Stop):
        fit("ae-ot", pictures, out=tmp_path / "cut", **call)
    count[0] = -10_000
    fit("ae-ot", pictures, out=tmp_path / "cut", **call)
    first, second = (load_file(tmp_path / part / "weights.safetensors") for part in ("whole", "cut"))
    assert first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)
    assert any("law.height" in k for k in first)


def test_samples_and_reconstructions_are_written_as_bytes(pictures, tmp_path):
    fit("vae", pictures, [0, 4], tmp_path / "fit", steps=6, snapshots=[0.5], options=options("vae"))
    draw(tmp_path / "fit", pictures, 12, tmp_path / "samples.npz")
    with np.load(tmp_path / "samples.npz") as file:
        arrays = {k: file[k] for k in file.files}
    assert arrays["samples"].dtype == np.uint8 and arrays["samples"].shape == (48, 1, 16, 16)
    assert arrays["seed"].tolist() == [0] * 24 + [4] * 24
    _, load = open_fit(tmp_path / "fit", pictures)
    model = load(4, 1.0)
    expected = model.draw(12, [generator(4, "samples")])[0].numpy()
    assert np.array_equal(arrays["samples"][-12:], np.round(expected * 255).astype(np.uint8))
    back = model.reconstruct(torch.from_numpy(pictures.reference).float() / 255)[0].numpy()
    assert arrays["reconstruction_seed"].tolist() == [0] * 60 + [4] * 60
    assert np.array_equal(arrays["reconstructions"][60:], np.round(back * 255).astype(np.uint8))


def test_bytes_are_rounded_and_cut():
    values = torch.tensor([-0.1, 0.0, 0.0019, 0.00197, 0.5, 1.0, 1.2])
    assert as_bytes(values).tolist() == [0, 0, 0, 1, 128, 255, 255]


def test_a_diverged_replica_leaves_the_others_laws_alone(pictures, monkeypatch):
    model_class = find("ae-ot", "images")
    plain, fit_laws, fitted = model_class.decoder_step, model_class.fit_laws, {}

    def kept(self, most=None):
        laws, told = fit_laws(self, most)
        fitted.update(copy.deepcopy(laws))
        return laws, told

    def step(self, batch):
        if 1 in self.seeds:
            batch = {"real": batch["real"].clone()}
            batch["real"][self.seeds.index(1)] = float("nan")
        return plain(self, batch)

    monkeypatch.setattr(model_class, "decoder_step", step)
    monkeypatch.setattr(model_class, "fit_laws", kept)
    # six batches before the codes are mapped: rounding has not grown yet, so that every machine maps the same codes
    model, record = run("ae-ot", pictures, (0, 1, 2), steps=60, before=0.1)
    status = {k: c["status"] for k, c in record.cells.items()}
    assert status == {key(0, 1.0): "ok", key(1, 1.0): "diverged", key(2, 1.0): "ok"}
    assert model.seeds == [0, 2] and fitted.keys() == {0, 1, 2} and fitted[2]["target"].shape == (40, 6)
    assert not torch.equal(fitted[1]["target"], fitted[2]["target"])
    for seed in model.seeds:
        for name, value in fitted[seed].items():
            assert torch.equal(record.snapshots[key(seed, 1.0)][f"law.{name}"], value), (seed, name)
