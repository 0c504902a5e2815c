"""What every data set that needs no download must be, whoever wrote it."""

from __future__ import annotations

import numpy as np
import pytest

from otbench.data import load, save
from otbench.registry import dataset_names

NAMES = [*(("points", name) for name in dataset_names("points")), ("images", "digits"), ("images", "stacked-digits")]


@pytest.fixture(scope="module", params=NAMES, ids=lambda pair: pair[1])
def pair(request):
    """(kind, name, data set)."""
    kind, name = request.param
    return kind, name, load(name)


def test_says_what_it_is(pair):
    kind, name, data = pair
    assert data.kind == kind and data.name == name
    assert data.title and data.source and dataset_names(kind)[name].endswith(".")


def test_is_the_same_whenever_it_is_made(pair):
    assert load(pair[1]).digest() == pair[2].digest()


def test_is_read_back_as_it_was_written(pair, tmp_path):
    save(pair[2], tmp_path / "d.npz")
    assert load(str(tmp_path / "d.npz")).digest() == pair[2].digest()


def test_held_out_data_are_not_what_metrics_refer_to(pair):
    data = pair[2]
    seen = {row.tobytes() for row in data.reference}
    repeated = sum(row.tobytes() in seen for row in data.held_out)
    assert repeated <= 0.01 * len(data.held_out)


def test_a_mixture_is_what_its_points_are_drawn_from(pair):
    data, n = pair[2], 2000
    if data.truth is not None:
        distance = np.linalg.norm(data.test[:n, None] - data.truth.centres[None], axis=2)
        share = np.bincount(distance.argmin(axis=1), minlength=len(data.truth.weights)) / n
        error = np.sqrt(data.truth.weights * (1 - data.truth.weights) / n)
        assert (np.abs(share - data.truth.weights) < 5 * error + 1e-12).all()
        variance = (distance.min(axis=1) ** 2).mean() / data.truth.directions
        assert np.sqrt(variance) == pytest.approx(data.truth.sigma, rel=0.1)
