"""Scores of images against independent computations on fixed arrays; the extractor is a plain projection."""

import math
from pathlib import Path

import numpy as np
import pytest
import scipy.linalg
import torch
from scipy.spatial.distance import cdist
from scipy.stats import mannwhitneyu
from sklearn.cluster import KMeans

from otbench.data.base import DataSet
from otbench.errors import OtbenchError
from otbench.features.base import Extracted
from otbench.metrics import expected, measure
from otbench.metrics.inception_score import inception_score, splits
from otbench.metrics.kernel import subset_count
from otbench.metrics.reference import Features, RealFeatures
from otbench.metrics.table import measure_file, write_curves

WIDTH, CLASSES = 6, 4
INFO = {
    "weights": "0123456789ab",
    "resizer": "none",
    "accuracy": 0.96875,
    "classes": CLASSES,
    "protocol": "features=classifier-01234567;accuracy=0.9688",
    "n": {"reference": 150, "held_out": 90, "train": 300},
}


class Projection:
    """Features and logits are fixed linear maps of the pixels."""

    name, hash, resizer = "classifier", "0123456789ab", "none"

    def __init__(self):
        stream = np.random.default_rng(11)
        self.maps = [stream.normal(size=(64, size)) / 20 for size in (WIDTH, CLASSES)]

    def extract(self, images):
        x = images.reshape(len(images), -1) / 255.0 - 0.5
        features, logits = (x @ one for one in self.maps)
        return Extracted(features.astype(np.float32), 40 * logits.astype(np.float32))


def pictures(count, stream, low=0, high=256):
    return stream.integers(low, high, (count, 1, 8, 8), dtype=np.uint8)


@pytest.fixture(scope="module")
def dataset():
    stream = np.random.default_rng(3)
    classes = tuple("abcd")
    return DataSet(
        "squares",
        pictures(300, stream),
        pictures(150, stream),
        validation=pictures(90, stream),
        classes=classes,
        labels={"train": stream.integers(4, size=300), "test": stream.integers(4, size=150)},
    ).check()


@pytest.fixture(scope="module")
def features(dataset):
    one = Projection()
    known = RealFeatures(
        "classifier",
        INFO,
        one.extract(dataset.reference),
        one.extract(dataset.held_out),
        one.extract(dataset.train[::-1]).features,
        Projection,
    )
    return Features(Path("none"), {"extractors": {"classifier": INFO}}, {"classifier": known})


@pytest.fixture(scope="module")
def generated():
    return pictures(150, np.random.default_rng(5), 0, 200)


@pytest.fixture(scope="module")
def scores(dataset, features, generated):
    back = np.clip(dataset.reference.astype(int) + 7, 0, 255).astype(np.uint8)
    return {score.metric: score for score in measure(dataset, generated, 2, None, features, back)}


@pytest.fixture(scope="module")
def arrays(dataset, generated):
    """Features (real, generated, train) float64, and logits (real, generated)."""
    one = Projection()
    seen = [one.extract(images) for images in (dataset.reference, generated, dataset.train[::-1])]
    return [part.features.astype(np.float64) for part in seen], [part.logits for part in seen[:2]]


def test_the_frechet_distance_to_validation_images(dataset, features, generated, scores):
    one = Projection()
    held_out, made = (one.extract(x).features.astype(np.float64) for x in (dataset.validation, generated))
    assert scores["fid_validation"].value == pytest.approx(frechet(held_out, made), abs=1e-6)
    # where there is no validation split, the second half of the test split, which no metric refers to
    halved = DataSet("halves", dataset.train, dataset.test, classes=dataset.classes)
    rest = one.extract(dataset.test[75:])
    known = RealFeatures(
        "classifier", {"weights": Projection.hash}, one.extract(dataset.test[:75]), rest, rest.features, Projection
    )
    (score,) = measure(halved, generated, 0, ["fid_validation"], Features(Path("none"), {}, {"classifier": known}))
    assert score.value == pytest.approx(frechet(rest.features.astype(np.float64), made), abs=1e-6)
    assert score.protocol == "features=classifier-01234567;n_real=75;n_generated=150;split=test-held-out"


def frechet(real, generated):
    s, t = np.cov(real.T), np.cov(generated.T)
    gap = real.mean(axis=0) - generated.mean(axis=0)
    return gap @ gap + np.trace(s + t - 2 * np.real(scipy.linalg.sqrtm(s @ t)))


def test_frechet_distances_to_test_train_and_of_reconstructions(dataset, scores, arrays):
    (real, generated, train), _ = arrays
    assert scores["fid"].value == pytest.approx(frechet(real, generated), abs=1e-6)
    # as many training images as test ones
    assert scores["fid_train"].value == pytest.approx(frechet(train[:150], generated), abs=1e-6)
    back = np.clip(dataset.reference.astype(int) + 7, 0, 255).astype(np.uint8)
    floor = frechet(real, Projection().extract(back).features.astype(np.float64))
    assert scores["fid_reconstruction"].value == pytest.approx(floor, abs=1e-6)
    assert 0 < floor < scores["fid"].value


def test_kid_is_the_unbiased_mmd_by_torch_fidelity(scores, arrays):
    from torch_fidelity.metric_kid import KEY_METRIC_KID_MEAN, kid_features_to_metric

    (real, generated, _), _ = arrays
    pair = torch.from_numpy(real), torch.from_numpy(generated)
    options = {"kid_subset_size": 150, "rng_seed": 9, "verbose": False}
    one, many = (kid_features_to_metric(*pair, kid_subsets=k, **options)[KEY_METRIC_KID_MEAN] for k in (1, 100))
    assert scores["kid"].value == pytest.approx(one, abs=1e-6)
    assert one == pytest.approx(many, abs=1e-12), "a subset is all there is, so one is enough"
    assert subset_count(150, 150) == 1 and subset_count(150, 149) == subset_count(2_000, 2_000) == 100


def direct_inception_score(logits):
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    kl = [sum(a * math.log(a / b) for a, b in zip(row, p.mean(axis=0), strict=True)) for row in p]
    return math.exp(np.mean(kl))


def test_inception_score_by_torch_fidelity_and_by_hand(scores, arrays):
    from torch_fidelity.metric_isc import KEY_METRIC_ISC_MEAN, isc_features_to_metric

    logits = arrays[1][1]
    library = isc_features_to_metric(torch.from_numpy(logits), splits=1, shuffle=False)[KEY_METRIC_ISC_MEAN]
    assert scores["is"].value == pytest.approx(library, abs=1e-6)
    assert scores["is"].value == pytest.approx(direct_inception_score(logits.astype(np.float64)), abs=1e-6)
    parts = isc_features_to_metric(torch.from_numpy(logits), splits=7, rng_seed=3)[KEY_METRIC_ISC_MEAN]
    assert inception_score(logits, seed=3, parts=7) == pytest.approx(parts, abs=1e-6)
    sure = np.repeat(50 * np.eye(3), 40, axis=0)
    assert inception_score(sure) == pytest.approx(3) and inception_score(0 * sure) == pytest.approx(1)
    # a class that no image can be of, where torch-fidelity finds no number
    apart = np.hstack([100 * sure, np.full((120, 1), -1e4)])
    assert inception_score(apart) == pytest.approx(3)
    assert math.isnan(isc_features_to_metric(torch.from_numpy(apart), splits=1)[KEY_METRIC_ISC_MEAN])
    assert [splits(n) for n in (20, 1_999, 2_000, 10_000, 50_000)] == [1, 1, 2, 10, 10]


def test_neighbour_metrics_by_torch_fidelity_and_by_brute_force(scores, arrays):
    from torch_fidelity.metric_prc import KEY_METRIC_PRECISION, KEY_METRIC_RECALL, prc_features_to_metric

    (real, generated, _), _ = arrays
    # its argument order is (generated, real)
    found = prc_features_to_metric(torch.from_numpy(generated), torch.from_numpy(real), verbose=False)
    assert scores["precision"].value == pytest.approx(found[KEY_METRIC_PRECISION], abs=1e-6)
    assert scores["recall"].value == pytest.approx(found[KEY_METRIC_RECALL], abs=1e-6)
    assert scores["precision"].value != scores["recall"].value
    fifth = np.sort(cdist(real, real), axis=1)[:, 5]
    inside = cdist(real, generated) < fifth[:, None]
    assert scores["density"].value == pytest.approx(inside.sum() / (5 * 150), abs=1e-6)
    assert scores["coverage"].value == pytest.approx(inside.any(axis=1).mean(), abs=1e-6)


def test_prd_by_the_definition(dataset, features, generated, scores, arrays):
    from otbench.metrics import prd

    (real, made, _), _ = arrays
    # the seeded order of the rows is part of the protocol: mini-batches are drawn by row number
    real = real[np.random.default_rng([2, 0]).permutation(150)].astype(np.float64)
    made = made[np.random.default_rng([2, 1]).permutation(150)].astype(np.float64)
    slope = np.tan(np.linspace(1e-10, math.pi / 2 - 1e-10, 1001))
    curves = []
    for p, q in zip(*prd.histograms(real, made, 2), strict=True):
        assert p.sum() == pytest.approx(1) and q.sum() == pytest.approx(1)
        precision = np.array([sum(min(s * a, b) for a, b in zip(p, q, strict=True)) for s in slope])
        curves.append((np.minimum(precision, 1), np.minimum(precision / slope, 1)))
    assert len(curves) == 10
    precision, recall = np.mean(curves, axis=0)
    for name, beta in (("prd_f8", 8), ("prd_f1_8", 1 / 8)):
        best = np.max((1 + beta**2) * precision * recall / (beta**2 * precision + recall + 1e-10))
        assert scores[name].value == pytest.approx(best, abs=1e-6)
    given = {}
    measure(dataset, generated, 2, ["prd_f8"], features, curves=given)
    np.testing.assert_allclose(given["classifier"], (precision, recall), atol=1e-6)


def test_memorisation_is_measured_against_the_training_features(dataset, features, scores, arrays):
    (real, generated, train), _ = arrays
    near = [cdist(x, train).min(axis=1) for x in (real, generated)]
    centres = KMeans(3, n_init=1, random_state=0).fit(train).cluster_centers_  # a cell for every 50 test images
    cell = [cdist(x, centres).argmin(axis=1) for x in (real, generated)]
    parts = [[distance[at == k] for distance, at in zip(near, cell, strict=True)] for k in range(3)]
    parts = [(test, made) for test, made in parts if min(len(test), len(made)) >= 20]
    assert len(parts) >= 2
    z = [mannwhitneyu(made, test).statistic - len(made) * len(test) / 2 for test, made in parts]
    z = [x / math.sqrt(len(t) * len(m) * (len(t) + len(m) + 1) / 12) for x, (t, m) in zip(z, parts, strict=True)]
    wanted = np.average(z, weights=[len(test) for test, _ in parts])
    assert scores["data_copying"].value == pytest.approx(wanted, abs=1e-6)
    assert scores["memorised"].value == np.mean(near[1] < np.quantile(near[0], 0.05))
    copies = {s.metric: s.value for s in measure(dataset, dataset.train[:150], 2, None, features)}
    assert copies["memorised"] == 1
    assert copies["data_copying"] < -5


def test_what_the_classifier_sees(dataset, features, scores, arrays):
    real, generated = (logits.argmax(axis=1) for logits in arrays[1])
    p, q = (np.bincount(seen, minlength=CLASSES) / 150 for seen in (generated, real))
    assert scores["modes"].value == np.count_nonzero(p)
    assert scores["reverse_kl"].value == pytest.approx(sum(a * math.log(a / b) for a, b in zip(p, q, strict=True) if a))
    logits = arrays[1][1].astype(np.float64)
    surest = np.max(np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True), axis=1)
    held_out = Projection().extract(dataset.held_out)
    train = Projection().extract(dataset.train).features
    far = [cdist(x, train).min(axis=1) for x in (held_out.features, arrays[0][1])]
    # the least number k such that the k surest and the k nearest held-out images have 95 % of all in common
    surely, nearly = np.sort(held_out.confidence)[::-1], np.sort(far[0])
    passed = [np.mean((held_out.confidence >= c) & (far[0] <= d)) for c, d in zip(surely, nearly, strict=True)]
    k = np.argmax(np.array(passed) >= 0.95)
    wanted = np.mean((surest >= surely[k]) & (far[1] <= nearly[k]))
    assert scores["excellence_proxy"].value == wanted and 0 < wanted < 1
    one_class = dataset.test[real == 1][np.arange(40) % (real == 1).sum()]
    found = {s.metric: s.value for s in measure(dataset, one_class, 0, ["modes", "reverse_kl"], features)}
    assert found == {"modes": 1, "reverse_kl": pytest.approx(-math.log((real == 1).mean()))}


def test_sharpness_needs_no_features(dataset, scores, generated):
    alone = measure(dataset, generated, metrics=["sharpness", "sharpness_min"])
    assert [(s.metric, s.value, s.protocol) for s in alone] == [
        (name, scores[name].value, "features=pixels;n_generated=150;range=0..1")
        for name in ("sharpness", "sharpness_min")
    ]
    assert alone[1].value < alone[0].value


def test_protocols_name_the_extractor_and_its_accuracy(dataset, features, scores):
    start = "features=classifier-01234567;accuracy=0.9688;"
    told = {name: score.protocol.removeprefix(start) for name, score in scores.items()}
    assert told["fid"] == "n_real=150;n_generated=150;split=test"
    assert told["fid_train"] == "n_real=150;n_generated=150;split=train"
    assert told["fid_validation"] == "n_real=90;n_generated=150;split=validation"
    assert told["kid"] == "n_real=150;n_generated=150;split=test;subsets=1;subset_size=150"
    assert told["is"] == "n_generated=150;splits=1"
    assert told["prd_f8"] == "n_real=150;n_generated=150;split=test;clusters=20;angles=1001;runs=10;batch=100;steps=50"
    assert told["recall"] == "n_real=150;n_generated=150;split=test;k=3"
    assert told["memorised"] == "n_train=300;n_real=150;n_generated=150;split=test;quantile=0.05"
    assert told["excellence_proxy"] == "n_generated=150;n_train=300;real_pass=0.95;likeness=nearest"
    assert told["modes"] == "n_generated=150;classes=4"
    wanted = expected(dataset, 150, features=features, reconstructs=True)
    assert wanted == [(name, score.protocol) for name, score in scores.items()]


def test_unequal_numbers_are_cut_for_pairs_only(dataset, features, generated):
    told = {s.metric: s.protocol for s in measure(dataset, generated[:70], 0, None, features)}
    assert "n_real=150;n_generated=70;" in told["fid"] and "subset_size=70" in told["kid"]
    assert "n_real=70;n_generated=70;" in told["coverage"] and "n_real=70;n_generated=70;" in told["prd_f1_8"]


def test_two_extractors_give_two_rows_and_only_the_classifier_before_the_end(dataset, features, generated):
    known = features.extractors["classifier"]
    info = {"weights": "feed0000feed", "resizer": "tf1-bilinear-299", "n": INFO["n"]}
    info["protocol"] = "features=inception-feed0000;resizer=tf1-bilinear-299"

    class Other(Projection):
        name, hash = "inception", "feed0000feed"

    other = RealFeatures("inception", info, known.reference, known.held_out, known.train, Other)
    both = Features(Path("none"), {"extractors": {"classifier": INFO, "inception": info}}, {})
    both.extractors.update({"classifier": known, "inception": other})
    found = measure(dataset, generated, 0, ["modes", "fid", "coverage", "sharpness"], both)
    assert [(s.metric, s.protocol.split(";")[0]) for s in found] == [
        ("modes", "features=classifier-01234567"),
        ("fid", "features=classifier-01234567"),
        ("fid", "features=inception-feed0000"),
        ("coverage", "features=classifier-01234567"),
        ("coverage", "features=inception-feed0000"),
        ("sharpness", "features=pixels"),
    ]
    early = measure(dataset, generated, 0, None, both, last=False)
    assert (
        "modes reverse_kl fid fid_validation prd_f8 prd_f1_8 precision recall excellence_proxy sharpness".split()
        == [s.metric for s in early]
    )
    assert not any("inception" in s.protocol for s in early)
    assert [(s.metric, s.protocol) for s in early] == expected(dataset, 150, last=False, features=both)


def test_images_of_another_form_are_refused(dataset, features, generated):
    for samples in (generated[:19], generated / 255, generated[:, :, :7], np.zeros((50, 2))):
        with pytest.raises(OtbenchError, match=r"expected at least 20 uint8 images \(1, 8, 8\) as in data set squares"):
            measure(dataset, samples, 0, None, features)


def test_a_samples_file_of_images_becomes_rows(tmp_path, dataset, features, generated):
    from otbench.data.samples import write_samples

    cells = [
        {"seed": 0, "snapshot": 0.5, "seconds": 1.0},
        {"seed": 0, "snapshot": 1.0, "certificate": {"l2": 0.01, "l2_before_train": 0.02, "residual": 3.0}},
        {"seed": 1, "snapshot": 1.0, "status": "diverged", "certificate": {"l2": None}},
    ]
    path = tmp_path / "ae.npz"
    info = {"model": "ae", "dataset": "squares", "cells": cells}
    snapshot = np.repeat([0.5, 1.0], 75)
    write_samples(path, generated, 0, snapshot, info, reconstructions={0: dataset.reference})
    curves = {}
    table = measure_file(dataset, path, "r", features=features, curves=curves)
    assert set(table.study) == {"images"} and set(table.model) == {"ae"}
    last = table[(table.snapshot == 1) & (table.protocol != "certificate")]
    (well, bad) = (last[last.seed == seed] for seed in (0, 1))
    assert well.metric.tolist() == bad.metric.tolist() and well.protocol.tolist() == bad.protocol.tolist()
    assert set(well.status) == {"ok"} and set(bad.status) == {"diverged"}
    # the reference images given back as they are
    assert well.set_index("metric").value["fid_reconstruction"] == pytest.approx(0, abs=1e-6)
    stated = table[table.protocol == "certificate"]
    assert stated[stated.seed == 0].set_index("metric").value.to_dict() == {
        "l2": 0.01,
        "l2_before_train": 0.02,
        "map_residual": 3.0,
    }
    early = table[table.snapshot == 0.5]
    assert len(early) == 10 and "fid_reconstruction" not in set(early.metric)
    assert sorted(curves) == ["classifier/0/precision", "classifier/0/recall"]
    write_curves(curves, tmp_path / "curves.npz")
    with np.load(tmp_path / "curves.npz") as file:
        np.testing.assert_array_equal(file["classifier/0/recall"], curves["classifier/0/recall"])
    renamed = measure_file(dataset, path, "r", study="mine", features=features, metrics=["fid"])
    assert set(renamed.study) == {"mine"}


def test_weights_that_do_not_fit_stop_the_measuring(tmp_path, dataset, features, generated):
    from otbench.data.samples import write_samples

    class Changed(Projection):
        hash = "another"

    known = features.extractors["classifier"]
    wrong = RealFeatures("classifier", INFO, known.reference, known.held_out, known.train, Changed)
    path = tmp_path / "s.npz"
    write_samples(path, generated, info={"cells": [{"seed": 0, "snapshot": 1.0}]})
    with pytest.raises(OtbenchError, match="extractor classifier have hash another, expected 0123456789ab"):
        measure_file(dataset, path, "r", features=Features(Path("none"), features.info, {"classifier": wrong}))
    with pytest.raises(OtbenchError, match="squares holds images, expected its features"):
        measure_file(dataset, path, "r")
