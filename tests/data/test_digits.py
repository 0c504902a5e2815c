"""scikit-learn's digits at 16x16."""

import numpy as np
import torch
from PIL import Image
from sklearn.datasets import load_digits

from otbench.data import load, save
from otbench.data.images.digits import doubled


def test_doubling_is_bilinear_as_pillow_does_it():
    images = np.random.default_rng(0).random((4, 5, 8))
    for before, after in zip(images, doubled(images), strict=True):
        expected = Image.fromarray(before.astype(np.float32)).resize((16, 10), Image.Resampling.BILINEAR)
        assert np.abs(after - np.asarray(expected)).max() < 1e-6


def test_every_digit_is_in_one_split_with_its_label():
    data, digits = load("digits"), load_digits()
    assert data.shape == (1, 16, 16) and data.classes == tuple("0123456789")
    assert {split: len(images) for split, images in data.splits.items()} == {
        "train": 797,
        "test": 500,
        "validation": 500,
    }
    # the mean of the four pixels that came of one is near to it, and the four corners of an image are exact
    pairs = {image.tobytes(): target for image, target in zip(digits.images, digits.target, strict=True)}
    assert len(pairs) == 1797
    exact = {
        np.rint(doubled(i[None]) * 255 / 16).astype(np.uint8).tobytes(): t
        for i, t in zip(digits.images, digits.target, strict=True)
    }
    found = [
        (i.tobytes(), label)
        for split in data.splits
        for i, label in zip(data.splits[split], data.labels[split], strict=True)
    ]
    assert len(dict(found)) == 1797 and all(exact[image] == label for image, label in found)
    corners = {image[0, 0] for image in digits.images}
    assert {round(v * 16 / 255) for v in np.unique(data.train[:, 0, 0, 0])} <= {int(v) for v in corners}


def test_the_split_never_changes():
    data = load("digits")
    assert data.digest() == "f6949697118a"
    assert np.bincount(data.labels["test"], minlength=10).min() >= 40, "all classes are there to compare with"


def test_all_of_the_test_split_is_the_reference_and_validation_is_held_out():
    data = load("digits")
    assert data.reference is data.test and data.held_out is data.validation
    assert data.labels_of("held_out") is data.labels["validation"] and len(data.labels_of("reference")) == 500


def test_images_by_name_and_from_a_file_lie_in_memory_alike(tmp_path):
    save(load("digits"), tmp_path / "digits.npz")
    for data in (load("digits"), load(str(tmp_path / "digits.npz"))):
        for images in (data.train, data.test, data.validation):
            assert images.strides == (256, 256, 16, 1), "else torch takes another layout and rounds differently"
            assert torch.from_numpy(images).stride() == (256, 256, 16, 1)
