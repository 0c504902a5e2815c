"""The published figures: spot checks against the papers, and errors that name line and column."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from otbench.errors import OtbenchError
from otbench.report.recipes.published import COLUMNS, Published, read_published


@pytest.fixture(scope="module")
def records(published: Path) -> list[Published]:
    return read_published(published)


@pytest.mark.parametrize(
    ("paper", "dataset", "model", "metric", "value", "error"),
    [
        ("PacGAN", "grid", "gan", "modes", "17.3", "0.8"),
        ("PacGAN", "grid", "gan", "reverse_kl", "0.70", "0.07"),
        ("PacGAN", "grid", "pacgan4", "high_quality", "0.936", "0.006"),
        ("PacGAN", "ring", "pacgan2", "high_quality", "0.956", "0.020"),
        ("PacGAN", "ring", "md-gan", "reverse_kl", "1.93", "0.11"),
        ("PacGAN", "ring", "ali", "modes", "6.6", "0.3"),
        ("AE-OT", "grid", "ae-ot", "high_quality", "0.998", "0.002"),
        ("AE-OT", "grid", "ae-ot", "reverse_kl_train", "0.007", "0.002"),
        ("VEEGAN", "grid", "veegan", "modes", "24.6", None),
        ("VEEGAN", "grid", "gan", "high_quality", "0.005", None),
        ("VEEGAN", "synthetic-1200", "veegan", "high_quality", "0.2829", None),
        ("PacGAN", "stacked-mnist", "dcgan", "reverse_kl", "4.50", "0.127"),
        ("VEEGAN", "stacked-mnist", "dcgan", "modes", "99", None),
        ("PacGAN", "stacked-mnist", "pacdcgan3-half", "modes", "866.6", "12.10"),
        ("PacGAN", "stacked-mnist", "pacdcgan4", "reverse_kl", "0.07", "0.005"),
        ("PacGAN", "stacked-mnist", "dcgan-quarter", "modes", "78.5", "17.56"),
        ("PacGAN", "stacked-mnist", "dcgan-half", "reverse_kl", "2.24", "0.15"),
        ("PacGAN", "stacked-mnist", "unrolled-gan-10-half", "modes", "817.4", "37.91"),
        ("Unrolled GAN", "stacked-mnist", "dcgan-quarter", "modes", "30.6", "20.73"),
        ("PacGAN", "stacked-mnist", "veegan", "modes", "150", None),
        ("AE-OT", "mnist", "ae-ot", "fid", "6.4", None),
        ("AE-OT", "fashion-mnist", "ae-ot", "fid", "10.2", None),
        ("AE-OT", "cifar10", "vae", "fid", "155.7", None),
        ("AE-OT", "celeba", "ae", "fid", "67.5", None),
        ("AE-OT", "celeba", "wgan", "fid", "41.3", None),
        ("AE-OT", "cifar10", "lsgan", "fid", "87.1", None),
        ("AE-OT", "mnist", "ae-ot", "l2_before_train", "0.0013", None),
        ("AE-OT", "celeba", "ae-ot", "l2_train", "0.0074", None),
        ("AE-OT slides", "cifar10", "lsgan", "fid", "87.1", "47.5"),
        ("AE-OT slides", "mnist", "ae-ot", "fid", "6.2", "0.2"),
        ("Lucic et al.", "celeba", "wgan-gp", "fid", "30.0", "1.0"),
        ("WAE", "celeba-140", "wae-vae", "fid", "63", None),
        ("WAE", "celeba-140", "big-wae-gan", "fid", "35", None),
        ("WAE", "celeba-140", "wae-gan", "sharpness", "0.006", None),
        ("WAE", "celeba-140", "real", "sharpness", "0.02", None),
        ("AE-OT-GAN", "cifar10", "wgan-gp-standard", "fid", "40.2", None),
        ("AE-OT-GAN", "cifar10", "pggan", "fid", "18.8", None),
        ("AE-OT-GAN", "cifar10", "sngan", "fid", "25.5", None),
        ("AE-OT-GAN", "celeba", "wgan-div", "fid", "17.5", None),
        ("AE-OT-GAN", "celeba", "wgan-qc", "fid", "12.9", None),
        ("AE-OT-GAN", "celeba", "ae-ot-resnet", "fid", "28.6", None),
        ("AE-OT-GAN", "celeba", "ae-ot-gan-resnet", "fid", "7.8", None),
        ("OTVAE", "mnist", "wgan-mlp", "excellence", "0.375", "0.025"),
    ],
)
def test_figures_as_in_the_papers(
    records: list[Published], paper: str, dataset: str, model: str, metric: str, value: str, error: str | None
) -> None:
    found = [r for r in records if (r.paper, r.dataset, r.model, r.metric) == (paper, dataset, model, metric)]
    assert [str(record.value) for record in found] == [value]
    assert found[0].error == (None if error is None else Decimal(error))


def test_every_figure_of_the_tables_is_there_once(records: list[Published]) -> None:
    def count(paper: str, table: str) -> int:
        return sum(1 for record in records if (record.paper, record.table) == (paper, table))

    assert count("PacGAN", "Table 1") == 6 * 3 * 2
    assert count("AE-OT", "Table 2") == 3
    assert count("VEEGAN", "Table 1") == 4 * 2 * 3
    assert count("PacGAN", "Table 2") == 7 * 2 and count("VEEGAN", "stacked MNIST") == 2
    assert count("Unrolled GAN", "stacked MNIST") == 2 * 2
    assert count("PacGAN", "Table 3") == 7 * 2 * 2
    assert count("AE-OT", "Table 1") == 2 * 4
    assert count("AE-OT", "Table 3") == 5 * 4
    assert count("AE-OT", "Table 4") == 5 * 4 + 1  # CelebA has a second figure of AE-OT, in brackets
    assert count("AE-OT slides", "Table 2") == 8 * 4
    assert count("Lucic et al.", "FID table") == 2 * 4
    assert count("WAE", "Table 1") == 7 + 4  # the bigger networks have no sharpness
    assert count("AE-OT-GAN", "Table 1") == 4 + 6 + 4 + 6


def test_what_was_not_read_or_is_not_comparable_is_marked(records: list[Published]) -> None:
    def certain(paper: str, **more: str) -> set[bool]:
        return {r.certain for r in records if r.paper == paper and all(getattr(r, k) == v for k, v in more.items())}

    assert certain("Lucic et al.") == {False} and certain("OTVAE") == {False}
    assert certain("WAE") == {False} and certain("AE-OT-GAN") == {False}
    assert certain("AE-OT", table="Table 1") == {False} and certain("AE-OT", table="Table 4") == {True}
    assert certain("AE-OT slides", model="vae", dataset="cifar10") == {False}  # GLO's number in the VAE's column


def test_pacgan_errors_are_standard_errors_and_its_kl_is_marked(records: list[Published]) -> None:
    own = [record for record in records if (record.paper, record.table) == ("PacGAN", "Table 1")]
    assert {(record.error_kind, record.n_trials, record.n_samples) for record in own} == {("se", 10, 2500)}
    assert not any(record.certain for record in own if record.metric == "reverse_kl")
    assert not any(record.certain for record in own if (record.dataset, record.model) == ("ring", "md-gan"))
    assert next(record for record in own if record.dataset == "grid").certain


def test_pacgans_stacked_tables_have_standard_errors_but_where_they_quote_veegan(records: list[Published]) -> None:
    own = [r for r in records if r.paper == "PacGAN" and r.table in ("Table 2", "Table 3")]
    bare = {r.model for r in own if r.error_kind != "se"}
    assert bare == {"ali", "unrolled-gan", "veegan"} and {r.error_kind for r in own} == {"se", "none"}
    trials = {(r.table, r.n_trials) for r in own if "dcgan" in r.model}
    assert trials == {("Table 2", 10), ("Table 3", 50)}


def test_no_number_of_images_is_given_for_ae_ots_own_fids(records: list[Published]) -> None:
    table = [r for r in records if (r.paper, r.table) == ("AE-OT", "Table 4")]
    assert {r.model for r in table if r.n_samples is None} == {"ae", "ae-ot", "ae-ot-deep"}
    assert {r.n_samples for r in table if r.model in ("vae", "glo", "glann")} == {10_000}
    assert not [r for r in table if r.n_samples is None and "test images" in r.setup]


def test_text_keeps_the_digits_of_the_paper(records: list[Published]) -> None:
    found = {(r.dataset, r.model, r.metric): r for r in records if r.paper in ("PacGAN", "AE-OT")}
    assert found["ring", "pacgan2", "high_quality"].text(100) == "95.6 ± 2.0"
    assert found["grid", "ae-ot", "modes"].text() == "25.0 ± 0.0"
    assert found["grid", "gan", "reverse_kl"].text() == "0.70 ± 0.07"


GOOD = dict(zip(COLUMNS, "P,T,grid,gan,modes,17.3,0.8,se,10,2500,yes,s,".split(","), strict=True))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"value": "many"}, "line 2, column value: expected a number, got 'many'"),
        ({"value": "nan"}, "column value: expected a number"),
        ({"error_kind": "sem"}, "column error_kind: expected one of sd, se, unstated, range, none, got 'sem'"),
        ({"error": ""}, "column error: expected a number exactly where"),
        ({"error": "-1"}, "column error: expected a number of at least 0"),
        ({"metric": "high_quality", "value": "94.8"}, r"high_quality is a share in \[0, 1\], got 94.8"),
        ({"metric": "excellence", "value": "40"}, r"excellence is a share in \[0, 1\], got 40"),
        ({"certain": "maybe"}, "column certain: expected yes or no"),
        ({"n_trials": "ten"}, "column n_trials: expected a whole number"),
        ({"n_samples": "²"}, "column n_samples: expected a whole number"),
        ({"model": ""}, "column model: it is empty"),
    ],
)
def test_errors_name_line_and_column(tmp_path: Path, change: dict[str, str], said: str) -> None:
    path = tmp_path / "published.csv"
    path.write_text(",".join(COLUMNS) + "\n" + ",".join((GOOD | change).values()) + "\n")
    with pytest.raises(OtbenchError, match=said):
        read_published(path)


def test_wrong_files(tmp_path: Path) -> None:
    with pytest.raises(OtbenchError, match="cannot read the published figures in"):
        read_published(tmp_path / "none.csv")
    path = tmp_path / "published.csv"
    path.write_text("paper,table\n")
    with pytest.raises(OtbenchError, match="line 1: expected the columns paper, table, dataset"):
        read_published(path)
    line = ",".join(GOOD.values())
    path.write_text(",".join(COLUMNS) + f"\n{line}\n{line}\n")
    with pytest.raises(OtbenchError, match="line 3: the figure of line 2 is given a second time"):
        read_published(path)
