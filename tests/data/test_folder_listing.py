"""Which files of a folder of images count: links, endings, splits, names, orientation; what is said of the rest."""

import os

import numpy as np
import pytest
from PIL import Image

from otbench.data import load
from otbench.data.images.folder import check, contents
from otbench.errors import OtbenchError
from tests.data.formats import picture
from tests.data.test_folder_files import lay, levels

NAMES = [f"{number:02d}.png" for number in range(15)]


def everything(data):
    return np.concatenate(list(data.splits.values()))


def test_symlinked_class_folders_are_followed_and_loops_end(tmp_path):
    """Fault 19, A7."""
    lay(tmp_path / "elsewhere", NAMES)
    place = lay(tmp_path / "root", [f"cat/{name}" for name in NAMES])
    (place / "dog").symlink_to(tmp_path / "elsewhere")
    (place / "cat" / "again").symlink_to(place)
    data = load(f"folder:{place}@8")
    assert data.classes == ("cat", "dog") and len(everything(data)) == 30


def test_links_that_lead_nowhere_are_counted(tmp_path):
    """Fault 19."""
    place = lay(tmp_path / "annex", NAMES)
    for number in range(3):
        (place / f"lost{number}.png").symlink_to(tmp_path / "nowhere" / str(number))
    assert "left out: 3 links that lead nowhere" in load(f"folder:{place}@8").source
    for name in NAMES[:9]:
        (place / name).unlink()
    with pytest.raises(OtbenchError, match=r"expected at least 10 pictures .*, found 6 \(left out: 3 links"):
        load(f"folder:{place}@8")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(tmp_path, orientation):
    """Fault 25, A3: the corner that the tag calls the upper left one comes there."""
    place = lay(tmp_path / "photographs", NAMES, grey=True)
    pixels = np.zeros((8, 8), np.uint8)
    pixels[:4, :4], pixels[:4, 4:], pixels[4:, :4], pixels[4:, 4:] = 10, 80, 160, 240
    expected = {
        1: pixels,
        2: pixels[:, ::-1],
        3: pixels[::-1, ::-1],
        4: pixels[::-1],
        5: pixels.T,
        6: np.rot90(pixels, -1),
        7: pixels[::-1, ::-1].T,
        8: np.rot90(pixels),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    for name in NAMES:
        Image.fromarray(pixels).save(place / name, exif=exif)
    data = load(f"folder:{place}@8")
    assert (everything(data)[:, 0] == expected).all()


@pytest.mark.parametrize("tops", [("train", "val"), ("Train", "test", "validation"), ("train",)])
def test_splits_at_the_root_are_no_classes(tmp_path, tops):
    """Fault 25, A8."""
    place = lay(tmp_path / "net", [f"{top}/{kind}/{name}" for top in tops for kind in ("cat", "dog") for name in NAMES])
    with pytest.raises(
        OtbenchError, match=f"{sorted(tops)[0]}.* at the top are splits, not classes; expected the fold"
    ):
        load(f"folder:{place}@8")
    assert load(f"folder:{place / tops[0]}@8").classes == ("cat", "dog")


def test_the_first_frame_of_an_animation_is_said(tmp_path):
    """Fault 25, A10."""
    place = lay(tmp_path / "moving", NAMES)
    frames = [Image.fromarray(np.full((8, 8), level, np.uint8)) for level in (200, 90, 30)]
    frames[0].save(place / "z.gif", save_all=True, append_images=frames[1:])
    data = load(f"folder:{place}@8")
    assert 200 in levels(everything(data)) and not {90, 30} & set(levels(everything(data)))
    assert data.source.endswith("of 1 animations the first frame")


def test_pictures_of_other_endings_are_said(tmp_path):
    """Fault 25, A5: upper-case endings count once."""
    place = lay(tmp_path / "endings", NAMES)
    for name in ("a.jfif", "b.JFIF", "c.avif", "d.txt"):
        (place / name).write_bytes(b"x")
    Image.fromarray(np.full((8, 8, 3), 99, np.uint8)).save(place / "z.JPEG")
    data = load(f"folder:{place}@8")
    assert len(everything(data)) == 16 and data.source.endswith("left out: 1 files *.avif, 2 files *.jfif")


def test_a_name_that_is_no_utf8_is_refused(tmp_path):
    """Fault 26, A13."""
    place = lay(tmp_path / "names", [f"cat/{name}" for name in NAMES])
    folder = os.fsencode(place) + b"/caf\xe9"
    os.mkdir(folder)
    with open(folder + b"/x.png", "wb") as file:
        file.write((place / "cat" / NAMES[0]).read_bytes())
    with pytest.raises(OtbenchError, match=r"the name caf\\udce9/x.png is no UTF-8; rename it"):
        load(f"folder:{place}@8")


def test_contents_change_with_every_picture_and_the_size(tmp_path):
    """Fault 17."""
    place = lay(tmp_path / "pics", NAMES)
    before = contents(f"{place}@8")
    assert before == contents(f"{place}@8") and before != contents(f"{place}@16")
    (place / "notes.txt").write_text("no picture")
    assert contents(f"{place}@8") == before
    states = {before}
    picture(place / "more.png", np.zeros((8, 8), np.uint8))
    states.add(contents(f"{place}@8"))
    (place / NAMES[0]).unlink()
    states.add(contents(f"{place}@8"))
    picture(place / NAMES[1], np.full((8, 8, 3), 200, np.uint8))
    states.add(contents(f"{place}@8"))
    assert len(states) == 4
    assert contents(str(tmp_path / "nowhere")) == "missing"


def test_what_measuring_needs_is_asked_of_a_folder(tmp_path):
    """Fault 18, A15."""
    place = lay(tmp_path / "few", NAMES)
    with pytest.raises(OtbenchError, match="expected at least 200 pictures, .* need 20 there, found 15"):
        check(str(place), 200, labelled=False)
    check(str(place), 15, labelled=False)
    with pytest.raises(OtbenchError, match="expected every picture in one of several folders, the classes"):
        check(str(place), 15, labelled=True)
    check(str(tmp_path / "nowhere"), 200, labelled=True)


def test_what_systems_put_beside_pictures_is_no_picture_and_no_class(tmp_path):
    """A6."""
    place = lay(tmp_path / "mac", [f"{kind}/{name}" for kind in ("cat", "dog") for name in NAMES])
    for name in ("cat/.DS_Store", "cat/._00.png", "__MACOSX/cat/._00.png", "dog/Thumbs.db", ".cache/a.png"):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(b"x")
    data = load(f"folder:{place}@8")
    assert data.classes == ("cat", "dog") and len(everything(data)) == 30
