"""Pictures of every depth and mode: eight bits a channel are read as they are, what has more is refused by name."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from otbench.data.images.decode import decoded
from otbench.errors import OtbenchError
from tests.data.formats import deep_png

LEVELS = np.arange(256, dtype=np.uint16).reshape(16, 16) * 257


def saved(image: Image.Image, ending: str) -> bytes:
    out = io.BytesIO()
    image.save(out, ending)
    return out.getvalue()


DEEP = {
    "png of 16 bits": lambda: saved(Image.fromarray(LEVELS), "png"),
    "png of 16 bits, not by Pillow": lambda: deep_png(LEVELS[..., None]),
    "tiff of 16 bits": lambda: saved(Image.fromarray(LEVELS), "tiff"),
    "tiff of 16 bits, big end first": lambda: saved(Image.fromarray(LEVELS.astype(">u2")), "tiff"),
    "tiff of 32 bits": lambda: saved(Image.fromarray(LEVELS.astype(np.int32)), "tiff"),
    "tiff of floats": lambda: saved(Image.fromarray(LEVELS.astype(np.float32)), "tiff"),
    "pgm of 16 bits": lambda: b"P5 16 16 65535\n" + LEVELS.astype(">u2").tobytes(),
}


@pytest.mark.parametrize("name", DEEP)
def test_more_than_eight_bits_of_grey_are_refused_by_name(name):
    """A2: they were cut off at white."""
    with pytest.raises(OtbenchError, match=r"^pics/a.b: expected 8 bits a channel, found a picture of mode [IF]"):
        decoded(DEEP[name](), "pics/a.b")


@pytest.mark.parametrize("colour", ["grey and alpha", "rgb", "rgb and alpha"])
def test_of_16_bits_in_several_channels_the_upper_eight_are_taken(colour):
    """A2."""
    channels = {"grey and alpha": 2, "rgb": 3, "rgb and alpha": 4}[colour]
    picture = decoded(deep_png(np.repeat(LEVELS[..., None], channels, axis=2)), "a.png")
    assert (np.asarray(picture.convert("RGB"))[..., 0] == LEVELS // 257).all()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK"])
def test_pictures_of_eight_bits_are_read(mode):
    """A1."""
    image = Image.fromarray((LEVELS // 257).astype(np.uint8)).convert(mode)
    picture = decoded(saved(image, "tiff"), "a.tif")
    assert picture.mode == mode and (np.asarray(picture.convert("L")) == np.asarray(image.convert("L"))).all()
