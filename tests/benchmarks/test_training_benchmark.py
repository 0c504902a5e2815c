"""The benchmark of training: plain loops take the suite's steps, counts are exact, ratios are those of the seconds."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from otbench.data.base import DataSet
from otbench.models import configure, find
from otbench.nets.layers import linear
from otbench.training.feed import Feed
from otbench.utils.files import write_json

FOLDER = Path(__file__).parent.parent.parent / "benchmarks"
sys.path.insert(0, str(FOLDER))
import training  # noqa: E402
import training_figure  # noqa: E402
import training_peers  # noqa: E402
import training_roofline  # noqa: E402

sys.path.remove(str(FOLDER))

STEPS = 3
STAGES = [(name, stage) for name, case in training.CASES.items() for stage in case.stages]


@pytest.fixture(scope="module")
def sets() -> dict[str, DataSet]:
    draw = np.random.default_rng(0)
    points = draw.standard_normal((200, 2)).astype(np.float32)
    images = draw.integers(0, 256, (60, 1, 28, 28), dtype=np.uint8)
    return {"points": DataSet("p", points, points[:50]), "images": DataSet("i", images, images[:20])}


def made(name, sets, seeds=(0,), training_too=True):
    case = training.CASES[name]
    return find(name, case.kind)(
        configure(name, case.tiny, case.kind), sets[case.kind], list(seeds), "cpu", training_too
    )


def values(model):
    """All parameters and buffers of the first replica."""
    return {f"{n}.{k}": v[0].clone() for n, r in model.networks.items() for k, v in r.state().items()}


def peer_batch(name, batch, step):
    """The batch of our step, as the plain loop takes it: no replicas, and no list of one update."""
    own = {key: value[step, 0] for key, value in batch.items()}
    return {key: value[0] for key, value in own.items()} if name == "ns-gan" else own


@pytest.mark.parametrize(("name", "stage"), STAGES)
def test_a_plain_loop_takes_the_steps_of_the_suite(name, stage, sets):
    # in float64: in float32, Adam makes whole steps of the rounding of gradients that are zero, as those of a bias are
    # that batch normalisation takes out again
    model, other = made(name, sets), made(name, sets, training_too=False)
    for one in (model, other):
        for network in one.networks.values():
            network.module.double()
    loop = training_peers.LOOPS[name, stage](other, torch.from_numpy(other.data.train))
    start, part = values(model), next(s for s in model.stages() if s.name == stage)
    data = torch.from_numpy(model.data.train)
    for network in model.networks.values():
        network.train()
    batch = {k: v.double() for k, v in Feed(part.inputs, data, [0], stage, model.device).chunk().items()}
    for k in range(STEPS):
        ours = part.step({key: value[k] for key, value in batch.items()})
        theirs = loop.update(peer_batch(name, batch, k))
        # the last loss is the generator's, the divergence or the only one
        assert theirs[-1] == pytest.approx(float(list(ours.values())[-1]), rel=1e-9, abs=1e-9)
    found, expected = values(other), values(model)
    moved = max(float((expected[k] - start[k]).abs().max()) for k in start if "running" not in k and "batches" not in k)
    assert moved > 1e-4, "the steps went somewhere"
    for key, value in expected.items():
        assert float((found[key] - value).abs().max()) < 1e-8, key


@pytest.mark.parametrize(("name", "stage"), STAGES)
def test_a_plain_loop_draws_what_the_suite_draws(name, stage, sets):
    model = made(name, sets)
    part = next(s for s in model.stages() if s.name == stage)
    data = torch.from_numpy(model.data.train)
    feed = Feed(part.inputs, data, [0], stage, model.device).chunk()
    loop = training_peers.LOOPS[name, stage](model, data)
    drawn = [loop.batch() for _ in range(30)]
    for key, value in peer_batch(name, feed, 0).items():
        assert drawn[0][key].shape == value.shape and drawn[0][key].dtype == value.dtype
        one = torch.stack([d[key] for d in drawn]).flatten()
        other = feed[key].flatten()
        assert abs(float(one.mean() - other.mean())) < 8 * float(other.std()) / len(one) ** 0.5 + 0.02
        assert float(one.std()) == pytest.approx(float(other.std()), rel=0.15)


def test_operations_of_products_and_convolutions_are_exact():
    a, b = torch.randn(30, 20), torch.randn(7, 20)
    assert training_roofline.operations(lambda: a @ b.T) == 2 * 30 * 20 * 7
    assert training_roofline.operations(lambda: linear(a, b)) == 2 * 30 * 20 * 7, "oneDNN's product counts too"
    weight = b.clone().requires_grad_()
    assert training_roofline.operations(lambda: linear(a, weight).sum().backward()) == 2 * (2 * 30 * 20 * 7)
    x, kernel = torch.randn(5, 3, 8, 8), torch.randn(4, 3, 4, 4, requires_grad=True)
    conv = lambda: torch.nn.functional.conv2d(x, kernel, stride=2, padding=1)
    forward = 2 * 5 * 4 * (4 * 4) * 3 * (4 * 4)
    assert training_roofline.operations(conv) == forward
    assert training_roofline.operations(lambda: conv().sum().backward()) == 2 * forward, "and the weights' gradient"


def test_the_operations_of_a_gan_step_are_those_of_its_layers(sets):
    model = made("gan", sets)
    generator, discriminator = model.generator.module, model.discriminator.module
    all_g, all_d = (sum(p.numel() for p in m.parameters() if p.ndim == 2) for m in (generator, discriminator))
    first_g, first_d = generator.body[0].weight.numel(), discriminator.body[0].affine.weight.numel()
    # the generator forwards, back to its weights and back to its inputs, which the noise does not need; the
    # discriminator forwards on real and fake points, back to its weights from both and to its inputs from both, which
    # the real points do not need; for the generator's loss back to its inputs once more
    products = (3 * all_g - first_g) + (7 * all_d - first_d)
    assert training_roofline.operations(lambda: model.step(batch_of(model, [0]))) == 2 * model.config.batch * products


def test_bytes_of_operations_are_exact():
    a, b, row = torch.randn(30, 20), torch.randn(30, 20), torch.randn(20)
    n = 30 * 20 * 4
    for work, moved, count in [
        (lambda: a + b, 3 * n, 1),
        (lambda: a.add_(b), 3 * n, 1),
        (lambda: a.copy_(b), 2 * n, 1),
        (lambda: a.fill_(1.0), n, 1),
        (lambda: a.t().reshape(20, 5, 6).unsqueeze(0)[0, 1:], 0, 0),
        (lambda: torch.empty(1000), 0, 0),
        (lambda: a + row.expand(30, 20), 2 * n + 20 * 4, 1),
        (lambda: a @ b.T, 2 * n + 30 * 30 * 4, 1),
        (lambda: torch.eq(a, b, out=torch.empty(30, 20)), 3 * n, 1),
        (lambda: a.to(torch.bfloat16).sum(), n + 2 * (n // 2) + 2, 2),
    ]:
        assert training_roofline.traffic(work) == (moved, count)


def test_adam_moves_seven_times_the_weights():
    weight = torch.zeros(1000, requires_grad=True)
    optimiser = torch.optim.Adam([weight], fused=True)
    weight.grad = torch.ones(1000)
    moved, _ = training_roofline.traffic(optimiser.step)
    # weight, gradient and two moments are read, all but the gradient written; the step counter is a number
    assert 7 * 4000 <= moved <= 7 * 4000 + 40


def test_a_roof_is_the_lower_of_the_two():
    roofs = training_roofline.Roofs({"float32": 100.0}, 10.0)
    assert roofs.bound(2.0, "float32") == 20.0 and roofs.bound(50.0, "float32") == 100.0


def test_least_is_the_shortest_repeat():
    clock = iter([0.0, 0.0, 3.0, 5.0, 9.0, 10.0, 12.0])
    assert training_roofline.least(lambda: None, lambda: next(clock), 9.5) == 1.0


def test_a_watch_leaves_the_first_chunk_out():
    clock = iter([100.0, 110.0, 114.0, 120.0, 121.0])
    watch = training.Watch(lambda: next(clock), 15.0, 2)
    assert [watch.mark() for _ in range(5)] == [False, False, False, True, True]
    assert watch.found() == {"steps": 8, "seconds": 2.5, "least": 0.5}


def rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def times_row(way, seeds, seconds, case="gan"):
    place = {"case": case, "stage": "adversarial", "way": way, "precision": "float32", "seeds": seeds}
    place |= {"steps": 10, "seconds": seconds, "least": seconds, "seed_steps_a_second": seeds / seconds}
    return place | {"full_steps": 1000, "full_seeds": 4, "note": ""}


def test_ratios_and_forecasts_are_quotients_of_the_seconds(tmp_path):
    write_json(
        tmp_path / "machine.json",
        {"device": "cpu", "cpu": "chip", "cores": 2, "threads": 1, "gpu": None, "clock": "wall", "tiny": False}
        | {"versions": {"python": "3", "torch": "2"}, "images": "random", "peak": {"float32": 1e9}, "bandwidth": 1e9},
    )
    times = [times_row("one seed", 1, 0.004), times_row("all at once", 8, 0.008), times_row("plain loop", 1, 0.006)]
    counts = {"case": "gan", "stage": "adversarial", "way": "all at once", "precision": "float32", "seeds": 8}
    counts |= {"flops": 4e6, "bytes": 1e6, "ops": 400, "seconds": 0.008, "bound": 1e9}
    for name, columns, content in (("times", training.TIMES, times), ("roofline", training.ROOFLINE, [counts])):
        with open(tmp_path / f"{name}.csv", "w", newline="") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(content)
    lines = training_figure.write(tmp_path).splitlines()
    assert "| gan | adversarial | float32 | 8 | 6 | 4 (1.5x) | 1 (6x) |" in lines
    # 1,000 steps of 4 seeds at 6, 4 and 1 ms
    assert "| gan | adversarial | float32 | 1,000 | 4 | 24 | 16 | 4 |" in lines
    # 4 MFLOP in 8 ms are 0.5 GFLOP/s, half of the bound; 400 operations take 20 us each
    assert "| gan | adversarial | all at once | float32 | 8 | 0.004 | 1 | 4 | 0.5 | 1 | 50 % | 400 | 20 |" in lines


def test_a_tiny_run_writes_all_files(tmp_path, capsys):
    training.main(["--tiny", "--case", "gan", "--device", "cpu", "--seeds", "3", "--out", str(tmp_path)])
    files = {"machine.json", "times.csv", "roofline.csv", "profile.csv", "table.md"}
    assert {path.name for path in tmp_path.iterdir()} == files
    times = rows(tmp_path / "times.csv")
    assert [(r["way"], r["seeds"]) for r in times] == [("one seed", "1"), ("all at once", "3"), ("plain loop", "1")]
    assert all(float(r["seconds"]) >= float(r["least"]) > 0 and int(r["steps"]) >= 15 for r in times)
    assert all(float(r["seed_steps_a_second"]) * float(r["seconds"]) == pytest.approx(int(r["seeds"])) for r in times)
    one, three = rows(tmp_path / "roofline.csv")
    assert int(three["flops"]) == 3 * int(one["flops"]) and int(three["bytes"]) > 2 * int(one["bytes"])
    profile = rows(tmp_path / "profile.csv")
    assert len(profile) == 10 and 0.3 < sum(float(r["share"]) for r in profile) <= 1.0001
    assert (tmp_path / "table.md").read_text() in capsys.readouterr().out
    training_figure.figure(tmp_path)
    assert (tmp_path / "roofline.png").read_bytes().startswith(b"\x89PNG")


def batch_of(model, seeds):
    inputs, data = model.stages()[0].inputs, torch.from_numpy(model.data.train)
    return {k: v[0] for k, v in Feed(inputs, data, seeds, "s", model.device).chunk().items()}


def test_more_seeds_do_as_many_times_the_operations(sets):
    one, three = made("gan", sets), made("gan", sets, range(3))
    alone = training_roofline.operations(lambda: one.step(batch_of(one, [0])))
    group = training_roofline.operations(lambda: three.step(batch_of(three, [0, 1, 2])))
    # oneDNN's product also takes the gradient of the fake points, for the discriminator's loss, where nobody asked
    unasked = 2 * one.config.batch * one.discriminator.module.body[0].affine.weight.numel()
    assert group == 3 * (alone - unasked)


@pytest.mark.parametrize(
    "words", [["--clock", "process", "--threads", "2", "--device", "cpu"], ["--precision", "tf32", "--device", "cpu"]]
)
def test_what_makes_no_sense_is_refused(words):
    with pytest.raises(SystemExit):
        training.arguments(words)
