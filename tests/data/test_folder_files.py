"""Any folder of images: order, crop, channels, splits, classes."""

import numpy as np
import pytest
from PIL import Image

from otbench.data import load
from otbench.errors import OtbenchError
from tests.data.formats import picture


def lay(place, names, grey=False, side=8):
    """One-coloured pictures side x side, whose grey level is the place of their name; channels (level, 0, 255)."""
    for number, name in enumerate(names):
        pixels = np.full((side, side), number, np.uint8)
        if not grey:
            pixels = np.stack([pixels, 0 * pixels, 0 * pixels + 255], 2)
        picture(place / name, pixels)
    return place


NAMES = [f"{letter}{number:02d}.png" for letter in "ab" for number in range(15)]


def levels(images):
    return images[:, 0, 0, 0].tolist()


def test_pictures_are_split_once_and_for_good(tmp_path):
    data = load(f"folder:{lay(tmp_path / 'My Cats', NAMES)}@8").check()
    assert {split: len(images) for split, images in data.splits.items()} == {"train": 24, "test": 3, "validation": 3}
    every = sorted(level for images in data.splits.values() for level in levels(images))
    assert every == list(range(30)), "each picture is in one split"
    order = np.random.RandomState(401).permutation(30)
    assert levels(data.test) == order[:3].tolist() and levels(data.train) == order[6:].tolist()
    assert (data.train[:, 1] == 0).all() and (data.train[:, 2] == 255).all()
    assert data.name == "folder-my-cats" and data.title == "images of My Cats" and not data.labels
    assert str(tmp_path) not in data.source


def test_grey_pictures_have_one_channel_unless_one_is_in_colour(tmp_path):
    place = lay(tmp_path / "x", NAMES, grey=True)
    assert load(f"folder:{place}@8").shape == (1, 8, 8)
    picture(place / "z.png", np.full((8, 8, 3), 9, np.uint8))
    assert load(f"folder:{place}@8").shape == (3, 8, 8)


def test_the_largest_centre_square_is_taken(tmp_path):
    for number in range(10):  # the outer strips are white, the centre square has the number
        wide = np.full((40, 100), 255, np.uint8)
        wide[:, 30:70] = number
        picture(tmp_path / "w" / f"{number}.png", wide if number % 2 else wide.T)
    data = load(f"folder:{tmp_path / 'w'}")
    assert data.shape == (1, 32, 32) and max(images.max() for images in data.splits.values()) < 10


def test_shrinking_smooths(tmp_path):
    draw = np.random.default_rng(0)
    for number in range(10):
        picture(tmp_path / "n" / f"{number}.png", draw.integers(0, 256, (128, 128), np.uint8))
    data = load(f"folder:{tmp_path / 'n'}@16")
    every = np.concatenate(list(data.splits.values())).astype(float)
    assert every.mean() == pytest.approx(127.5, abs=2) and every.std() < 15, "white noise over 8 x 8 pixels: 74 / 8"


def test_folders_are_classes_where_every_picture_lies_in_one(tmp_path):
    place = lay(tmp_path / "k", [f"{'dog' if number % 3 else 'cat'}/in/{number:02d}.png" for number in range(30)])
    data = load(f"folder:{place}@8").check()
    assert data.classes == ("cat", "dog")
    for split, images in data.splits.items():
        assert data.labels[split].tolist() == [int(level % 3 > 0) for level in levels(images)]
    picture(place / "none.png", np.zeros((8, 8), np.uint8))
    assert load(f"folder:{place}@8").classes == ()


def test_other_and_hidden_files_are_left_out(tmp_path):
    place = lay(tmp_path / "h", NAMES)
    (place / "notes.txt").write_text("no picture")
    (place / "._a01.png").write_bytes(b"no picture")
    (place / ".thumbs").mkdir()
    (place / ".thumbs" / "x.png").write_bytes(b"no picture")
    Image.fromarray(np.full((8, 8, 3), 99, np.uint8)).save(place / "z.JPG")
    every = np.concatenate([images for images in load(f"folder:{place}@8").splits.values()])
    assert len(every) == 31 and 99 in levels(every)


def test_wrong_folders_get_a_sentence(tmp_path):
    with pytest.raises(OtbenchError, match="folder .*nowhere does not exist; expected a folder of images"):
        load(f"folder:{tmp_path / 'nowhere'}")
    place = lay(tmp_path / "few", NAMES[:9])
    with pytest.raises(OtbenchError, match="expected at least 10 pictures .*, found 9"):
        load(f"folder:{place}")
    with pytest.raises(OtbenchError, match="expected a size from 8 to 256, got 4"):
        load(f"folder:{place}@4")
    with pytest.raises(OtbenchError, match="expected folder:PATH"):
        load("folder:")
    lay(place, NAMES)
    (place / "b07.png").write_bytes(b"broken")
    with pytest.raises(OtbenchError, match="few/b07.png: expected a picture, found no known format"):
        load(f"folder:{place}")
    picture(place / "b07.png", np.full((8, 8), 40_000, np.uint16))
    with pytest.raises(OtbenchError, match="b07.png: expected 8 bits a channel, found a picture of mode I;16"):
        load(f"folder:{place}")
