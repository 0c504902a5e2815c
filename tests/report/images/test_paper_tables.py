"""The tables of WAE and AE-OT-GAN, and Tables 3 and 4 of AE-OT: every row, published figures beside Inception alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from otbench.report.comparison import Comparison
from otbench.report.recipes.images import AE_OT_GAN_ROWS, RECIPE, TABLES_3_AND_4, WAE_ROWS
from otbench.report.recipes.published import read_published
from otbench.report.results import load_run
from otbench.report.tables.base import Cell, Table
from otbench.report.tables.images import distance_table
from otbench.report.tables.papers import ae_ot_gan_table, paper_tables, wae_table

LARGE = ("sngan", "sngan-resnet", "pggan", "ae-ot-gan", "ae-ot-gan-resnet")
MODELS = ("vae", "wae-vae", "wae-mmd", "big-wae-gan", *LARGE, "real", "noise")


@pytest.fixture(scope="module")
def compare(
    tmp_path_factory: pytest.TempPathFactory, published: Path, make_images: Callable[..., Path]
) -> Callable[..., Comparison]:
    """What makes a comparison of a made-up run: data set -> the networks that it was measured with."""

    def made(networks: dict[str, tuple[str, ...]], models: tuple[str, ...] = MODELS) -> Comparison:
        folder = make_images(tmp_path_factory.mktemp("run"), networks=networks, models=models, seeds=(0, 1))
        return Comparison(load_run(folder).of("images"), None, tuple(read_published(published)), study=RECIPE)

    return made


@pytest.fixture(scope="module")
def digits(compare: Callable[..., Comparison]) -> Comparison:
    return compare({"digits": ("classifier",)})


@pytest.fixture(scope="module")
def celeba(compare: Callable[..., Comparison]) -> Comparison:
    both = ("classifier", "inception")
    return compare({"cifar10": both, "celeba-140": both, "mnist": ("classifier",)})


def cells(table: Table) -> dict[tuple[str, str], Cell]:
    """(row, column) -> cell."""
    keys = [column.key for column in table.columns]
    return {(row.name, key): cell for row in table.rows for key, cell in zip(keys, row.cells, strict=True)}


def mean(comparison: Comparison, dataset: str, model: str, metric: str, start: str) -> float:
    table = pd.read_parquet(comparison.run.folder / "metrics.parquet")
    chosen = (table["dataset"] == dataset) & (table["model"] == model) & (table["metric"] == metric)
    chosen &= (table["snapshot"] == 1.0) & table["protocol"].str.startswith(f"features={start}")
    return float(table[chosen]["value"].mean())


def test_wae_rows_are_all_there_in_the_papers_order(digits: Comparison) -> None:
    table = wae_table(digits, "classifier")
    assert [row.name for row in table.rows] == list(WAE_ROWS)
    assert [row.label for row in table.rows][:4] == ["VAE", "WAE-MMD", "WAE-GAN", "bigVAE"]
    found = cells(table)
    for model in ("wae-vae", "big-wae-gan", "real"):
        fid, sharp = (found[model, f"digits_{name}_this_run"].raw[""] for name in ("fid", "sharpness"))
        assert fid == pytest.approx(mean(digits, "digits", model, "fid", "classifier"))
        assert sharp == pytest.approx(mean(digits, "digits", model, "sharpness", "pixels"))
    assert found["wae-gan", "digits_fid_this_run"].text == "not run"
    # true data are better than any model and are not ranked; sharpness has no better side
    strong = [key for key, cell in found.items() if cell.strong]
    ranked = [model for model in ("wae-vae", "wae-mmd", "big-wae-gan")]
    best = min(ranked, key=lambda model: found[model, "digits_fid_this_run"].raw[""])
    assert strong == [(best, "digits_fid_this_run")]
    assert wae_table(digits, "inception") is None


def test_published_figures_stand_beside_inception_alone(digits: Comparison, celeba: Comparison) -> None:
    names = [table.name for table in paper_tables(digits)]
    assert names == [
        *("images_wae_classifier", "images_wae_published"),
        *("images_ae_ot_gan_classifier", "images_ae_ot_gan_published"),
    ]
    for table in paper_tables(digits):
        quoted = any("published" in column.key for column in table.columns)
        assert not quoted and ("not to be set beside" in table.title) == table.name.endswith("published")
    apart = cells(next(table for table in paper_tables(digits) if table.name == "images_wae_published"))
    assert apart["wae-mmd", "fid"].text == "55 †" and apart["real", "sharpness"].text == "0.02 †"
    assert apart["big-vae", "sharpness"].kind == "absent"
    tables = {table.name: table for table in paper_tables(celeba)}
    assert list(tables) == [
        *("images_wae_inception", "images_wae_classifier"),
        *("images_ae_ot_gan_inception", "images_ae_ot_gan_classifier", "images_ae_ot_gan_published"),
    ]
    beside = cells(tables["images_wae_inception"])
    assert beside["wae-vae", "celeba-140_fid_published"].text == "63 †"
    assert beside["wae-vae", "celeba-140_sharpness_published"].text == "0.003 †"
    assert ("wae-vae", "cifar10_fid_published") not in beside
    assert len(tables["images_wae_inception"].notes) == 2 and not tables["images_wae_classifier"].notes
    # CIFAR-10 stands beside the run, so CelebA alone is left for the table of published figures
    assert {column.group for column in tables["images_ae_ot_gan_published"].columns} == {"CelebA"}


def test_ae_ot_gan_has_a_column_a_network(celeba: Comparison) -> None:
    table = ae_ot_gan_table(celeba, "inception")
    assert [row.label for row in table.rows] == list(AE_OT_GAN_ROWS)
    found = cells(table)
    for row, model, kind in (
        ("SNGAN", "sngan", "standard"),
        ("SNGAN", "sngan-resnet", "resnet"),
        ("PGGAN", "pggan", "resnet"),
        ("AE-OT-GAN", "ae-ot-gan-resnet", "resnet"),
    ):
        value = found[row, f"cifar10_{kind}_this_run"].raw[""]
        assert value == pytest.approx(mean(celeba, "cifar10", model, "fid", "inception"))
    assert found["PGGAN", "cifar10_standard_this_run"].text == "–"  # the paper has none
    assert found["WGAN-GP", "cifar10_resnet_this_run"].text == "not run"  # the paper has it
    assert found["WGAN-GP", "cifar10_resnet_published"].text == "19.6 †"
    assert found["AE-OT-GAN", "cifar10_standard_published"].text == "25.2 †"
    # one best model over both networks
    own = {key: cell for key, cell in found.items() if key[1].startswith("cifar10") and key[1].endswith("run")}
    values = {key: cell.raw[""] for key, cell in own.items() if cell.raw}
    assert [key for key, cell in own.items() if cell.strong] == [min(values, key=values.__getitem__)]


def test_without_their_models_these_tables_are_left_out(compare: Callable[..., Comparison]) -> None:
    assert paper_tables(compare({"digits": ("classifier",)}, ("vae", "real"))) == []


def test_tables_3_and_4_have_every_row(digits: Comparison, celeba: Comparison) -> None:
    alone = distance_table(digits, "classifier")
    rows = [row.name for row in alone.rows]
    assert set(rows) == {*TABLES_3_AND_4, "real", "noise"} and rows[:2] == ["mm-gan", "ns-gan"]
    found = cells(alone)
    assert found["mm-gan", "digits_this_run"].text == "not run"
    assert found["vae", "digits_this_run"].raw[""] == pytest.approx(mean(digits, "digits", "vae", "fid", "classifier"))
    assert [key for key, cell in found.items() if cell.strong] == [("vae", "digits_this_run")]
    several = distance_table(celeba, "inception")
    assert {row.name for row in several.rows} == {*TABLES_3_AND_4, *MODELS}
    assert cells(several)["mm-gan", "cifar10_published"].text == "72.7"
