"""What training costs: memory that was held at once, energy of a GPU, and who is charged for it."""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from otbench.metrics.table import measure_file
from otbench.training import meter as module
from otbench.training.draw import draw
from otbench.training.fit import fit
from otbench.training.meter import Meter, settled
from otbench.training.trainer import Options, Trainer

MB = 1_000_000
SMALL = {"width": 16, "maxout": 8}


def used(megabytes: int) -> np.ndarray:
    """So much memory, written to and so resident."""
    return np.ones(megabytes * MB // 8)


def test_memory_held_at_once_is_the_peak_and_not_what_is_left():
    with Meter("cpu") as meter:
        for _ in range(3):  # three in turn are no more than one at a time
            held = used(200)
            del held
    assert meter.peak_memory == pytest.approx(200 * MB, rel=0.03)
    assert meter.energy is None and meter.costs == {"peak_memory": meter.peak_memory}


def test_what_was_there_before_is_not_charged():
    before = used(150)
    with Meter("cpu") as meter:
        held = used(50)
    assert meter.peak_memory == pytest.approx(50 * MB, abs=6 * MB)
    del before, held


def test_memory_that_earlier_work_gave_back_hides_nothing():
    parts = [np.ones(10_000) for _ in range(1000)]  # 80 MB in pieces that the heap keeps when they are freed
    loop: list = [parts]
    loop.append(loop)
    del parts, loop
    with Meter("cpu") as meter:
        again = [np.ones(10_000) for _ in range(1000)]
    assert meter.peak_memory == pytest.approx(80 * MB, rel=0.1)
    del again


def test_a_mapped_file_is_no_memory_of_the_models(tmp_path):
    np.save(tmp_path / "a.npy", used(60))
    with Meter("cpu") as meter:
        mapped = np.load(tmp_path / "a.npy", mmap_mode="r")
        total = mapped.sum()
    assert total == 60 * MB // 8 and meter.peak_memory < 10 * MB


def test_without_a_peak_that_can_be_set_back_only_a_new_one_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "CLEAR", tmp_path / "no" / "such")
    big = used(400)
    del big
    with Meter("cpu") as small:
        held = used(20)
    assert small.peak_memory is None and small.costs == {}, "below what the process held before"
    status = tmp_path / "status"
    monkeypatch.setattr(module, "STATUS", status)
    kinds = ("VmHWM", "VmRSS", "RssFile")
    status.write_text("".join(f"{kind}: {n} kB\n" for kind, n in zip(kinds, (900, 500, 100), strict=True)))
    with Meter("cpu") as grown:
        status.write_text("".join(f"{kind}: {n} kB\n" for kind, n in zip(kinds, (1200, 800, 160), strict=True)))
    assert grown.peak_memory == (1200 - 160 - (500 - 100)) * 1024
    monkeypatch.setattr(module, "STATUS", tmp_path / "none")
    with Meter("cpu") as unknown:
        pass
    assert unknown.peak_memory is None
    del held


class NVMLError(Exception):
    """As pynvml has it."""


def nvml(readings, error=None):
    """A pynvml whose counter gives these millijoules in turn."""
    left = iter(readings)

    def init():
        if error == "driver":
            raise NVMLError

    def energy(handle):
        assert handle == "handle of GPU-0a1b"
        if error == "counter":
            raise NVMLError
        return next(left)

    return SimpleNamespace(
        NVMLError=NVMLError,
        nvmlInit=init,
        nvmlDeviceGetHandleByUUID="handle of {}".format,
        nvmlDeviceGetTotalEnergyConsumption=energy,
    )


@pytest.fixture
def gpu(monkeypatch):
    """PyTorch as if there were a GPU: 1,000 bytes of it taken before, 6,000 at most."""
    for name in ("synchronize", "reset_peak_memory_stats"):
        monkeypatch.setattr(torch.cuda, name, lambda device: None)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 1000)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: 6000)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(uuid="0a1b"))


def test_energy_is_what_the_counter_gained_in_joules(gpu, monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", nvml([5_000_000, 5_123_500]))
    with Meter("cuda") as meter:
        pass
    assert meter.energy == 123.5 and meter.peak_memory == 5000
    assert meter.costs == {"peak_memory": 5000.0, "energy": 123.5}


@pytest.mark.parametrize("found", [None, nvml([], "driver"), nvml([], "counter")])
def test_no_nvml_driver_or_counter_means_no_energy_and_no_error(found, gpu, monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", found)  # None: as if it could not be imported
    with Meter("cuda") as meter:
        pass
    assert meter.energy is None and meter.peak_memory == 5000


def test_what_settles_the_process_draws_no_random_number():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    with settled(True):
        pass
    assert torch.equal(before, torch.get_rng_state())


class Charged(Meter):
    """A meter that reads 600 bytes and 12 joules."""

    @property
    def costs(self):
        return {"peak_memory": 600.0, "energy": 12.0}


@pytest.mark.parametrize(("together", "share"), [(1, (600.0, 12.0)), (3, (200.0, 4.0))])
def test_the_last_cell_of_every_seed_carries_its_share(together, share, data, tmp_path, monkeypatch):
    monkeypatch.setattr("otbench.training.fit.Meter", Charged)
    training = Options(together=together)
    summary = fit("gan", data, [0, 1, 2], tmp_path / "f", 6, [0.5, 1.0], SMALL, training)
    for cell in summary["cells"]:
        expected = dict(zip(("peak_memory", "energy"), share, strict=True)) if cell["snapshot"] == 1.0 else {}
        assert cell["certificate"] == expected
    draw(tmp_path / "f", data, 100, tmp_path / "s.npz")
    table = measure_file(data, tmp_path / "s.npz", "own")
    rows = table[table["protocol"] == "cost"]
    assert set(rows["snapshot"]) == {1.0} and set(rows["status"]) == {"ok"} and len(rows) == 6
    for metric, value in zip(("peak_memory", "energy"), share, strict=True):
        assert list(rows.loc[rows["metric"] == metric, "value"]) == [value] * 3


def test_an_interrupted_group_and_a_diverged_seed_have_no_costs(data, tmp_path, monkeypatch):
    monkeypatch.setattr("otbench.training.fit.Meter", Charged)
    plain, calls = Trainer.run, []

    def cut(self, title=""):
        calls.append(self.seeds)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return plain(self, title)

    monkeypatch.setattr(Trainer, "run", cut)
    with pytest.raises(KeyboardInterrupt):
        fit("gan", data, [0, 1], tmp_path / "f", 6, options=SMALL, training=Options(together=1))
    summary = fit("gan", data, [0, 1], tmp_path / "f", 6, options=SMALL, training=Options(together=1))
    assert [cell["certificate"] for cell in summary["cells"]] == [{}, {"peak_memory": 600.0, "energy": 12.0}]
    lost = fit("gan", data, [0], tmp_path / "g", 6, options=SMALL | {"rate": 1e30})
    assert lost["cells"][0]["status"] == "diverged" and lost["cells"][0]["certificate"] == {}


def test_a_cell_that_could_not_be_drawn_from_has_no_rows_of_costs(data, tmp_path):
    cell = {"seed": 0, "snapshot": 1.0, "status": "failed", "certificate": {"peak_memory": 5.0, "map_cost": 1.0}}
    info = {"model": "gan", "dataset": data.name, "cells": [cell]}
    np.savez(tmp_path / "s.npz", samples=np.zeros((0, 2), np.float32), info=json.dumps(info))
    table = measure_file(data, tmp_path / "s.npz", "own")
    assert "peak_memory" not in set(table["metric"]) and "map_cost" in set(table["metric"])


def test_a_table_is_read_to_the_last_bit(tmp_path):
    from otbench.metrics.table import COLUMNS, read_table, write_table

    values = np.random.default_rng(0).standard_normal(2000) * 10.0 ** np.arange(2000).astype(float).__mod__(40)
    row = dict.fromkeys(COLUMNS, "x") | {"snapshot": 1.0, "status": "ok", "seconds": 1.0}
    write_table(pd.DataFrame([row | {"seed": k, "value": v} for k, v in enumerate(values)]), tmp_path / "t.csv")
    assert (read_table(tmp_path / "t.csv")["value"].to_numpy() == values).all()
