"""FID and KID against closed forms and brute force; `score_features` and its refusals."""

import json
import math

import numpy as np
import pytest
import scipy.linalg

from otbench.errors import OtbenchError
from otbench.metrics import score_features
from otbench.metrics.frechet import fid, frechet, library_fid, statistics
from otbench.metrics.kernel import kid, library_kid
from otbench.metrics.neighbours import block_rows
from otbench.metrics.prd import f_pair, prd

QUICK = {"kid_subsets": 5}


def test_fid_agrees_with_scipys_matrix_root(generator):
    real = generator.normal(size=(400, 6)) @ generator.normal(size=(6, 6))
    generated = generator.normal(0.5, 1, size=(300, 6)) @ generator.normal(size=(6, 6))
    s, t = np.cov(real.T), np.cov(generated.T)
    gap = real.mean(axis=0) - generated.mean(axis=0)
    expected = gap @ gap + np.trace(s + t - 2 * np.real(scipy.linalg.sqrtm(s @ t)))
    assert fid(real, generated) == pytest.approx(expected, rel=1e-8)
    assert fid(generated, real) == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize(("rows", "width"), [(300, 40), (300, 1), (50, 90)])
def test_fid_and_kid_agree_with_torch_fidelity(rows, width, generator):
    real = generator.normal(size=(rows, width)) @ generator.normal(size=(width, width))
    generated = generator.exponential(size=(rows - 7, width))
    # below as many rows as columns the roots of eigenvalues at rounding level count
    found = fid(real, generated)
    assert found == pytest.approx(library_fid(real, generated), abs=1e-6 if rows > width else 1e-4)
    for largest in (1000, 30):
        ours = kid(real, generated, seed=4, subsets=6, largest=largest)
        assert ours == pytest.approx(library_kid(real, generated, seed=4, subsets=6, largest=largest), rel=1e-9)


def test_frechet_of_known_gaussians():
    real = {"mu": np.array([1.0, 2.0, 0.0]), "sigma": np.diag([4.0, 9.0, 1.0])}
    generated = {"mu": np.array([0.0, 2.0, 2.0]), "sigma": np.diag([1.0, 25.0, 1.0])}
    assert frechet(real, generated) == pytest.approx(1 + 4 + (2 - 1) ** 2 + (3 - 5) ** 2, rel=1e-12)
    assert frechet(real, real) == pytest.approx(0, abs=1e-10)


def test_fid_of_gaussian_samples_nears_the_closed_form(generator):
    real, generated = generator.normal(0, 1, (40_000, 3)), generator.normal([1, 0, 0], 2, (40_000, 3))
    assert fid(real, generated) == pytest.approx(1 + 3 * (2 - 1) ** 2, rel=0.02)


def test_fid_with_one_column_and_with_fewer_rows_than_columns(generator):
    real, generated = generator.normal(size=(100, 1)), generator.normal(3, 2, size=(100, 1))
    expected = (real.mean() - generated.mean()) ** 2 + (real.std(ddof=1) - generated.std(ddof=1)) ** 2
    assert fid(real, generated) == pytest.approx(expected, rel=1e-10)
    few = generator.normal(size=(10, 30))
    assert fid(few, few) == pytest.approx(0, abs=1e-5)
    assert statistics(few)["sigma"].shape == (30, 30)


def brute_force_mmd(real, generated):
    """The unbiased estimate, one pair at a time."""

    def kernel(x, y):
        return (float(x @ y) / len(x) + 1) ** 3

    n, m = len(real), len(generated)
    within = sum(kernel(real[i], real[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    within += sum(kernel(generated[i], generated[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    return within - 2 * sum(kernel(x, y) for x in real for y in generated) / (n * m)


def test_kid_of_whole_sets_is_the_unbiased_mmd(generator):
    real, generated = generator.normal(size=(60, 5)), generator.normal(0.5, 1.3, size=(60, 5))
    mean, deviation = kid(real, generated, subsets=3)
    assert mean == pytest.approx(brute_force_mmd(real, generated), rel=1e-9)
    assert deviation == pytest.approx(0, abs=1e-12)


def test_kid_over_subsets_is_seeded_and_repeats_the_documented_draws(generator):
    real, generated = generator.normal(size=(90, 4)), generator.normal(0.4, 1, size=(80, 4))
    found = kid(real, generated, seed=3, subsets=4, largest=40)
    assert found == kid(real, generated, seed=3, subsets=4, largest=40)
    assert found != kid(real, generated, seed=4, subsets=4, largest=40)
    draws = np.random.RandomState(3)
    values = [
        brute_force_mmd(real[draws.choice(90, 40, replace=False)], generated[draws.choice(80, 40, replace=False)])
        for _ in range(4)
    ]
    assert found == pytest.approx((np.mean(values), np.std(values)), rel=1e-9)


def test_kid_is_unbiased_around_zero(generator):
    values = [kid(generator.normal(size=(40, 3)), generator.normal(size=(40, 3)), subsets=1)[0] for _ in range(300)]
    assert abs(np.mean(values)) < 4 * np.std(values) / math.sqrt(300)
    assert min(values) < 0


def test_score_features_gives_every_metric_with_its_protocol(generator):
    real, generated = generator.normal(size=(200, 8)), generator.normal(0.2, 1, size=(200, 8))
    found = score_features(real, generated, seed=2, features="digits-cnn", **QUICK)
    protocol = found.pop("protocol")
    assert list(found) == "fid kid prd_f8 prd_f1_8 precision recall density coverage kid_sd".split()
    assert all(math.isfinite(value) for value in found.values())
    assert json.loads(json.dumps(found)) == found
    assert protocol["fid"] == "features=digits-cnn;width=8;n_real=200;n_generated=200"
    assert protocol["kid"] == protocol["fid"] + ";subsets=5;subset_size=200;seed=2"
    assert protocol["prd_f8"] == protocol["fid"] + ";clusters=20;angles=1001;runs=10;batch=100;steps=50"
    assert found == {k: v for k, v in score_features(real, generated, seed=2, **QUICK).items() if k != "protocol"}


def test_score_features_of_a_set_against_itself_and_of_a_distant_one(generator):
    real = generator.normal(size=(120, 8))
    same = score_features(real, real.copy(), **QUICK)
    assert same["fid"] == pytest.approx(0, abs=1e-6) and same["kid"] < 1e-12
    for name in ("prd_f8", "prd_f1_8", "precision", "recall", "coverage"):
        assert same[name] == pytest.approx(1, abs=1e-6)
    far = score_features(real, real + 50, **QUICK)
    assert far["fid"] == pytest.approx(8 * 50**2, rel=1e-6)
    assert [round(far[name], 9) for name in ("prd_f8", "precision", "recall", "density", "coverage")] == [0.0] * 5


def test_score_features_subset_takes_unequal_numbers(generator):
    real, generated = generator.normal(size=(60, 3)), generator.normal(size=(50, 3))
    found = score_features(real, generated, metrics=["coverage", "precision"])
    assert list(found) == ["precision", "coverage", "protocol"]
    assert found["protocol"]["precision"] == "features=given;width=3;n_real=60;n_generated=50;k=3"


def test_score_features_takes_unequal_numbers_and_prd_equal_subsets_of_them(generator):
    real, generated = generator.normal(size=(90, 4)), generator.normal(0.3, 1, size=(40, 4))
    found = score_features(real, generated, seed=3, **QUICK)
    rows = np.sort(np.random.default_rng(3).choice(90, 40, replace=False))
    assert (found["prd_f8"], found["prd_f1_8"]) == f_pair(*prd(real[rows], generated, 3))
    assert found["fid"] == pytest.approx(fid(real, generated), abs=1e-9)
    assert found["kid"] == pytest.approx(kid(real, generated, 3, 5)[0], rel=1e-9)
    settings = "subset_seed=3;clusters=20;angles=1001;runs=10;batch=100;steps=50"
    assert found["protocol"]["prd_f8"] == f"features=given;width=4;n_real=40;n_generated=40;{settings}"
    assert found["protocol"]["kid"].endswith("n_real=90;n_generated=40;subsets=5;subset_size=40;seed=3")


@pytest.mark.parametrize("rows", [40, 25])
def test_fid_of_a_set_against_itself_is_nought_to_rounding_and_never_below(rows, generator):
    real = 10 * generator.normal(size=(rows, 30))
    found = score_features(real, real[::-1].copy(), metrics=["fid"])["fid"]
    assert 0 <= found < 1e-3


@pytest.mark.parametrize("both", [False, True])
def test_a_constant_generator_has_finite_scores(both, generator):
    constant = np.full((30, 4), 2.0)
    real = np.zeros((30, 4)) if both else generator.normal(size=(30, 4))
    found = score_features(real, constant, **QUICK)
    assert all(math.isfinite(value) for name, value in found.items() if name != "protocol")
    spread = real.var(axis=0, ddof=1).sum()
    assert found["fid"] == pytest.approx(((real.mean(axis=0) - 2) ** 2).sum() + spread, abs=1e-6)


def test_distances_of_many_rows_come_in_blocks_of_bounded_size():
    assert block_rows(10_000) == 2000
    assert block_rows(30_000) * 30_000 <= 2**25
    assert block_rows(2**30) == 1


GOOD = np.zeros((30, 3))


@pytest.mark.parametrize(
    ("real", "generated", "sentence"),
    [
        (np.zeros(30), GOOD, r"real: expected an array of shape \(n, d\), got shape \(30,\)"),
        (GOOD, np.zeros((30, 4)), "real has 3 columns and generated has 4, expected the same number"),
        (GOOD, np.full((30, 3), "a"), "generated: expected real numbers, got dtype"),
        (GOOD, np.zeros((30, 3), complex), "generated: expected real numbers, got dtype complex128"),
        (GOOD, np.zeros((5, 3)), "generated: expected at least 20 rows, got 5"),
        (GOOD, np.full((30, 3), 1e200), "generated: expected values of magnitude up to 3.76e\\+75, got 1e\\+200"),
        (np.vstack([GOOD, [[0, np.nan, np.inf]]]), GOOD, "real: 1 of 31 rows hold NaN or infinite values"),
        (np.zeros((30, 0)), GOOD, "real: expected an array of shape"),
    ],
)
def test_score_features_refuses_with_one_sentence(real, generated, sentence):
    with pytest.raises(OtbenchError, match=sentence):
        score_features(real, generated)


def test_score_features_names_an_unknown_metric():
    with pytest.raises(OtbenchError, match="no feature metric is called 'is', expected one of fid, kid"):
        score_features(GOOD, GOOD, metrics=["is"])
