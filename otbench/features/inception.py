"""Inception features, by torch-fidelity: the network of the published Frechet distances.

Its weights are the TensorFlow ones of 2015 (`inception-2015-12-05`) as torch-fidelity converted them. As in Lucic et
al. 2018, grey images are tiled to three channels and brought to 299x299 by TensorFlow 1's bilinear resize, which
torch-fidelity rebuilds; features are the 2,048 of the last pooling, logits the 1,008 without bias, as for the Inception
score.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from otbench.errors import OtbenchError, WorkFailed
from otbench.features.base import Extracted, Network, file_hash
from otbench.features.batches import extract

if TYPE_CHECKING:
    import torch

NAMES = {"inception": "Inception-v3 of 2015, 2,048 features: those of the published Frechet distances"}
WIDTH, CLASSES = 2048, 1008
LAYERS = [str(WIDTH), "logits_unbiased"]


def url() -> str:
    """Address where torch-fidelity publishes the weights.

    Returns:
        The address; the last part of the name starts the file's SHA-256.
    """
    from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3

    return URL_INCEPTION_V3


def cached() -> Path:
    """Path where torch-fidelity keeps its download.

    Returns:
        The file in PyTorch's hub cache, whether it is there or not.
    """
    import torch

    return Path(torch.hub.get_dir()) / "checkpoints" / url().rsplit("/", 1)[1]


def find_weights(path: str | Path | None = None) -> Path | None:
    """File of the weights.

    Args:
        path: The file; None for torch-fidelity's download.

    Returns:
        `path` where given, else torch-fidelity's download where there is one, else None.

    Raises:
        OtbenchError: Where `path` is given and no file.
    """
    if path is not None:
        if not Path(path).is_file():
            raise OtbenchError(f"Inception weights: there is no file {path}; put there what {url()} holds")
        return Path(path)
    return cached() if cached().is_file() else None


def download_weights() -> Path:
    """Fetch the weights into torch-fidelity's cache and check their hash.

    Returns:
        The file.

    Raises:
        WorkFailed: Where the download or the check fails.
    """
    import torch

    target, source = cached(), url()
    target.parent.mkdir(parents=True, exist_ok=True)
    prefix = target.stem.rsplit("-", 1)[1]
    try:
        torch.hub.download_url_to_file(source, str(target), hash_prefix=prefix)
    except (OSError, RuntimeError) as error:  # urllib's errors are OSErrors; a wrong hash is a RuntimeError
        raise WorkFailed(
            f"cannot download Inception weights ({error}): put the file {target.name} (from {source}) at {target},"
            " or give its path by --weights"
        ) from error
    return target


class Inception:
    """torch-fidelity's network as an extractor."""

    name, resizer, width = "inception", "tf1-bilinear-299", WIDTH

    def __init__(self, weights: str | Path, device: str = "cpu") -> None:
        """Read the weights.

        Args:
            weights: Where they lie, a PyTorch state dict.
            device: Device of torch that the network runs on.

        Raises:
            OtbenchError: Where the file is something else.
        """
        self.device, self.hash = device, file_hash(weights)
        self.network = _network(Path(weights)).to(device)

    def extract(self, images: np.ndarray) -> Extracted:
        """Features and logits of images.

        Args:
            images: Images (n, c, h, w) uint8, c = 1 or 3.

        Returns:
            Features (n, 2048) and logits (n, 1008), float32.

        Raises:
            OtbenchError: Where the images have another shape or type.
        """
        return extract(images, self.network, "Inception", self.device)


def network(name: str) -> Network:
    """Inception, for the registry.

    Args:
        name: `inception`.

    Returns:
        What is known of it.
    """
    paper = "Szegedy et al. 2016, Rethinking the Inception architecture; Heusel et al. 2017 measure in it"
    return Network(name, paper, find_weights, download_weights, Inception)


def _network(weights: Path) -> torch.nn.Module:
    import pickle

    import torch
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    try:
        # torch-fidelity reads the file with pickle's full power; first make sure that it holds nothing but tensors
        torch.load(weights, map_location="cpu", weights_only=True)
        return FeatureExtractorInceptionV3("inception-v3-compat", LAYERS, str(weights)).eval()
    except (OSError, EOFError, RuntimeError, ValueError, TypeError, KeyError, AttributeError) as error:
        reason = _reason(error)
    except pickle.UnpicklingError:
        reason = "it is no PyTorch file, or holds more than tensors"
    raise OtbenchError(
        f"{weights}: expected Inception's weights as torch-fidelity publishes them ({url()}), but {reason}"
    )


def _reason(error: Exception) -> str:
    text = str(error)
    if "state_dict" in text:
        return "its tensors have other names or shapes"
    return "the file is damaged or cut short" if isinstance(error, OSError | EOFError | RuntimeError) else "it is not"
