"""The features folder: what is kept, the threshold, keys that do not fit, and both extractors through the verbs."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from otbench.data import save
from otbench.errors import OtbenchError
from otbench.features import inception
from otbench.features.base import Extracted, file_hash
from otbench.features.classifier import load_classifier
from otbench.features.store import make_features, read_info
from otbench.metrics import expected, measure
from otbench.metrics.reference import open_features
from otbench.utils.files import read_json, write_json


@pytest.fixture(scope="module", autouse=True)
def nothing_cached(tmp_path_factory):
    """No Inception weights in anybody's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inception, "cached", lambda: tmp_path_factory.getbasetemp() / "none.pth")
        yield


@pytest.fixture(scope="module")
def folder(corners, tmp_path_factory):
    path = tmp_path_factory.mktemp("features")
    make_features(corners, path, steps=60)
    return path


@pytest.fixture
def copy(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "copy")


def test_what_is_kept_is_what_the_network_sees(folder, corners):
    info = read_json(folder / "features.json")
    assert info["dataset"] == "corners" and info["digest"] == corners.digest()
    told = info["extractors"]["classifier"]
    network = load_classifier(folder / "classifier.safetensors")
    assert told["weights"] == network.hash and told["n"] == {"reference": 120, "held_out": 80, "train": 300}
    assert told["steps"] == 60 and told["width"] == 64 and told["resizer"] == "none"
    assert told["protocol"] == f"features=classifier-{network.hash[:8]};accuracy={told['accuracy']:.4f}"
    known = open_features(folder, corners).extractors["classifier"]
    seen = network.extract(corners.test)
    np.testing.assert_array_equal(known.reference.features, seen.features)
    np.testing.assert_array_equal(known.reference.logits, seen.logits)
    assert told["accuracy"] == np.mean(seen.classes == corners.labels["test"]) > 0.97
    with np.load(folder / "classifier.npz") as file:
        rows = file["train_rows"]
    assert sorted(rows) == list(range(300)) and rows.tolist() != list(range(300))
    np.testing.assert_allclose(known.train, network.extract(corners.train[rows]).features, atol=1e-5)


def test_95_percent_of_held_out_images_pass_for_excellent(folder, corners):
    (score,) = measure(corners, corners.validation, 0, ["excellence_proxy"], open_features(folder, corners))
    assert 0.95 <= score.value < 0.95 + 2 / 80


def test_it_is_the_same_every_time(folder, corners, tmp_path):
    make_features(corners, tmp_path, ["classifier"], steps=60)
    for name in ("features.json", "classifier.safetensors"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def test_controls_come_out_in_order(folder, corners):
    features = open_features(folder, corners)
    stream = np.random.default_rng(0)
    one = corners.validation[corners.labels["validation"] == 2]
    shown = {
        "real": corners.validation,
        "collapsed": one[stream.integers(len(one), size=80)],
        "noise": stream.integers(0, 256, (80, 1, 16, 16), dtype=np.uint8),
        "memoriser": corners.train[:80],
    }
    found = {
        name: {score.metric: score.value for score in measure(corners, images, 0, None, features)}
        for name, images in shown.items()
    }
    real, collapsed, noise, memoriser = found.values()
    for name in ("fid", "kid", "reverse_kl", "fid_train"):
        assert real[name] < collapsed[name] and real[name] < noise[name]
    for name in ("prd_f8", "recall", "coverage", "modes", "is"):
        assert real[name] > collapsed[name]
    for name in ("prd_f1_8", "precision", "density", "coverage", "excellence_proxy"):
        assert real[name] > noise[name]
    assert memoriser["memorised"] == 1 > 0.3 > real["memorised"]
    assert memoriser["data_copying"] < -10 and abs(real["data_copying"]) < 4 and noise["data_copying"] > 8
    # the one that is known to prefer noise
    assert noise["sharpness"] > real["sharpness"]


def test_a_folder_of_another_data_set_is_refused(folder, corners):
    other = replace(corners, test=corners.test[:60], labels={"train": corners.labels["train"]})
    with pytest.raises(OtbenchError, match="holds features of data set corners with digest .* make them again"):
        open_features(folder, other)
    assert read_info(folder)["dataset"] == "corners"


def test_keys_that_do_not_fit_are_refused(copy, corners, tmp_path):
    # another classifier's weights
    make_features(corners, tmp_path / "other", steps=5)
    shutil.copy(tmp_path / "other" / "classifier.safetensors", copy)
    known = open_features(copy, corners).extractors["classifier"]
    with pytest.raises(OtbenchError, match="the weights of extractor classifier have hash .*, expected"):
        known.extractor  # noqa: B018
    # and another classifier's features
    shutil.copy(tmp_path / "other" / "classifier.npz", copy)
    with pytest.raises(OtbenchError, match="classifier.npz: its key is .*, expected .*: make the folder again"):
        open_features(copy, corners)


def test_damaged_folders_are_refused_with_one_sentence(copy, corners, tmp_path):
    with pytest.raises(OtbenchError, match="there is no features.json, expected a folder that `otbench features`"):
        open_features(tmp_path / "none", corners)
    content = (copy / "classifier.npz").read_bytes()
    (copy / "classifier.npz").write_bytes(content[:1000])
    with pytest.raises(OtbenchError, match="classifier.npz is damaged, truncated or not the features"):
        open_features(copy, corners)
    (copy / "classifier.npz").unlink()
    with pytest.raises(OtbenchError, match="classifier.npz: there is no such file"):
        open_features(copy, corners)
    info = read_json(copy / "features.json")
    for wrong in ({}, [], info | {"format": 0}, info | {"extractors": {"vgg": {}}}, info | {"extractors": 3}):
        write_json(copy / "features.json", wrong)
        with pytest.raises(OtbenchError, match="features.json: expected format 1 with data set, digest and extractors"):
            open_features(copy, corners)


def test_requests_that_cannot_be_met(corners, data, tmp_path):
    bare = replace(corners, labels={}, classes=())
    for request, sentence in [
        ((data, tmp_path), "data set four holds points, expected images"),
        ((corners, tmp_path, ["vgg"]), "no extractor is called 'vgg', expected one of classifier"),
        ((bare, tmp_path, ["classifier"]), "corners has no labelled training images to train a classifier on"),
        ((bare, tmp_path), "no labels to train a classifier with and Inception's weights are not at hand"),
        ((corners, tmp_path, ["inception"], tmp_path / "no.pth"), "Inception weights: there is no file"),
    ]:
        with pytest.raises(OtbenchError, match=sentence):
            make_features(*request)
    assert list(tmp_path.iterdir()) == []


def test_missing_cells_without_a_folder_are_still_counted(corners, folder):
    known = [metric for metric, _ in expected(corners, 50, features=folder)]
    unknown = expected(corners, 50, features=folder / "none")
    assert [metric for metric, _ in unknown] == known
    assert dict(unknown)["fid"] == "features=classifier;n_real=120;n_generated=50;split=test"
    assert [metric for metric, _ in expected(corners, 50)] == ["sharpness", "sharpness_min"]


@pytest.fixture(scope="module")
def few(corners):
    """Few images, as Inception takes its time on a CPU."""
    labels = {split: label[:20] for split, label in corners.labels.items()}
    parts = {split: values[:20] for split, values in corners.splits.items()}
    return replace(corners, **parts, labels=labels)


def test_inceptions_features_are_kept_with_its_hash(corners, inception_weights, tmp_path):
    tiny = replace(corners, **{split: values[:3] for split, values in corners.splits.items()}, labels={}, classes=())
    # without labels and with weights at hand, nothing need be said
    info = make_features(tiny, tmp_path, weights=inception_weights)
    told = info["extractors"]["inception"]
    assert list(info["extractors"]) == ["inception"] and told["weights"] == file_hash(inception_weights)
    assert told["protocol"] == f"features=inception-{told['weights'][:8]};resizer=tf1-bilinear-299"
    assert str(inception_weights.parent) not in json.dumps(info), "no path of this machine"
    known = open_features(tmp_path, tiny, inception_weights).extractors["inception"]
    seen = known.extractor.extract(tiny.test)
    np.testing.assert_allclose(known.reference.features, seen.features, atol=1e-5)
    assert known.train.shape == (3, 2048) and known.reference.logits.shape == (3, 1008)
    wanted = [metric for metric, _ in expected(tiny, 50, features=tmp_path)]
    assert "fid" in wanted and not {"modes", "reverse_kl", "excellence_proxy"} & set(wanted)


class Quick:
    """In place of Inception: as many means of pixels."""

    name, resizer, width = "inception", "tf1-bilinear-299", 16

    def __init__(self, weights, device="cpu"):
        self.hash = file_hash(weights)

    def extract(self, images):
        features = images.reshape(len(images), 16, -1).mean(axis=2).astype(np.float32)
        return Extracted(features, features / 255)


def test_both_extractors_through_the_verbs(few, tmp_path, monkeypatch):
    from typer.testing import CliRunner

    from otbench.cli.app import app

    monkeypatch.setattr(inception, "Inception", Quick)
    monkeypatch.chdir(tmp_path)
    save(few, "few.npz")
    np.savez("s.npz", samples=few.validation)
    (tmp_path / "w.pth").write_bytes(b"weights")

    def otbench(*words):
        return CliRunner().invoke(app, [str(word) for word in words])

    both = ("--extractor", "classifier", "--extractor", "inception", "--weights", "w.pth")
    made = otbench("features", "--data", "few.npz", "--out", "f", *both, "--steps", 20, "--json")
    assert made.exit_code == 0, made.output
    assert list(json.loads(made.stdout)["extractors"]) == ["classifier", "inception"]
    words = ("measure", "--data", "few.npz", "--samples", "s.npz", "--out", "m.csv", "--study", "mine")
    done = otbench(*words, "--features", "f", "--weights", "w.pth", "--curves", "c.npz", "--json")
    assert done.exit_code == 0, done.output
    rows = json.loads(done.stdout)
    starts = [row["protocol"].split(";")[0].split("-")[0] for row in rows if row["metric"] == "fid"]
    assert starts == ["features=classifier", "features=inception"] and all(row["status"] == "ok" for row in rows)
    assert (tmp_path / "m.csv").read_text().splitlines()[1].startswith("user,mine,corners,s,0,1.0,modes,")
    with np.load("c.npz") as file:
        names = [f"{extractor}/0/{part}" for extractor in both[1:4:2] for part in ("precision", "recall")]
        assert sorted(file.files) == names
    refused = otbench(*words)
    assert "expected its features: make them with `otbench features`" in str(refused.exception)
    (tmp_path / "w.pth").write_bytes(b"others")
    changed = otbench(*words, "--features", "f", "--weights", "w.pth")
    assert "the weights of extractor inception have hash" in str(changed.exception)
