"""The page that raters get: one HTML file that holds its images, asks for answers and saves them."""

from __future__ import annotations

import base64
import hashlib
import io
from importlib.resources import files

import numpy as np

from otbench.ratings.key import Key

SIDE = 308
"""CSS pixels that an image may fill: what fits into the narrowest phones beside margins (308 = 11 x 28)."""


def page(key: Key, images: np.ndarray) -> str:
    """Page of a session.

    It names the session and the data set, and nothing else of the key. The browser is told to run only the script and
    the styles that are in it and to load nothing.

    Args:
        key: Key of the session.
        images: Its images (n, c, h, w) uint8, in order.

    Returns:
        The page, one HTML file.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("otbench.ratings", "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    parts = {name: files("otbench.ratings").joinpath(f"rate.{name}").read_text(encoding="utf-8") for name in _PARTS}
    height, width = images.shape[2:]
    scale = enlargement(height, width, SIDE)
    policy = "; ".join(
        [
            "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:",
            *(f"{directive} '{_sum(parts[name])}'" for name, directive in _PARTS.items()),
        ]
    )
    return environment.get_template("rate.html").render(
        policy=policy,
        title=key.title,
        session=key.session,
        count=len(images),
        width=width * scale,
        height=height * scale,
        data={"session": key.session, "images": [data_uri(image) for image in images]},
        **parts,
    )


_PARTS = {"css": "style-src", "js": "script-src"}


def _sum(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")


def enlargement(height: int, width: int, side: int) -> int:
    """Largest whole factor, at least 1, by which an image still fits into a square.

    Args:
        height: Height of the image in pixels.
        width: Width of the image in pixels.
        side: Side of the square in pixels.

    Returns:
        Factor.
    """
    return max(1, side // max(height, width))


def data_uri(image: np.ndarray) -> str:
    """Image as a PNG data URI, which holds pixels and nothing else.

    Args:
        image: Image (c, h, w) uint8, c = 1 or 3.

    Returns:
        The URI.
    """
    from PIL import Image

    out = io.BytesIO()
    pixels = image[0] if len(image) == 1 else image.transpose(1, 2, 0)
    Image.fromarray(np.ascontiguousarray(pixels)).save(out, format="png")
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode("ascii")
