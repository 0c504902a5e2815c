"""Figures as data URIs, so that the page is one file."""

from __future__ import annotations

import base64
import io
from pathlib import Path

from otbench.report.figures.base import SavedFigure

LARGE = 300_000
"""Bytes above which the page holds a figure as PNG instead of SVG; twice this, and its colours are reduced."""


def data_uri(drawn: SavedFigure) -> str:
    """Figure as a data URI: SVG where it is not large, else PNG, with a palette where that is large too.

    Args:
        drawn: Figure on disk.

    Returns:
        The URI, base64.
    """
    data = drawn.path.read_bytes()
    if drawn.embed == "svg" and len(data) <= LARGE:
        return "data:image/svg+xml;base64," + base64.b64encode(data).decode("ascii")
    path = drawn.path.with_suffix(".png")
    data = path.read_bytes()
    data = data if len(data) <= 2 * LARGE else _small_png(path)
    return "data:image/png;base64," + base64.b64encode(data).decode("ascii")


def _small_png(path: Path) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    with Image.open(path) as image:
        image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(out, format="png", optimize=True)
    return out.getvalue()
