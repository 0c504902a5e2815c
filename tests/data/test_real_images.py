"""The publishers' sets themselves, where $OTBENCH_DATA holds them."""

import os
from pathlib import Path

import numpy as np
import pytest

from otbench.data import load

ROOT = Path(os.environ.get("OTBENCH_DATA") or "/nowhere")


def needs(place):
    return pytest.mark.skipif(not (ROOT / place).exists(), reason=f"$OTBENCH_DATA holds no {place}")


def publisher_split(data):
    """The publisher's training split again: images and labels."""
    both = [np.concatenate([data.splits[s] for s in ("train", "validation")])]
    return both[0], np.concatenate([data.labels[s] for s in ("train", "validation")])


@needs("mnist/train-images-idx3-ubyte.gz")
def test_mnist():
    data = load("mnist")
    assert [len(data.splits[split]) for split in ("train", "validation", "test")] == [50_000, 10_000, 10_000]
    images, labels = publisher_split(data)
    assert labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert np.bincount(labels).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(data.labels["test"]).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert images.mean() / 255 == pytest.approx(0.130660, abs=1e-6)
    assert images.std() / 255 == pytest.approx(0.308108, abs=1e-6)
    assert data.source == "LeCun, Cortes and Burges 1998 (MNIST)"


@needs("fashion-mnist/train-images-idx3-ubyte.gz")
def test_fashion_mnist():
    data = load("fashion-mnist")
    images, labels = publisher_split(data)
    assert np.bincount(labels).tolist() == [6000] * 10 and np.bincount(data.labels["test"]).tolist() == [1000] * 10
    assert [data.classes[label] for label in labels[:3]] == ["ankle boot", "T-shirt/top", "T-shirt/top"]
    assert images.mean() / 255 == pytest.approx(0.286041, abs=1e-6)
    assert images.std() / 255 == pytest.approx(0.353024, abs=1e-6)


@pytest.mark.skipif(
    not any((ROOT / place).exists() for place in ("cifar-10-batches-bin", "cifar-10-binary.tar.gz")),
    reason="$OTBENCH_DATA holds no CIFAR-10",
)
def test_cifar10():
    data = load("cifar10", unverified=True)
    assert [len(data.splits[split]) for split in ("train", "validation", "test")] == [40_000, 10_000, 10_000]
    images, labels = publisher_split(data)
    assert np.bincount(labels).tolist() == [5000] * 10 and np.bincount(data.labels["test"]).tolist() == [1000] * 10
    assert [data.classes[label] for label in labels[:4]] == ["frog", "truck", "truck", "deer"]
    assert images[:1000].dtype == np.uint8
    mean = images.mean((0, 2, 3)) / 255
    assert mean == pytest.approx([0.4914, 0.4822, 0.4465], abs=1e-4)


@needs("mnist/train-images-idx3-ubyte.gz")
def test_stacked_mnist():
    data, digits = load("stacked-mnist"), load("mnist")
    assert len(data.train) == 128_000 and len(data.test) == len(data.validation) == 26_000
    assert data.shape == (3, 28, 28) and len(np.unique(data.labels["train"])) == 1000
    of = {image.tobytes(): label for image, label in zip(digits.test, digits.labels["test"], strict=True)}
    for row in range(0, 26_000, 1000):
        figures = [of[channel.tobytes()] for channel in data.test[row]]
        assert data.labels["test"][row] == int("".join(map(str, figures)))
