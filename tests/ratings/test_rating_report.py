"""People's ratings in the report: the numbers of its tables and figures, and names that want to be markup."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from otbench.ratings.analysis import analyse, proxies_of
from otbench.ratings.answers import Answer
from otbench.ratings.key import Item, Key
from otbench.report.comparison import Comparison
from otbench.report.figures import rating_figures, rating_plots
from otbench.report.recipes.images import RECIPE
from otbench.report.recipes.published import read_published
from otbench.report.results import load_run
from otbench.report.tables import ratings
from otbench.report.tables.base import to_csv, to_markdown
from otbench.report.tables.latex import to_tex
from otbench.utils import plotting
from tests.report.images.conftest import best, make_images

EVIL = "</td><script>alert(1)</script>|\\input{x}"


def key_of() -> Key:
    """Four images of each: otvae and wgan-mlp at 0.3 and 1, vae at 1; two real ones, two checks."""
    cells = [("otvae", 0.3), ("otvae", 1.0), ("wgan-mlp", 0.3), ("wgan-mlp", 1.0), ("vae", 1.0)]
    items = [
        Item(item=1, kind="model", model=model, seed=0, snapshot=snapshot, index=index)
        for model, snapshot in cells
        for index in range(4)
    ]
    items += [Item(item=1, kind=kind, index=index) for kind in ("real", "check") for index in range(2)]
    items = [one.model_copy(update={"item": at}) for at, one in enumerate(items, 1)]
    return Key(session="a" * 12, dataset="digits", title="digits", seed=0, items=items)


LETTERS = {
    "Ann": "rggg" "rrrr" "gggg" "rrgg" "rggg" "rr" "rr",
    EVIL: "rrgg" "rrrg" "rggg" "rggg" "rrrg" "rr" "gg",
}  # fmt: skip


@pytest.fixture(scope="module")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    models = ("vae", "wgan-mlp", "otvae", "real")
    run = load_run(make_images(tmp_path_factory.mktemp("run"), models=models))
    key, words = key_of(), {"r": "real", "g": "generated"}
    answers = [
        Answer(key.session, rater, at, words[letter], 500 * (1 + (rater == EVIL)))
        for rater, letters in LETTERS.items()
        for at, letter in enumerate(letters, 1)
    ]
    run = replace(run, ratings={"digits": analyse(key, answers, proxies_of(key, run.table))}).of("images")
    published = tuple(read_published(Path(__file__).parents[2] / "config" / "published.csv"))
    return Comparison(run, None, published, study=RECIPE)


def test_the_table_says_the_rates(comparison: Comparison) -> None:
    """In the study's order, the ceiling last; percentages of 8 answers; the proxy from the tidy table."""
    rates, _ = ratings.rating_tables(comparison, "digits")
    shown = [(row.label, *(cell.text for cell in row.cells[:2]), row.cells[8].text) for row in rates.rows]
    assert shown == [
        ("VAE", "100 %", "50.0", f"{95 * best('vae') ** 1.5:.1f}"),
        ("OTVAE", "30 %", "37.5", proxy("otvae", 0.3)),
        ("OTVAE", "100 %", "87.5", f"{95 * best('otvae') ** 1.5:.1f}"),
        ("WGAN (MLP)", "30 %", "12.5", proxy("wgan-mlp", 0.3)),
        ("WGAN (MLP)", "100 %", "37.5", f"{95 * best('wgan-mlp') ** 1.5:.1f}"),
        ("Held-out real images", "–", "100.0", "–"),
    ]
    assert rates.rows[1].cells[2].text == "13.7 to 69.4"  # Wilson, 3 of 8
    assert [cell.text for cell in rates.rows[1].cells[4:8]] == ["25.0", "8", "2", "4"]  # Ann alone: 1 of 4
    notes = " ".join(rates.notes)
    assert "1 of 2 raters called less than 60 %" in notes and "over 5 models and snapshots: Pearson" in notes
    assert "on the 22 images that all 2 raters saw" in notes


def proxy(model: str, snapshot: float) -> str:
    return f"{95 * (best(model) * (0.3 + 0.7 * min(1.0, snapshot / 0.3) ** 0.4)) ** 1.5:.1f}"


def test_raters_stand_in_a_table_and_their_names_stay_text(comparison: Comparison) -> None:
    _, raters = ratings.rating_tables(comparison, "digits")
    rows = {row.name: [cell.text for cell in row.cells] for row in raters.rows}
    assert rows["Ann"] == ["24", "100.0", "2", "–", "–", "0", "0.5"]
    assert rows[EVIL] == ["24", "0.0 (flagged)", "2", "–", "–", "0", "1.0"]
    assert "<script>" not in to_markdown(raters) and "\\input{x}" not in to_tex(raters)
    assert EVIL in to_csv(raters)


def test_figures_show_rates_intervals_ceiling_and_the_published_marks(comparison: Comparison) -> None:
    """OTVAE at 0.3 and 1 of 400 steps of 100 on 797 images; the published 40, 80, 85 to 90 and 35 to 40 % of MNIST."""
    made = {name: make for name, _, _, _, make in rating_figures.rating_figures(comparison, "digits")}
    captions = [caption for _, _, caption, _, _ in rating_figures.rating_figures(comparison, "digits")]
    assert list(made) == ["digits_rated", "digits_rated_proxy"]
    assert "on MNIST, for orientation" in captions[0] and "session aaaaaaaaaaaa, 2 raters" in captions[0]
    with plotting.styled():
        left, right = made["digits_rated"]().axes
        lines = {line.get_label(): line for line in left.lines}
        epochs = np.array([0.3, 1]) * 400 * 100 / 797
        assert lines["OTVAE"].get_xdata() == pytest.approx(epochs)
        assert lines["OTVAE"].get_ydata() == pytest.approx([37.5, 87.5])
        seconds = {line.get_label(): line for line in right.lines}["WGAN (MLP)"].get_xdata()
        rows = comparison.run.rows("digits", "wgan-mlp").groupby(["snapshot", "seed"])["seconds"].first()
        assert seconds == pytest.approx([rows[0.3].mean(), rows[1.0].mean()])
        assert [text.get_text() for text in left.texts] == ["about 40 %", "above 80 %", "85 to 90 %", "35 to 40 %"]
        labels = [text.get_text() for text in left.figure.legends[0].texts]
        assert "OTVAE, published on MNIST" in labels and "held-out real images" in labels
        axes = made["digits_rated_proxy"]().axes[0]
        assert {text.get_text() for text in axes.texts} == {"VAE", "OTVAE", "WGAN (MLP)", "held-out real images"}


def test_bars_are_the_interval_over_raters_and_images_else_wilsons() -> None:
    one = {"rate": 0.5, "wilson": [0.4, 0.6], "bootstrap": [0.2, 0.9]}
    assert np.ravel(rating_plots.interval(one)) == pytest.approx([30, 40])
    assert np.ravel(rating_plots.interval(one | {"bootstrap": None})) == pytest.approx([10, 10])


def test_nothing_is_shown_where_nobody_rated(comparison: Comparison) -> None:
    bare = replace(comparison, run=replace(comparison.run, ratings={}))
    assert ratings.rating_tables(bare, "digits") == [] and list(rating_figures.rating_figures(bare, "digits")) == []
