"""CelebA from a folder or archive of the user's own: crops, partition, sentences."""

import zipfile

import numpy as np
import pytest
from PIL import Image

from otbench.data.images import celeba
from otbench.errors import OtbenchError
from tests.data.formats import digest, picture

HEIGHT, WIDTH = 218, 178
PICTURES = np.random.default_rng(5).integers(0, 256, (6, HEIGHT, WIDTH, 3), np.uint8)
NAMES = [f"{number:06d}.png" for number in range(1, 7)]
#: not runs of numbers, so that a test sees that the list is read
PARTS = {"train": [0, 2, 5], "validation": [1], "test": [4, 3]}
ROWS = [(NAMES[row], {"train": 0, "validation": 1, "test": 2}[part]) for part, rows in PARTS.items() for row in rows]
LIST = "".join(f"{name} {code}\n" for name, code in ROWS)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setitem(celeba.DIGESTS, celeba.PARTITION, digest(LIST.encode()))


def lay(place, listed=LIST):
    for name, pixels in zip(NAMES, PICTURES, strict=True):
        picture(place / "img_align_celeba" / name, pixels)
    (place / "list_eval_partition.txt").write_text(listed)


def ramp(dx, dy):
    """A picture whose grey level is 3 + dx column + dy row, in all channels."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return np.repeat((3 + dx * x + dy * y)[:, :, None], 3, 2)


def test_the_study_reads_every_second_and_a_half_pixel_of_the_centre():
    """A linear picture is kept by bilinear interpolation: new (i, j) is old (29 + 2.5 i, 9 + 2.5 j), up to rounding."""
    i, j = np.mgrid[:64, :64]
    for dx, dy in ((1, 0), (0, 1)):
        exact = 3 + dx * (9 + 2.5 * j) + dy * (29 + 2.5 * i)
        found = celeba.study_crop(ramp(dx, dy).astype(np.uint8))
        assert found.dtype == np.uint8 and np.array_equal(found, np.rint(exact)[:, :, None].repeat(3, 2))


def test_the_study_does_not_smooth():
    noise = PICTURES[0]
    found = celeba.study_crop(noise).astype(int)
    old = noise[29:189, 9:169].astype(int)
    assert np.array_equal(found[::2, ::2], old[::5, ::5]), "even pixels are old ones"
    # odd ones lie half way between two, in each direction
    assert np.abs(found[::2, 1::2] - (old[::5, 2::5] + old[::5, 3::5]) / 2).max() <= 0.5
    four = (old[2::5, 2::5] + old[2::5, 3::5] + old[3::5, 2::5] + old[3::5, 3::5]) / 4
    assert np.abs(found[1::2, 1::2] - four).max() <= 0.5


def test_wae_smooths_the_centre_140():
    """Inside, a smoothing filter keeps a linear picture: new (i, j) is old (38.5 + 140/64 (i + 1/2), ...)."""
    i, j = np.mgrid[:64, :64]
    inside = np.s_[4:-4, 4:-4]
    for dx, dy in ((1, 0), (0, 1)):
        exact = 3 + dx * (18.5 + 140 / 64 * (j + 0.5)) + dy * (38.5 + 140 / 64 * (i + 0.5))
        found = celeba.wae_crop(ramp(dx, dy).astype(np.uint8))[:, :, 0]
        assert np.abs(found - exact)[inside].max() < 1
    # white noise keeps its mean and loses most of its variance, which sampling without smoothing keeps
    noise = celeba.wae_crop(PICTURES[0]).astype(float)
    assert noise.mean() == pytest.approx(127.5, abs=1) and noise.std() < 0.6 * PICTURES[0].std()


@pytest.mark.parametrize("place", ["", "celeba"])
@pytest.mark.parametrize("name", ["celeba", "celeba-140"])
def test_pictures_go_where_the_partition_says(name, place, tmp_path):
    lay(tmp_path / place)
    data = celeba.load(name, tmp_path).check()
    crop = {"celeba": celeba.study_crop, "celeba-140": celeba.wae_crop}[name]
    for part, rows in PARTS.items():
        expected = np.stack([crop(PICTURES[row]).transpose(2, 0, 1) for row in rows])
        assert np.array_equal(data.splits[part], expected)
    assert data.name == name and ("160" if name == "celeba" else "140") in data.source
    assert "unverified" not in data.source and not data.labels


def test_pictures_are_read_from_the_archive(tmp_path, monkeypatch):
    lay(tmp_path / "other")
    (tmp_path / "celeba").mkdir()
    path = tmp_path / "celeba" / "img_align_celeba.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in NAMES:
            archive.write(tmp_path / "other" / "img_align_celeba" / name, f"img_align_celeba/{name}")
    (tmp_path / "celeba" / "list_eval_partition.txt").write_text(LIST)
    with pytest.raises(OtbenchError, match="img_align_celeba.zip is not the publisher's file"):
        celeba.load("celeba", tmp_path)
    monkeypatch.setitem(celeba.DIGESTS, celeba.ARCHIVE, digest(path.read_bytes()))
    data = celeba.load("celeba", tmp_path)
    assert data.digest() == celeba.load("celeba", tmp_path / "other").digest()
    assert [file.name for file in (tmp_path / "celeba").iterdir() if file.is_dir()] == [], "nothing is unpacked"
    (tmp_path / "celeba" / "list_eval_partition.txt").write_text(LIST + "000099.png 2\n")
    with pytest.raises(OtbenchError, match="there is no img_align_celeba/000099.png in the archive"):
        celeba.load("celeba", tmp_path, unverified=True)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(OtbenchError, match="cannot read .*img_align_celeba.zip"):
        celeba.load("celeba", tmp_path, unverified=True)


def test_without_a_copy_the_error_says_what_to_put_where(tmp_path):
    with pytest.raises(OtbenchError) as caught:
        celeba.load("celeba", tmp_path)
    said = str(caught.value)
    assert "put the folder img_align_celeba" in said and f"at {tmp_path / 'celeba'}" in said and celeba.HOME in said


def test_without_the_list_the_official_runs_of_numbers_are_used(tmp_path):
    parts = celeba._partition(tmp_path / "list_eval_partition.txt", None)
    assert {part: len(names) for part, names in parts.items()} == {
        "train": 162_770,
        "validation": 19_867,
        "test": 19_962,
    }
    assert parts["train"][0] == "000001.jpg" and parts["train"][-1] == "162770.jpg"
    assert parts["validation"][0] == "162771.jpg" and parts["test"][-1] == "202599.jpg"
    lay(tmp_path)
    (tmp_path / "list_eval_partition.txt").unlink()
    with pytest.raises(OtbenchError, match="cannot read .*000001.jpg: No such file"):
        celeba.load("celeba", tmp_path)


LISTS = {
    "line 2: expected a picture and 0, 1 or 2, found '000002.png 3'": "000001.png 0\n000002.png 3\n",
    "line 1: expected a picture and 0, 1 or 2, found '../evil.jpg 0'": "../evil.jpg 0\n",
    "line 1: expected a picture": "",
    "it puts no picture into validation": "000001.png 0\n000002.png 2\n",
    "cannot read .*000077.png: No such file": LIST + "000077.png 1\n",
}


@pytest.mark.parametrize("sentence", LISTS)
def test_a_wrong_list_gets_a_sentence(sentence, tmp_path):
    lay(tmp_path, LISTS[sentence] or "\n")
    with pytest.raises(OtbenchError, match=sentence):
        celeba.load("celeba", tmp_path, unverified=True)


def test_another_list_is_let_in_only_where_that_is_said(tmp_path):
    lay(tmp_path, LIST.replace("000006.png 0", "000006.png 1"))
    with pytest.raises(OtbenchError, match="list_eval_partition.txt is not the publisher's file"):
        celeba.load("celeba", tmp_path)
    data = celeba.load("celeba", tmp_path, unverified=True)
    assert len(data.validation) == 2
    assert data.source.endswith("unverified: list_eval_partition.txt differs from the publisher's")


def test_wrong_pictures_get_a_sentence(tmp_path):
    lay(tmp_path)
    bad = tmp_path / "img_align_celeba" / NAMES[3]
    picture(bad, PICTURES[3][:100])
    with pytest.raises(OtbenchError, match=r"000004.png: expected an aligned picture of 178x218, found 178x100"):
        celeba.load("celeba", tmp_path)
    bad.write_bytes(b"not a picture")
    with pytest.raises(OtbenchError, match="img_align_celeba/000004.png: expected a picture, found no known format"):
        celeba.load("celeba", tmp_path)
    Image.fromarray(PICTURES[3]).save(bad)
    bad.write_bytes(bad.read_bytes()[:9000])
    with pytest.raises(OtbenchError, match="000004.png: the picture cannot be read"):
        celeba.load("celeba", tmp_path)
