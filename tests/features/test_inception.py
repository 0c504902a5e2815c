"""Inception without a network connection: random weights of the right form, wrong files, where weights are found."""

import os

import numpy as np
import pytest
import torch

from otbench.errors import OtbenchError, WorkFailed
from otbench.features import inception
from otbench.features.base import file_hash


@pytest.fixture(scope="module")
def network(inception_weights):
    return inception.Inception(inception_weights)


def test_features_are_torch_fidelitys(network, inception_weights):
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    images = np.random.default_rng(0).integers(0, 256, (3, 1, 16, 16), dtype=np.uint8)
    found = network.extract(images)
    assert found.features.shape == (3, 2048) and found.logits.shape == (3, 1008)
    assert network.hash == file_hash(inception_weights) and network.name == "inception"
    library = FeatureExtractorInceptionV3("x", ["2048", "logits_unbiased"], str(inception_weights))
    tiled = torch.from_numpy(np.repeat(images, 3, axis=1))
    features, logits = library(tiled)
    np.testing.assert_allclose(found.features, features.numpy(), atol=1e-5)
    np.testing.assert_allclose(found.logits, logits.numpy(), rtol=1e-4, atol=1e-4)
    assert found.features.std() > 1e-3, "random weights of this scale tell images apart"


def test_the_resize_is_tensorflow_ones(network, monkeypatch):
    """The network's first convolution gets what TensorFlow 1's bilinear resize and (x - 128) / 128 make."""
    image = np.random.default_rng(1).integers(0, 256, (1, 3, 8, 8), dtype=np.uint8)
    seen = {}
    hook = network.network.Conv2d_1a_3x3.register_forward_pre_hook(lambda module, x: seen.update(x=x[0].numpy()))
    network.extract(image)
    hook.remove()
    place = np.arange(299) * np.float32(8 / 299)  # no half-pixel shift
    low = place.astype(int)
    part, high = place - low, np.minimum(low + 1, 7)
    x = image[0].astype(np.float64)
    rows = x[:, low] * (1 - part)[:, None] + x[:, high] * part[:, None]
    expected = rows[:, :, low] * (1 - part) + rows[:, :, high] * part
    np.testing.assert_allclose(seen["x"][0], (expected - 128) / 128, atol=1e-5)


def test_no_images_and_wrong_images(network):
    empty = network.extract(np.zeros((0, 1, 16, 16), np.uint8))
    assert empty.features.shape == (0, 2048) and empty.logits.shape == (0, 1008)
    for images in (np.zeros((2, 4, 16, 16), np.uint8), np.zeros((2, 1, 16, 16)), np.zeros((2, 16, 16), np.uint8)):
        with pytest.raises(OtbenchError, match="Inception: expected uint8 images"):
            network.extract(images)


class Harm:
    """What a pickle may hold: a call of its own choice."""

    def __reduce__(self):
        return os.mkdir, ("harmed",)


def test_wrong_weights_are_refused_with_one_sentence(tmp_path, inception_weights, monkeypatch):
    monkeypatch.chdir(tmp_path)
    state = torch.load(inception_weights, weights_only=True)
    content = inception_weights.read_bytes()
    first = next(iter(state))
    bad = {
        "empty": lambda path: path.write_bytes(b""),
        "text": lambda path: path.write_text("no weights"),
        "cut": lambda path: path.write_bytes(content[: len(content) // 2]),
        "other": lambda path: torch.save({"weight": torch.zeros(3)}, path),
        "shape": lambda path: torch.save(state | {first: torch.zeros(2)}, path),
        "tensor": lambda path: torch.save(torch.zeros(3), path),
        "harm": lambda path: torch.save({"weight": Harm()}, path),
    }
    for name, write in bad.items():
        path = tmp_path / f"{name}.pth"
        write(path)
        with pytest.raises(OtbenchError, match=f"{name}.pth: expected Inception's weights as torch-fid") as caught:
            inception.Inception(path)
        assert "\n" not in str(caught.value) and len(str(caught.value)) < 400
        path.unlink()
    assert not (tmp_path / "harmed").exists(), "nothing in a weights file is run"


def test_where_weights_are_found(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    assert inception.find_weights() is None
    with pytest.raises(OtbenchError, match="there is no file .*mine.pth; put there what https://"):
        inception.find_weights(tmp_path / "mine.pth")
    (tmp_path / "mine.pth").write_bytes(b"x")
    assert inception.find_weights(tmp_path / "mine.pth") == tmp_path / "mine.pth"
    cached = tmp_path / "hub" / "checkpoints" / "weights-inception-2015-12-05-6726825d.pth"
    cached.parent.mkdir(parents=True)
    cached.write_bytes(b"x")
    assert inception.find_weights() == inception.cached() == cached


def test_download_checks_the_hash_and_says_what_to_do_offline(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    published = tmp_path / "published"
    published.mkdir()
    content = b"some weights"
    import hashlib

    right = published / f"weights-{hashlib.sha256(content).hexdigest()[:8]}.pth"
    right.write_bytes(content)
    monkeypatch.setattr(inception, "url", right.as_uri)
    assert inception.download_weights().read_bytes() == content
    wrong = published / "weights-00000000.pth"
    wrong.write_bytes(content)
    for name in (wrong, published / "weights-11111111.pth"):  # another hash, and nothing there
        monkeypatch.setattr(inception, "url", name.as_uri)
        with pytest.raises(WorkFailed, match=f"put the file {name.name} .from file:.* at .*checkpoints/{name.name}"):
            inception.download_weights()
        assert not inception.cached().exists()
