"""Distances between images that GLO descends: a Laplacian pyramid's, and VGG16's where its weights are at hand."""

from __future__ import annotations

import pickle
from functools import cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from otbench.errors import OtbenchError, WorkFailed

#: Burt and Adelson's (1983) kernel
KERNEL = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)
#: channels of VGG16's convolutions (Simonyan and Zisserman 2015, configuration D); 0 is a pooling
VGG16 = (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0)
#: places among VGG16's layers, as torchvision counts them, whose outputs the authors of GLANN compare
LAYERS = (2, 7, 12, 21)


def laplacian_distance(a: Tensor, b: Tensor) -> Tensor:
    """Sum over the levels of a Laplacian pyramid of the mean absolute difference.

    Bojanowski et al. 2018 write 2^2j times the sum over level j, which up to a constant is its mean. The pyramid is
    linear, so that of the difference is taken; in full precision, whatever the networks are in.

    Args:
        a: Images (n, c, h, w).
        b: Images (n, c, h, w).

    Returns:
        Distances (n,).
    """
    with torch.autocast(a.device.type, enabled=False):
        a, b = (x.to(torch.get_default_dtype()) for x in (a, b))
        return sum((band.abs().mean((1, 2, 3)) for band in laplacian(a - b)), a.new_zeros(()))


def laplacian(x: Tensor) -> list[Tensor]:
    """The bands of a Laplacian pyramid.

    The next level is the blurred one, averaged over 2x2 pixels; a band is a level less the next one enlarged, by
    repetition and the same blur. Levels go on while both sides are even and at least 8: three for 16 pixels and for 28,
    four for 32, five for 64. The border is repeated, so that a constant image has no band but the last.

    Args:
        x: Images (n, c, h, w).

    Returns:
        Bands (n, c, h', w'), fine to coarse, and what is left at the end.
    """
    bands = []
    while min(x.shape[-2:]) >= 8 and not (x.shape[-2] % 2 or x.shape[-1] % 2):
        # the filters are separable: products with small matrices take less time than convolutions
        (down, band), (down_w, band_w) = (steps(size, x.device, x.dtype) for size in x.shape[-2:])
        bands.append(x - band @ x @ band_w.T)
        x = down @ x @ down_w.T
    return [*bands, x]


@cache
def steps(size: int, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Matrices of the pyramid along one side.

    Args:
        size: Number of pixels of the side, even.
        device: Where the matrices go.
        dtype: Their type.

    Returns:
        The matrix (size / 2, size) to the next level, and (size, size) there and back.
    """
    half = np.eye(size // 2).repeat(2, 0)
    down = half.T @ blurring(size) / 2
    there_and_back = blurring(size) @ half @ down
    return torch.from_numpy(down).to(device, dtype), torch.from_numpy(there_and_back).to(device, dtype)


def blurring(size: int) -> np.ndarray:
    """The matrix of KERNEL along one side, the border repeated.

    Args:
        size: Number of pixels of the side.

    Returns:
        Matrix (size, size) float64.
    """
    matrix, rows = np.zeros((size, size)), np.arange(size)
    for k, weight in enumerate(KERNEL):
        np.add.at(matrix, (rows, (rows + k - 2).clip(0, size - 1)), weight)
    return matrix


class VGGDistance(nn.Module):
    """Mean absolute difference of images and of VGG16's maps, summed: two (n, c, h, w) in [-1, 1] -> (n,).

    As in the code of GLANN (Hoshen and Malik 2018): two maps for images of up to 16 pixels, three up to 32, four
    beyond; each follows a ReLU except the last, which that code takes before it; grey images are tiled to three
    channels, images of 28 pixels get a border of two black ones, and colours are not normalised as for ImageNet.

    weights: a file with the state dict of torchvision's `vgg16`, or `download` for torchvision's own (ImageNet, first
    version). Raises OtbenchError for any other file, WorkFailed where the download fails.
    """

    def __init__(self, weights: str | Path, size: int) -> None:
        super().__init__()
        self.levels = 2 if size <= 16 else 3 if size <= 32 else 4
        self.last = LAYERS[self.levels - 1]
        layers: list[nn.Module] = []
        channels = 3
        for width in VGG16:
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()] if width else [nn.MaxPool2d(2)]
            channels = width or channels
        self.features = nn.Sequential(*layers[: self.last + 1])
        state = self.state_dict()
        loaded = _read(weights)
        if any(getattr(loaded.get(k), "shape", None) != state[k].shape for k in state):
            raise OtbenchError(f"{weights}: expected the state dict of torchvision's vgg16, but it holds other tensors")
        self.load_state_dict({k: loaded[k] for k in state})
        self.requires_grad_(False)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        a, b = (self._tiled(x) for x in (a, b))
        pairs = [(a, b), *zip(self.maps(a), self.maps(b), strict=True)]
        return sum(((first - second).abs().mean((1, 2, 3)) for first, second in pairs), a.new_zeros(()))

    def maps(self, x: Tensor) -> list[Tensor]:
        """The compared maps of images.

        Args:
            x: Images (n, 3, h, w) in [-1, 1].

        Returns:
            Maps (n, channels, h', w'), fine to coarse.
        """
        maps = []
        for k, layer in enumerate(self.features):
            x = layer(x)
            if k == self.last or k - 1 in LAYERS:
                maps.append(x)
        return maps

    def _tiled(self, x: Tensor) -> Tensor:
        return F.pad(x, (2, 2, 2, 2) if x.shape[-1] == 28 else (), value=-1.0).expand(-1, 3, -1, -1)


def _read(weights: str | Path) -> dict[str, Tensor]:
    if str(weights) == "download":
        from torchvision.models import VGG16_Weights

        url = VGG16_Weights.IMAGENET1K_V1.url
        try:
            return torch.hub.load_state_dict_from_url(url, map_location="cpu", check_hash=True, weights_only=True)
        except (OSError, RuntimeError) as error:  # urllib's errors are OSErrors; a wrong hash is a RuntimeError
            raise WorkFailed(
                f"cannot download VGG16's weights ({error}): give the path of the file that {url} holds, or leave the"
                " option vgg16 out for the Laplacian pyramid"
            ) from error
    if not Path(weights).is_file():
        raise OtbenchError(f"option vgg16: there is no file {weights}")
    try:
        state = torch.load(weights, map_location="cpu", weights_only=True)
        return state if isinstance(state, dict) else {}
    except (OSError, EOFError, RuntimeError, ValueError, TypeError, KeyError, pickle.UnpicklingError) as error:
        raise OtbenchError(
            f"{weights}: expected the state dict of torchvision's vgg16, but it is no such file"
        ) from error
