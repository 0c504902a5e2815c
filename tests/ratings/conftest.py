"""A small rating session: two models with two seeds and two snapshots, and held-out images, all made up."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from otbench.data import save
from otbench.data.base import DataSet
from otbench.data.samples import read_samples, write_samples
from otbench.ratings.sheet import Plan, Session, session, write_session

MODELS = ("otvae", "wgan-mlp")
SEEDS, SNAPSHOTS = (3, 8), (0.25, 1.0)
PLAN = Plan(per_cell=2, along=("otvae",), real=4, checks=3, repeats=3, seed=5)


def pictures(n: int, seed: int, channels: int = 1) -> np.ndarray:
    """Images (n, channels, 8, 8) uint8, each its own."""
    return np.random.default_rng(seed).integers(0, 256, (n, channels, 8, 8), dtype=np.uint8)


def write_model(folder: Path, model: str, count: int = 6, status: str = "ok") -> Path:
    """A samples file of a run; `status` is that of the second seed at the last snapshot."""
    cells = [(seed, snapshot) for seed in SEEDS for snapshot in SNAPSHOTS]
    listed = [{"seed": seed, "snapshot": snapshot, "status": "ok", "seconds": 1.0} for seed, snapshot in cells]
    listed[-1]["status"] = status
    seed, snapshot = (np.repeat([cell[at] for cell in cells], count) for at in (0, 1))
    path = folder / f"{model}.npz"
    info = {"model": model, "dataset": "tiny", "cells": listed}
    write_samples(path, pictures(len(seed), len(model)), seed, snapshot, info)
    return path


@pytest.fixture(scope="session")
def tiny() -> DataSet:
    """A data set of images with 20 held-out ones."""
    return DataSet("tiny", pictures(30, 0), pictures(10, 1), title="tiny <b>images</b>", validation=pictures(20, 2))


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory, tiny: DataSet) -> dict[str, Path]:
    """The data set and the models' samples on disk, by name."""
    folder = tmp_path_factory.mktemp("samples")
    save(tiny, folder / "tiny.npz")
    return {"data": folder / "tiny.npz"} | {model: write_model(folder, model) for model in MODELS}


@pytest.fixture(scope="session")
def made(tiny: DataSet, files: dict[str, Path]) -> Session:
    """The session of PLAN: 8 images of otvae, 4 of wgan-mlp, 4 real, 3 checks, 3 repeats."""
    return session(tiny, [read_samples(files[model]) for model in MODELS], PLAN)


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory, made: Session) -> Path:
    """A folder with the session's files, which no test changes."""
    folder = tmp_path_factory.mktemp("written")
    write_session(made, folder)
    return folder


@pytest.fixture
def folder(tmp_path: Path, written: Path) -> Path:
    """A folder with the session's files."""
    return Path(shutil.copytree(written, tmp_path / "ratings"))


@pytest.fixture(scope="session")
def write() -> Callable[..., Path]:
    """The function that writes a model's samples file."""
    return write_model
