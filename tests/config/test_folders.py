"""What a config asks of its folders of images before anything is trained."""

import numpy as np
import pytest
from PIL import Image

from otbench.errors import OtbenchError
from otbench.runs.check import checked


def config(place, size=16, models=("noise",), **more):
    images = {"datasets": ["mine"], "folders": {"mine": f"{place}@{size}"}, "models": list(models), "steps": 1}
    return {"run": "mine", "seeds": [0], "studies": {"images": images | more}}


def filled(place, count, classes=("cat", "dog")):
    for number in range(count):
        path = place / classes[number % len(classes)] / f"{number:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 8), number, np.uint8)).save(path)
    return place


@pytest.mark.parametrize("count", [10, 199])
def test_too_few_pictures_are_refused_with_the_number_that_is_needed(tmp_path, count):
    """Fault 18, A15."""
    sentence = f"key 'studies.images.folders.mine': .* expected at least 200 pictures, .*found {count}"
    with pytest.raises(OtbenchError, match=sentence):
        checked(config(filled(tmp_path / "pics", count)))


def test_enough_pictures_pass_and_a_flat_folder_needs_inception(tmp_path):
    """Fault 18."""
    checked(config(filled(tmp_path / "pics", 200)))
    flat = filled(tmp_path / "flat", 200, classes=("",))
    with pytest.raises(
        OtbenchError, match=r"expected every picture in one of several folders.*`features: \[inception\]`"
    ):
        checked(config(flat))
    checked(config(flat, features=["inception"]))


def test_sides_that_a_network_cannot_take_are_refused(tmp_path):
    """Fault 18."""
    place = filled(tmp_path / "pics", 200)
    with pytest.raises(OtbenchError, match="folders.mine': model wgan: images of 30x30 pixels: .* divisible by"):
        checked(config(place, 30, ["noise", "wgan"]))
    checked(config(place, 30))
