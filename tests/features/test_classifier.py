"""The classifier: what it reaches, that it is the same every time, its file, and stacked digits."""

import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from otbench.data.base import DataSet
from otbench.errors import OtbenchError
from otbench.features.base import Extracted
from otbench.features.classifier import (
    Classifier,
    Form,
    default_steps,
    form_of,
    load_classifier,
    train,
    training_images,
)


@pytest.fixture(scope="module")
def trained(corners):
    return train(corners, steps=60)


def accuracy(seen, labels):
    return float(np.mean(seen.classes == labels))


def test_it_learns_what_is_easy_and_is_the_same_every_time(corners, trained):
    seen = trained.extract(corners.test)
    assert accuracy(seen, corners.labels["test"]) > 0.97
    assert seen.features.shape == (120, 64) and seen.logits.shape == (120, 4)
    assert seen.features.dtype == seen.logits.dtype == np.float32
    torch.manual_seed(1)
    before = torch.rand(1)
    torch.manual_seed(1)
    again = train(corners, steps=60)
    assert torch.rand(1) == before, "the caller's random numbers are left alone"
    for name, value in again.network.state_dict().items():
        assert torch.equal(value, trained.network.state_dict()[name])
    other = train(corners, steps=5, seed=1).network.state_dict()
    assert not torch.equal(other["head.weight"], train(corners, steps=5).network.state_dict()["head.weight"])


def test_digits_are_recognised():
    from otbench.data import load

    digits = load("digits")
    # a third of the default budget
    seen = train(digits, steps=160).extract(digits.test)
    assert accuracy(seen, digits.labels["test"]) >= 0.97


def test_features_are_what_the_last_layer_takes(corners, trained):
    seen = trained.extract(corners.test[:50])
    head = trained.network.head
    with torch.no_grad():
        np.testing.assert_allclose(head(torch.from_numpy(seen.features)).numpy(), seen.logits, atol=1e-5)
    one = trained.extract(corners.test[7:8])
    np.testing.assert_allclose(one.features[0], seen.features[7], atol=1e-5)
    assert trained.extract(corners.test[:0]).features.shape == (0, 64)


def test_confidence_is_the_largest_softmax():
    logits = np.array([[0.0, 0.0], [np.log(3.0), 0.0], [900.0, -900.0]], np.float32)
    np.testing.assert_allclose(Extracted(logits, logits).confidence, [0.5, 0.75, 1.0], rtol=1e-6)
    assert Extracted(logits, logits).classes.tolist() == [0, 0, 0]


def test_file_round_trip_and_its_hash(tmp_path, corners, trained):
    trained.save(tmp_path / "a.safetensors")
    trained.save(tmp_path / "b.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    back = load_classifier(tmp_path / "a.safetensors")
    assert back.form == trained.form == Form("lenet", (1, 16, 16), 4) and back.hash == trained.hash
    np.testing.assert_array_equal(back.extract(corners.test).logits, trained.extract(corners.test).logits)
    with pytest.raises(OtbenchError, match=r"trained on uint8 images \(1, 16, 16\), got uint8 \(1, 16, 15\)"):
        back.extract(corners.test[..., :15])


def test_wrong_files_are_refused_with_one_sentence(tmp_path, trained):
    good = tmp_path / "c.safetensors"
    trained.save(good)
    content = good.read_bytes()
    state = trained.network.state_dict()
    form = {"architecture": "lenet", "shape": [1, 16, 16], "classes": 4, "stacked": False}

    def other(path, state, **changed):
        save_file(state, path, {"form": json.dumps(form | changed)})

    bad = {
        "empty": lambda path: path.write_bytes(b""),
        "cut": lambda path: path.write_bytes(content[: len(content) // 2]),
        "text": lambda path: path.write_text("weights"),
        "plain": lambda path: save_file(state, path),
        "classes": lambda path: other(path, state, classes=5),
        "kind": lambda path: other(path, state, architecture="vgg"),
        "less": lambda path: other(path, {"head.bias": state["head.bias"]}),
    }
    for name, write in bad.items():
        path = tmp_path / f"{name}.safetensors"
        write(path)
        with pytest.raises(OtbenchError, match=f"{name}.safetensors: expected a classifier's weights") as caught:
            load_classifier(path)
        assert "\n" not in str(caught.value)
    with pytest.raises(OtbenchError, match="there is no such file; `otbench features` makes it"):
        load_classifier(tmp_path / "none.safetensors")


def labelled(shape, classes, n=24, name="x"):
    stream = np.random.default_rng(0)
    images = stream.integers(0, 256, (n, *shape), dtype=np.uint8)
    labels = stream.integers(len(classes), size=n)
    told = {"train": labels, "test": labels}
    return DataSet(name, images, images, validation=images, labels=told, classes=tuple(classes))


def test_which_network_a_data_set_gets():
    assert form_of(labelled((1, 28, 28), "ab")) == Form("lenet", (1, 28, 28), 2)
    assert form_of(labelled((3, 32, 32), "abc")) == Form("resnet", (3, 32, 32), 3)
    assert form_of(labelled((1, 64, 64), "abc")) == Form("resnet", (1, 64, 64), 3)
    lenet, resnet = Form("lenet", (1, 28, 28), 10), Form("resnet", (3, 32, 32), 10)
    assert default_steps(lenet, 797) == 500 and default_steps(lenet, 50_000) == 1563
    assert default_steps(resnet, 40_000) == 6250
    images = np.zeros((9, 3, 64, 64), np.uint8)
    with pytest.raises(OtbenchError, match="celeba has no labelled training images .* another extractor: inception"):
        form_of(DataSet("celeba", images, images))


def test_the_residual_network_trains_and_sees_colour():
    data = labelled((3, 32, 32), "ab", n=32)
    for image, label in zip(data.train, data.labels["train"], strict=True):
        image[0], image[2] = (255, 0) if label else (0, 255)
    seen = train(data, steps=12).extract(data.train)
    assert seen.features.shape == (32, 128) and accuracy(seen, data.labels["train"]) == 1


def test_stacked_digits_are_seen_one_channel_at_a_time(corners):
    triples = np.arange(240).reshape(-1, 3) % len(corners.train)
    images = corners.train[triples][:, :, 0]
    labels = corners.labels["train"][triples] @ np.array([100, 10, 1])
    splits = {"train": images, "test": images[:40], "validation": images[40:]}
    told = {"train": labels, "test": labels[:40], "validation": labels[40:]}
    data = DataSet("three", **splits, labels=told, classes=tuple(f"{k:03d}" for k in range(1000))).check()
    form = form_of(data)
    assert form == Form("lenet", (1, 16, 16), 10, stacked=True) and training_images(form, data) == 240
    network = train(data, steps=60)
    seen = network.extract(data.test)
    assert seen.features.shape == (40, 3 * 64) == (40, network.width) and seen.logits.shape == (40, 1000)
    assert accuracy(seen, data.labels["test"]) > 0.9
    # each third is what a classifier of single digits sees, and the triples' logits are sums of log-probabilities
    single = Classifier(Form("lenet", (1, 16, 16), 10), network.network, "")
    alone = [single.extract(data.test[:, c : c + 1]) for c in range(3)]
    np.testing.assert_allclose(seen.features, np.hstack([one.features for one in alone]), atol=1e-5)
    a, b, c = (F.log_softmax(torch.from_numpy(one.logits), dim=1).numpy() for one in alone)
    np.testing.assert_allclose(seen.logits[5, 273], a[5, 2] + b[5, 7] + c[5, 3], atol=1e-5)
