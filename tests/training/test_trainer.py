"""The trainer: resume, snapshots, divergence, options."""

from __future__ import annotations

import csv
import json
import os
import signal
import time
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors import safe_open

from otbench.errors import OtbenchError, WorkFailed
from otbench.metrics.table import measure_file
from otbench.models import configure, find
from otbench.models.inputs import Normal, Real, Uniform
from otbench.models.points.gan import GAN
from otbench.training import trainer
from otbench.training.draw import draw
from otbench.training.feed import Feed
from otbench.training.fit import fit
from otbench.training.saved import open_fit
from otbench.training.trainer import Options, Trainer, key
from otbench.utils import interrupt
from otbench.utils.interrupt import Interrupted
from otbench.utils.rng import generator, stream_seed

SMALL = {"width": 16, "maxout": 8}


class Stop(BaseException):
    """Stands for a kill at any moment."""


def weights(folder):
    with safe_open(folder / "weights.safetensors", "pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}


def losses(folder):
    with open(folder / "losses.csv") as file:
        return list(csv.reader(file))


@pytest.mark.parametrize("stop_at", [60, 130, 249])
@pytest.mark.parametrize(("name", "together"), [("pacgan2", 1), ("pacgan2", 2), ("wgan-gp", 1)])
def test_resuming_equals_no_interruption_bit_for_bit(name, together, stop_at, data, tmp_path, monkeypatch):
    options = SMALL if name == "pacgan2" else {"critic_steps": 1, "batch": 32, "width": 32}
    training = Options(checkpoint=0.0, together=together)
    call = dict(seeds=[0, 5], steps=250, snapshots=[0.3, 0.6], options=options, training=training)
    fit(name, data, out=tmp_path / "whole", **call)
    model = find(name)
    plain, count = model.step, [0]

    def step(self, batch):
        count[0] += 1
        # the second seed's training is cut, after the first has finished; or that of both
        if count[0] == stop_at + 250 * (together == 1):
            raise Stop
        return plain(self, batch)

    monkeypatch.setattr(model, "step", step)
    with pytest.raises(Stop):
        fit(name, data, out=tmp_path / "cut", **call)
    assert not (tmp_path / "cut" / "fit.json").exists(), "nothing unfinished looks finished"
    count[0] = -10_000
    fit(name, data, out=tmp_path / "cut", **call)
    assert count[0] + 10_000 <= 250 - stop_at + Feed.CHUNK, "finished work is not done again"
    first, second = weights(tmp_path / "whole"), weights(tmp_path / "cut")
    assert first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)
    assert losses(tmp_path / "whole") == losses(tmp_path / "cut")
    assert not list((tmp_path / "cut").glob(".resume*")), "the checkpoint is gone once the work is whole"


def test_a_damaged_checkpoint_gets_a_sentence(data, tmp_path, monkeypatch):
    call = dict(seeds=[0], steps=200, options=SMALL, training=Options(checkpoint=0.0))
    plain, count = GAN.step, [0]

    def step(self, batch):
        count[0] += 1
        if count[0] == 120:
            raise Stop
        return plain(self, batch)

    monkeypatch.setattr(GAN, "step", step)
    with pytest.raises(Stop):
        fit("gan", data, out=tmp_path, **call)
    (saved,) = tmp_path.glob(".resume*/0.pt")
    whole = saved.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    for broken in (whole[: len(whole) // 2], b"", b"not a checkpoint", bytes(flipped)):
        saved.write_bytes(broken)
        with pytest.raises(OtbenchError, match="cannot be read .*delete it to train from the start"):
            fit("gan", data, out=tmp_path, **call)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_request_to_stop_leaves_a_checkpoint_and_the_next_call_goes_on(number, data, tmp_path, monkeypatch):
    call = dict(seeds=[0], steps=200, options=SMALL)  # the next checkpoint would come after a minute
    fit("gan", data, out=tmp_path / "whole", **call)
    plain, count = GAN.step, [0]

    def step(self, batch):
        count[0] += 1
        if count[0] == 70:
            os.kill(os.getpid(), number)
        return plain(self, batch)

    monkeypatch.setattr(GAN, "step", step)
    before = signal.getsignal(number)
    with pytest.raises(Interrupted, match="stopped after step 100 of 200 of stage .*goes on from there") as caught:
        fit("gan", data, out=tmp_path / "cut", **call)
    assert caught.value.status == 128 + number and signal.getsignal(number) is before
    assert not (tmp_path / "cut" / "fit.json").exists()
    fit("gan", data, out=tmp_path / "cut", **call)
    assert count[0] == 200, "no step is done twice"
    first, second = weights(tmp_path / "whole"), weights(tmp_path / "cut")
    assert all(torch.equal(first[k], second[k]) for k in first)


def failing(monkeypatch, seed, at, error):
    """Let every training of one seed, alone or with others, end with an error at a step."""
    plain, count = GAN.step, Counter()

    def step(self, batch):
        count[id(self)] += 1
        if count[id(self)] == at and seed in self.seeds:
            raise error
        return plain(self, batch)

    monkeypatch.setattr(GAN, "step", step)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RuntimeError("no luck\nat all"), "RuntimeError: no luck"),
        (MemoryError(), "MemoryError: "),
        (torch.OutOfMemoryError("CUDA out of memory"), "OutOfMemoryError: CUDA out of memory"),
        (WorkFailed("the map was lost"), "the map was lost"),
    ],
)
def test_a_seed_that_fails_is_a_failed_cell_and_the_others_go_on(error, said, data, tmp_path, monkeypatch, capfd):
    failing(monkeypatch, 1, 60, error)
    summary = fit("gan", data, [0, 1, 2], tmp_path, steps=100, snapshots=[0.5], options=SMALL)
    found = {(cell["seed"], cell["snapshot"]): cell for cell in summary["cells"]}
    assert {key for key, cell in found.items() if cell["status"] == "failed"} == {(1, 1.0)}
    assert found[1, 0.5]["status"] == "ok", "what came before is kept"
    assert found[0, 1.0]["message"] == "trained alone, as 3 replicas at once " + (
        "ran out of memory" if isinstance(error, torch.OutOfMemoryError) else "failed"
    )
    assert found[1, 1.0]["message"] == said and f"failed: {said}" in capfd.readouterr().err
    draw(tmp_path, data, 50, tmp_path / "samples.npz")
    table = measure_file(data, tmp_path / "samples.npz", "r")
    assert set(table[(table["seed"] == 1) & (table["snapshot"] == 1)]["status"]) == {"failed"}
    assert set(table[table["seed"] != 1]["status"]) == {"ok"}


def test_a_model_that_cannot_be_built_is_failed_cells(data, tmp_path, monkeypatch):
    monkeypatch.setattr(GAN, "parameters", lambda self: 1 / 0)
    summary = fit("gan", data, [0, 1], tmp_path, steps=20, snapshots=[0.5], options=SMALL)
    assert {cell["status"] for cell in summary["cells"]} == {"failed"} and len(summary["cells"]) == 4
    assert summary["cells"][0]["message"] == "ZeroDivisionError: division by zero"


def test_a_wrong_request_is_not_a_failed_cell(data, tmp_path, monkeypatch):
    failing(monkeypatch, 0, 10, OtbenchError("such data are not for it"))
    with pytest.raises(OtbenchError, match="not for it"):
        fit("gan", data, [0], tmp_path, steps=100, options=SMALL)
    assert not (tmp_path / "fit.json").exists()


def test_a_seed_that_exceeds_its_time_is_a_failed_cell(data, tmp_path):
    limit = Options(time_limit=1e-6)
    summary = fit("gan", data, [0], tmp_path, steps=200, options=SMALL, training=limit)
    (cell,) = summary["cells"]
    assert cell["status"] == "failed" and "exceeded its time of 1e-06 s at step 50 of 200" in cell["message"]


def blocking(monkeypatch, at, signalled=False):
    """GAN steps of which the one numbered `at` sleeps for an hour, after a SIGTERM where `signalled`."""
    plain, count = GAN.step, [0]

    def step(self, batch):
        count[0] += 1
        if count[0] == at:
            if signalled:
                os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(3600)
        return plain(self, batch)

    monkeypatch.setattr(GAN, "step", step)


def test_a_step_that_blocks_ends_with_the_time_limit(data, tmp_path, monkeypatch):
    """Fault 8: what was reached before stays."""
    blocking(monkeypatch, 60)
    monkeypatch.setattr(trainer, "ROOM", 5 - 1e6)  # five seconds for a chunk, however slow the machine
    limit = Options(time_limit=1e6)
    summary = fit("gan", data, [0], tmp_path, steps=200, snapshots=[0.25], options=SMALL, training=limit)
    first, last = summary["cells"]
    assert (first["snapshot"], first["status"]) == (0.25, "ok")
    assert last["status"] == "failed" and last["message"].startswith("training exceeded its time of 1e+06 s in a step")
    assert last["seconds"] > first["seconds"] + 1
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_a_step_that_blocks_ends_after_sigterm(data, tmp_path, monkeypatch):
    """Fault 8: the first signal is enough."""
    blocking(monkeypatch, 60, signalled=True)
    monkeypatch.setattr(interrupt, "PATIENCE", 0.5)
    with pytest.raises(Interrupted, match="stopped in a step that did not end; the same command goes on"):
        fit("gan", data, [0], tmp_path, steps=200, options=SMALL, training=Options(checkpoint=0.0))
    assert not (tmp_path / "fit.json").exists() and list(tmp_path.glob(".resume-*"))


def test_replicas_that_need_too_much_memory_together_are_trained_one_by_one(data, tmp_path, monkeypatch):
    plain = GAN.step

    def step(self, batch):
        if len(self.seeds) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return plain(self, batch)

    together = Options(together=2)
    fit("gan", data, [0, 1], tmp_path / "alone", steps=60, options=SMALL)
    monkeypatch.setattr(GAN, "step", step)
    summary = fit("gan", data, [0, 1], tmp_path / "group", steps=60, options=SMALL, training=together)
    for cell in summary["cells"]:
        assert (cell["status"], cell["message"]) == ("ok", "trained alone, as 2 replicas at once ran out of memory")
    first, second = weights(tmp_path / "alone"), weights(tmp_path / "group")
    assert all(torch.equal(first[k], second[k]) for k in first)


def test_weights_that_changed_get_a_sentence(data, tmp_path):
    fit("gan", data, [0], tmp_path, steps=20, options=SMALL)
    path = tmp_path / "weights.safetensors"
    content = bytearray(path.read_bytes())
    content[-10] ^= 1
    path.write_bytes(content)
    with pytest.raises(OtbenchError, match="cannot read the weights in .*: they are damaged, or of another fit"):
        draw(tmp_path, data, 50, tmp_path / "samples.npz")


def test_samples_of_a_model_of_other_data_get_a_sentence(data, tmp_path):
    fit("gan", data, [0], tmp_path, steps=20, options=SMALL)
    draw(tmp_path, data, 50, tmp_path / "samples.npz")
    changed = replace(data, train=data.train + 1)
    with pytest.raises(OtbenchError, match="the data set four that is given; it changed since"):
        measure_file(changed, tmp_path / "samples.npz", "r")


def test_a_second_request_is_not_kept_waiting(data, tmp_path, monkeypatch):
    plain, count = GAN.step, [0]

    def step(self, batch):
        count[0] += 1
        if count[0] in (70, 72):
            os.kill(os.getpid(), signal.SIGTERM)
        return plain(self, batch)

    monkeypatch.setattr(GAN, "step", step)
    with pytest.raises(Interrupted, match="from the last checkpoint"):
        fit("gan", data, [0], tmp_path, steps=200, options=SMALL)
    assert count[0] == 72


def test_snapshots_are_the_states_along_the_way(data, tmp_path):
    fit("gan", data, [0], tmp_path / "long", steps=100, snapshots=[0.4], options=SMALL)
    fit("gan", data, [0], tmp_path / "short", steps=40, options=SMALL)
    long, short = weights(tmp_path / "long"), weights(tmp_path / "short")
    assert sorted({k.split("/")[1] for k in long}) == ["0.4", "1"]
    for name in (k for k in long if k.startswith("0/0.4/")):
        assert torch.equal(long[name], short[name.replace("0/0.4/", "0/1/")])


def diverging(monkeypatch, bad_seed, at):
    plain, count = GAN.step, [0]

    def step(self, batch):
        count[0] += 1
        if count[0] == at and bad_seed in self.seeds:
            row = self.seeds.index(bad_seed)
            batch = {**batch, "z": batch["z"].clone()}
            batch["z"][row] = float("nan")
        return plain(self, batch)

    monkeypatch.setattr(GAN, "step", step)


@pytest.mark.parametrize("seeds", [[0, 1, 2], [0, 1]])
def test_a_diverged_replica_is_recorded_and_the_others_go_on(seeds, data, monkeypatch, double):
    def run(group):
        model = GAN(configure("gan", SMALL), data, group)
        return Trainer(model, 300, [0.1, 0.5, 1.0], Options(), None).run()

    alone = run([0])
    diverging(monkeypatch, bad_seed=1, at=120)
    record = run(seeds)
    status = {k: c["status"] for k, c in record.cells.items()}
    assert status[key(1, 0.1)] == "ok", "what was measured before stays"
    assert status[key(1, 0.5)] == status[key(1, 1.0)] == "diverged"
    assert "not finite" in record.cells[key(1, 1.0)]["message"]
    assert key(1, 1.0) not in record.snapshots
    assert all(status[key(s, f)] == "ok" for s in seeds if s != 1 for f in (0.1, 0.5, 1.0))
    kept = record.snapshots[key(0, 1.0)]
    for name, value in alone.snapshots[key(0, 1.0)].items():
        torch.testing.assert_close(kept[name], value, rtol=1e-5, atol=1e-7)
    steps = {row[1] for row in record.losses if row[2] == 1}
    assert max(steps) == 150, "the diverged replica costs no more time"


def test_when_all_diverge_the_run_ends_and_says_so(data, monkeypatch, tmp_path):
    diverging(monkeypatch, bad_seed=0, at=10)
    summary = fit("gan", data, [0], tmp_path / "fit", steps=200, snapshots=[0.5], options=SMALL)
    assert [c["status"] for c in summary["cells"]] == ["diverged", "diverged"]
    info = draw(tmp_path / "fit", data, 30, tmp_path / "s.npz")
    with np.load(tmp_path / "s.npz") as file:
        assert len(file["samples"]) == 0 and json.loads(str(file["info"]))["cells"] == info["cells"]


def test_draw_gives_every_seed_and_snapshot(data, tmp_path):
    fit("gan", data, [3, 1], tmp_path / "fit", steps=60, snapshots=[0.5], options=SMALL)
    draw(tmp_path / "fit", data, 40, tmp_path / "s.npz")
    with np.load(tmp_path / "s.npz") as file:
        cells = {(int(s), float(t)) for s, t in zip(file["seed"], file["snapshot"], strict=True)}
        assert cells == {(1, 0.5), (1, 1.0), (3, 0.5), (3, 1.0)} and file["samples"].shape == (160, 2)
    draw(tmp_path / "fit", data, 40, tmp_path / "t.npz")
    assert (tmp_path / "s.npz").read_bytes() == (tmp_path / "t.npz").read_bytes()


def test_a_fit_of_other_data_is_refused(data, tmp_path):
    from tests.conftest import four_modes

    fit("memoriser", data, [0], tmp_path / "fit")
    with pytest.raises(OtbenchError, match="was fitted on four with digest"):
        open_fit(tmp_path / "fit", four_modes(seed=9))


def test_a_damaged_weights_file_gets_a_sentence(data, tmp_path):
    fit("gan", data, [0], tmp_path, steps=10, options=SMALL)
    path = tmp_path / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(OtbenchError, match="cannot read the weights"):
        draw(tmp_path, data, 10, tmp_path / "s.npz")


def test_budgets_count_discriminator_updates(data):
    for name, cost in (("gan", 1), ("wgan", 5), ("unrolled-gan", 6)):
        model = find(name)(configure(name), data, [0])
        ((stage, steps),) = Trainer(model, 600, [1.0], Options(), None).plan()
        assert stage.cost == cost and steps == 600 // cost


@pytest.mark.skipif(torch.cuda.is_available(), reason="this is about machines without a GPU")
def test_gpu_options_without_a_gpu_get_a_sentence(data, tmp_path):
    with pytest.raises(OtbenchError, match="needs a GPU; leave it out on a CPU"):
        fit("gan", data, [0], tmp_path, steps=10, options=SMALL, training=Options(capture=True))
    with pytest.raises(OtbenchError, match="no usable GPU; use 'cpu' or 'auto'"):
        fit("gan", data, [0], tmp_path, steps=10, options=SMALL, training=Options(device="cuda"))


def test_a_fit_is_in_the_precision_asked_for(data, tmp_path):
    # after one step, as what is rounded then moves apart
    for precision in ("float32", "bfloat16"):
        options = Options(precision=precision)
        fit("gan", data, [0], tmp_path / precision, steps=1, options=SMALL, training=options)
    full, mixed = (np.array([float(r[4]) for r in losses(tmp_path / p)[1:]]) for p in ("float32", "bfloat16"))
    assert not np.array_equal(full, mixed) and mixed == pytest.approx(full, rel=2**-7), "bfloat16 has 8 digits"


def test_streams_are_independent_and_repeatable():
    assert stream_seed(0, "a") != stream_seed(1, "a") != stream_seed(1, "b")
    draws = [torch.randn(1000, generator=generator(s, n)) for s in (0, 1) for n in ("a", "b")]
    correlation = np.corrcoef(torch.stack(draws).numpy()) - np.eye(4)
    assert np.abs(correlation).max() < 0.15
    assert torch.equal(draws[0], torch.randn(1000, generator=generator(0, "a")))


def test_feed_draws_what_its_inputs_say():
    rows = torch.arange(20.0).reshape(10, 2)
    inputs = {"real": Real((3, 4)), "z": Normal((5, 2)), "u": Uniform((6,), -1, 1)}
    feed = Feed(inputs, rows, [0, 1], "stage", torch.device("cpu"))
    chunk = feed.chunk()
    assert chunk["real"].shape == (Feed.CHUNK, 2, 3, 4, 2) and chunk["z"].shape == (Feed.CHUNK, 2, 5, 2)
    assert set(chunk["real"].flatten(0, 3).unique(dim=0)[:, 0].tolist()) <= set(rows[:, 0].tolist())
    assert chunk["u"].min() >= -1 and chunk["u"].max() < 1 and abs(chunk["u"].mean()) < 0.1
    state = feed.state()
    following = feed.chunk()
    again = Feed(inputs, rows, [0, 1], "stage", torch.device("cpu"))
    again.load(state)
    assert all(torch.equal(following[k], v) for k, v in again.chunk().items())
    images = torch.tensor([[[[0, 255]]]], dtype=torch.uint8)
    assert Real((2,)).draw(1, images, generator(0, "x")).tolist() == [[[[[0.0, 1.0]]]] * 2]
