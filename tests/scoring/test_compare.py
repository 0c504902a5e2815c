"""`otbench score` of folders, arrays and splits: against independent computations, and torch-fidelity's own."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.linalg import sqrtm
from scipy.spatial.distance import cdist
from typer.testing import CliRunner

from otbench.cli.app import app
from otbench.data.base import DataSet
from otbench.errors import OtbenchError
from otbench.features import classifier
from otbench.scoring.compare import compare, table
from otbench.scoring.sides import read_side


def corners(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """n images (n, 1, 16, 16): noise, and a bright square in one of four corners, the label."""
    draw = np.random.default_rng(seed)
    images, labels = draw.integers(0, 90, (n, 1, 16, 16), dtype=np.uint8), draw.integers(4, size=n)
    for image, corner in zip(images, labels, strict=True):
        row, column = 8 * (corner // 2), 8 * (corner % 2)
        image[0, row + 1 : row + 7, column + 1 : column + 7] += 120
    return images, labels


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """Weights of a classifier of the corners."""
    images, labels = corners(200, 0)
    data = DataSet(
        "corners", images, images[:40], labels={"train": labels}, classes=tuple("abcd"), validation=images[:9]
    )
    path = tmp_path_factory.mktemp("classifier") / "classifier.safetensors"
    classifier.train(data, steps=20).save(path)
    return path


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path) -> Path:
    monkeypatch.setenv("OTBENCH_DATA", str(tmp_path / "cache"))
    return tmp_path / "cache"


def folder(path: Path, images: np.ndarray, ending: str = "png") -> Path:
    """Write images (n, 1, h, w) as pictures."""
    path.mkdir()
    for number, image in enumerate(images):
        Image.fromarray(image[0]).convert("RGB").save(path / f"{number:03d}.{ending}")
    return path


def plain(real: np.ndarray, generated: np.ndarray) -> dict[str, float]:
    """FID, KID of the whole sets, precision, recall, density and coverage by their definitions."""
    real, generated = real.astype(float), generated.astype(float)
    s, t, gap = np.cov(real.T), np.cov(generated.T), real.mean(0) - generated.mean(0)
    kernel = lambda a, b: (a @ b.T / a.shape[1] + 1) ** 3
    inside = [(kernel(a, a).sum() - np.trace(kernel(a, a))) / (len(a) * (len(a) - 1)) for a in (real, generated)]
    rr, gg, rg = cdist(real, real), cdist(generated, generated), cdist(real, generated)
    third = [np.sort(d, axis=1)[:, 3] for d in (rr, gg)]
    fifth = np.sort(rr, axis=1)[:, 5]
    return {
        "fid": gap @ gap + np.trace(s + t - 2 * sqrtm(s @ t).real),
        "kid": sum(inside) - 2 * kernel(real, generated).mean(),
        "precision": (rg <= third[0][:, None]).any(0).mean(),
        "recall": (rg <= third[1][None]).any(1).mean(),
        "density": (rg < fifth[:, None]).sum() / (5 * len(generated)),
        "coverage": (rg < fifth[:, None]).any(1).mean(),
    }


def test_two_folders_score_as_by_the_definitions(tmp_path, trained):
    images = corners(90, 1)[0], (corners(90, 2)[0] * 0.8).astype(np.uint8)
    paths = [folder(tmp_path / name, part) for name, part in zip("rg", images, strict=True)]
    network = classifier.load_classifier(trained)
    expected = plain(*(network.extract(part).features for part in images))
    found = compare(*(read_side(str(path)) for path in paths), "classifier", weights={"classifier": trained})
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=1e-6), name
    arrays = []
    for name, part in zip("rg", images, strict=True):  # the same as arrays
        np.savez(tmp_path / f"{name}.npz", images=part)
        arrays.append(read_side(str(tmp_path / f"{name}.npz")))
    assert compare(*arrays, "classifier", weights={"classifier": trained})["fid"] == pytest.approx(
        found["fid"], abs=1e-9
    )
    protocol = found["protocol"]["fid"]
    assert protocol == f"features=classifier-{network.hash[:8]};width=64;n_real=90;n_generated=90"
    assert found["features"]["weights"] == network.hash and found["real"]["n"] == 90


def test_two_folders_score_as_by_torch_fidelity_on_the_same_folders(tmp_path, trained):
    """With the same weights: its reading of pictures, its features and its distance against ours."""
    from torch_fidelity import calculate_metrics

    from otbench.features.fidelity import NAME, register

    register()
    paths = [str(folder(tmp_path / name, corners(50, seed)[0])) for seed, name in enumerate("rg")]
    found = compare(*map(read_side, paths), "classifier", ["fid", "kid"], {"classifier": trained})
    theirs = calculate_metrics(
        **{"input1": paths[1], "input2": paths[0], "fid": True, "cuda": False, "verbose": False, "cache": False},
        **{"feature_extractor": NAME, "feature_extractor_weights_path": str(trained), "save_cpu_ram": True},
    )
    assert found["fid"] == pytest.approx(theirs["frechet_inception_distance"], rel=1e-4)


def test_features_are_computed_once(tmp_path, trained, monkeypatch, cache):
    paths = [str(folder(tmp_path / name, corners(30, seed)[0])) for seed, name in enumerate("rg")]
    asked = {"network": "classifier", "weights": {"classifier": trained}, "metrics": ["fid"]}
    first = compare(*map(read_side, paths), **asked)
    assert len(list((cache / "scored").glob("*.npz"))) == 2
    monkeypatch.setattr(classifier.Classifier, "extract", lambda *_: pytest.fail("it was extracted again"))
    again = compare(*map(read_side, paths), **asked)
    assert again == first
    next((cache / "scored").glob("*.npz")).write_bytes(b"damaged")
    with pytest.raises(pytest.fail.Exception, match="extracted again"):
        compare(*map(read_side, paths), **asked)


def test_what_makes_the_distance_differ_is_said(tmp_path, trained):
    real, other = corners(40, 1)[0], corners(30, 2)[0]
    paths = folder(tmp_path / "r", real), folder(tmp_path / "g", other.repeat(2, axis=2).repeat(2, axis=3), "jpg")
    asked = {"network": "classifier", "weights": {"classifier": trained}, "metrics": ["fid", "precision"]}
    hints = compare(*(read_side(str(path)) for path in paths), **asked)["hints"]
    starts = {hint.split(":")[0] for hint in hints}
    assert {"n", "compression", "size"} <= starts
    assert "0% of the real and 100% of the generated pictures are JPEG" in " ".join(hints)
    assert "real pictures are 16x16 and generated ones 32x32" in " ".join(hints)
    (tmp_path / "r" / "copy.png").write_bytes((tmp_path / "r" / "000.png").read_bytes())
    same = compare(read_side(str(paths[0])), read_side(str(paths[0])), **asked)
    assert same["fid"] == pytest.approx(0, abs=1e-6) and any("same content" in hint for hint in same["hints"])


def test_the_classifier_of_a_data_set_is_trained_where_none_is_given(cache):
    found = compare(read_side("digits:test"), read_side("digits:validation"), "classifier", ["fid", "coverage"])
    assert found["features"]["accuracy"] > 0.9 and found["real"]["split"] == "test"
    assert f"accuracy={found['features']['accuracy']:.4f}" in found["protocol"]["fid"]
    assert found["coverage"] > 0.8 and len(list((cache / "scored").glob("classifier-*"))) == 1
    assert "digits:validation" in table(found) and "Frechet distance" in table(found)


def test_the_verb_prints_json_apart_from_the_table(tmp_path):
    draw = np.random.default_rng(0)
    for name in "rg":
        np.save(tmp_path / f"{name}.npy", draw.standard_normal((60, 3)))
    words = ["score", str(tmp_path / "r.npy"), str(tmp_path / "g.npy"), "--as", "points", "--metrics", "all"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    scores = json.loads(done.stdout)
    assert {"fid", "fid_infinity", "sliced_w2", "clipped_density", "vendi", "authenticity"} <= set(scores)
    assert scores["protocol"]["fid"].startswith("features=coordinates;width=3;n_real=60")
    assert "lower is better" in done.stderr and "note" in done.stderr


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["digits:test", "grid:test"], "REAL holds images .* and GENERATED points"),
        (["digits:test", "digits:train", "--features", "vgg"], "no extractor is called 'vgg'"),
        (["grid:test", "grid:train", "--features", "classifier"], "compared as they are"),
        (["grid:test", "grid:train", "--metrics", "fid,ids"], "no metric of `score` is called 'ids'"),
        (["PICTURES", "PICTURES", "--features", "classifier"], "neither side is a labelled data set"),
    ],
)
def test_requests_that_cannot_be_met(tmp_path, words, sentence):
    pictures = str(folder(tmp_path / "p", corners(3, 0)[0]))
    done = CliRunner().invoke(app, ["score", *(pictures if word == "PICTURES" else word for word in words)])
    assert isinstance(done.exception, OtbenchError)
    import re

    assert re.search(sentence, str(done.exception))
