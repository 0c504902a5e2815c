"""The pages about the reference results say what the reference results hold."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from tests.conftest import ROOT

FOLDER = ROOT / "results" / "reference"
NAMES = {
    "AE-OT": "ae-ot",
    "AE-OT on 512 points": "ae-ot",
    "AE-OT on 10,000 points": "ae-ot-10k",
    "GAN": "gan",
    "PacGAN2": "pacgan2",
    "held-out real points": "real",
}


@pytest.fixture(scope="module")
def last() -> pd.DataFrame:
    """The rows of the reference at the end of training."""
    return at_the_end(FOLDER)


def said(last: pd.DataFrame, dataset: str, model: str, metric: str, digits: int, scale: float = 1) -> str:
    """Mean ± standard error over seeds, as a page writes it; the mean alone of one seed."""
    rows = last[(last["dataset"] == dataset) & (last["model"] == model) & (last["metric"] == metric)]["value"] * scale
    assert len(rows), f"no {metric} of {model} on {dataset}"
    mean = f"{rows.mean():.{digits}f}"
    return f"{mean} ± {rows.sem():.{digits}f}" if len(rows) > 1 else mean


def rows(text: str, heading: str) -> dict[str, list[str]]:
    """The first table below a heading: first cell -> the others."""
    part = text.split(f"## {heading}", 1)[1].split("\n## ", 1)[0]
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in re.findall(r"^\|.*\|$", part, re.M)]
    return {cells[0]: cells[1:] for cells in lines[2:]}


@pytest.mark.parametrize(
    ("heading", "column", "metric", "scale"),
    [
        ("AE-OT mixes no modes", 1, "high_quality", 100),
        ("AE-OT mixes no modes", 2, "mode_mixture", 100),
        ("AE-OT matches the distribution", 1, "reverse_kl", 1),
        ("AE-OT's recall", 0, "recall", 1),
        ("AE-OT's recall", 1, "coverage", 1),
        ("AE-OT's recall", 2, "prd_f8", 1),
    ],
)
def test_the_claims_page_states_the_measured_figures(last, heading, column, metric, scale):
    table = rows((FOLDER / "CLAIMS.md").read_text(), heading)
    assert len(table) >= 4
    for name, cells in table.items():
        text = cells[column]
        digits = len(text.split(" ")[0].partition(".")[2])
        assert text == said(last, "grid", NAMES[name], metric, digits, scale), f"{heading}: {name}, {metric}"


def test_the_claims_page_states_the_modes_and_the_seconds(last):
    text = (FOLDER / "CLAIMS.md").read_text()
    for name, cells in rows(text, "AE-OT eliminates mode collapse").items():
        model, place = name.split(", ")
        dataset = "ring" if "ring" in place else "grid"
        digits = 1 if "±" in cells[1] else 0
        assert cells[1] == said(last, dataset, NAMES[model], "modes", digits), name
        found = last[(last["dataset"] == dataset) & (last["model"] == NAMES[model])]
        assert int(cells[2]) == found["seed"].nunique()
    spent = last.drop_duplicates(["dataset", "model", "seed"]).groupby(["dataset", "model"])["seconds"].mean()["grid"]
    cells = rows(text, "AE-OT trains faster")["grid"]
    assert cells == [
        f"{spent['ae-ot']:.2f}",
        f"{spent['ae-ot-10k']:.2f}",
        f"{spent['gan']:.0f}",
        f"{spent['pacgan2']:.0f}",
    ]


COLUMNS = {
    "modes of 25": ("modes", 1),
    "modes of 8": ("modes", 1),
    "high quality, %": ("high_quality", 100),
    "between two modes, %": ("mode_mixture", 100),
    "reverse KL": ("reverse_kl", 1),
    "coverage": ("coverage", 1),
    "W2": ("w2", 1),
    "Fréchet distance": ("fid", 1),
    "PRD F8": ("prd_f8", 1),
    "recall": ("recall", 1),
    "precision": ("precision", 1),
    "memorised": ("memorised", 1),
}


def at_the_end(folder: Path) -> pd.DataFrame:
    """The rows of a run at the end of training."""
    table = pd.read_parquet(folder / "metrics.parquet")
    return table[(table["status"] == "ok") & (table["snapshot"] == 1)]


def measured_in(run: str) -> tuple[pd.DataFrame, dict[str, str]]:
    """The rows of a short run at the end of training, and its models by title."""
    folder = ROOT / "results" / run
    about = json.loads((folder / "run.json").read_text())
    return at_the_end(folder), {told["title"]: name for name, told in about["models"].items()}


PAGES = [("reference-short", "Grid"), ("reference-short", "Ring"), ("reference-images-short", "MNIST")]


@pytest.mark.parametrize(("run", "heading"), PAGES)
def test_the_pages_of_the_short_runs_state_the_measured_figures(run, heading):
    found, names = measured_in(run)
    part = (ROOT / "results" / run / "README.md").read_text().split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    header, _, *lines = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in re.findall(r"^\|.*\|$", part, re.M)
    ]
    measured = set(found[found["dataset"] == heading.lower()]["model"])
    assert {names[line[0]] for line in lines} == measured
    for line in lines:
        cells = dict(zip(header, line, strict=True))
        model = names[cells[""]]
        seeds = found[(found["dataset"] == heading.lower()) & (found["model"] == model)]["seed"].nunique()
        assert int(cells["seeds"]) == seeds
        for column, (metric, scale) in COLUMNS.items():
            if column in cells and cells[column] != "-":
                digits = len(cells[column].split(" ")[0].partition(".")[2])
                expected = said(found, heading.lower(), model, metric, digits, scale)
                assert cells[column] == expected, f"{run}, {model}: {column}"


def test_the_claims_page_states_the_figures_of_the_short_run_on_mnist():
    found, names = measured_in("reference-images-short")
    lines = rows((FOLDER / "CLAIMS.md").read_text(), "AE-OT beats GANs and VAEs on FID")
    assert len(lines) == 6
    for title, cells in lines.items():
        assert cells[1] == said(found, "mnist", names[title], "fid", 2), title
        assert cells[2] == said(found, "mnist", names[title], "prd_f8", 3), title
