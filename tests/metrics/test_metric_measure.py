"""The registry and `measure`: what applies where, protocols, shared work, refusals."""

import math
import subprocess
import sys
import time

import numpy as np
import pytest

from otbench.data.base import DataSet
from otbench.errors import OtbenchError
from otbench.metrics import METRICS, Score, applicable, cheap, expected, floors, measure
from otbench.metrics.base import pair_size

CHEAP = cheap("points")

PLANE = (
    "modes high_quality reverse_kl reverse_kl_train reverse_kl_hq reverse_kl_hq_train mode_mixture w2"
    " prd_f8 prd_f1_8 precision recall density coverage"
).split()


def values(scores):
    return {score.metric: score.value for score in scores}


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_is_described(name):
    metric = METRICS[name]
    assert metric.name == name and metric.title and metric.unit and metric.paper
    assert metric.direction in ("higher", "lower", "none")
    assert set(metric.kinds) <= {"points", "images"} and metric.kinds
    assert metric.description.endswith(".") and len(metric.description) < 150


def test_which_metrics_apply(grid, modeless, generator):
    samples = grid.truth.sample(100, generator)
    assert [score.metric for score in measure(grid, samples)] == PLANE
    assert [score.metric for score in measure(modeless, samples)] == PLANE[7:]
    assert CHEAP == PLANE[:7]
    assert [score.metric for score in measure(grid, samples, metrics=["w2", "modes", "fid"])] == ["modes", "w2"]
    assert measure(modeless, samples, metrics=CHEAP) == []
    assert set(floors(modeless, 100)) == {"density", "coverage"}
    assert set(floors(grid, 100)) == {*CHEAP, "density", "coverage"}


def test_protocols_say_what_was_compared(grid, generator):
    scores = measure(grid, grid.truth.sample(3_000, generator))
    protocol = {score.metric: score.protocol for score in scores}
    assert protocol["w2"] == "features=coordinates;n_real=2500;n_generated=2500;split=test"
    assert protocol["recall"] == protocol["w2"] + ";k=3"
    assert protocol["reverse_kl"] == "features=coordinates;n_generated=3000;reference=truth;radius=3sigma"
    assert protocol["reverse_kl_train"] == (
        "features=coordinates;n_real=20000;n_generated=3000;split=train;radius=3sigma"
    )
    assert pair_size(grid, 9_000) == 2_500 and pair_size(grid, 70) == 70


def test_measure_is_deterministic_and_its_subsets_agree_with_the_whole(grid, generator):
    samples = grid.truth.sample(500, generator)
    scores = measure(grid, samples, seed=4)
    assert scores == measure(grid, samples, seed=4)
    assert measure(grid, samples, seed=4, metrics=["coverage"]) == [scores[-1]]
    assert isinstance(scores[0], Score) and scores != measure(grid, samples, seed=5)


def test_perfect_sampler_against_noise_and_collapse(grid, generator):
    true = values(measure(grid, grid.truth.sample(2_500, generator)))
    noise = values(measure(grid, generator.uniform(-4.5, 4.5, (2_500, 2))))
    lost = values(measure(grid, np.tile(grid.truth.centres[:5], (500, 1))))
    expected = floors(grid, 2_500)
    assert true["modes"] == 25 and abs(true["high_quality"] - expected["high_quality"]) < 0.008
    assert abs(true["density"] - 1) < 0.05 and abs(true["coverage"] - expected["coverage"]) < 0.03
    for name in ("modes", "high_quality", "precision", "density", "coverage"):
        assert true[name] > noise[name]
    for name in ("reverse_kl", "reverse_kl_hq", "w2", "mode_mixture"):
        assert true[name] < noise[name]
    for name in ("modes", "recall", "coverage", "prd_f8"):
        assert true[name] > lost[name]
    assert lost["reverse_kl"] == pytest.approx(math.log(5)) and true["w2"] < lost["w2"]


def test_extreme_samples_are_measured(grid):
    point = values(measure(grid, np.zeros((2_500, 2))))
    assert point["modes"] == 1 and point["reverse_kl"] == pytest.approx(math.log(25))
    far = values(measure(grid, np.full((100, 2), 1e30, np.float32)))
    assert far["high_quality"] == 0 and far["precision"] == far["recall"] == far["coverage"] == 0
    assert far["w2"] == pytest.approx(math.sqrt(2) * 1e30, rel=1e-6)
    assert all(not math.isnan(value) for value in far.values())


@pytest.mark.parametrize(
    ("samples", "sentence"),
    [
        (np.zeros((50, 3)), "samples have 3 columns, expected 2 as in data set grid"),
        (np.zeros((19, 2)), "samples: expected at least 20 rows, got 19"),
        (np.zeros(50), r"expected an array of shape \(n, d\)"),
        (np.array([[0.0, np.nan]] * 50), "50 of 50 rows hold NaN or infinite values"),
    ],
)
def test_measure_refuses_with_one_sentence(grid, samples, sentence):
    with pytest.raises(OtbenchError, match=sentence):
        measure(grid, samples)


def test_measure_names_an_unknown_metric_and_image_data(grid):
    with pytest.raises(OtbenchError, match="no metric is called 'kl', expected one of modes, high_quality"):
        measure(grid, np.zeros((50, 2)), metrics=["kl"])
    images = DataSet("digits", np.zeros((9, 1, 8, 8), np.uint8), np.zeros((9, 1, 8, 8), np.uint8))
    with pytest.raises(OtbenchError, match="digits holds images, expected its features: make them with"):
        measure(images, np.zeros((50, 1, 8, 8), np.uint8))


IMAGE_METRICS = (
    "modes reverse_kl fid fid_train fid_validation fid_reconstruction kid is prd_f8 prd_f1_8 precision recall density"
    " coverage memorised data_copying excellence_proxy sharpness sharpness_min"
).split()


def test_which_metrics_apply_to_images():
    images = DataSet("digits", np.zeros((9, 1, 8, 8), np.uint8), np.zeros((9, 1, 8, 8), np.uint8))
    assert applicable(images, reconstructs=True) == IMAGE_METRICS
    assert applicable(images) == [name for name in IMAGE_METRICS if name != "fid_reconstruction"]
    unlabelled = set(IMAGE_METRICS) - {"modes", "reverse_kl", "excellence_proxy", "fid_reconstruction"}
    assert set(applicable(images, extractors=["inception"])) == unlabelled
    assert applicable(images, extractors=()) == ["sharpness", "sharpness_min"]
    early = "modes reverse_kl fid fid_validation prd_f8 prd_f1_8 precision recall excellence_proxy sharpness".split()
    assert applicable(images, last=False) == cheap("images") == early
    # numbers that a model's training states are never computed
    assert {"l2", "l2_train", "l2_before", "l2_before_train", "peak_memory", "energy"} == {
        n for n, m in METRICS.items() if m.uses == "model"
    }


def test_what_a_cell_should_have_had_is_what_measure_gives(grid, generator):
    scores = measure(grid, grid.truth.sample(300, generator))
    assert expected(grid, 300) == [(score.metric, score.protocol) for score in scores]
    assert [name for name, _ in expected(grid, 300, last=False)] == CHEAP
    assert expected(grid, 300, metrics=["w2"], features="no/such/folder") == [(scores[7].metric, scores[7].protocol)]


def test_prd_curves_are_given_to_who_asks(grid, generator):
    curves = {}
    scores = measure(grid, grid.truth.sample(300, generator), curves=curves)
    (precision, recall) = curves.pop("coordinates")
    assert curves == {} and precision.shape == recall.shape == (1001,)
    best = np.max(65 * precision * recall / (64 * precision + recall + 1e-10))
    assert values(scores)["prd_f8"] == pytest.approx(best, rel=1e-12)


def test_cheap_metrics_are_cheap_and_all_take_seconds_at_most(grid, generator):
    samples = grid.truth.sample(2_500, generator)
    measure(grid, samples[:50])  # imports
    start = time.process_time()
    measure(grid, samples, metrics=CHEAP)
    middle = time.process_time()
    measure(grid, samples)
    assert middle - start < 0.5 and time.process_time() - middle < 6  # 0.02 and 0.7 on an idle core


def test_measuring_points_loads_torch_for_prds_clusters_alone():
    code = (
        "import sys, numpy as np\n"
        "from otbench.data.base import DataSet\n"
        "from otbench.metrics import measure\n"
        "assert not {'scipy', 'sklearn', 'pandas', 'ot'} & set(sys.modules), 'importing the package is light'\n"
        "points = np.random.default_rng(0).normal(size=(60, 2)).astype(np.float32)\n"
        "data, others = DataSet('x', points, points), ['w2', 'precision', 'recall', 'density', 'coverage']\n"
        "assert len(measure(data, points, metrics=others)) == 5\n"
        "assert 'torch' not in sys.modules\n"
        "assert len(measure(data, points)) == 7 and 'torch' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
