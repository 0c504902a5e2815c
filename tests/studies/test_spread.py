"""Drawing and measuring again: what varies with what, and how the Frechet distance depends on n."""

from __future__ import annotations

import numpy as np
import pytest

from otbench.data import load
from otbench.data.base import DataSet
from otbench.data.samples import read_samples
from otbench.errors import OtbenchError
from otbench.features.store import make_features
from otbench.metrics.measure import measure
from otbench.metrics.reference import open_features
from otbench.studies.spread import BIAS, SPREAD, read_spread, spread, write_spread
from otbench.training.draw import draw
from otbench.training.fit import fit

METRICS = ["modes", "high_quality", "prd_f8", "precision"]


@pytest.fixture(scope="module")
def grid() -> DataSet:
    return load("grid-pyomt")


@pytest.fixture(scope="module")
def fitted(grid, tmp_path_factory):
    folder = tmp_path_factory.mktemp("fit")
    fit("real", grid, [0, 1], folder)
    return folder


@pytest.fixture(scope="module")
def tables(grid, fitted):
    return spread(fitted, grid, 100, 3, 2, metrics=METRICS)


def test_every_draw_of_every_seed_is_measured_with_every_subset(tables):
    found, bias = tables
    assert list(found.columns) == SPREAD and list(bias.columns) == BIAS and not len(bias)
    assert len(found) == 2 * 3 * 2 * len(METRICS)
    assert not found.duplicated(["seed", "draw", "subset", "metric"]).any()


def test_the_first_draw_measured_first_is_the_runs_own(grid, fitted, tables, tmp_path):
    draw(fitted, grid, 100, tmp_path / "samples.npz")
    file = read_samples(tmp_path / "samples.npz")
    for seed in (0, 1):
        scores = measure(grid, file.samples[file.seed == seed], 0, METRICS)
        rows = tables[0].query("seed == @seed and draw == 0 and subset == 0").set_index("metric")
        assert {one.metric: one.value for one in scores} == rows["value"].to_dict()
        assert {one.metric: one.protocol for one in scores} == rows["protocol"].to_dict()


def test_a_metric_that_chooses_nothing_varies_with_draws_alone(tables):
    found = tables[0].pivot_table(index=["metric", "seed", "draw"], columns="subset", values="value")
    same = (found[0] == found[1]).groupby("metric").all()
    assert same["high_quality"] and same["modes"] and not same["precision"]
    draws = tables[0].query("metric == 'precision' and subset == 0 and seed == 0")["value"]
    assert draws.nunique() > 1, "independent draws differ"


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Images of two kinds, and the features of a classifier that was hardly trained."""
    draw, label = np.random.default_rng(0), np.arange(120) % 2
    images = {}
    for split in ("train", "test", "validation"):
        images[split] = draw.integers(0, 60, (120, 1, 16, 16))
        images[split][label == 0, :, :8] += 150
        images[split][label == 1, :, 8:] += 150
        images[split] = images[split].astype(np.uint8)
    labels = dict.fromkeys(images, label.astype(np.int64))
    data = DataSet("halves", **images, title="h", source="test", labels=labels, classes=("a", "b")).check()
    folder = tmp_path_factory.mktemp("features")
    make_features(data, folder, ["classifier"], steps=20)
    return data, open_features(folder, data)


def test_the_frechet_distance_of_real_images_falls_with_n(pictures, tmp_path):
    data, features = pictures
    fit("real", data, [0], tmp_path)
    found, bias = spread(tmp_path, data, 64, 2, 2, features, ["fid"])
    # 128 images: a share of one eighth is 16, of which two disjoint subsets are taken; of all there is one
    assert bias.groupby("n").size().to_dict() == {16: 2, 32: 2, 64: 2, 128: 1}
    means = bias.groupby("n")["value"].mean()
    assert means[16] > 2 * means[128]
    assert all(f"n_generated={n}" in text for n, text in zip(bias["n"], bias["protocol"], strict=True))
    again = read_back(found, bias, tmp_path)
    assert again[0].equals(found) and np.allclose(again[1]["value"], bias["value"], rtol=1e-15)


def read_back(found, bias, folder):
    write_spread((found, bias), folder / "one.csv")
    return read_spread(folder / "one.csv", SPREAD), read_spread(folder / "one.bias.csv", BIAS)


def test_what_cannot_be_asked_gets_a_sentence(grid, fitted, tmp_path):
    with pytest.raises(OtbenchError, match="at least two draws and two subsets, got 1 and 3"):
        spread(fitted, grid, 100, 1, 3)
    for text, said in (
        ("dataset,model\n", "expected the columns dataset, model, seed"),
        (",".join(BIAS) + "\na,b,x,1,1,m,p,2\n", "column seed holds something that is no number"),
        ("", "it is no table"),
    ):
        (tmp_path / "bad.csv").write_text(text)
        with pytest.raises(OtbenchError, match=said):
            read_spread(tmp_path / "bad.csv", BIAS)
    with pytest.raises(OtbenchError, match="cannot read"):
        read_spread(tmp_path / "absent.csv", BIAS)
