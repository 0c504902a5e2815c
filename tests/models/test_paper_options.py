"""Options that follow the texts where the suite does not: AE-OT's own solvers and training sets, OTVAE's labels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from otbench.errors import OtbenchError
from otbench.models import configure, find
from otbench.training.trainer import Options, Trainer, key
from tests.conftest import four_modes
from tests.models.conftest import four_pictures
from tests.models.small_images import batches, build, close, loud, slopes, taken

# ------------------------------------------------------------------ AE-OT's solvers


def planar(name="ae-ot", **options):
    model = find(name, "points")(configure(name, {"targets": 64, **options}, "points"), four_modes(), [0])
    return model, model.solve()[0]


def test_the_papers_solver_tells_what_it_did_and_comes_near_the_exact_map():
    exact, best = planar()
    model, told = planar("ae-ot-paper", solver_rate=2e-3, solver_points=2000, solver_steps=400)
    assert np.array_equal(model.maps[0].target, exact.maps[0].target), "a seed's targets are its own"
    assert told["map_exact"] == 1 and "map_tolerance_met" not in told
    assert best["map_mean_cell_error"] < 1e-9 < told["map_mean_cell_error"] < 0.7
    assert told["map_dual_value"] == pytest.approx(best["map_dual_value"], rel=0.01)
    assert 0 < told["map_steps"] <= 400 and told["map_solver_points"] >= 2000 * told["map_steps"]


def test_the_codes_rate_goes_with_the_scale_of_the_data():
    model, _ = planar("ae-ot-paper", solver_points=200, solver_steps=1)
    target = model.maps[0].target
    radius = np.sqrt(((target - target.mean(0)) ** 2).sum(1).mean())
    heights = model.maps[0].heights - model.maps[0].heights.mean()
    # Adam's first step is the rate times the sign of the gradient, less the mean step
    steps = np.unique(np.round(np.diff(np.unique(np.round(heights, 12))), 12))
    assert steps.max() == pytest.approx(2 * 1e-4 * radius / np.sqrt(2), rel=1e-3)


@pytest.fixture(scope="module")
def codes():
    draw = np.random.default_rng(0)
    return (draw.standard_normal((60, 6)) + 4 * draw.integers(0, 2, (60, 1))).astype(np.float32)


def test_image_codes_are_solved_by_each_solver(codes):
    pictures = four_pictures()
    laws = {}
    for solver in ("suite", "paper", "pyomt", "hierarchical"):
        model = build("ae-ot", pictures, solver=solver, solver_points=4000, solver_steps=150, clusters=6)
        laws[solver], told = model.fit_law(codes, 0)
        assert told["map_exact"] == 0 and np.isfinite(list(told.values())).all()
        assert (laws[solver]["threshold"], laws[solver]["target"].shape) == (0.75, (60, 6))
        if solver == "hierarchical":
            assert told["map_clusters"] == 6 and told["map_mean_cell_error"] <= 0.1
        elif solver != "suite":
            assert told["map_steps"] <= 150 and told["map_mean_cell_error"] < 0.5
    centre = laws["suite"]["centroid"]
    for solver in ("paper", "pyomt"):
        assert (laws[solver]["centroid"] - centre).norm(dim=1).mean() < 0.1
    model.laws = {0: laws["hierarchical"]}
    drawn = model.draw(50, [torch.Generator().manual_seed(0)])
    assert drawn.shape == (1, 50, 1, 16, 16) and drawn.isfinite().all()


def test_the_papers_row_has_the_autoencoder_of_ae_ot():
    pictures, weights = four_pictures(), []
    for name in ("ae-ot", "ae-ot-paper"):
        model = build(name, pictures, solver_points=500, solver_steps=10)
        Trainer(model, 8, [1.0], Options(), None).run()
        weights.append({f"{n}.{k}": v for n, r in model.networks.items() for k, v in r.state().items()})
    assert all(torch.equal(weights[0][k], weights[1][k]) for k in weights[0])


# ------------------------------------------------------------------ AE-OT's training sets


def test_a_part_of_the_training_images_is_drawn_once_for_every_seed():
    pictures = four_pictures()
    one, two = build("ae", pictures, training_images=50), build("ae-ot", pictures, (3, 4), training_images=50)
    rows = {image.tobytes() for image in pictures.train}
    assert len(one.data.train) == 50 and {image.tobytes() for image in one.data.train} <= rows
    assert np.array_equal(one.data.train, two.data.train) and len(one.data.labels["train"]) == 50
    place = {image.tobytes(): label for image, label in zip(pictures.train, pictures.labels["train"], strict=True)}
    assert [place[image.tobytes()] for image in one.data.train] == one.data.labels["train"].tolist()
    assert one.data.test is pictures.test or np.array_equal(one.data.test, pictures.test)
    assert build("ae", pictures).data is pictures and build("ae", pictures, training_images=120).data is pictures


def test_no_batch_and_no_code_comes_from_outside_the_part():
    pictures = four_pictures()
    model = build("ae-ot", pictures, training_images=20, batch=64, targets=None)
    seen = {image.tobytes() for image in (batches(model)[0]["real"][0] * 255).round().byte().numpy()}
    assert seen <= {image.tobytes() for image in model.data.train} and len(seen) > 15
    assert model.codes(model.rows(None)).shape == (1, 20, 6)
    assert model.errors("l2")[0]["l2_train"] != build("ae-ot", pictures).errors("l2")[0]["l2_train"]


# ------------------------------------------------------------------ OTVAE's labels


def test_the_classification_loss_is_added_and_the_rest_stays():
    pictures = four_pictures()
    plain, model = loud(build("otvae", pictures)), loud(build("otvae-labels", pictures, classification=3.0))
    (before,), (batch,) = batches(plain), batches(model)
    labels = torch.from_numpy(pictures.labels["train"])[batch["real"][0]]
    real = torch.from_numpy(pictures.train)[batch["real"][0]].float() / 255
    assert torch.equal(before["real"][0], real) and torch.equal(before["eps"], batch["eps"]), "the same batches"
    nets = {name: network.module for name, network in model.networks.items()}
    for name in ("encoder", "decoder"):
        nets[name].load_state_dict(plain.networks[name].module.state_dict())
        nets[name].train()
    mean, log_variance = nets["encoder"](real).chunk(2, -1)
    code = mean + (log_variance / 2).exp() * batch["eps"][0]
    likelihood = F.binary_cross_entropy_with_logits(nets["decoder"](code), real, reduction="sum") / len(real)
    divergence = 0.5 * (mean**2 + log_variance.exp() - log_variance - 1).sum() / len(real)
    right = nets["classifier"](code).log_softmax(1)[torch.arange(len(real)), labels]
    loss = likelihood + divergence - 3 * right.mean()
    expected = [slopes(loss, nets[name]) for name in ("encoder", "decoder", "classifier")]
    told = model.stages()[0].step(batch)
    assert float(told["classification"]) == pytest.approx(-float(right.mean().detach()), rel=1e-4)
    close(taken(model, "autoencoder"), [g for part in expected for g in part])


def test_without_a_weight_there_is_no_classifier_and_no_other_number():
    pictures = four_pictures()
    records = []
    for options in ({}, {"classification": 0.0}):
        model = build("otvae", pictures, **options)
        records.append(Trainer(model, 6, [1.0], Options(), None).run().snapshots[key(0, 1.0)])
        assert "classifier" not in model.networks
    assert records[0].keys() == records[1].keys() and all(torch.equal(v, records[1][k]) for k, v in records[0].items())


def test_labels_tell_the_classes_apart_in_the_codes():
    pictures = four_pictures()
    shares = {}
    for name in ("otvae", "otvae-labels"):
        model = build(name, pictures, rate=3e-3)
        Trainer(model, 120, [1.0], Options(), None).run()
        codes, labels = model.codes(model.rows(None))[0].numpy(), pictures.labels["train"]
        means = np.stack([codes[labels == k].mean(0) for k in range(4)])
        within = np.mean([codes[labels == k].var(0).sum() for k in range(4)])
        shares[name] = means.var(0).sum() / within
    assert shares["otvae-labels"] > 1.2 * shares["otvae"]


def test_images_without_labels_are_refused():
    bare = replace(four_pictures(), labels={}, classes=())
    with pytest.raises(OtbenchError, match="needs a data set with classes, and quarters has none"):
        build("otvae-labels", bare)
