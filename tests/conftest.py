"""Fixtures for all tests: small data, and the command line as a user calls it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from otbench.data.base import DataSet, Mixture

ROOT = Path(__file__).parent.parent

torch.set_num_threads(1)


def pytest_runtest_setup():
    """The same random numbers in every order of the tests, and on every worker; before any fixture draws some."""
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def denormal_numbers():
    """Verbs called in this process switch denormal numbers off for good; hypothesis, for one, wants them."""
    yield
    torch.set_flush_denormal(False)


@contextmanager
def in_double() -> Iterator[None]:
    """Double precision, in which what rounding moves apart in a short training is still far below any fault."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@pytest.fixture
def double():
    """A test in double precision."""
    with in_double():
        yield


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


def four_modes(n: int = 400, seed: int = 0) -> DataSet:
    """Four well separated Gaussians in the plane."""
    truth = Mixture(np.array([(x, y) for x in (-1.0, 1.0) for y in (-1.0, 1.0)]), 0.05, np.full(4, 0.25))
    draw = np.random.default_rng(seed)
    return DataSet("four", truth.sample(n, draw), truth.sample(2000, draw), truth, "four modes", "test")


@pytest.fixture(scope="session")
def data() -> DataSet:
    """Four well separated Gaussians in the plane."""
    return four_modes()


def smoke(study: str) -> dict:
    """The options of a study of the theory in the smoke run: the smallest that show all of it."""
    return yaml.safe_load((ROOT / "config" / "smoke.yaml").read_text())["theory"][study].get("set", {})


def otbench(*words: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess:
    """Run the command line in a process of its own."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "otbench", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=env)
