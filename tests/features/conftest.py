"""Small labelled image sets that a classifier learns at once."""

import numpy as np
import pytest

from otbench.data.base import DataSet


def squares(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """n images (n, 1, 16, 16): noise, and a bright square in one of four corners, which is the label."""
    stream = np.random.default_rng(seed)
    images = stream.integers(0, 90, (n, 1, 16, 16), dtype=np.uint8)
    label = stream.integers(4, size=n)
    for image, corner in zip(images, label, strict=True):
        row, column = 8 * (corner // 2), 8 * (corner % 2)
        image[0, row + 1 : row + 7, column + 1 : column + 7] += 120
    return images, label


@pytest.fixture(scope="session")
def corners() -> DataSet:
    parts = {split: squares(n, k) for k, (split, n) in enumerate({"train": 300, "test": 120, "validation": 80}.items())}
    labels = {split: label for split, (_, label) in parts.items()}
    images = {split: image for split, (image, _) in parts.items()}
    return DataSet("corners", **images, labels=labels, classes=("nw", "ne", "sw", "se")).check()


@pytest.fixture(scope="session")
def inception_weights(tmp_path_factory):
    """A file of the form of Inception's weights, with random values."""
    import torch
    from torch_fidelity import feature_extractor_inceptionv3 as module

    class Unread(module.FeatureExtractorInceptionV3):
        def load_state_dict(self, state):
            return None

    path = tmp_path_factory.mktemp("inception") / "weights-inception-random.pth"
    torch.save({}, path)
    network = Unread("random", ["2048"], str(path))
    torch.manual_seed(0)
    state = {
        name: torch.rand(value.shape) if "var" in name else torch.randn(value.shape) / max(1, value[0].numel()) ** 0.5
        for name, value in network.state_dict().items()
        if value.dim()
    }
    state |= {name: value for name, value in network.state_dict().items() if not value.dim()}
    torch.save(state, path)
    return path
