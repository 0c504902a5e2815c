"""Images side by side: one array of pixels for a figure, a contact sheet or a thumbnail."""

from __future__ import annotations

import numpy as np

WHITE = 255


def tile(images: np.ndarray, columns: int, gap: int = 1, scale: int = 1) -> np.ndarray:
    """Images side by side, in rows; a last row that is not full is filled with white.

    Args:
        images: Images (n, c, h, w) uint8, c of 1 or 3.
        columns: Number of images in a row.
        gap: White pixels between images.
        scale: Side of the square that every pixel becomes, pixels.

    Returns:
        Sheet (H, W, 3) uint8.
    """
    count, channels, height, width = images.shape
    rows = -(-count // columns)
    colour = np.repeat(images, 3, axis=1) if channels == 1 else images
    colour = colour.transpose(0, 2, 3, 1).repeat(scale, axis=1).repeat(scale, axis=2)
    high, wide = height * scale, width * scale
    sheet = np.full((rows * (high + gap) - gap, columns * (wide + gap) - gap, 3), WHITE, dtype=np.uint8)
    for at, image in enumerate(colour):
        top, left = (at // columns) * (high + gap), (at % columns) * (wide + gap)
        sheet[top : top + high, left : left + wide] = image
    return sheet
