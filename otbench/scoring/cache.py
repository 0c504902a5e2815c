"""Features of images through a network, kept by the content of the images and of the network's weights."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from otbench.data.roots import data_root
from otbench.errors import OtbenchError
from otbench.features.base import Extractor
from otbench.scoring.sides import Side
from otbench.utils.arrays import read_npz
from otbench.utils.files import atomic_write

FORMAT = 1


def features_of(side: Side, extractor: Extractor, root: str | Path | None = None, use: bool = True) -> np.ndarray:
    """Features of a side's images.

    Images of one size go through the network together; the classifier, which takes one size alone, gets each picture's
    centre square brought to it.

    Args:
        side: The images.
        extractor: The network.
        root: Folder of the cache; None for `features` in the folder of downloaded data.
        use: Whether to read and write the cache.

    Returns:
        Features (n, d) float32, in the order of the images.
    """
    key = f"{FORMAT} {side.kind} {side.digest} {extractor.name} {extractor.hash} {extractor.resizer}"
    folder = Path(root) if root else data_root() / "scored"
    path = folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.npz"
    if use and (known := _read(path, key, side)) is not None:
        return known
    features: np.ndarray | None = None
    for rows, images in side.batches():
        part = extractor.extract(fitted(images, extractor)).features
        if features is None:
            features = np.empty((side.n, part.shape[1]), np.float32)
        features[rows] = part
    assert features is not None
    if use:
        with atomic_write(path) as temporary, open(temporary, "wb") as file:
            np.savez(file, key=np.array(key), features=features, census=np.array(_census_text(side)))
    return features


def fitted(images: np.ndarray, extractor: Extractor) -> np.ndarray:
    """Images in the shape that a network takes.

    Args:
        images: Images (n, c, h, w) uint8.
        extractor: The network.

    Returns:
        The images, unchanged where the network resizes them itself; for the classifier (n, c', h', w') as it was
        trained on.

    Raises:
        OtbenchError: Where colours would have to be invented or three channels are three digits.
    """
    form = getattr(extractor, "form", None)
    if form is None:
        return images
    shape = (3, *form.shape[1:]) if form.stacked else tuple(form.shape)
    if images.shape[1:] == shape:
        return images
    if form.stacked:
        raise OtbenchError(f"the classifier of stacked digits takes images {shape} alone, got {images.shape[1:]}")
    return to_shape(images, shape)


def to_shape(images: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Images brought to a shape: the largest centre square by Pillow's Lanczos, colours to grey where one is asked for.

    Args:
        images: Images (n, c, h, w) uint8, c = 1 or 3.
        shape: Shape (c', h', w') of each.

    Returns:
        Images (n, c', h', w') uint8.
    """
    from PIL import Image

    channels, h, w = shape
    out = np.empty((len(images), *shape), np.uint8)
    for image, target in zip(images, out, strict=True):
        colour = image.transpose(1, 2, 0) if image.shape[0] == 3 else np.repeat(image.transpose(1, 2, 0), 3, axis=2)
        picture = Image.fromarray(np.ascontiguousarray(colour))
        edge = min(picture.size)
        left, top = (picture.width - edge) // 2, (picture.height - edge) // 2
        picture = picture.crop((left, top, left + edge, top + edge))
        if picture.size != (w, h):
            picture = picture.resize((w, h), Image.Resampling.LANCZOS)
        target[:] = np.asarray(picture.convert("L"))[None] if channels == 1 else np.asarray(picture).transpose(2, 0, 1)
    return out


def _census_text(side: Side) -> str:
    import json

    census = side.census
    sizes = [[h, w, count] for (h, w), count in census.sizes.items()]
    changed = [census.transparent, census.deep, census.turned, census.animated]
    return json.dumps([dict(census.formats), dict(census.modes), sizes, changed])


def _read(path: Path, key: str, side: Side) -> np.ndarray | None:
    """The features of an earlier call, and what the pictures were; None where there are none."""
    import json
    from collections import Counter

    from otbench.scoring.pictures import Census

    if not path.is_file():
        return None
    try:
        arrays = read_npz(path)
        formats, modes, sizes, changed = json.loads(str(arrays["census"]))
        features = arrays["features"]
        if str(arrays["key"]) != key or len(features) != side.n:
            return None
    except (OtbenchError, KeyError, ValueError, TypeError):  # a damaged file is made again
        return None
    side.census = Census(Counter(formats), Counter(modes), Counter({(h, w): n for h, w, n in sizes}), *changed)
    return features
