"""Jobs take different GPUs while there are any, and share them evenly afterwards."""

from __future__ import annotations

import pytest
import torch

from otbench.utils import devices


@pytest.fixture
def gpus(monkeypatch, tmp_path):
    """A machine with three GPUs, as far as claims can tell; yields the devices set."""
    chosen: list[int] = []
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    monkeypatch.setattr(devices.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(devices, "_held", [])
    yield chosen
    for lock in devices._held:
        lock.release()


def job(monkeypatch) -> int | None:
    """What another process would get: locks of one open file hold against another of the same process."""
    kept = list(devices._held)
    monkeypatch.setattr(devices, "_held", [])
    index = devices.claim_gpu()
    monkeypatch.setattr(devices, "_held", kept + devices._held)
    return index


def test_each_gpu_is_taken_once_before_any_is_taken_twice(gpus, monkeypatch):
    assert [job(monkeypatch) for _ in range(7)] == [0, 1, 2, 0, 1, 2, 0]
    assert gpus == [0, 1, 2, 0, 1, 2, 0]


def test_a_gpu_is_free_again_when_its_job_has_ended(gpus, monkeypatch):
    assert [job(monkeypatch) for _ in range(3)] == [0, 1, 2]
    devices._held[1].release()
    assert job(monkeypatch) == 1


def test_a_process_claims_once(gpus):
    assert (devices.claim_gpu(), devices.claim_gpu()) == (0, None) and gpus == [0]


def test_devices_go_by_their_names_where_jobs_see_different_ones(gpus, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,1,0")
    assert job(monkeypatch) == 0  # the third
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,2,1")
    assert [job(monkeypatch), job(monkeypatch)] == [0, 2]


def test_one_gpu_is_no_choice(gpus, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert devices.claim_gpu() is None and gpus == []


def test_without_a_folder_for_locks_the_first_gpu_is_used(gpus, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setattr(devices.tempfile, "gettempdir", lambda: str(tmp_path / "file"))
    assert devices.claim_gpu() is None and gpus == []
