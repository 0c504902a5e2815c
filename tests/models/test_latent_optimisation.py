"""What makes GLO, IMLE and GLANN those models: free codes and their Adam, matching with the nearest, who draws how."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torchvision.models.vgg import cfgs, make_layers

from otbench.data.base import DataSet
from otbench.models import configure, find
from otbench.models.images.shared.base import mapped
from otbench.models.images.shared.matching import as_trained, matched, nearest
from otbench.nets.perceptual import VGGDistance, laplacian_distance
from otbench.training.trainer import Options, Trainer
from otbench.utils.rng import generator
from tests.models.small_images import batches, build, close, loud, taken

# ------------------------------------------------------------------ matching


@pytest.mark.parametrize(("targets", "points", "d"), [(5, 7, 2), (5000, 40, 3), (60, 300, 256)])
def test_nearest_is_what_a_search_of_all_pairs_finds(targets, points, d):
    torch.manual_seed(0)
    # far from zero, where the square of a difference would drown in the squares
    t, p = 10 + torch.rand(targets, d), 10 + torch.rand(points, d)
    distances, numbers = nearest(t, p)
    every = ((t.double().unsqueeze(1) - p.double().unsqueeze(0)) ** 2).sum(-1)
    assert numbers.tolist() == every.argmin(1).tolist()
    assert distances.tolist() == pytest.approx(every.min(1).values.tolist(), rel=1e-3, abs=1e-5)


def test_matching_part_by_part_is_matching_at_once():
    torch.manual_seed(1)
    targets, points, noise = torch.randn(2, 30, 4), torch.randn(2, 50, 4), torch.randn(2, 50, 3)
    found = matched(targets, zip(points.split(8, 1), noise.split(8, 1), strict=True))
    for r in range(2):
        every = ((targets[r].unsqueeze(1) - points[r].unsqueeze(0)) ** 2).sum(-1)
        assert torch.equal(found[r], noise[r][every.argmin(1)])


@pytest.mark.parametrize("seeds", [[0], [0, 1]])
def test_drawing_in_training_mode_leaves_the_statistics_alone(seeds, pictures):
    model = loud(build("imle", pictures, seeds))
    z = torch.randn(len(seeds), 7, 6)
    before = {k: v.clone() for k, v in model.generator.state().items()}
    model.generator.eval()
    out = as_trained(model.generator, z, 3)
    assert not model.generator.module.training
    assert all(torch.equal(before[k], v) for k, v in model.generator.state().items())
    model.generator.train()
    expected = torch.cat([model.generator(z[:, rows]) for rows in (slice(0, 3), slice(3, 6), slice(6, 7))], 1)
    assert torch.allclose(out, expected, atol=1e-6) and not out.requires_grad


def test_a_network_of_buffers_alone_may_lose_replicas(pictures):
    model = build("glann", pictures, [0, 1, 2])
    model.matches.tensor("noise").copy_(torch.randn(3, 120, 32))
    kept = model.matches.tensor("noise")[2:].clone()
    Trainer(model, 10, [1.0], Options(), None)._keep([2])
    assert model.seeds == [2] and torch.equal(model.matches.tensor("noise"), kept)


# ------------------------------------------------------------------ GLO


def distance_of(images, real):
    return laplacian_distance(2 * images - 1, 2 * real - 1).mean()


@pytest.mark.parametrize("more", [{}, {"restarts": True}])
def test_one_pass_gives_generator_and_codes_the_gradient_of_the_distance(more, pictures):
    model = loud(build("glo", pictures, code_rate=0.1, **more))
    (batch,) = batches(model)
    g, codes = copy.deepcopy(model.generator.module), copy.deepcopy(model.codes.module.weight)
    rows = batch["rows"][0]
    real = torch.from_numpy(pictures.train).float()[rows] / 255
    loss = distance_of(g(codes[rows]), real)
    to_codes, *to_g = torch.autograd.grad(loss, [codes, *g.parameters()])
    model.anneal(0.0)
    losses = model.stages()[0].step(batch)
    assert losses["distance"].item() == pytest.approx(loss.item(), rel=1e-5)
    close(taken(model, "generator"), to_g)
    # Adam's first step: the rate times the sign of the gradient, its duplicates summed
    moved = codes.detach() - 0.1 * to_codes / (to_codes.abs() + 1e-8)
    moved = moved if more else moved / moved.norm(dim=1, keepdim=True)
    torch.testing.assert_close(model.codes.module.weight[rows], moved[rows], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("seeds", [[0], [0, 1]])
def test_codes_of_the_batch_take_adams_step_and_return_to_the_sphere(seeds, pictures):
    model = build("glo", pictures, seeds)
    torch.manual_seed(0)
    n, d = 120, 6
    weight = model.codes.tensor("weight").detach().double().numpy().copy()
    first, second, count = np.zeros((len(seeds), n, d)), np.zeros((len(seeds), n, d)), np.zeros((len(seeds), n))
    model.codes.tensor("rate").fill_(0.05)
    for _ in range(4):
        rows, gradient = torch.randint(n, (len(seeds), 40)), torch.randn(len(seeds), 40, d)
        assert len(rows[0].unique()) < 40, "a row that comes twice takes one step, by the sum"
        with torch.no_grad():
            model.move(rows, gradient)
        for r in range(len(seeds)):
            for row in rows[r].unique().tolist():
                g = gradient[r][rows[r] == row].double().numpy().sum(0)
                count[r, row] += 1
                first[r, row] = 0.5 * first[r, row] + 0.5 * g
                second[r, row] = 0.999 * second[r, row] + 0.001 * g**2
                m, v = first[r, row] / (1 - 0.5 ** count[r, row]), second[r, row] / (1 - 0.999 ** count[r, row])
                moved = weight[r, row] - 0.05 * m / (np.sqrt(v) + 1e-8)
                weight[r, row] = moved / np.sqrt((moved**2).sum())
    ours = model.codes.tensor("weight").detach().numpy()
    assert ours == pytest.approx(weight, abs=1e-5)
    assert model.codes.tensor("steps").numpy().tolist() == count.tolist()
    touched = count > 0
    assert np.linalg.norm(ours, axis=-1)[touched] == pytest.approx(1, abs=1e-5)
    assert 0 < (~touched).sum() and np.linalg.norm(ours, axis=-1)[~touched].max() < 0.1, "others stay where they began"


def test_with_restarts_it_is_the_authors_loop(pictures, double):
    model = build("glo", pictures, batch=30, rate=1e-2, code_rate=3e-2, restarts=True)
    g, codes = copy.deepcopy(model.generator.module), copy.deepcopy(model.codes.module.weight)
    steps = batches(model, 10)
    real = torch.from_numpy(pictures.train).double() / 255
    for k, batch in enumerate(steps):
        model.anneal(k / 20)
        model.stages()[0].step(batch)
    for k, batch in enumerate(steps):
        decay = 0.5 ** (k // 2)
        if k % 4 == 0:  # an epoch is 120 // 30 batches
            if k:
                codes.data /= codes.data.norm(dim=1, keepdim=True)
            to_g = torch.optim.Adam(g.parameters(), betas=(0.5, 0.999))
            to_codes = torch.optim.Adam([codes], betas=(0.5, 0.999))
        to_g.param_groups[0]["lr"], to_codes.param_groups[0]["lr"] = 1e-2 * decay, 3e-2 * decay
        for optimiser in (to_g, to_codes):
            optimiser.zero_grad()
        rows = batch["rows"][0]
        distance_of(g(codes[rows]), real[rows]).backward()
        to_g.step()
        to_codes.step()
    torch.testing.assert_close(model.codes.module.weight.detach(), codes.detach(), rtol=1e-5, atol=1e-7)
    for one, other in zip(model.generator.parameters(), g.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-7)


def test_rates_are_halved_after_every_tenth_of_the_budget(pictures):
    model = build("glo", pictures)
    for k in range(200):
        model.anneal(k / 200)
        share = 0.5 ** (k // 20)
        assert model.codes.tensor("rate").item() == pytest.approx(1e-2 * share)
        assert model.optimisers["generator"].param_groups[0]["lr"] == pytest.approx(1e-3 * share)
        assert model.optimisers["generator"].param_groups[0]["betas"] == (0.5, 0.999)


def test_new_codes_have_the_mean_and_covariance_of_those_on_the_sphere(pictures):
    model = build("glo", pictures, [0, 1])
    torch.manual_seed(0)
    with torch.no_grad():
        model.codes.tensor("weight").copy_(torch.randn(2, 120, 6) @ torch.randn(6, 6) + 1)
    law = model.fit_law()
    for r in range(2):
        codes = model.codes.tensor("weight")[r].detach().double().numpy()
        codes = codes / np.sqrt((codes**2).sum(1, keepdims=True))
        root = law["root"][r].double().numpy()
        assert law["mean"][r].numpy() == pytest.approx(codes.mean(0), abs=1e-5)
        assert root == pytest.approx(root.T, abs=1e-6) and root @ root == pytest.approx(np.cov(codes.T), abs=1e-5)
    drawn = model.draw_codes(20_000, [generator(s, "samples") for s in (0, 1)])
    assert drawn[1].mean(0).numpy() == pytest.approx(law["mean"][1].numpy(), abs=0.02)
    assert np.cov(drawn[1].numpy().T) == pytest.approx((law["root"][1] @ law["root"][1]).numpy(), abs=0.02)
    images = model.draw(30, [generator(s, "samples") for s in (0, 1)])
    codes = model.draw_codes(30, [generator(s, "samples") for s in (0, 1)])
    assert torch.equal(images, mapped(model.generator, codes))


def test_the_authors_measure_in_training_mode(pictures):
    model = loud(build("glo", pictures, batch_statistics=True))
    images = model.draw(100, [generator(0, "samples")])
    z = model.draw_codes(100, [generator(0, "samples")])
    g = copy.deepcopy(model.generator.module).train()
    assert torch.allclose(images[0], torch.cat([g(z[0, :50]), g(z[0, 50:])]), atol=1e-5)


def test_normalisation_is_the_authors_on_grey_images_alone(pictures):
    colours = DataSet("colours", np.repeat(pictures.train, 3, 1), np.repeat(pictures.test, 3, 1))
    counts = {
        (data.name, asked): sum(p.ndim == 1 for p in build("glo", data, normalised=asked).generator.parameters())
        for data in (pictures, colours)
        for asked in (None, True, False)
    }
    normed, plain = 4 + 2, 2  # scales and shifts of two normalisations, biases of two convolutions
    assert counts[pictures.name, None] == counts[pictures.name, True] == counts["colours", True] == normed
    assert counts["colours", None] == counts["colours", False] == counts[pictures.name, False] == plain


def test_which_distance_was_taken_is_on_record(pictures, tmp_path):
    torch.manual_seed(0)
    path = tmp_path / "vgg16.pth"
    torch.save({f"features.{k}": v for k, v in make_layers(cfgs["D"][:8]).state_dict().items()}, path)
    plain, perceptual = build("glo", pictures), build("glo", pictures, vgg16=str(path))
    (batch,) = batches(perceptual)
    z, rows = perceptual.codes.module.weight[batch["rows"][0]], batch["rows"][0]
    images, real = perceptual.generator.module(z), torch.from_numpy(pictures.train).float()[rows] / 255
    expected = VGGDistance(path, 16)(2 * images - 1, 2 * real - 1).mean().item()
    assert perceptual.step(batch)["distance"].item() == pytest.approx(expected, rel=1e-4)
    assert perceptual.errors()[0]["vgg16"] == 1 and plain.errors()[0]["vgg16"] == 0
    assert perceptual.config.model_dump()["vgg16"] == str(path)
    path.unlink()
    config = configure("glo", {"vgg16": str(path), "width": 4, "latent": 6}, "images")
    find("glo", "images")(config, pictures, [0], training=False)  # to draw takes no weights


def test_the_error_is_that_of_the_training_images_from_their_codes(pictures):
    model = loud(build("glo", pictures, [0, 1]))
    for r, told in enumerate(model.errors()):
        images = mapped(model.generator, model.codes.tensor("weight").detach())[r]
        expected = (images - torch.from_numpy(pictures.train).float() / 255).square().mean().item()
        assert told["l2_train"] == pytest.approx(expected, rel=1e-5)


# ------------------------------------------------------------------ GLANN


def test_every_code_is_matched_with_the_nearest_of_two_points_a_code(pictures):
    model = loud(build("glann", pictures, [0, 1]))
    model.refresh(0.0)
    for r, seed in enumerate((0, 1)):
        stream = generator(seed, "mapping/0")
        e = torch.randn(2 * (120 // 16) * 16, 32, generator=stream)
        own = {k: v[r : r + 1] for k, v in model.mapping.state().items()}
        one = build("glann", pictures).mapping
        one.load(own)
        points = torch.cat([one.train()(part.unsqueeze(0))[0] for part in e.split(16)]).detach().double()
        codes = model.codes.tensor("weight")[r].detach().double()
        codes = codes / codes.norm(dim=1, keepdim=True)
        every = ((codes.unsqueeze(1) - points.unsqueeze(0)) ** 2).sum(-1)
        assert torch.allclose(model.matches.tensor("noise")[r], e[every.argmin(1)], atol=1e-6)


def test_codes_are_matched_anew_every_epoch_and_the_map_descends_to_them(pictures):
    model = loud(build("glann", pictures, map_rate=1e-2))
    stage, seen = model.stages()[2], []
    generator_before = [p.clone() for p in model.generator.parameters()]
    codes_before = model.codes.module.weight.clone()
    for k, batch in enumerate(batches(model, 15, stage=2)):
        stage.schedule(k / 15)
        seen.append(model.matches.tensor("noise").clone())
        t, rows = copy.deepcopy(model.mapping.module), batch["rows"][0]
        codes = codes_before[rows].detach()
        loss = (t(seen[-1][0][rows]) - codes / codes.norm(dim=1, keepdim=True)).square().mean()
        slopes = torch.autograd.grad(loss, list(t.parameters()))
        assert stage.step(batch)["l2"].item() == pytest.approx(loss.item(), rel=1e-4)
        close(taken(model, "mapping"), slopes)
    fresh = [k for k in range(1, 15) if not torch.equal(seen[k], seen[k - 1])]
    assert fresh == [7, 14], "120 images in batches of 16"
    assert torch.equal(codes_before, model.codes.module.weight), "codes rest"
    assert all(torch.equal(a, b) for a, b in zip(generator_before, model.generator.parameters(), strict=True))
    (group,) = model.optimisers["mapping"].param_groups
    assert (group["lr"], group["betas"], group["weight_decay"]) == (1e-2, (0.5, 0.999), 1e-5)


def test_glann_is_glo_until_its_map_begins(pictures):
    streams = lambda: [generator(0, "samples")]
    glo, glann = build("glo", pictures), build("glann", pictures, mapping=0.5)
    Trainer(glo, 8, [1.0], Options(), None).run()
    record = Trainer(glann, 16, [0.5, 1.0], Options(), None).run()
    for name in ("generator", "codes"):
        ours, theirs = glann.networks[name].state(), glo.networks[name].state()
        assert all(torch.equal(ours[k], theirs[k]) for k in ours)
    early, late = build("glann", pictures), build("glann", pictures)
    for model, snapshot in ((early, "0/0.5"), (late, "0/1")):
        model.load({k: v.unsqueeze(0) for k, v in record.snapshots[snapshot].items()})
    assert torch.equal(early.draw(20, streams()), glo.draw(20, streams())), "by GLO's Gaussian"
    e = torch.randn(20, 32, generator=streams()[0])
    by_map = late.generator.module.eval()(late.mapping.module.eval()(e))
    assert torch.allclose(late.draw(20, streams())[0], by_map, atol=1e-6)


def test_images_are_there_where_the_map_gives_zero(pictures):
    model = build("glann", pictures)
    model.mapped = True
    with torch.no_grad():
        for p in model.mapping.parameters():
            p.zero_()
    assert model.draw(5, [generator(0, "samples")]).isfinite().all()


def test_parameters_are_those_of_networks_and_of_one_code(pictures):
    assert set(build("imle", pictures).parameters()) == {"generator"}
    counts = build("glann", pictures).parameters()
    assert set(counts) == {"generator", "codes", "mapping"} and counts["codes"] == 6
    assert counts["mapping"] == 32 * 8 + 8 * 8 + 8 * 6 + 4 * 8


def test_budgets_and_shares_are_the_papers():
    glo, glann, imle = (find(n, "images") for n in ("glo", "glann", "imle"))
    assert glo.paper_budget("mnist") == glo.paper_steps == 200 * 468
    assert glo.paper_budget("cifar10") == 500 * 390 and glann.paper_budget("cifar10") == 550 * 390
    assert glann.paper_budget("mnist") == glann.paper_steps == 250 * 468
    assert imle.paper_budget("fashion-mnist") == imle.paper_steps == 100 * 937
    images = np.zeros((2, 1, 8, 8), np.uint8)
    for name, steps in (("mnist", [200 * 468, 50 * 468]), ("cifar10", [500 * 390, 50 * 390])):
        model = build("glann", DataSet(name, images, images))
        plan = Trainer(model, glann.paper_budget(name), [1.0], Options(), None).plan()
        assert [n for stage, n in plan if stage.step] == steps


# ------------------------------------------------------------------ IMLE


def test_every_image_is_matched_with_the_nearest_of_the_generated(pictures):
    model = loud(build("imle", pictures, candidates=3))
    model.refresh(0.0)
    z = torch.randn(3 * 7 * 16, 6, generator=generator(0, "matching/0"))
    g = copy.deepcopy(model.generator.module).train()
    points = torch.cat([g(part) for part in z.split(16)]).detach().flatten(1).double()
    real = (torch.from_numpy(pictures.train).double() / 255).flatten(1)
    every = ((real.unsqueeze(1) - points.unsqueeze(0)) ** 2).sum(-1)
    assert torch.equal(model.matches.tensor("noise")[0], z[every.argmin(1)])
    assert len(every.argmin(1).unique()) > 4


def test_imle_descends_the_error_at_the_matched_noise_and_matches_anew(pictures):
    model = build("imle", pictures, every=1, rate=1e-2)
    (stage,), seen = model.stages(), []
    real = torch.from_numpy(pictures.train).float() / 255
    for k, batch in enumerate(batches(model, 8)):
        stage.schedule(k / 8)
        seen.append(model.matches.tensor("noise").clone())
        g, rows = copy.deepcopy(model.generator.module), batch["rows"][0]
        loss = (g(seen[-1][0][rows] + 0.01 * batch["eps"][0]) - real[rows]).square().mean()
        slopes = torch.autograd.grad(loss, list(g.parameters()))
        assert stage.step(batch)["l2"].item() == pytest.approx(loss.item(), rel=1e-4)
        close(taken(model, "generator"), slopes)
    assert [k for k in range(1, 8) if not torch.equal(seen[k], seen[k - 1])] == [7]
    (group,) = model.optimisers["generator"].param_groups
    assert (group["lr"], group["betas"], group["weight_decay"]) == (1e-2, (0.5, 0.999), 1e-5)
    z = torch.randn(9, 6, generator=generator(0, "samples"))
    drawn = model.draw(9, [generator(0, "samples")])
    assert torch.allclose(drawn[0], copy.deepcopy(model.generator.module).eval()(z), atol=1e-6)


# ------------------------------------------------------------------ interruptions


@pytest.mark.parametrize(("name", "stage"), [("glo", 0), ("glann", 2), ("imle", 0)])
def test_epochs_go_on_where_they_were_interrupted(name, stage, pictures):
    more = {"restarts": True, "every": 1}
    straight, before = build(name, pictures, **more), build(name, pictures, **more)
    after = build(name, pictures, **more)
    steps = batches(straight, 16, stage)

    def run(model, numbers):
        for k in numbers:
            model.stages()[stage].schedule(k / 16)
            model.stages()[stage].step(steps[k])

    run(straight, range(16))
    run(before, range(5))  # within an epoch of 7
    after.load_training_state(copy.deepcopy(before.training_state()))
    run(after, range(5, 16))
    for n, network in straight.networks.items():
        assert all(torch.equal(v, after.networks[n].state()[k]) for k, v in network.state().items()), n
