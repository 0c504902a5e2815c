"""The stochastic solver against closed forms and against the exact one; the kernels against brute force."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from otbench.errors import OtbenchError
from otbench.transport import ball, box, gaussian, solve
from otbench.transport import compiled as loops
from otbench.transport.draws import Draws
from otbench.transport.kernel import _tiles, _whole_rows, best, best_of
from otbench.transport.sources import named


@pytest.fixture(autouse=True)
def one_thread():
    """One thread: the sums, and so the answers, do not depend on the machine, and small problems gain nothing from
    more.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_agrees_with_the_exact_solver():
    y = np.random.default_rng(0).standard_normal((60, 2))
    nu = np.random.default_rng(1).random(60) + 0.3
    exact = solve(y, nu)
    rough = solve(y, nu, method="stochastic", tolerance=0.02)
    # In the plane the certificate of either is exact: no sampling stands between.
    numbers = rough.certificate()
    assert numbers["map_mean_cell_error"] < 0.03
    assert 0 <= numbers["map_dual_value"] - exact.dual() < 1e-4
    assert numbers["map_dual_gap"] >= 2 * (numbers["map_dual_value"] - exact.dual())
    assert numbers["map_dual_gap"] < 0.03
    assert rough.wasserstein() == pytest.approx(exact.wasserstein(), rel=1e-4)


@pytest.mark.parametrize(
    ("law", "sampling"),
    [
        ("cube", "product"),
        ("cube", "plain"),
        ("gaussian", "product"),
        ("ball", "auto"),
        (box([0, 1, 2], [1, 3, 2.5]), "product"),
    ],
)
def test_every_source(law, sampling):
    """Masses of the cells within a few per cent, judged by other points than the solver's own estimate."""
    y = np.random.default_rng(2).standard_normal((40, 3)) + [0, 5, 0]
    found = solve(y, source=law, tolerance=0.03, sampling=sampling)
    x = found.source.sample(400_000, np.random.default_rng(3))
    share = np.bincount(np.argmax(x @ y.T + found.heights, axis=1), minlength=40) * 40 / len(x)
    assert found.info["reason"] == "tolerance"
    assert np.abs(share - 1).mean() < 0.05


def test_affine_map_between_gaussians():
    """Many points of N(m, C) from N(0, I): W2^2 = |m|^2 + tr(I + C - 2 C^1/2), and the map is close to m + C^1/2 x."""
    random = np.random.default_rng(4)
    scale, mean = np.array([2.0, 0.5, 1.0]), np.array([1.0, -2.0, 0.0])
    y = mean + scale * random.standard_normal((2000, 3))
    found = solve(y, source="gaussian", tolerance=0.1)
    truth = mean @ mean + ((scale - 1) ** 2).sum()
    assert found.certificate(points=200_000)["map_w2"] ** 2 == pytest.approx(truth, rel=0.03)
    x = random.standard_normal((2000, 3))
    # 2,000 points of this law lie about 0.25 apart.
    assert np.linalg.norm(found(x) - (mean + scale * x), axis=1).mean() < 0.35


def test_affine_start_is_the_answer_for_gaussians():
    random = np.random.default_rng(5)
    y = random.standard_normal((3000, 4)) * [3, 1, 0.2, 1]
    draws = Draws(y, gaussian(4), "cpu", "auto", 0)
    nu = np.full(3000, 1 / 3000)
    start = draws.affine_start(nu)
    # The affine map itself: h = -y' C^-1/2 y / 2 up to sampling noise of the covariance.
    about = y - y.mean(0)
    affine = -0.5 * (about**2 @ (1 / about.std(0)))
    assert np.corrcoef(start.numpy(), affine)[0, 1] > 0.999
    weights = torch.as_tensor(nu)
    assert draws.error(start, weights, 60_000) < 0.75 * draws.error(
        torch.zeros(3000, dtype=torch.float64), weights, 60_000
    )


def test_translation_and_scaling_in_ten_dimensions():
    y = np.random.default_rng(6).standard_normal((50, 10))
    plain, moved = solve(y, tolerance=0.05), solve(3 * y + 7, tolerance=0.05)
    x = plain.source.sample(5000, np.random.default_rng(0))
    assert np.mean(plain.cell(x) == moved.cell(x)) > 0.99


def test_a_moved_source_moves_the_cells():
    y = np.random.default_rng(7).standard_normal((50, 4))
    centred, corner = solve(y, tolerance=0.05), solve(y, source=box([2] * 4, [3] * 4), tolerance=0.05)
    x = centred.source.sample(5000, np.random.default_rng(0))
    assert np.mean(centred.cell(x) == corner.cell(x + 2.5)) > 0.99


def test_seed_decides():
    y = np.random.default_rng(8).standard_normal((100, 5))
    first, again, other = (solve(y, tolerance=0.1, seed=s) for s in (1, 1, 2))
    assert (first.heights == again.heights).all()
    assert (first.heights != other.heights).any()


def test_warm_start_goes_on():
    y = np.random.default_rng(9).standard_normal((200, 6))
    rough = solve(y, tolerance=0.2)
    fine = solve(y, tolerance=0.05, start=rough)
    assert fine.info["points"] > rough.info["points"]
    assert fine.certificate(points=400_000)["map_mean_cell_error"] < 0.06


def test_constant_coordinates_and_duplicates():
    y = np.random.default_rng(10).standard_normal((50, 6)) * [1, 1, 0, 1, 0, 1]
    found = solve(np.concatenate([y, y[:10]]), tolerance=0.05)
    numbers = found.certificate(points=400_000)
    assert numbers["map_mean_cell_error"] < 0.06
    assert found.masses(400_000)[:10] == pytest.approx(np.full(10, 1 / 60), rel=0.35)


def test_one_point_in_five_dimensions():
    found = solve(np.ones((1, 5)), source="ball")
    assert found.certificate(points=20_000)["map_max_cell_error"] == 0
    assert found.certificate(points=20_000)["map_w2"] ** 2 == pytest.approx(5 + 5 / 7, rel=0.02)


def test_time_limit_is_kept_and_said():
    y = np.random.default_rng(11).standard_normal((500, 8))
    found = solve(y, tolerance=1e-4, time_limit=0.3)
    assert found.info["reason"] == "time"
    numbers = found.certificate(points=100_000)
    assert numbers["map_tolerance_met"] == 0


@pytest.mark.parametrize("seed", range(5))
def test_solver_and_certificate_agree(seed):
    """Where the solver stops for its tolerance, the certificate's upper bound on other points meets it too."""
    y = np.random.default_rng(13).standard_normal((400, 8))
    found = solve(y, tolerance=0.1, seed=seed)
    numbers = found.certificate()
    assert found.info["reason"] == "tolerance"
    assert numbers["map_mean_cell_error_high"] <= 0.1
    assert numbers["map_tolerance_met"] == 1


def test_a_stochastic_map_is_judged_by_its_mean_error_in_the_plane_too():
    found = solve(np.random.default_rng(14).standard_normal((60, 2)), method="stochastic", tolerance=0.05)
    numbers = found.certificate()
    assert numbers["map_exact"] == 1
    assert numbers["map_mean_cell_error"] <= 0.05 < numbers["map_max_cell_error"]
    assert numbers["map_tolerance_met"] == 1


def test_certificate_intervals_hold_the_truth():
    """A box cut by one plane: the masses of any heights are known, so the intervals can be checked."""
    found = solve(np.array([[-1.0, 0, 0], [1, 0, 0]]), weights=[0.6, 0.4], tolerance=0.05)
    truth = np.abs(0.5 - (found.heights[1] - found.heights[0]) / 2 - 0.6)
    errors = np.array([truth / 0.6, truth / 0.4])
    inside = 0
    for seed in range(20):
        numbers = found.certificate(points=20_000, seed=seed)
        inside += numbers["map_max_cell_error_low"] <= errors.max() <= numbers["map_max_cell_error_high"]
        assert numbers["map_dual_gap"] >= 0
    assert inside >= 17


@pytest.mark.parametrize("sampling", ["rays", "product"])
def test_sampling_that_cannot_be(sampling):
    with pytest.raises(OtbenchError, match="sampling"):
        solve(np.ones((3, 4)) * np.arange(3)[:, None], source="ball", sampling=sampling)


def brute(x, y, h):
    scores = x.double() @ y.double().T + h.double()
    return scores.max(dim=1).values, scores


@pytest.mark.parametrize("shape", [(1, 1, 1), (7, 5, 3), (300, 5000, 8), (257, 2049, 17)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_kernel_against_brute_force(shape, dtype):
    b, n, d = shape
    generator = torch.Generator().manual_seed(0)
    x, y, h = (torch.randn(s, generator=generator, dtype=dtype) for s in ((b, d), (n, d), (n,)))
    top, scores = brute(x, y, h)
    for value, index in (
        best(x, y, h),
        _whole_rows(x, y, h, 256),
        _tiles(x, y, h) if dtype == torch.float32 else best(x, y, h),
    ):
        assert torch.allclose(value.double(), top, atol=1e-5)
        assert torch.allclose(scores.gather(1, index[:, None])[:, 0], top, atol=1e-5)
    values, index = best_of(x, y, h, 3)
    assert torch.allclose(values.double(), scores.topk(min(3, n)).values, atol=1e-5)


def test_ties_go_to_the_lowest_index():
    generator = torch.Generator().manual_seed(0)
    # Whole numbers: sums are exact, so equal scores are equal in any order of summation.
    y = torch.randint(-3, 4, (1500, 4), generator=generator).float()
    x, h = torch.randint(-3, 4, (200, 4), generator=generator).float(), torch.zeros(3000)
    y = torch.cat([y, y])
    lowest = (x @ y.T).numpy().argmax(axis=1)
    assert (best(x, y, h)[1].numpy() == lowest).all()
    assert (best(x.double(), y.double(), h.double())[1].numpy() == lowest).all()


@pytest.mark.skipif(loops.library() is None, reason="no compiler")
def test_compiled_product_against_brute_force():
    generator = torch.Generator().manual_seed(0)
    first, second = torch.randn((3 * 8, 333), generator=generator), torch.randn((3 * 8, 333), generator=generator)
    index = torch.empty((3, 8, 8), dtype=torch.int64)
    loops.product_best(first, second, index)
    for g in range(3):
        rows = slice(8 * g, 8 * g + 8)
        assert (index[g] == (first[rows, None] + second[None, rows]).argmax(dim=2)).all()


def test_product_points_have_the_plain_law():
    """Masses by product sampling and by plain sampling agree: it is unbiased."""
    y = np.random.default_rng(12).standard_normal((30, 5))
    h = torch.zeros(30, dtype=torch.float64)
    share = []
    for sampling in ("product", "plain"):
        draws = Draws(y, named("cube", 5), "cpu", sampling, 0)
        share.append(torch.bincount(draws.best(h, 400_000 - 400_000 % draws.group), minlength=30) / 400_000)
    assert torch.allclose(share[0], share[1], atol=0.01)


def test_without_a_compiler(monkeypatch):
    """Plain torch, as where there is no compiler, draws the same points and gives the same heights up to rounding."""
    y = np.random.default_rng(0).standard_normal((60, 4))
    # one step: later ones would be taken from heights that a point on an edge, counted otherwise, had moved apart
    call = {"tolerance": 0.2, "sampling": "plain", "max_points": 1}
    with_it = solve(y, **call)
    monkeypatch.setattr(loops, "library", lambda: None)
    without = solve(y, **call)
    assert without.info["steps"] == with_it.info["steps"] == 1
    assert without.heights == pytest.approx(with_it.heights, abs=1e-6)
    assert solve(y, tolerance=0.2, sampling="plain").info["reason"] == "tolerance"
    assert solve(y, tolerance=0.2).info["sampling"] == "plain"


def test_a_compiler_that_fails_is_done_without(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("CC", "false")
    loops.library.cache_clear()
    assert loops.library() is None
    monkeypatch.undo()
    loops.library.cache_clear()


def test_threads_do_not_change_the_answer():
    y = np.random.default_rng(1).standard_normal((300, 6))
    draws = [Draws(y, named("cube", 6), "cpu", "product", 0) for _ in range(2)]
    h = torch.zeros(300, dtype=torch.float64)
    one = draws[0].best(h, 4096)
    torch.set_num_threads(2)
    assert (draws[1].best(h, 4096) == one).all()


def test_progress_bar_is_shown(capsys):
    solve(np.random.default_rng(2).standard_normal((50, 4)), tolerance=0.2, progress=True)
    assert "cell error" in capsys.readouterr().err


def test_triton_kernel_in_the_interpreter():
    """The GPU kernel's logic on a CPU: sizes that fill no block, splits, and ties (whole numbers)."""
    pytest.importorskip("triton")
    code = (
        "import torch\n"
        "from otbench.transport.fused import best\n"
        "g = torch.Generator().manual_seed(0)\n"
        "for b, n, d in ((130, 700, 5), (17, 1300, 20)):\n"
        "    x, y = (torch.randint(-3, 4, (m, d), generator=g).float() for m in (b, n))\n"
        "    h = torch.randint(-3, 4, (n,), generator=g).float()\n"
        "    value, index = best(x, y, h)\n"
        "    s = (x @ y.T + h).numpy()\n"
        "    assert (value.numpy() == s.max(1)).all() and (index.numpy() == s.argmax(1)).all()\n"
        "print('same')"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"TRITON_INTERPRET": "1"}, capture_output=True, text=True
    )
    assert run.stdout.strip() == "same", run.stderr[-2000:]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_gpu_agrees_with_brute_force():
    x, y, h = (
        torch.randn(1000, 32, device="cuda"),
        torch.randn(5000, 32, device="cuda"),
        torch.randn(5000, device="cuda"),
    )
    top, scores = brute(x, y, h)
    value, index = best(x, y, h)
    assert torch.allclose(value.double(), top, atol=1e-4)
    assert torch.allclose(scores.gather(1, index[:, None])[:, 0], top, atol=1e-4)


def test_sources_have_their_moments():
    random = np.random.default_rng(0)
    for law in (box([0, -1], [1, 3]), ball(3, 2.0), gaussian(2, [1, 3])):
        x = law.sample(200_000, random)
        assert x.mean(0) == pytest.approx(law.mean, abs=0.03)
        assert np.cov(x.T) == pytest.approx(law.covariance, abs=0.08)
        assert (x**2).sum(1).mean() == pytest.approx(law.second_moment, rel=0.02)
        t = law.sample_torch(200_000, torch.Generator().manual_seed(0)).double().numpy()
        assert np.cov(t.T) == pytest.approx(law.covariance, abs=0.08)
        assert law.contains(x).all()
