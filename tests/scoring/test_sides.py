"""What a word of the command line stands for: folders of any pictures, arrays, splits; and what is refused."""

import numpy as np
import pytest
from PIL import Image

from otbench.data import load
from otbench.errors import OtbenchError
from otbench.scoring.sides import read_side


def images_of(side) -> dict[int, np.ndarray]:
    """Every image by its row."""
    return {int(row): image for rows, batch in side.batches() for row, image in zip(rows, batch, strict=True)}


@pytest.fixture
def mixed(tmp_path):
    """Pictures of all kinds that show the same: left half dark, right half light, in a nested folder."""
    folder = tmp_path / "mixed" / "deep" / "deeper"
    folder.mkdir(parents=True)
    grey = np.zeros((8, 8), np.uint8)
    grey[:, 4:] = 200
    colour = np.repeat(grey[..., None], 3, axis=2)
    Image.fromarray(colour).save(folder / "a.png")
    Image.fromarray(grey).save(folder / "b.bmp")
    Image.fromarray(colour).convert("P", palette=Image.Palette.ADAPTIVE).save(folder / "c.gif")
    alpha = np.concatenate([colour, np.full((8, 8, 1), 128, np.uint8)], axis=2)
    Image.fromarray(alpha).save(folder / "d.png")
    Image.fromarray(grey.astype(np.uint16) * 257).save(folder / "e.png")
    turned = Image.Exif()
    turned[0x0112] = 6  # lies on its side: a quarter turn clockwise brings it up
    Image.fromarray(np.rot90(colour).copy()).save(folder / "f.png", exif=turned)
    Image.fromarray(np.repeat(colour, 2, axis=0)).save(folder.parent / "g.tif")
    (folder / "notes.txt").write_text("no picture")
    (folder / ".hidden.png").write_bytes(b"no picture")
    return folder.parents[1], colour.transpose(2, 0, 1)


def test_pictures_of_every_kind_show_what_they_show(mixed):
    folder, expected = mixed
    side = read_side(str(folder))
    assert side.kind == "images" and side.n == 7
    found = images_of(side)
    for row in range(6):
        np.testing.assert_array_equal(found[row], expected, err_msg=str(side.files[row]))
    np.testing.assert_array_equal(found[6], np.repeat(expected, 2, axis=1))
    census = side.census
    assert (census.deep, census.turned, census.transparent) == (1, 1, 1)
    assert census.sizes == {(8, 8): 6, (16, 8): 1} and census.formats["PNG"] == 4
    assert side.described()["sizes"] == {"8x8": 6, "8x16": 1}


def test_the_digest_is_that_of_the_content(mixed):
    folder, _ = mixed
    before = read_side(str(folder)).digest
    assert read_side(str(folder)).digest == before
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(folder / "deep" / "h.png")
    assert read_side(str(folder)).digest != before


BYTES = np.random.default_rng(0).integers(0, 256, (5, 3, 6, 7), dtype=np.uint8)


@pytest.mark.parametrize(
    ("array", "declared"),
    [
        (BYTES, None),
        (BYTES.transpose(0, 2, 3, 1), None),
        (np.concatenate([BYTES.transpose(0, 2, 3, 1), np.ones((5, 6, 7, 1), np.uint8)], axis=3), None),
        (BYTES / 255, None),
        (BYTES.astype(np.float32) / 127.5 - 1, "images-signed"),
        (BYTES.astype(np.uint16) * 257, None),
        (BYTES.astype(np.int64), "images"),
    ],
)
def test_arrays_of_images_come_to_the_same_bytes(tmp_path, array, declared):
    np.save(tmp_path / "x.npy", array)
    np.testing.assert_array_equal(read_side(str(tmp_path / "x.npy"), declared).array, BYTES)
    np.savez(tmp_path / "x.npz", images=array, labels=np.zeros(5))
    np.testing.assert_array_equal(read_side(str(tmp_path / "x.npz"), declared).array, BYTES)


def test_grey_images_rows_and_splits(tmp_path):
    np.save(tmp_path / "grey.npy", BYTES[:, 0])
    assert read_side(str(tmp_path / "grey.npy")).array.shape == (5, 1, 6, 7)
    np.save(tmp_path / "rows.npy", np.ones((4, 3)))
    assert read_side(str(tmp_path / "rows.npy")).kind == "features"
    assert read_side(str(tmp_path / "rows.npy"), "points").kind == "points"
    digits, data = read_side("digits:train"), load("digits")
    np.testing.assert_array_equal(digits.array, data.train)
    assert digits.part == "train" and read_side("digits").n == len(data.test)
    assert read_side("grid:test").kind == "points"


def write(tmp_path, name, array):
    np.save(tmp_path / name, array)
    return str(tmp_path / name)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda p: str(p / "nowhere"), "there is no such folder, file or data set"),
        (lambda p: str(p / "nowhere.npy"), "there is no such file"),
        (lambda p: str(p), "expected pictures .* found none"),
        (lambda p: "digits:best", "there is no such folder, file or data set"),
        (lambda p: "grid:validation", "has no validation split"),
        (lambda p: write(p, "x.npy", np.array(["a"])), "expected real numbers"),
        (lambda p: write(p, "x.npy", np.zeros(5)), r"expected features of shape \(n, d\), got shape \(5,\)"),
        (lambda p: write(p, "x.npy", np.zeros((5, 7, 6, 7), np.uint8)), "expected images of 1, 3 or 4 channels"),
        (lambda p: write(p, "x.npy", BYTES / 127.5 - 1), "images-signed"),
        (lambda p: write(p, "x.npy", BYTES * np.nan), "finite"),
        (lambda p: write(p, "x.npy", BYTES.astype(int) * 2), "from 0 to 255"),
    ],
)
def test_what_cannot_be_read_gets_one_sentence(tmp_path, make, sentence):
    with pytest.raises(OtbenchError, match=sentence) as caught:
        read_side(make(tmp_path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(b"", "found no known format"), (b"\x89PNG\r\n\x1a\nrubbish", "broken.png: "), (b"GIF89a", "broken.png: ")],
)
def test_a_broken_picture_is_named(tmp_path, content, sentence):
    (tmp_path / "broken.png").write_bytes(content)
    with pytest.raises(OtbenchError, match=sentence):
        images_of(read_side(str(tmp_path)))
