"""Which data sets there are and where image files lie; imports nothing heavy, so configs are checked quickly."""

from __future__ import annotations

import os
from pathlib import Path

from otbench.errors import OtbenchError

#: sets of points in the plane, made on the spot
POINTS: dict[str, str] = {
    "grid": "25 Gaussians at {-4, -2, 0, 2, 4}^2 with standard deviation 0.05; 100,000 training points (PacGAN).",
    "ring": "8 Gaussians on the unit circle with standard deviation 0.01; 100,000 training points (PacGAN).",
    "grid-pyomt": "25 Gaussians at {0, +-2, +-4}^2 / 2.828 with standard deviation 0.05 / 2.828; "
    "256 training points (pyOMT).",
    "ring-pyomt": "8 Gaussians of standard deviation 0.02 / 1.414 on a circle of radius 2 / 1.414; "
    "256 training points (pyOMT).",
    "swissroll": "Columns 0 and 2 of scikit-learn's Swiss roll with noise 0.25, divided by 7.5; "
    "256 training points (pyOMT).",
}
#: sets of images; all but those of scikit-learn's digits are read from, or downloaded to, the data root
IMAGES: dict[str, str] = {
    "digits": "scikit-learn's 1,797 handwritten digits brought to 16x16; 797 to train on; needs no download.",
    "mnist": "MNIST, 28x28 digits: 50,000 to train on, 10,000 for validation, 10,000 test.",
    "fashion-mnist": "Fashion-MNIST, 28x28 clothes: 50,000 to train on, 10,000 for validation, 10,000 test.",
    "cifar10": "CIFAR-10, 32x32 in colour: 40,000 to train on, 10,000 for validation, 10,000 test.",
    "celeba": "CelebA, centre crop of 160 brought to 64x64 as in Lucic et al.; from your own copy.",
    "celeba-140": "CelebA, centre crop of 140 brought to 64x64 as in the WAE paper; from your own copy.",
    "stacked-mnist": "Three random MNIST digits as the channels of one image, 1,000 modes; 128,000 to train on.",
    "stacked-digits": "As stacked-mnist, of scikit-learn's digits at 16x16; 12,800 to train on; needs no download.",
}
#: what a folder of images is called by: folder:PATH, or folder:PATH@SIZE
FOLDER = "folder:"


def data_root(root: str | Path | None = None) -> Path:
    """Where image files lie: `root`, else $OTBENCH_DATA, else ~/.cache/otbench."""
    return Path(root or os.environ.get("OTBENCH_DATA") or "~/.cache/otbench").expanduser()


def allows_unverified(unverified: bool | None = None) -> bool:
    """Whether files that differ from the publisher's are let in: as `unverified` says, else $OTBENCH_UNVERIFIED.

    Raises OtbenchError where the variable is neither 1 nor 0 nor empty.
    """
    if unverified is not None:
        return unverified
    value = os.environ.get("OTBENCH_UNVERIFIED", "")
    if value not in ("", "0", "1"):
        raise OtbenchError(f"OTBENCH_UNVERIFIED: expected 1 or 0, got '{value}'")
    return value == "1"
