"""Data sets with a known truth, at PacGAN's scale."""

import numpy as np
import pytest

from otbench.data.base import DataSet, Mixture


def make(name: str, centres: np.ndarray, sigma: float, n_train: int = 20_000) -> DataSet:
    generator = np.random.default_rng(0)
    truth = Mixture(np.asarray(centres, float), sigma, np.full(len(centres), 1 / len(centres)))
    return DataSet(name, truth.sample(n_train, generator), truth.sample(5_000, generator), truth)


@pytest.fixture(scope="session")
def grid() -> DataSet:
    return make("grid", [(i, j) for i in range(-4, 5, 2) for j in range(-4, 5, 2)], 0.05)


@pytest.fixture(scope="session")
def ring() -> DataSet:
    angle = np.arange(8) * np.pi / 4
    return make("ring", np.stack([np.cos(angle), np.sin(angle)], axis=1), 0.01)


@pytest.fixture(scope="session")
def modeless() -> DataSet:
    points = np.random.default_rng(1).normal(size=(3_000, 2)).astype(np.float32)
    return DataSet("swissroll", points[:1_000], points[1_000:], None)


@pytest.fixture
def generator() -> np.random.Generator:
    return np.random.default_rng(7)
