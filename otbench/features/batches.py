"""Images through a network, batch after batch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from otbench.errors import OtbenchError
from otbench.features.base import Extracted
from otbench.utils.progress import Bar

if TYPE_CHECKING:
    import torch


def extract(
    images: np.ndarray,
    network: Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor | None]],
    title: str,
    device: str,
    batch: int = 50,
) -> Extracted:
    """Features and logits of images under a network of colour images.

    Args:
        images: Images (n, c, h, w) uint8, c = 1 or 3; grey ones are tiled to three channels.
        network: From images (b, 3, h, w) uint8 to features (b, d) and logits (b, K) or None.
        title: Name of the network, for progress and errors.
        device: Device of torch that the network runs on.
        batch: Images at a time.

    Returns:
        Features (n, d) and logits (n, K), float32; K is 0 where the network has none.

    Raises:
        OtbenchError: Where the images have another shape or type.
    """
    import torch

    if images.ndim != 4 or images.shape[1] not in (1, 3) or images.dtype != np.uint8:
        raise OtbenchError(f"{title}: expected uint8 images (n, 1 or 3, h, w), got {images.dtype} {images.shape}")
    features, logits = [], []
    with Bar(f"{title} features", len(images)) as bar, torch.no_grad():
        # of no images the widths are those of one
        for start in range(0, max(len(images), 1), batch):
            part = images[start : start + batch] if len(images) else np.zeros((1, *images.shape[1:]), np.uint8)
            x = torch.tensor(part, device=device)
            feature, logit = network(x.expand(-1, 3, -1, -1) if x.shape[1] == 1 else x)
            features.append(feature.float().cpu().numpy())
            logits.append(np.zeros((len(part), 0), np.float32) if logit is None else logit.float().cpu().numpy())
            bar.update(min(start + batch, len(images)))
    return Extracted(np.concatenate(features)[: len(images)], np.concatenate(logits)[: len(images)])


def checked_state(path: Path, what: str) -> dict[str, torch.Tensor]:
    """The tensors in a PyTorch file, read so that nothing in it is executed.

    Args:
        path: The file.
        what: What is expected there, for errors.

    Returns:
        Tensors by name.

    Raises:
        OtbenchError: Where the file is missing, damaged, or holds more than tensors.
    """
    import pickle

    import torch

    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise OtbenchError(f"cannot read {path}: there is no such file; expected {what}") from error
    except pickle.UnpicklingError as error:
        raise OtbenchError(f"{path}: expected {what}, but it is no PyTorch file, or holds more than tensors") from error
    except (OSError, EOFError, RuntimeError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise OtbenchError(f"{path}: expected {what}, but the file is damaged, cut short or something else") from error
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise OtbenchError(f"{path}: expected {what}, but it holds no tensors by name")
    return state


def load_state(network: torch.nn.Module, state: dict[str, torch.Tensor], weights: str | Path, what: str) -> None:
    """Put tensors into a network.

    Args:
        network: The network.
        state: Tensors by name.
        weights: The file that they come from, for errors.
        what: What is expected there, for errors.

    Raises:
        OtbenchError: Where names or shapes are not the network's.
    """
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise OtbenchError(f"{weights}: expected {what}, but its tensors have other names or shapes") from error


def given_file(path: str | Path | None, what: str) -> Path | None:
    """A file that the user names, checked to be there.

    Args:
        path: The file, or None.
        what: What is expected there, for errors.

    Returns:
        The file; None where none is named.

    Raises:
        OtbenchError: Where it is not there.
    """
    if path is not None and not Path(path).is_file():
        raise OtbenchError(f"there is no file {path}; expected {what}")
    return None if path is None else Path(path)
