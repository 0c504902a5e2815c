"""The page of a made-up run of stacked digits: set-ups in tables of their own, published figures apart from ours."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from otbench.report import render
from tests.report.pages import everything

MODELS = ("dcgan", "ali", "pacdcgan2", "dcgan-half", "pacdcgan2-half", "unrolled-gan-1-quarter")
CONTROLS = ("real", "memoriser", "collapsed", "noise")


def restudied(folder: Path, study: str = "stacked") -> Path:
    """The run of `make_images` in another study, modes and divergence set by the model's name."""
    info = json.loads((folder / "run.json").read_text())
    info["studies"] = {study: info["studies"]["images"]}
    for one in info["datasets"].values():
        one["study"] = study
    for one in info["models"].values():
        one["by_study"] = {study: one["by_study"]["images"]}
        one["title"] = ""  # as the study names it
    (folder / "run.json").write_text(json.dumps(info))
    table = pd.read_parquet(folder / "metrics.parquet")
    table["study"] = study
    at = table["model"].map({model: k for k, model in enumerate((*MODELS, *CONTROLS))})
    table.loc[table["metric"] == "modes", "value"] = 100.0 + at[table["metric"] == "modes"]
    table.loc[table["metric"] == "reverse_kl", "value"] = 5.0 - 0.1 * at[table["metric"] == "reverse_kl"]
    table.to_parquet(folder / "metrics.parquet", index=False)
    return folder


@pytest.fixture(scope="module")
def rendered(
    tmp_path_factory: pytest.TempPathFactory, make_images: Callable[..., Path], published: Path
) -> dict[str, Path]:
    """A run of each data set, as a page."""
    found = {}
    for dataset in ("stacked-digits", "stacked-mnist"):
        folder = tmp_path_factory.mktemp(dataset)
        run = make_images(folder, networks={dataset: ("classifier",)}, models=(*MODELS, *CONTROLS), seeds=(0, 1))
        found[dataset] = render(restudied(run), published).parent
    return found


def rows(folder: Path, table: str) -> dict[str, dict[str, str]]:
    with (folder / "tables" / f"{table}.csv").open(newline="") as file:
        return {row["model"]: row for row in csv.DictReader(file)}


def test_each_set_up_has_its_own_table_with_its_published_figures(rendered: dict[str, Path]) -> None:
    folder = rendered["stacked-mnist"]
    first, half = rows(folder, "stacked-mnist_table2"), rows(folder, "stacked-mnist_table3_half")
    quarter = rows(folder, "stacked-mnist_table3_quarter")
    assert set(first) & set(MODELS) == {"dcgan", "ali", "pacdcgan2"}
    assert set(half) & set(MODELS) == {"dcgan-half", "pacdcgan2-half"}
    assert {*first, *half, *quarter} >= set(CONTROLS) and "pacdcgan3-quarter" in quarter
    assert first["dcgan"]["modes_published"] == "78.9" and first["dcgan"]["modes_published_error"] == "6.46"
    assert half["dcgan-half"]["modes_published"] == "487.7" and half["dcgan-half"]["modes_published_error"] == "34.59"
    assert float(half["dcgan-half"]["modes_this_run"]) == 103 and float(half["dcgan-half"]["modes_this_run_n"]) == 2
    text = (folder / "tables" / "stacked-mnist_table3_half.md").read_text()
    # the best of a set-up, not of the study: ALI and the controls have other tables
    assert "**104.0 ± 0.0**" in text and "**105.0" not in text and "VEEGAN set-up" not in text
    text = (folder / "tables" / "stacked-mnist_table2.md").read_text()
    assert "† Quoted there from VEEGAN" in text and "D 1/2 of G" not in text


def test_published_figures_never_stand_beside_another_data_set(rendered: dict[str, Path]) -> None:
    folder = rendered["stacked-digits"]
    for table in ("table2", "table3_quarter", "table3_half"):
        assert not any("published" in key for row in rows(folder, f"stacked-digits_{table}").values() for key in row)
    overall = rows(folder, "stacked_pacgan")
    assert list(overall)[:2] == ["dcgan", "dcgan-veegan"] and len(overall) == 21 + 3 + 4
    own = "modes_stacked-digits_this_run"
    assert overall["dcgan"]["modes_published"] == "78.9" and float(overall["dcgan"][own]) == 100
    assert overall["dcgan-veegan"]["modes_published"] == "99" and overall["dcgan-veegan"][own] == ""
    assert overall["dcgan-half"]["modes_published"] == "487.7"
    assert overall["dcgan-half-unrolled-gan"]["modes_published"] == "628.0"
    assert overall["pacdcgan4"]["reverse_kl_published"] == "0.07" and overall["pacdcgan4"][own] == ""
    assert overall["real"]["modes_published"] == "" and float(overall["real"][own]) == 106
    text = (folder / "tables" / "stacked_pacgan.md").read_text()
    assert text.count("not run") == 2 * 15 and "published, Stacked MNIST" in text and "**7" not in text


def test_the_page_has_the_study_and_none_of_the_image_studys_own_tables(rendered: dict[str, Path]) -> None:
    html = everything(rendered["stacked-mnist"] / "report.html")
    assert "Stacked digits" in html and "AE-OT Tables 3 and 4" not in html
    assert "stacked-mnist_table2" in html and 'id="table-stacked_pacgan"' in html
    assert "Unrolled GAN stacked MNIST, another set-up" in html
    assert "VEEGAN stacked MNIST, another set-up" in html and 'id="figure-stacked-mnist_modes"' in html
    names = {path.stem for path in (rendered["stacked-mnist"] / "tables").glob("*.csv")}
    assert not [name for name in names if name.startswith("images_")]
