"""docs/add-a-model.md, add-a-metric.md and add-a-data-set.md, done to the letter in one copy of the repository."""

from __future__ import annotations

import re

import pandas as pd
import pytest

from tests.docs.pages import Checkout, read_page

#: page -> the line of config/tiny.yaml that its own line follows
PAGES = {"model": "      - noise\n", "metric": "", "data-set": "      - grid-pyomt\n"}
RUN = "snakemake --cores 2 --configfile config/tiny.yaml"


@pytest.fixture(scope="module")
def checkout(root, tmp_path_factory) -> Checkout:
    """A copy with all three additions."""
    copy = Checkout(root, tmp_path_factory.mktemp("checkout"))
    for page, after in PAGES.items():
        copy.add(read_page(root / "docs" / f"add-a-{page}.md"), after)
    return copy


@pytest.fixture(scope="module")
def outputs(root, checkout) -> dict[str, str]:
    """What each command of the three pages prints; a command of several pages runs once."""
    pages = [read_page(root / "docs" / f"add-a-{page}.md") for page in PAGES]
    assert all(page.commands[-1] == RUN for page in pages)
    commands = dict.fromkeys(command for page in pages for command in page.commands)
    return {command: checkout.run(command) for command in commands}


def test_list_shows_the_additions(outputs):
    models = outputs["otbench list models"]
    assert "affine" in models and "generator 6" in models, "2 x 2 weights and 2 biases"
    assert re.search(r"^duplicates +Duplicates$", outputs["otbench list metrics"], re.M)
    assert re.search(r"^triangle +3 Gaussians of weight 0.6, 0.3 and 0.1", outputs["otbench list datasets"], re.M)


def test_the_contracts_hold_for_the_additions(outputs):
    contracts = [text for command, text in outputs.items() if "pytest" in command]
    assert len(contracts) == 3
    for text in contracts:
        assert re.search(r"[1-9]\d* passed", text) and "failed" not in text and "skipped" not in text


def test_the_run_measures_the_model_by_the_metric_on_the_data_set(outputs, checkout):
    table = pd.read_csv(checkout.folder / "results" / "tiny" / "metrics.csv")
    assert set(table["dataset"]) == {"grid-pyomt", "triangle"} and set(table["status"]) == {"ok"}
    found = table[table["metric"] == "duplicates"].set_index(["dataset", "model"])["value"]
    assert set(found.index.get_level_values("model")) == {"gan", "affine", "real", "memoriser", "collapsed", "noise"}
    assert found["triangle", "affine"] == found["triangle", "real"] == found["triangle", "noise"] == 0
    assert found["grid-pyomt", "memoriser"] > 0.3, "400 draws from 256 training points repeat many"
    modes = table[(table["metric"] == "modes") & (table["dataset"] == "triangle")].set_index("model")["value"]
    assert modes["real"] == 3


def test_the_report_shows_the_additions(outputs, checkout):
    text = (checkout.folder / "results" / "tiny" / "report.md").read_text(encoding="utf-8")
    assert "### Triangle, 3 Gaussians" in text
    section = text.partition("**Triangle, 3 Gaussians: added metrics.**")[2].partition("\n**")[0]
    assert "Duplicates, %: this run" in section
    row = next(line for line in section.splitlines() if line.startswith("| Affine map of noise |"))
    cells = [cell.strip(" *") for cell in row.split("|")[2:5]]
    assert cells == ["1", "unknown", "0.00"], "one seed, of which no budget can be judged, and nothing repeated"
    controls = pd.read_csv(checkout.folder / "results" / "tiny" / "tables" / "grid-pyomt_controls.csv")
    verdict = controls.set_index("metric").loc["duplicates"].dropna().astype(str).tolist()
    assert "right order" in verdict and "sees the memoriser" in " ".join(verdict)
