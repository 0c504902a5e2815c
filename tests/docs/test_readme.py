"""README.md and the pages of docs: figures are those measured, commands exist, links lead somewhere."""

from __future__ import annotations

import csv
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import typer

from otbench.cli.app import app
from otbench.models import models
from otbench.runs.launch import find_config
from tests.conftest import ROOT

PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "config" / "README.md", *ROOT.glob("docs/*.md")])
ROWS = {"GAN": "gan", "PacGAN2": "pacgan2", "AE-OT": "ae-ot", "held-out data": "real"}


def shown(mean: float, error: float | None, scale: float) -> str:
    """A figure as the table has it."""
    return f"{scale * mean:.1f}" + ("" if error is None or np.isnan(error) else f" ± {scale * error:.1f}")


def test_the_table_holds_the_published_and_the_measured_figures(root):
    with (root / "config" / "published.csv").open(newline="") as file:
        published = {
            (row["model"], row["metric"]): (float(row["value"]), float(row["error"]))
            for row in csv.DictReader(file)
            if row["dataset"] == "grid" and row["paper"] in ("PacGAN", "AE-OT") and row["error"]
        }
    table = pd.read_parquet(root / "results" / "reference" / "metrics.parquet")
    table = table[(table["dataset"] == "grid") & (table["snapshot"] == 1) & (table["status"] == "ok")]
    lines = []
    for title, model in ROWS.items():
        cells = [title]
        for metric, scale in (("modes", 1), ("high_quality", 100)):
            known = published.get((model, metric))
            cells.append(shown(*known, scale) if known else "")
            values = table[(table["model"] == model) & (table["metric"] == metric)]["value"]
            cells.append(shown(values.mean(), values.sem(), scale))
        lines.append(f"| {' | '.join([*cells, str(len(values))])} |".replace("|  |", "| |"))
    assert "\n".join(lines) in (root / "README.md").read_text(encoding="utf-8"), "\n".join(lines)


def test_the_numbers_of_models_are_those_that_there_are(root):
    counted = [len({n for n, model in models(kind).items() if not model.control}) for kind in ("points", "images")]
    assert f"**Models**: {counted[0]} in the plane and {counted[1]} of images" in (root / "README.md").read_text()


def test_the_readme_is_a_screen_and_a_half(root):
    lines = (root / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 115 and max(map(len, lines)) < 260


def test_the_panels_are_drawn_from_the_reference_results(root, tmp_path):
    import runpy

    names = runpy.run_path(str(root / "docs" / "panels.py"))
    names["draw"](tmp_path / "panels.png")
    from matplotlib.image import imread

    drawn, kept = imread(tmp_path / "panels.png"), imread(root / "docs" / "images" / "panels.png")
    assert drawn.shape == kept.shape and np.abs(drawn - kept).mean() < 0.01


def test_every_page_of_docs_is_in_the_sites_navigation(root):
    nav = (root / "mkdocs.yml").read_text(encoding="utf-8").split("\nnav:\n", 1)[1]
    named = re.findall(r"([\w./-]+\.md)", nav)
    assert len(named) == len(set(named))
    assert {path.name for path in (root / "docs").glob("*.md")} == {name for name in named if "/" not in name} - {
        *("index.md", "CONTRIBUTING.md", "CHANGELOG.md")
    }
    others = [name for name in named if "/" in name and not name.startswith("reference/")]
    assert others and all((root / name).is_file() for name in others)


def commands() -> Iterator[tuple[str, str]]:
    """Each command in a block of shell or after `Example:`, with the page that it is on."""
    for page in PAGES:
        for block in re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), re.S):
            for line in block.replace("\\\n", " ").splitlines():
                words = shlex.split(line, comments=True)
                while words:  # `a && b`, `a | b`
                    end = next((i for i, word in enumerate(words) if word in ("&&", "|", ";", "||")), len(words))
                    if words[:end]:
                        yield str(page.relative_to(ROOT)), shlex.join(words[:end])
                    words = words[end + 1 :]


COMMANDS = sorted(set(commands()))


def test_there_are_commands_to_check():
    assert len(COMMANDS) > 50


@pytest.mark.parametrize(("page", "command"), COMMANDS)
def test_every_command_of_the_pages_is_one_that_there_is(page, command, root):
    words = [word for word in shlex.split(command) if not re.fullmatch(r"[A-Z_]+=\S*", word)]
    if words and words[0] in ("nice", "nohup"):
        words = words[words.index(next(word for word in words if word in ("otbench", "snakemake", "make"))) :]
    if words[0] == "otbench":
        check_verb(words[1:])
    elif words[0] == "make":
        targets = re.findall(r"^([a-z-]+):", (root / "Makefile").read_text(), re.M)
        assert [word for word in words[1:] if "=" not in word and word not in targets] == []
    elif words[0] == "snakemake":
        for name, value in zip(words, words[1:], strict=False):
            if name == "--configfile" and value.startswith("config/"):
                assert (root / value).is_file(), value
            if name == "--workflow-profile" and value.startswith("profiles/"):
                assert (root / value / "config.yaml").is_file(), value
    elif words[0] == "python" and words[1].endswith(".py"):
        assert (root / words[1]).is_file(), words[1]


def check_verb(words: list[str]) -> None:
    """The verb is there and understands the options; values are not looked at, as their files are not here."""
    command: Any = typer.main.get_command(app)
    while hasattr(command, "commands"):
        assert words[0] in command.commands, f"no verb {words[0]}"
        command, words = command.commands[words[0]], words[1:]
    if command.name == "run":
        if words and not words[0].startswith("-"):
            find_config(words[0])
        return
    known = {name for param in command.params for name in (*param.opts, *param.secondary_opts)} | {"--help"}
    assert [word for word in words if word.startswith("--") and word.split("=")[0] not in known] == []


def anchors(path: Path) -> set[str]:
    """Anchors of a page's headings."""
    heads = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files_and_headings(page):
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.S)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name}: {link}"
        if anchor:
            assert anchor in anchors(target), f"{page.name}: {link}"
