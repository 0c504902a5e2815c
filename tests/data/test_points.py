"""Point sets: the protocol's modes, scales and counts; reading and writing."""

import zipfile
from dataclasses import replace

import numpy as np
import pytest

from otbench.data import list_datasets, load, save
from otbench.errors import OtbenchError
from otbench.registry import dataset_names

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
    assert all(load(name).name == name for name in dataset_names("points")) and set(dataset_names("points")) < set(
        list_datasets()
    )


def test_wrong_files_get_a_sentence(tmp_path):
    with pytest.raises(OtbenchError, match="unknown data set 'gird'; known are grid"):
        load("gird")
    with pytest.raises(OtbenchError, match="does not exist; make it with"):
        load(str(tmp_path / "no.npz"))
    (tmp_path / "cut.npz").write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(OtbenchError, match="is damaged, truncated or not an .npz"):
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


TRUTH = {"centres": np.zeros((2, 2)), "sigma": 0.1, "weights": np.array([0.5, 0.5])}
WRONG = {
    "expected centres of shape \\(K, 2\\), got \\(2,\\)": {"centres": np.zeros(2)},
    "expected centres of shape \\(K, 2\\), got \\(2, 3\\)": {"centres": np.zeros((2, 3))},
    "expected centres of shape \\(K, 2\\), got \\(0, 2\\)": {"centres": np.zeros((0, 2)), "weights": np.zeros(0)},
    "1 values of centres are not finite": {"centres": np.array([[0, np.nan], [0, 0]])},
    "centres must be numbers, got <U1": {"centres": np.full((2, 2), "a")},
    "expected one finite sigma above 0, got 0": {"sigma": 0},
    "expected one finite sigma above 0, got nan": {"sigma": np.nan},
    "expected one finite sigma above 0, got \\[0.1 0.2\\]": {"sigma": [0.1, 0.2]},
    "expected weights of shape \\(2,\\), got \\(3,\\)": {"weights": np.full(3, 1 / 3)},
    "weights from 0 up that sum to 1, got least 0.5, sum 1.1": {"weights": np.array([0.5, 0.6])},
    "weights from 0 up that sum to 1, got least 0.5, sum 1": {"weights": np.array([0.5, 0.5 + 2e-6])},
    "weights from 0 up that sum to 1, got least -0.5, sum 1": {"weights": np.array([-0.5, 1.5])},
    "weights from 0 up that sum to 1, got least nan, sum nan": {"weights": np.array([np.nan, 1])},
}


def written(path, **arrays):
    points = np.zeros((3, 2), np.float32)
    np.savez(path, **{"name": "x", "train": points, "test": points, **arrays})
    return str(path)


@pytest.mark.parametrize("sentence", WRONG)
def test_a_wrong_mixture_gets_a_sentence(sentence, tmp_path):
    with pytest.raises(OtbenchError, match=f"^data set x, truth: .*{sentence}"):
        load(written(tmp_path / "d.npz", **{**TRUTH, **WRONG[sentence]}))


def test_weights_may_be_off_by_rounding(tmp_path):
    truth = load(written(tmp_path / "d.npz", **{**TRUTH, "weights": np.array([0.5, 0.5 + 5e-7])})).truth
    assert truth.sigma == 0.1 and len(truth.weights) == 2
    assert load(written(tmp_path / "e.npz")).truth is None


@pytest.mark.parametrize("key", TRUTH)
def test_half_a_mixture_gets_a_sentence(key, tmp_path):
    path = written(tmp_path / "d.npz", **{k: v for k, v in TRUTH.items() if k != key})
    with pytest.raises(
        OtbenchError, match=f"has no array '{key}'; a mixture is described by centres, sigma and weights"
    ):
        load(path)


def test_what_is_no_archive_of_arrays_gets_a_sentence(tmp_path):
    with open(tmp_path / "one.npz", "wb") as file:
        np.save(file, np.zeros((3, 2), np.float32))
    with pytest.raises(OtbenchError, match="holds one array"):
        load(str(tmp_path / "one.npz"))
    with zipfile.ZipFile(tmp_path / "words.npz", "w") as archive:
        for key in ("name", "train", "test"):
            archive.writestr(key, "no array")
    with pytest.raises(OtbenchError, match="has no array 'name'"):
        load(str(tmp_path / "words.npz"))
    noise = np.random.default_rng(0).standard_normal((500, 2)).astype(np.float32)
    np.savez_compressed(tmp_path / "packed.npz", name="x", train=noise, test=noise)
    whole = (tmp_path / "packed.npz").read_bytes()
    for start in range(100, len(whole) - 400, 400):
        (tmp_path / "packed.npz").write_bytes(whole[:start] + bytes(300) + whole[start + 300 :])
        with pytest.raises(OtbenchError, match="is damaged, truncated or not an .npz"):
            load(str(tmp_path / "packed.npz"))


@pytest.fixture(scope="module")
def wide():
    """The set in 1,200 dimensions, whose making takes a second."""
    return load("synthetic-1200")


def test_the_set_in_1200_dimensions_is_wide_in_700_directions(wide, tmp_path):
    data, truth = wide, wide.truth
    assert data.train.shape == (10_000, 1200) and truth.centres.shape == (10, 1200)
    assert (truth.radius, truth.directions) == (10.0, 700)
    assert truth.basis.T @ truth.basis == pytest.approx(np.eye(700), abs=1e-9)
    rows = data.test[:200]
    distance = np.sqrt(np.maximum(((rows[:, None] - truth.centres) ** 2).sum(2), 0))
    nearest = distance.argmin(1)
    # |x - c|^2 / sigma^2 is chi square of 700 degrees of freedom
    assert ((distance.min(1) / truth.sigma) ** 2).mean() == pytest.approx(700, rel=0.02)
    assert np.sort(distance, 1)[:, 1].min() > 20 * truth.sigma * np.sqrt(700) / 3
    off = rows - truth.centres[nearest]
    assert np.abs(off - off @ truth.basis @ truth.basis.T).max() < 1e-4, "flat in the other 500"
    save(replace(data, train=data.train[:5], test=data.test[:5]), tmp_path / "data.npz")
    again = load(tmp_path / "data.npz").truth
    assert (again.radius, again.directions) == (10.0, 700) and np.array_equal(again.basis, truth.basis)


def test_high_quality_goes_by_the_radius_of_the_set(wide):
    from otbench.metrics import modes

    data, truth = wide, wide.truth
    assert modes.within_radius(2, 10.0) == pytest.approx(1 - np.exp(-50)) and modes.within_radius(700, 10.0) < 1e-100
    ray = truth.basis[:, 0]
    points = truth.centres[3] + truth.sigma * np.array([[0.0], [9.99], [10.01]]) * ray
    assigned = modes.assign(points, truth)
    assert assigned.mode.tolist() == [3, 3, 3] and assigned.high_quality.tolist() == [True, True, False]
    assert modes.ideal_high_quality(data, 2500) < 1e-100 and modes.ideal_modes(data, 2500) < 1e-100
    assert modes.ideal_high_quality(load("grid"), 2500) == pytest.approx(1 - np.exp(-4.5))
