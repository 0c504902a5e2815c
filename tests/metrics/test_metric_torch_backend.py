"""The metrics through torch give what NumPy and SciPy give, on the CPU, and on a GPU where one is."""

from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from otbench.cli.app import app
from otbench.data import save
from otbench.data.base import DataSet
from otbench.errors import OtbenchError
from otbench.features.base import Extracted
from otbench.metrics import frechet, kernel, measure, memorisation, neighbours, prd, torch_backend
from otbench.metrics.reference import Features, RealFeatures
from otbench.metrics.table import measure_file

GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
PARTS = ("generated_in_real", "real_in_generated", "real_hits")


@pytest.fixture(params=[torch_backend.ON_CPU, pytest.param("cuda", marks=GPU)])
def device(request):
    return request.param


def features(n: int, width: int, seed: int, shift: float = 0.0) -> np.ndarray:
    """Rows (n, width) that look like a classifier's features: ten classes, cut off at zero."""
    centres = 1.5 * np.random.default_rng(1).normal(size=(10, width))
    stream = np.random.default_rng(seed)
    return np.maximum(centres[stream.integers(10, size=n)] + stream.normal(size=(n, width)) + shift, 0)


def normal(n: int, width: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, width))


def lattice(n: int, width: int, seed: int) -> np.ndarray:
    """Whole numbers whose mean is 0, so that distances are exact and many are equal."""
    half = np.random.default_rng(seed).integers(-2, 3, size=(n // 2, width)).astype(float)
    return np.concatenate([half, -half])


SETS = {
    "one column": (normal(150, 1, 0), 0.3 + normal(170, 1, 1)),
    "plane": (normal(150, 2, 0), 0.3 + normal(170, 2, 1)),
    "sixteen columns": (features(150, 16, 0), features(170, 16, 2, 0.1)),
    "seventeen columns": (features(150, 17, 0), features(170, 17, 2, 0.1)),
    "many columns": (features(150, 300, 0), features(170, 300, 2, 0.1)),
    "a lattice, many ties": (lattice(150, 2, 0), lattice(170, 2, 1)),
    "a lattice in many columns": (lattice(150, 20, 0), lattice(170, 20, 1)),
    "equal sets": (normal(150, 5, 0), normal(150, 5, 0)),
    "one point": (np.ones((40, 3)), np.ones((50, 3))),
    "far from the origin": (1e4 + normal(150, 2, 0), 1e4 + normal(170, 2, 1)),
}


@pytest.fixture(params=SETS)
def pair(request):
    return SETS[request.param]


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(torch_backend, "ELEMENTS", 7 * 160)


def test_neighbours_are_the_same(pair, device):
    ours, cpu = neighbours.statistics(*pair, device=device), neighbours.statistics(*pair)
    assert all(np.array_equal(getattr(ours, part), getattr(cpu, part)) for part in PARTS)
    # the sets tell a right answer from a constant one, but for those that must be all in all
    assert 0 < neighbours.precision(cpu) <= 1


def test_distances_to_the_nearest_are_the_same(pair, device):
    scale = np.abs(pair[0] - pair[0].mean(axis=0)).max() + 1e-30
    ours, cpu = memorisation.nearest(*pair, device), memorisation.nearest(*pair)
    # by scalar products a distance is the root of a difference: near 0 it is known to the root of a digit's worth
    assert ours == pytest.approx(cpu, rel=1e-9, abs=1e-7 * scale if pair[0].shape[1] > 16 else 0)
    if pair[0].shape[1] <= 16:
        assert np.array_equal(ours, cpu)


def test_blocks_change_nothing(small_blocks, device):
    for name in ("plane", "many columns"):
        test_neighbours_are_the_same(SETS[name], device)
        test_distances_to_the_nearest_are_the_same(SETS[name], device)
        test_the_kernel_distance_is_the_same(SETS[name], device)


def test_the_frechet_distance_is_the_same(pair, device):
    ours, cpu = frechet.fid(*pair, device), frechet.fid(*pair)
    rank = min(len(pair[0]), len(pair[1])) > pair[0].shape[1]
    # a root of an eigenvalue that is nought but for rounding is known to half the digits
    scale = float(np.trace(np.atleast_2d(np.cov(pair[0].T))))
    assert ours == pytest.approx(cpu, rel=1e-9, abs=(1e-12 if rank else 1e-6) * scale)
    statistics = frechet.statistics(pair[0], device)
    assert statistics["mu"] == pytest.approx(pair[0].mean(axis=0), rel=1e-12, abs=1e-12)
    assert statistics["sigma"] == pytest.approx(np.atleast_2d(np.cov(pair[0].T)), rel=1e-9, abs=1e-12)


def test_the_frechet_distance_of_known_gaussians(device):
    real = {"mu": np.zeros(3), "sigma": np.diag([1.0, 4.0, 9.0])}
    generated = {"mu": np.ones(3), "sigma": np.diag([4.0, 4.0, 1.0])}
    assert frechet.frechet(real, generated, device) == pytest.approx(3 + 1 + 0 + 4, rel=1e-12)


def test_the_kernel_distance_is_the_same(pair, device):
    for largest in (1000, 30):
        ours = kernel.kid(*pair, seed=3, subsets=7, largest=largest, device=device)
        cpu = kernel.kid(*pair, seed=3, subsets=7, largest=largest)
        size = np.abs(kernel._kernel(*pair)).max()
        assert ours == pytest.approx(cpu, rel=1e-9, abs=1e-13 * size)


@pytest.mark.parametrize("width", [2, 64])
def test_clusterings_are_those_of_the_cpu(width, device):
    real, generated = features(1000, width, 4), features(1000, width, 5, 0.1)
    ours, cpu = prd.histograms(real, generated, 3, device=device), prd.histograms(real, generated, 3)
    same = [np.array_equal(a, b) for a, b in zip(np.swapaxes(ours, 0, 1), np.swapaxes(cpu, 0, 1), strict=True)]
    assert sum(same) >= 9  # a tie between two seedings may fall either way


@pytest.mark.parametrize("width", [2, 64])
def test_precision_and_recall_of_distributions_lie_within_those_of_clusterings(width, device):
    real, generated = features(1000, width, 6), features(1000, width, 7, 0.3)
    ours = prd.f_pair(*prd.prd(real, generated, 0, device=device))
    others = np.array([prd.f_pair(*prd.prd(real, generated, 100 * k)) for k in range(1, 31)])
    spread = 4 * others.std(axis=0, ddof=1) + 1e-9
    assert np.all(np.abs(np.array(ours) - others.mean(axis=0)) < spread)
    assert max(ours) < 0.999  # the two are not the same


class Sums:
    """Features are random sums of pixels, kinked; logits are the first ten of them."""

    name, hash, resizer = "classifier", "0123456789ab", "none"

    def extract(self, images):
        x = images.reshape(len(images), -1).astype(np.float32) / 255 - 0.45
        mixed = np.maximum(x @ np.random.default_rng(0).normal(size=(x.shape[1], 24)).astype(np.float32), 0)
        return Extracted(mixed, mixed[:, :10])


@pytest.fixture(scope="module")
def pictures():
    """An image set and a function to its features, a new one each time."""
    stream = np.random.default_rng(0)
    parts = [stream.integers(0, 256, (n, 1, 8, 8), dtype=np.uint8) for n in (900, 400, 300)]
    data = DataSet(
        "noise",
        *parts[:2],
        validation=parts[2],
        classes=tuple("0123456789"),
        labels={"train": stream.integers(10, size=900), "test": stream.integers(10, size=400)},
    ).check()

    def known() -> Features:
        one = Sums()
        info = {"weights": one.hash, "resizer": "none", "classes": 10}
        seen = one.extract(data.reference), one.extract(data.held_out)
        return Features(
            Path("none"),
            {"extractors": {"classifier": info}},
            {"classifier": RealFeatures("classifier", info, *seen, one.extract(data.train).features, Sums)},
        )

    return data, known


def check_scores(ours, cpu):
    for one, other in zip(ours, cpu, strict=True):
        # of PRD's ten clusterings one may differ, where a tie falls the other way
        loose = one.metric.startswith("prd")
        assert one.value == pytest.approx(other.value, rel=1e-2 if loose else 1e-9, abs=1e-12), one.metric


def test_every_metric_of_images_is_the_same_under_the_same_protocol(pictures, device):
    data, known = pictures
    stream = np.random.default_rng(9)
    generated = np.concatenate([stream.integers(0, 230, (250, 1, 8, 8), dtype=np.uint8), data.train[:50]])
    back = data.reference[::-1].copy()
    curves = {}
    features = known()
    # the device first: what it keeps beside the features is not what the CPU's scores are made of
    ours = measure(data, generated, 2, None, features, back, curves, device=device)
    cpu = measure(data, generated, 2, None, features, back, theirs := {})
    assert cpu == measure(data, generated, 2, None, known(), back)
    assert [(s.metric, s.protocol) for s in ours] == [(s.metric, s.protocol) for s in cpu]
    assert {"fid", "fid_train", "fid_reconstruction", "kid", "prd_f8", "recall", "memorised", "data_copying"} < {
        s.metric for s in ours
    }
    check_scores(ours, cpu)
    assert np.allclose(curves["classifier"], theirs["classifier"], atol=1e-2)
    copied = {s.metric: s.value for s in ours}
    assert copied["memorised"] > 50 / 300 - 0.01  # the copies are seen


def test_every_metric_of_points_and_the_table_are_the_same(grid, tmp_path, device):
    points = grid.truth.sample(600, np.random.default_rng(0))
    ours, cpu = measure(grid, points, device=device), measure(grid, points)
    assert [s.protocol for s in ours] == [s.protocol for s in cpu]
    check_scores(ours, cpu)
    np.savez(tmp_path / "mine.npz", samples=points)
    table = measure_file(grid, tmp_path / "mine.npz", "r", device=device)
    assert table["value"].to_list() == [s.value for s in ours]


@pytest.mark.parametrize("device", ["nonsense", "cuda:99"])
def test_a_device_that_is_not_there_is_one_sentence(grid, tmp_path, device):
    points = grid.truth.sample(30, np.random.default_rng(0))
    with pytest.raises(OtbenchError, match=f"expected a device that torch can use here, got '{device}'"):
        measure(grid, points, device=device)
    np.savez(tmp_path / "mine.npz", samples=points, info='{"model": "gan"}')
    with pytest.raises(OtbenchError, match="expected a device"):  # and no table of failed cells
        measure_file(grid, tmp_path / "mine.npz", "r", device=device)


def test_the_command_line_passes_the_device_on(grid, tmp_path, monkeypatch):
    asked, made = [], []

    def kept(*words, device, **options):
        asked.append(device)
        return measure_file(*words, **options)

    monkeypatch.setattr("otbench.metrics.table.measure_file", kept)
    monkeypatch.setattr("otbench.cli.pipeline.setup_device", lambda device: made.append(device) or "cuda:7")
    save(grid, tmp_path / "grid.npz")
    np.savez(tmp_path / "mine.npz", samples=grid.truth.sample(60, np.random.default_rng(0)))
    words = ["measure", "--data", str(tmp_path / "grid.npz"), "--samples", str(tmp_path / "mine.npz")]
    for more in ([], ["--device", "cpu"], ["--device", "cuda"]):
        done = CliRunner().invoke(app, [*words, *more, "--out", str(tmp_path / "table.csv")])
        assert done.exit_code == 0, done.output
    # on a CPU nothing is set up: points are measured without torch there
    assert asked == ["cpu", "cpu", "cuda:7"] and made == ["cuda"]


def test_large_distance_matrices_are_taken_in_blocks():
    held = []

    def noted(first, second):
        held.append(len(first) * len(second))
        return torch.zeros(len(first), len(second))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch_backend, "squares", noted)
        rows = list(torch_backend._blocks(torch.zeros(10_000, 1), torch.zeros(60_000, 1)))
    assert max(held) <= torch_backend.ELEMENTS and sum(held) == 600_000_000
    assert rows[0][0].start == 0 and rows[-1][0].stop == 10_000
    assert 4 * 8 * torch_backend.ELEMENTS < 4 * 2**30  # four matrices of float64 at a time
