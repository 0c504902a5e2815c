"""DINOv2, CLIP and VGG16 as torch-fidelity runs them: their resize (TensorFlow 1's bilinear), scaling and layer.

Weights come by path, or are downloaded by torch-fidelity. DINOv2's code is no part of torch-fidelity: it comes from
PyTorch's hub, with or without weights of the user's own. None of the three gives logits of classes.
"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from otbench.errors import OtbenchError, WorkFailed
from otbench.features.base import Extracted, Extractor, Network, file_hash
from otbench.features.batches import checked_state, extract, given_file, load_state

if TYPE_CHECKING:
    import torch

NAMES = {
    "dinov2": "DINOv2 ViT-L/14, 1,024 features: those of the Frechet DINO distance",
    "clip": "CLIP ViT-L/14 at 336 pixels, 768 features",
    "vgg16": "VGG16, 4,096 features of the second hidden layer",
}
#: torch-fidelity's name, the layer, and the paper
KNOWN = {
    "dinov2": ("dinov2-vit-l-14", "dinov2", "Oquab et al. 2023, DINOv2; Stein et al. 2023 measure in it"),
    "clip": ("clip-vit-l-14-336px", "clip", "Radford et al. 2021, CLIP"),
    "vgg16": ("vgg16", "fc2_relu", "Simonyan, Zisserman 2015, Very deep convolutional networks"),
}
SIDES = {"dinov2": 224, "clip": 336, "vgg16": 224}
HUB = "facebookresearch/dinov2"


class FidelityNetwork:
    """One of torch-fidelity's networks as an extractor."""

    def __init__(self, name: str, weights: str | Path, device: str = "cpu") -> None:
        """Read the weights.

        Args:
            name: One of NAMES.
            weights: Where they lie.
            device: Device of torch that the network runs on.

        Raises:
            OtbenchError: Where the file is something else.
            WorkFailed: Where DINOv2's code cannot be fetched.
        """
        self.name, self.device, self.hash = name, device, file_hash(weights)
        self.resizer = f"tf1-bilinear-{SIDES[name]}"
        self.network = _module(name, Path(weights)).to(device).eval()

    def extract(self, images: np.ndarray) -> Extracted:
        """Features of images.

        Args:
            images: Images (n, c, h, w) uint8, c = 1 or 3.

        Returns:
            Features (n, d) float32, and logits (n, 0).
        """
        return extract(images, lambda x: (self.network(x)[0], None), self.name, self.device)


def _module(name: str, weights: Path) -> torch.nn.Module:
    key, layer, _ = KNOWN[name]
    what = f"weights of {key} ({NAMES[name]})"
    if name == "dinov2":
        return _dinov2(key, layer, checked_state(weights, what), weights, what)
    try:
        if name == "clip":
            from torch_fidelity.feature_extractor_clip import FeatureExtractorCLIP

            return FeatureExtractorCLIP(key, [layer], str(weights))
        # torch-fidelity reads the file with pickle's full power; first make sure that it holds nothing but tensors
        checked_state(weights, what)
        from torch_fidelity.feature_extractor_vgg16 import FeatureExtractorVGG16

        return FeatureExtractorVGG16(key, [layer], str(weights))
    except OtbenchError:
        raise
    except Exception as error:  # TorchScript and the networks raise whatever they meet in a strange file
        raise OtbenchError(f"{weights}: expected {what}, but it holds something else") from error


def _dinov2(key: str, layer: str, state: dict[str, Any], weights: Path, what: str) -> torch.nn.Module:
    import torch
    from torch_fidelity.feature_extractor_base import FeatureExtractorBase
    from torch_fidelity.feature_extractor_dinov2 import MODEL_METADATA, FeatureExtractorDinoV2

    class WithWeights(FeatureExtractorDinoV2):
        """torch-fidelity's own takes no file of weights."""

        def __init__(self, model: torch.nn.Module) -> None:
            FeatureExtractorBase.__init__(self, key, [layer])
            self.feature_extractor_internal_dtype = torch.float32
            self.model = model

    try:
        with contextlib.redirect_stdout(sys.stderr):
            # torch's own annotation of the last option is wrong: it takes a boolean
            model: Any = torch.hub.load(
                HUB,
                MODEL_METADATA[key],
                pretrained=False,
                trust_repo=True,  # pyright: ignore[reportArgumentType]
            )
    except Exception as error:  # network, unpacking, and the code of the hub itself
        raise WorkFailed(
            f"features dinov2: PyTorch's hub gives no code of {HUB} ({type(error).__name__}); expected it in"
            f" {torch.hub.get_dir()}, where torch.hub.load puts it"
        ) from error
    load_state(model, state, weights, what)
    return WithWeights(model).float().requires_grad_(False)


def _url(name: str) -> str:
    """Where the publisher has the weights."""
    if name == "clip":
        from torch_fidelity.feature_extractor_clip import MODEL_URLS

        return MODEL_URLS[KNOWN[name][0]]
    if name == "dinov2":
        return "https://dl.fbaipublicfiles.com/dinov2/dinov2_vitl14/dinov2_vitl14_pretrain.pth"
    from torchvision.models import VGG16_Weights

    return VGG16_Weights.IMAGENET1K_V1.url


def _cached(name: str) -> Path:
    import torch

    return Path(torch.hub.get_dir()) / "checkpoints" / f"otbench-{name}-{_url(name).rsplit('/', 1)[1]}"


def network(name: str) -> Network:
    """One of the networks, for the registry.

    Args:
        name: One of NAMES.

    Returns:
        What is known of it.
    """

    def find(path: str | Path | None) -> Path | None:
        return given_file(path, f"weights of {NAMES[name]}") or (_cached(name) if _cached(name).is_file() else None)

    def fetch() -> Path:
        import torch

        target = _cached(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(_url(name), str(target))
        except (OSError, RuntimeError) as error:
            raise WorkFailed(
                f"cannot download the weights of {name} ({error}): give their file by --weights {name}=PATH (it is at"
                f" {_url(name)})"
            ) from error
        return target

    def open_network(path: Path, device: str) -> Extractor:
        return FidelityNetwork(name, path, device)

    return Network(name, KNOWN[name][2], find, fetch, open_network, logits=False)
