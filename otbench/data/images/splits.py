"""How images are put into splits."""

from __future__ import annotations

import numpy as np


def permutation(n: int, seed: int) -> np.ndarray:
    """A random order of 0 .. n - 1. NumPy has frozen this older generator, so a split stays the same for good."""
    return np.random.RandomState(seed).permutation(n)
