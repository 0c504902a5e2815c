"""Point sets: the protocol's modes, scales and counts; reading and writing."""

import numpy as np
import pytest

from otbench.data import known, load, save
from otbench.errors import OtbenchError

SCALES = {
    "grid": (25, 0.05, 100_000, [-4, -2, 0, 2, 4]),
    "ring": (8, 0.01, 100_000, None),
    "grid-pyomt": (25, 0.01768, 256, [-1.4144, -0.7072, 0, 0.7072, 1.4144]),
    "ring-pyomt": (8, 0.01414, 256, None),
}


@pytest.mark.parametrize("name", SCALES)
def test_mixture_follows_the_protocol(name):
    modes, sigma, count, axis = SCALES[name]
    data = load(name)
    assert (len(data.truth.centres), len(data.train), len(data.test)) == (modes, count, 100_000)
    assert data.truth.sigma == pytest.approx(sigma, rel=1e-3)
    if axis:
        assert np.unique(np.round(data.truth.centres[:, 0], 4)) == pytest.approx(axis, abs=1e-3)
    distance = np.linalg.norm(data.test[:, None] - data.truth.centres, axis=2)
    nearest, share = distance.argmin(1), (distance.min(1) < 3 * data.truth.sigma).mean()
    assert share == pytest.approx(1 - np.exp(-4.5), abs=0.0015)
    # drawn, not stratified: counts spread as a multinomial's
    counts = np.bincount(nearest, minlength=modes)
    chi_square = ((counts - 1e5 / modes) ** 2 / (1e5 / modes)).sum()
    assert 0.2 * (modes - 1) < chi_square < 2.5 * (modes - 1)
    spread = (data.test - data.truth.centres[nearest]).std(0)
    assert spread == pytest.approx(np.full(2, sigma), rel=0.01)


def test_ring_radii():
    assert np.linalg.norm(load("ring").truth.centres, axis=1) == pytest.approx(1)
    assert np.linalg.norm(load("ring-pyomt").truth.centres, axis=1) == pytest.approx(2 / 1.414)


def test_swissroll_lies_on_its_spiral():
    data = load("swissroll")
    assert data.truth is None and len(data.train) == 256
    radius = np.linalg.norm(data.test * 7.5, axis=1)
    # t in [1.5 pi, 4.5 pi] is both angle and radius of the roll
    assert radius.min() > 1.5 * np.pi - 1.5 and radius.max() < 4.5 * np.pi + 1.5
    t = np.arctan2(data.test[:, 1], data.test[:, 0])
    off = (radius - t + np.pi) % (2 * np.pi) - np.pi
    assert np.abs(off).mean() < 0.3


def test_data_are_the_same_every_time():
    assert load("grid").digest() == load("grid").digest() != load("ring").digest()


def test_training_and_test_points_differ_and_halves_are_disjoint():
    data = load("grid")
    train, test = ({tuple(row) for row in split.tolist()} for split in (data.train, data.test))
    assert len(train & test) < 5
    assert len(data.reference) + len(data.held_out) == len(data.test)
    assert not np.array_equal(data.reference[:100], data.held_out[:100])


@pytest.mark.parametrize("name", ["ring-pyomt", "swissroll"])
def test_written_data_read_back_the_same(name, tmp_path):
    data = load(name)
    save(data, tmp_path / "d.npz")
    again = load(str(tmp_path / "d.npz"))
    assert again.digest() == data.digest() and again.name == name and again.source == data.source
    assert (again.truth is None) == (data.truth is None)


def test_every_known_name_loads():
    assert all(load(name).name == name for name in known())


def test_wrong_files_get_a_sentence(tmp_path):
    with pytest.raises(OtbenchError, match="unknown data set 'gird'; known are grid"):
        load("gird")
    with pytest.raises(OtbenchError, match="does not exist; make it with"):
        load(str(tmp_path / "no.npz"))
    (tmp_path / "cut.npz").write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(OtbenchError, match="cannot be read as .npz"):
        load(str(tmp_path / "cut.npz"))
    np.savez(tmp_path / "part.npz", name="x", train=np.zeros((3, 2), np.float32))
    with pytest.raises(OtbenchError, match="has no array 'test'"):
        load(str(tmp_path / "part.npz"))
    bad = np.array([[np.nan, 0]], np.float32)
    np.savez(tmp_path / "nan.npz", name="x", train=bad, test=bad)
    with pytest.raises(OtbenchError, match="1 values are not finite"):
        load(str(tmp_path / "nan.npz"))
    np.savez(tmp_path / "double.npz", name="x", train=np.zeros((3, 2)), test=np.zeros((3, 2)))
    with pytest.raises(OtbenchError, match="expected float32, got float64"):
        load(str(tmp_path / "double.npz"))
