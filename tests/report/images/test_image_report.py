"""The image study's part of the report from made-up runs: tables, sheets, what may stand beside what, what is said."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator
from html import unescape
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from otbench.errors import OtbenchError
from otbench.report import render
from otbench.report.figures import base, sheets
from tests.report.pages import all_pages, broken_links, everything, ids

Make = Callable[..., Path]
save = base.save
FEW = ("ae", "vae", "ns-gan", "wgan", "ae-ot", "otvae", "real", "memoriser", "collapsed", "noise")
POINTS = ("wgan", "ae-ot", "real", "noise")


def blank(figure: object, folder: Path, name: str) -> None:
    """In place of `figures.save`, which takes most of the time of a report: a white pixel in each of its files."""
    import matplotlib.pyplot as plt

    plt.close(figure)
    folder.mkdir(parents=True, exist_ok=True)
    for kind in ("png", "pdf", "svg"):
        Image.new("L", (1, 1), 255).save(folder / f"{name}.{kind}", format="png")


@pytest.fixture(scope="module")
def undrawn() -> Iterator[None]:
    """Reports of this module make their figures and do not draw them, but for one test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(base, "save", blank)
        yield


@pytest.fixture(scope="module")
def rendered(
    tmp_path_factory: pytest.TempPathFactory, published: Path, make: Make, make_images: Make, undrawn: None
) -> Path:
    """A run of both studies: a ring, digits by a classifier alone, MNIST with Inception too."""
    folder = make(tmp_path_factory.mktemp("rendered"), datasets=("ring",), models=POINTS, seeds=(0, 1))
    networks = {"digits": ("classifier",), "mnist": ("classifier", "inception")}
    return render(make_images(folder, networks=networks, models=FEW), published)


@pytest.fixture(scope="module")
def tables(rendered: Path) -> Path:
    return rendered.parent / "tables"


def rows(path: Path) -> dict[str, dict[str, str]]:
    with path.open(newline="") as file:
        return {row[next(iter(row))]: row for row in csv.DictReader(file)}


def values(rendered: Path, model: str, metric: str, network: str, dataset: str = "mnist") -> np.ndarray:
    table = pd.read_parquet(rendered.parent / "metrics.parquet")
    chosen = (table["dataset"] == dataset) & (table["model"] == model) & (table["metric"] == metric)
    chosen &= (table["snapshot"] == 1.0) & table["protocol"].str.startswith(f"features={network}")
    return table[chosen].sort_values("seed")["value"].to_numpy()


def test_published_figures_stand_beside_inception_alone(rendered: Path, tables: Path) -> None:
    inception, classifier = (rows(tables / f"mnist_{name}.csv") for name in ("inception", "classifier"))
    assert inception["ae-ot"]["fid_published"] == "6.4" and inception["ae"]["fid_published"] == "5.5"
    assert float(inception["ae-ot"]["fid_this_run"]) == pytest.approx(values(rendered, "ae-ot", "fid", "inc").mean())
    assert float(classifier["ae-ot"]["fid_this_run"]) == pytest.approx(values(rendered, "ae-ot", "fid", "cla").mean())
    assert "mm-gan" in inception and "mm-gan" not in classifier  # a row without a figure is left out
    assert not [key for row in classifier.values() for key in row if "published" in key]
    for path in tables.glob("*.csv"):  # nowhere does a column of published figures stand in a table of classifier's
        head = path.read_text().splitlines()[0]
        assert not ("classifier" in path.name and "published" in head), path.name


def test_published_figures_without_inception_stand_apart(tables: Path) -> None:
    apart = rows(tables / "images_fid_published.csv")
    assert set(apart["ae-ot"]) == {"model", "block", *(f"{d}{e}" for d in _APART for e in ("", "_error"))}
    assert apart["ae-ot"]["cifar10"] == "38.1" and apart["ae-ot-deep"]["celeba"] == "28.6"
    assert list(apart)[:3] == ["mm-gan", "ns-gan", "lsgan"]


_APART = ("fashion-mnist", "cifar10", "celeba")


def test_the_split_adds_up(rendered: Path, tables: Path) -> None:
    for network in ("inception", "classifier"):
        row = rows(tables / f"mnist_split_{network}.csv")["otvae"]
        fid, floor, train = (
            values(rendered, "otvae", metric, network) for metric in ("fid", "fid_reconstruction", "fid_train")
        )
        assert float(row["transport"]) == pytest.approx((fid - floor).mean())
        assert float(row["transport_error"]) == pytest.approx((fid - floor).std(ddof=1) / np.sqrt(3))
        assert float(row["gap"]) == pytest.approx((fid - train).mean())
    assert "ae" not in rows(tables / "digits_split_classifier.csv")  # its samples are its floor
    assert rows(tables / "digits_split_classifier.csv")["real"]["floor"] == ""


def test_table_1_sets_training_losses_beside_training_losses(tables: Path) -> None:
    loss = rows(tables / "images_loss.csv")
    assert list(loss) == ["digits", "mnist", "fashion-mnist", "cifar10", "celeba"]
    assert (loss["mnist"]["l2_before_train_published"], loss["mnist"]["l2_train_published"]) == ("0.0013", "0.0005")
    assert float(loss["digits"]["l2_before_this_run"]) == pytest.approx(0.013 * 0.5)
    assert "l2_before_published" not in loss["mnist"] and loss["celeba"]["l2_train_this_run"] == ""


def test_reconstructions_and_controls_are_not_ranked(rendered: Path, tables: Path) -> None:
    markdown = (tables / "mnist_inception.md").read_text()
    assert re.findall(r"\| ([^|*]+) \|[^\n]*\*\*", markdown) == ["AE-OT"]  # the AE's own figures are better
    html = everything(rendered)
    assert "it may copy" in html  # AE-OT wins, and its memorised share is made to be 31 %
    assert "A Fréchet" not in html and "Most samples recognised (excellence, proxy), classifier features" in html


def test_verdicts_on_the_controls(tables: Path) -> None:
    found = {name: row["verdict"] for name, row in rows(tables / "digits_controls.csv").items()}
    assert found["fid@classifier"] == found["memorised@classifier"] == found["recall@classifier"] == "right order"
    assert found["sharpness"] == "cannot say"
    assert not [name for name in found if name.startswith("l2")]


def test_a_sheet_that_shows_the_same_is_not_drawn_again(tmp_path: Path) -> None:
    images, name = np.arange(4 * 256, dtype=np.uint8).reshape(4, 1, 16, 16), Path("sheet.png")
    sheets._save(images, tmp_path, name)
    first = (tmp_path / name).stat().st_mtime_ns
    sheets._save(images.copy(), tmp_path, name)
    assert (tmp_path / name).stat().st_mtime_ns == first
    sheets._save(images + 1, tmp_path, name)
    changed = (tmp_path / name).read_bytes()
    assert (tmp_path / name).stat().st_mtime_ns != first
    (tmp_path / name).write_bytes(changed[:-20])
    sheets._save(images + 1, tmp_path, name)
    assert (tmp_path / name).read_bytes() == changed, "a cut file is drawn again"


def test_sheets_show_the_gallery(rendered: Path) -> None:
    with np.load(rendered.parent / "gallery.npz") as file:
        images = file["digits/ae-ot/2/0.3"]
    with Image.open(rendered.parent / "sheets" / "digits" / "ae-ot-seed2-0.3.png") as sheet:
        pixels = np.asarray(sheet)
    side, gap = 4 * 16, 2  # enlarged four times to 56 pixels or more
    assert pixels.shape == (10 * side + 9 * gap, 10 * side + 9 * gap)
    for at in (0, 7, 42, 99):
        top, left = (at // 10) * (side + gap), (at % 10) * (side + gap)
        assert (pixels[top : top + side : 4, left : left + side : 4] == images[at, 0]).all()
    names = {path.name for path in (rendered.parent / "sheets" / "digits").iterdir()}
    assert {"real.png", "reference.png", "ae-ot-reconstruction.png", "noise-seed0-1.png"} <= names
    assert "wgan-seed1-1.png" not in names and "wgan-seed1-0.1.png" in names  # it diverged in between


def test_the_page_links_what_is_there_and_stays_small(rendered: Path) -> None:
    assert broken_links(rendered) == [] and rendered.stat().st_size < 2e6
    for page in all_pages(rendered):
        assert len(ids(page)) == len(set(ids(page))), page.name
        levels = [int(level) for level in re.findall(r"<h([1-6])", page.read_text())]
        assert levels[0] == 1 and levels.count(1) == 1
        assert all(after <= before + 1 for before, after in pairwise(levels)), f"{page.name} leaves a level out"
    assert rendered.read_text().count("Small budget, ") == 2
    # cells of the ledger apart, of which each has its own reasons
    words = {page.name: re.sub(r"<td\b.*?</td>", "", page.read_text(), flags=re.S) for page in all_pages(rendered)}
    counts = {name: text.count("mall budget") for name, text in words.items()}
    assert max(counts.values()) <= 4, counts


def test_a_page_says_a_sentence_once(rendered: Path) -> None:
    for page in all_pages(rendered):
        texts = re.findall(r'<(?:p class="caption"|figcaption|li)>(.*?)</(?:p|figcaption|li)>', page.read_text(), re.S)
        sentences = [
            part
            for text in texts
            if " along training: " not in text  # the numbers under a small curve, one a data set
            for part in re.split(r"(?<=\.) (?=[A-Z])", unescape(text))
            if len(part) > 60
        ]
        assert [text for text in set(sentences) if sentences.count(text) > 1] == [], page.name


def test_figures_of_several_studies_are_there(rendered: Path) -> None:
    found = {path.stem for path in (rendered.parent / "figures").glob("mnist_*.pdf")}
    assert {f"mnist_{name}" for name in f"{DRAWN} prd_inception compare_inception".split()} <= found
    assert (rendered.parent / "figures" / "images_grid.png").exists()


DRAWN = "grid reconstructions prd_classifier split_classifier training progress excellence cost path tsne"


def test_every_figure_is_drawn(
    tmp_path: Path, published: Path, make_images: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "save", save)  # the real one, whatever the other tests of this module put there
    folder = make_images(tmp_path, models=("wgan", "ae-ot", "real"), seeds=(0,))
    render(folder, published)
    for name in DRAWN.split():
        assert all(
            (folder / "figures" / f"digits_{name}.{kind}").stat().st_size > 2000 for kind in ("png", "pdf", "svg")
        )


def test_missing_and_diverged_cells_are_seen(rendered: Path, tables: Path) -> None:
    digits = rows(tables / "digits_classifier.csv")
    assert digits["vae"]["seeds_this_run_missing"] == "1" and digits["wgan"]["seeds_this_run_diverged"] == "1"
    with (tables / "incomplete.csv").open() as file:
        found = {(row["data set"], row["model"], row["seed"]) for row in csv.DictReader(file)}
    assert found == {("digits", "vae", "2"), ("digits", "wgan", "1")}
    cells = 2 * len(POINTS) + 2 * 3 * len(FEW)
    assert f"{cells - 2} of {cells} cells" in everything(rendered)


@pytest.mark.usefixtures("undrawn")
def test_a_reference_under_another_protocol_is_said_to_be(tmp_path: Path, published: Path, make_images: Make) -> None:
    models = ("vae", "ae-ot", "real")
    reference = make_images(tmp_path / "reference", "reference", models=models, steps=15_625)
    table = pd.read_parquet(reference / "metrics.parquet")
    table["protocol"] = table["protocol"].str.replace("0badf00d", "12345678")
    table.to_parquet(reference / "metrics.parquet")
    folder = make_images(tmp_path / "run", models=models, seeds=(0,))
    render(folder, published, reference)
    text = (folder / "tables" / "digits_classifier.md").read_text()
    assert "were measured under different protocols; do not compare these columns" in text
    assert "fid_reference" in (folder / "tables" / "digits_classifier.csv").read_text()
    assert "different protocols" not in (folder / "tables" / "digits_pixels.md").read_text()


def test_wrong_inputs_are_named(tmp_path: Path, published: Path, make_images: Make) -> None:
    folder = make_images(tmp_path, models=("real",), seeds=(0,))
    info = json.loads((folder / "run.json").read_text())

    def refuses(said: str) -> None:
        with pytest.raises(OtbenchError, match=said):
            render(folder, published)

    np.savez(folder / "gallery.npz", **{"digits/real/0/1": np.zeros((3, 16, 16), np.uint8)})
    refuses(r"array digits/real/0/1: expected images \(n, 1 or 3, h, w\) uint8, got uint8 \(3, 16, 16\)")
    (folder / "gallery.npz").write_bytes(b"no archive")
    refuses("gallery.npz is damaged, truncated or not an .npz")
    (folder / "gallery.npz").unlink()
    (folder / "run.json").write_text(json.dumps(info | {"studies": {"images": {}}}))
    refuses("expected study 'images' to be an object with a budget")
    other = {"pictures": info["studies"]["images"]}
    data = {"digits": info["datasets"]["digits"] | {"study": "pictures"}}
    (folder / "run.json").write_text(json.dumps(info | {"studies": other, "datasets": data}))
    refuses("no study is called 'pictures', expected one of mode-collapse, images, stacked")


@pytest.mark.usefixtures("undrawn")
def test_a_run_without_pictures_still_renders(tmp_path: Path, published: Path, make_images: Make) -> None:
    folder = make_images(tmp_path, models=("vae", "real"), seeds=(0,))
    for name in ("gallery", "curves", "latent"):
        (folder / f"{name}.npz").unlink()
    html = everything(render(folder, published))
    assert "Contact sheets" not in html and 'id="figure-digits_compare_classifier"' in html
    assert (folder / "sheets").is_dir()
