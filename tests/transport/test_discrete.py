"""Discrete plans, OTVAE's extension, the singular set, and the command line's functions."""

import json

import numpy as np
import pytest

from otbench.cli.transport import check, run
from otbench.errors import OtbenchError
from otbench.transport import otvae_samples, plan, singular_set, solve


def test_matching_of_a_line_is_sorted():
    random = np.random.default_rng(0)
    x, y = random.random((50, 1)), random.random((50, 1))
    found = plan(x, y)
    assert found.cost == pytest.approx(np.mean((np.sort(x[:, 0]) - np.sort(y[:, 0])) ** 2), rel=1e-9)
    order = np.argsort(x[:, 0])
    assert found.image()[order, 0] == pytest.approx(np.sort(y[:, 0]))


def test_sinkhorn_comes_near_the_exact_cost():
    random = np.random.default_rng(1)
    x, y = random.random((40, 2)), random.random((30, 2)) + 1
    exact, smooth = plan(x, y), plan(x, y, method="sinkhorn", regularisation=0.005)
    assert exact.cost <= smooth.cost < 1.03 * exact.cost
    assert np.asarray(smooth.plan.sum(0)).ravel() == pytest.approx(np.full(30, 1 / 30), abs=1e-4)


def test_too_large_is_subsampled_and_said():
    random = np.random.default_rng(2)
    found = plan(random.random((200, 2)), random.random((100, 2)), memory=40 * 50 * 25)
    assert found.info["subsampled"] == {"source": [200, 50], "target": [100, 25]}
    assert found.plan.shape == (50, 25)
    assert found.plan.sum() == pytest.approx(1)


def test_extension_is_a_convex_combination_of_two_images():
    x = np.array([[0.0], [1], [10]])
    found = plan(x, np.array([[0.0], [100], [1000]]))
    new = found.extend(np.array([[0.4]] * 5000), generator=0)[:, 0]
    # Neighbours 0 and 1, images 0 and 100, uniform weight.
    assert new.min() >= 0 and new.max() <= 100
    assert new.mean() == pytest.approx(50, abs=2)
    assert new.std() == pytest.approx(100 / np.sqrt(12), abs=2)
    assert found.extend(np.array([[0.4], [9.0]]), k=1) == pytest.approx(np.array([[0.0], [1000]]))


def test_otvae_samples_stay_in_the_hull():
    random = np.random.default_rng(3)
    y = random.standard_normal((60, 4)) + 5
    found = plan(random.standard_normal((60, 4)), y)
    samples = otvae_samples(found, 500, generator=1)
    assert samples.shape == (500, 4)
    assert (samples >= y.min(0)).all() and (samples <= y.max(0)).all()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((np.ones((3, 2)), np.ones((3, 3))), "coordinates"),
        ((np.ones((3, 2)), np.full((3, 2), np.nan)), "finite"),
        ((np.ones((0, 2)), np.ones((3, 2))), "at least one"),
        ((np.ones((3, 2)), np.ones((3, 2)), [1, 1, -1]), "not positive"),
        ((np.ones((3, 2)), np.ones((3, 2)), None, "magic"), "method"),
    ],
)
def test_bad_plans(arguments, sentence):
    with pytest.raises(OtbenchError, match=sentence):
        plan(*arguments)


def test_singular_set_of_two_modes_is_one_line():
    random = np.random.default_rng(4)
    y = np.concatenate([random.standard_normal((40, 2)) * 0.05 + [c, 0] for c in (-3, 3)])
    found = singular_set(solve(y))
    # Two equal modes far apart along x: the jump is along the middle of the square, from its bottom to its top.
    assert found.rule.modes == 2
    assert found.length == pytest.approx(1, abs=0.02)
    assert np.abs(found.facets[:, :, 0]).max() < 0.05
    assert found.jumps.min() > 5
    assert ((found.pairs[:, 0] < 40) != (found.pairs[:, 1] < 40)).all()


def test_singular_set_in_three_dimensions():
    random = np.random.default_rng(5)
    y = np.concatenate([random.standard_normal((20, 3)) * 0.05 + [c, 0, 0] for c in (-3, 3)])
    found = singular_set(solve(y, tolerance=0.1), points=20_000)
    assert found.facets is None
    assert ((found.pairs[:, 0] < 20) != (found.pairs[:, 1] < 20)).all()
    assert len(found.pairs) > 0


def test_run_and_check(tmp_path):
    np.save(tmp_path / "target.npy", np.random.default_rng(6).standard_normal((50, 2)))
    told = run(tmp_path / "target.npy", out=tmp_path / "map.npz")
    assert told["map_max_cell_error"] <= 1e-9
    assert (told["n"], told["d"], told["map_tolerance_met"]) == (50, 2, 1)
    assert check(tmp_path / "map.npz") == told
    json.dumps(told, allow_nan=False)


def test_run_in_high_dimension(tmp_path):
    np.savez(tmp_path / "target.npz", codes=np.random.default_rng(7).standard_normal((50, 5)))
    told = run(tmp_path / "target.npz", source="gaussian", tolerance=0.1, out=tmp_path / "map.npz")
    again = check(tmp_path / "map.npz", points=200_000)
    assert told["map_tolerance_met"] == again["map_tolerance_met"] == 1
    assert again["map_dual_value"] == pytest.approx(told["map_dual_value"], abs=0.01)
    json.dumps(told, allow_nan=False)


def test_run_refuses_files_that_are_no_arrays(tmp_path):
    with pytest.raises(OtbenchError, match="no such file"):
        run(tmp_path / "nothing.npy")
    (tmp_path / "text.npy").write_text("text")
    with pytest.raises(OtbenchError, match="not a .npy"):
        run(tmp_path / "text.npy")
    np.savez(tmp_path / "two.npz", a=np.ones(2), b=np.ones(2))
    with pytest.raises(OtbenchError, match="called target"):
        run(tmp_path / "two.npz")
