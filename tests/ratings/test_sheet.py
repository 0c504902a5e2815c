"""Rating sessions: what is chosen, in which order, that nothing gives a model away, the same files every time."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
import shutil
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from otbench.data.base import DataSet
from otbench.data.samples import read_samples, write_samples
from otbench.errors import OtbenchError
from otbench.ratings.key import read_key
from otbench.ratings.page import data_uri, enlargement
from otbench.ratings.sheet import Plan, Session, session, write_session

MODELS = ("otvae", "wgan-mlp")
NAMES = ("rate.html", "sheet.pdf", "form.csv", "key.json")
URI = re.compile(r"data:image/png;base64,([A-Za-z0-9+/=]+)")


def uris(folder: Path) -> list[str]:
    found = re.search(r'id="data" type="application/json">(.*?)</script>', (folder / "rate.html").read_text(), re.S)
    return json.loads(found[1])["images"]


def png(uri: str) -> bytes:
    return base64.b64decode(URI.fullmatch(uri)[1])


def test_session_holds_what_was_asked_for(made: Session, tiny: DataSet, files: dict[str, Path]) -> None:
    """OTVAE: 2 seeds x 2 snapshots x 2 images; WGAN: its last snapshot; every image is the one its key names."""
    first = [one for one in made.key.items if one.of is None]
    cells = [(one.kind, one.model, one.seed, one.snapshot) for one in first]
    models = [("model", "otvae", seed, snapshot) for seed in (3, 8) for snapshot in (0.25, 1.0)]
    models += [("model", "wgan-mlp", seed, 1.0) for seed in (3, 8)]
    assert {cell: cells.count(cell) for cell in cells} == (
        dict.fromkeys(models, 2) | {("real", None, None, None): 4, ("check", None, None, None): 3}
    )
    assert len({one.what for one in first}) == len(first) == 19
    real = [one.index for one in first if one.kind != "model"]
    assert len(set(real)) == 7  # a check is never an image of the ceiling
    samples = {model: read_samples(files[model]).cells() for model in MODELS}
    for one, image in zip(made.key.items, made.images, strict=True):
        if one.kind == "model":
            cell = next(c for c in samples[one.model] if (c.seed, c.snapshot) == (one.seed, one.snapshot))
            assert (image == cell.samples[one.index]).all()
        else:
            assert (image == tiny.held_out[one.index]).all()


def test_repeats_come_well_after_their_first_showing(made: Session, tiny: DataSet, files: dict[str, Path]) -> None:
    for seed in range(20):
        plan = Plan(4, MODELS, 10, 5, 6, seed)
        items = session(tiny, [read_samples(files[model]) for model in MODELS], plan).key.items
        repeats = [one for one in items if one.of is not None]
        assert len(repeats) == 6 == len({one.of for one in repeats})
        assert all(one.kind != "check" and items[one.of - 1].what == one.what for one in repeats)
        assert min(one.item - one.of for one in repeats) > (len(items) - 6) // 4


def test_order_is_random_and_depends_on_the_seed(tiny: DataSet, files: dict[str, Path]) -> None:
    """Over seeds, a real image stands at the middle of the session on average (Wilcoxon's mean rank)."""
    files_of = [read_samples(files[model]) for model in MODELS]
    places, orders = [], set()
    for seed in range(60):
        items = session(tiny, files_of, Plan(2, (), 5, 0, 0, seed)).key.items
        places += [one.item for one in items if one.kind == "real"]
        orders.add(tuple(one.model for one in items))
    count = len(items)
    spread = np.sqrt((count**2 - 1) / 12 / len(places))
    assert abs(np.mean(places) - (count + 1) / 2) < 3 * spread
    assert len(orders) > 55


def test_nothing_for_raters_gives_a_model_away(folder: Path, made: Session) -> None:
    """No model, seed, snapshot, kind or place of the key stands in page, form or PDF; images are pixels alone."""
    page = URI.sub("", (folder / "rate.html").read_text())
    texts = {"page": page, "form": (folder / "form.csv").read_text(), "pdf": pdf_text(folder / "sheet.pdf")}
    for name, text in texts.items():
        for word in ("otvae", "wgan", "check", "0.25", "snapshot", "held-out", "seed"):
            assert word not in text.lower(), (name, word)
    assert [row[2:] for row in csv.reader(io.StringIO(texts["form"]))][1:] == [
        [str(number), "", ""] for number in range(1, len(made.images) + 1)
    ]
    for uri, image in zip(uris(folder), made.images, strict=True):
        data = png(uri)
        kinds = [found.decode() for found in re.findall(rb"(IHDR|IDAT|IEND|tEXt|iTXt|zTXt|eXIf|tIME|pHYs)", data)]
        assert set(kinds) == {"IHDR", "IDAT", "IEND"}
        assert (np.asarray(Image.open(io.BytesIO(data))) == image[0]).all()
    assert page.count("width=") - page.count("width=device") == 1  # one element shows all images, at one size


def pdf_text(path: Path) -> str:
    """The words of a PDF, and its metadata; by pdftotext where it is there, else its raw and unpacked streams."""
    data = path.read_bytes()
    found = data.decode("latin-1")
    if shutil.which("pdftotext"):
        done = subprocess.run(["pdftotext", str(path), "-"], capture_output=True, text=True, check=True)
        assert "Rating session" in done.stdout
        return done.stdout + "".join(re.findall(r"/Info.*|/Title.*|/Creat.*|/Producer.*", found))
    streams = re.findall(rb"stream\r?\n(.*?)endstream", data, re.S)
    return found + "".join(zlib.decompressobj().decompress(one).decode("latin-1") for one in streams if one[:1] == b"x")


def test_paper_has_every_number_and_a_form(folder: Path, made: Session) -> None:
    if not shutil.which("pdftotext"):
        pytest.skip("no pdftotext to read the PDF with")
    words = pdf_text(folder / "sheet.pdf").split()
    for number in range(1, len(made.images) + 1):
        assert words.count(str(number)) >= 2
    assert {made.key.session + ":", "Name:", "generated"} <= set(words)
    assert b"/Creat" not in (folder / "sheet.pdf").read_bytes()


def test_page_allows_its_own_script_alone_and_escapes_the_title(folder: Path) -> None:
    page = (folder / "rate.html").read_text()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1].replace("&#39;", "'")
    assert policy.startswith("default-src 'none'") and "unsafe" not in policy and "http" not in policy
    assert "tiny &lt;b&gt;images&lt;/b&gt;" in page and "<b>images" not in page
    assert not re.search(r"(src|href)=[\"']?(http|//)", page)


def test_the_same_request_gives_the_same_bytes(made: Session, folder: Path, tmp_path: Path) -> None:
    before = {name: (folder / name).read_bytes() for name in NAMES}
    write_session(made, folder)
    write_session(made, tmp_path / "other")
    for name in NAMES:
        assert (folder / name).read_bytes() == before[name] == (tmp_path / "other" / name).read_bytes()
    assert read_key(folder) == made.key


def test_session_is_named_after_its_images_and_its_key(tiny: DataSet, files: dict[str, Path], tmp_path: Path) -> None:
    """Another seed, or one pixel of one sample, makes another session; a further model leaves others' images alone."""
    plan = Plan(2, (), 3, 0, 0, 0)
    file = read_samples(files["otvae"])
    base = session(tiny, [file], plan)
    assert session(tiny, [file], plan).key == base.key
    assert session(tiny, [file], Plan(2, (), 3, 0, 0, 1)).key.session != base.key.session
    changed = file.samples.copy()
    one = next(one for one in base.key.items if one.kind == "model")
    row = np.flatnonzero((file.seed == one.seed) & (file.snapshot == one.snapshot))[one.index]
    changed[row, 0, 0, 0] ^= 1
    write_samples(tmp_path / "otvae.npz", changed, file.seed, file.snapshot, file.info)
    other = session(tiny, [read_samples(tmp_path / "otvae.npz")], plan)
    assert [one.what for one in other.key.items] == [one.what for one in base.key.items]
    assert other.key.session != base.key.session
    both = session(tiny, [file, read_samples(files["wgan-mlp"])], plan)
    assert {one.what for one in base.key.items} < {one.what for one in both.key.items}


def test_cells_that_are_not_ok_are_left_out_and_named(tiny: DataSet, tmp_path: Path, write: Callable) -> None:
    made = session(tiny, [read_samples(write(tmp_path, "otvae", status="diverged"))], Plan(2, (), 0, 0, 0))
    assert made.left_out == ("otvae, seed 8, snapshot 1 (diverged)",)
    assert {one.seed for one in made.key.items} == {3}


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        (Plan(7, real=0), "there are 6 images, expected at least 7"),
        (Plan(real=15, checks=6), "holds out 20 images, expected at least 21"),
        (Plan(real=5, repeats=50), "--repeats 50: this session has room for"),
        (Plan(along=("vae",)), "--along vae: there are no samples of it, only of otvae"),
        (Plan(checks=-1), "--checks: expected a whole number from 0 up, got -1"),
    ],
)
def test_what_cannot_be_made_is_refused(tiny: DataSet, files: dict[str, Path], plan: Plan, said: str) -> None:
    with pytest.raises(OtbenchError, match=re.escape(said)):
        session(tiny, [read_samples(files["otvae"])], plan)


def test_points_and_models_given_twice_are_refused(data: DataSet, tiny: DataSet, files: dict[str, Path]) -> None:
    with pytest.raises(OtbenchError, match="holds points, expected images"):
        session(data, [], Plan())
    with pytest.raises(OtbenchError, match="give a model once"):
        session(tiny, [read_samples(files["otvae"])] * 2, Plan())


def test_colour_images_keep_their_colours_and_enlarge_by_whole_factors() -> None:
    image = np.random.default_rng(0).integers(0, 256, (3, 5, 7), dtype=np.uint8)
    read = np.asarray(Image.open(io.BytesIO(png(data_uri(image)))))
    assert (read == image.transpose(1, 2, 0)).all()
    assert [enlargement(*size, 308) for size in ((28, 28), (16, 16), (32, 32), (64, 40), (512, 512))] == [
        11,
        19,
        9,
        4,
        1,
    ]
