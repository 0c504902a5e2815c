"""Pictures of stacked runs: which model is the best GAN, headings of rows, titles that fit, marks that differ."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from otbench.report.comparison import Comparison
from otbench.report.figures import image_grids, marks
from otbench.report.figures.plots import legend_columns
from otbench.report.recipes import recipe
from otbench.report.recipes.stacked import HALF_ROWS, QUARTER_ROWS, VEEGAN_ROWS
from otbench.report.results import load_run
from tests.report.images.test_stacked_report import restudied

MODELS = ("dcgan", "ali", "pacdcgan2", "real")


@pytest.fixture(scope="module")
def stacked(tmp_path_factory: pytest.TempPathFactory, make_images: Callable[..., Path]) -> Comparison:
    """Stacked digits whose DCGAN has the largest F8 + F1/8."""
    folder = tmp_path_factory.mktemp("grids")
    folder = restudied(make_images(folder, networks={"stacked-digits": ("classifier",)}, models=MODELS, seeds=(0, 1)))
    table = pd.read_parquet(folder / "metrics.parquet")
    for model, value in (("dcgan", 0.9), ("ali", 0.3), ("pacdcgan2", 0.5)):
        table.loc[(table["model"] == model) & table["metric"].isin(["prd_f8", "prd_f1_8"]), "value"] = value
    table.to_parquet(folder / "metrics.parquet", index=False)
    info = json.loads((folder / "run.json").read_text())
    for model in ("dcgan", "ali", "pacdcgan2"):
        info["models"][model]["by_study"]["stacked"]["family"] = "adversarial"
        info["models"][model]["family"] = "adversarial"
    (folder / "run.json").write_text(json.dumps(info))
    return Comparison(load_run(folder).of("stacked"), None, (), study=recipe("stacked"))


def test_the_best_gan_is_one_of_the_studys_own(stacked: Comparison) -> None:
    assert image_grids.best_gan(stacked, "stacked-digits") == "dcgan"


def test_a_row_has_headings_where_its_epochs_are_not_those_of_the_row_above(
    stacked: Comparison, monkeypatch: pytest.MonkeyPatch
) -> None:
    import matplotlib.pyplot as plt

    lengths = {"dcgan": 12.0, "ali": 24.0, "pacdcgan2": 12.0}
    monkeypatch.setattr(image_grids, "epochs", lambda comparison, dataset, model: lengths[model])
    figure = image_grids.progress(stacked, "stacked-digits", ["dcgan", "ali", "pacdcgan2"])
    titles = [axes.get_title() for axes in figure.axes]
    plt.close(figure)
    columns = len(titles) // 3
    rows = [titles[at * columns : (at + 1) * columns] for at in range(3)]
    assert rows[0][-1] == "12 epochs" and rows[1][-1] == "24 epochs" and rows[2][-1] == "12 epochs"


def test_rows_of_one_set_up_have_marks_of_their_own() -> None:
    for rows in (VEEGAN_ROWS, QUARTER_ROWS, HALF_ROWS):
        looks = [(marks.mark(model).colour, marks.mark(model).marker) for model in rows]
        assert len(set(looks)) == len(rows)
    assert marks.mark("dcgan-half") == marks.mark("dcgan")


@pytest.mark.parametrize("title", ["Unrolled GAN, 10 steps, D 1/4 G", "AE-OT-GAN (standard)", "GAN"])
def test_titles_of_panels_and_legends_fit_their_width(title: str) -> None:
    import matplotlib.pyplot as plt
    from matplotlib.textpath import TextPath

    for columns, size in ((7, 6.0), (4, 8.5)):
        widest = max(TextPath((0, 0), line, size=size).get_extents().width for line in _lines(title, columns, size))
        assert widest <= 72 * 7.2 / columns
    number = legend_columns([title] * 14)
    assert 1 <= number <= 6 and number * (TextPath((0, 0), title, size=7).get_extents().width + 20) <= 72 * 7.2
    plt.close("all")


def _lines(title: str, columns: int, size: float) -> list[str]:
    return image_grids.heading_of(title, columns, size).split("\n")
