"""The page and the Markdown: escaping, the security policy, folding, order, what a script sorts by."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

from otbench.report import render
from otbench.report.page import html as page
from otbench.report.tables.base import Cell, Column, Row, Table
from otbench.report.tables.latex import to_tex
from tests.report.pages import all_pages, broken_links, everything

Make = Callable[..., Path]
EVIL = """"><script>alert('x')</script>' onmouseover=\"alert(1)\" {{ 7 * 7 }} | _x_ \\end{table} $%&#"""
FEW = ("gan", "veegan", "ae-ot", "real", "noise")


class Reader(HTMLParser):
    """Collects tags with their attributes, and the text outside of style and script."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text, self.open, self.scripts = "", "", []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.open = tag

    def handle_endtag(self, tag: str) -> None:
        self.open = ""

    def handle_data(self, data: str) -> None:
        if self.open == "script":
            self.scripts.append(data)
        elif self.open != "style":
            self.text += data


def read(path: Path) -> Reader:
    reader = Reader()
    for file in all_pages(path):
        reader.feed(file.read_text())
    return reader


@pytest.fixture(scope="module")
def evil(tmp_path_factory: pytest.TempPathFactory, published: Path, make: Make) -> Path:
    """A page of a run whose every text is hostile."""
    folder = make(tmp_path_factory.mktemp("evil"), EVIL, ("ring",), FEW, (0, 1))
    info = json.loads((folder / "run.json").read_text())
    for about in info["models"].values():
        about |= {"title": EVIL, "paper": EVIL, "options": {EVIL: EVIL}, "parameters": {EVIL: 3}}
    info["datasets"]["ring"]["title"] = EVIL
    info |= {"config": {"note": EVIL}, "machine": {"cpu": EVIL}, "versions": {EVIL: EVIL}, "finished": EVIL}
    info["budget"]["said"], info["code_version"] = EVIL, EVIL
    (folder / "run.json").write_text(json.dumps(info))
    table = pd.read_parquet(folder / "metrics.parquet")
    table.assign(device=EVIL, code_version=EVIL, config_hash=EVIL).to_parquet(folder / "metrics.parquet")
    return render(folder, published)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, published: Path, reference_folder: Path, make: Make) -> Path:
    return render(make(tmp_path_factory.mktemp("plain"), datasets=("grid",), models=FEW), published, reference_folder)


def test_hostile_text_is_text_and_nothing_else(evil: Path) -> None:
    reader = read(evil)
    assert set(reader.scripts[1::2]) == {page.asset("page.js")}  # the index of the search comes first
    for index in reader.scripts[::2]:
        assert "<" not in index and all(len(entry) == 3 for entry in json.loads(index))
    handlers = [name for _, attributes in reader.tags for name in attributes if name.startswith("on")]
    assert handlers == []
    assert reader.text.count("<script>alert('x')</script>") > 20  # shown as it was given
    assert "{{ 7 * 7 }}" in reader.text and "49 |" not in reader.text


def test_data_attributes_hold_numbers_alone(evil: Path) -> None:
    values = [about["data-value"] for _, about in read(evil).tags if "data-value" in about]
    assert len(values) > 50
    for value in values:
        float(str(value))


def test_markdown_escapes_what_is_hostile(evil: Path) -> None:
    text = (evil.parent / "report.md").read_text()
    bare = re.sub(r"\\[\\`*_\[\]<>|#]", "", text)
    assert "<" not in bare.replace("<br>", "") and "script" in text
    widths = {line.count("|") for line in bare.splitlines() if line.startswith("| ") and line.endswith(" |")}
    assert all(width > 2 for width in widths)


def balanced(text: str) -> bool:
    """Whether the braces of LaTeX source are balanced, and no special character stands bare."""
    bare = re.sub(r"\\[\\&%$#_{}]", "", text)
    depth = 0
    for character in bare:
        depth += {"{": 1, "}": -1}.get(character, 0)
        if depth < 0:
            return False
    body = "\n".join(line for line in bare.splitlines() if not line.startswith("%"))
    return depth == 0 and not re.search(r"[#_%~^]", re.sub(r"\$[^$]*\$|\\label\{[^}]*\}", "", body))


@pytest.mark.parametrize("which", ["evil", "plain"])
def test_latex_is_balanced_and_every_row_has_its_columns(which: str, request: pytest.FixtureRequest) -> None:
    files = sorted((request.getfixturevalue(which).parent / "tables").glob("*.tex"))
    assert len(files) > 5
    for file in files:
        text = file.read_text()
        assert balanced(text), file.name
        assert text.count("\\begin{longtable}") == text.count("\\end{longtable}") > 0
        assert text.count("\\begingroup") == text.count("\\endgroup") == 1
        assert all(rule in text for rule in ("\\toprule", "\\bottomrule", "\\caption{", "\\label{tab:"))
        for part in text.split("\\begin{longtable}")[1:]:
            spec = re.match(r"\{((?:p\{\d+pt\}|[lr])+)\}", part)
            assert spec is not None
            lines = part.split("\\toprule", 1)[1].splitlines()
            rows = [line for line in lines if line.endswith(r" \\") and "multicolumn" not in line]
            widths = {len(re.findall(r"(?<!\\)&", row)) + 1 for row in rows}
            assert widths <= {len(re.findall(r"p\{\d+pt\}|[lr]", spec[1]))}, file.name


def test_latex_escapes_every_special_character() -> None:
    table = Table("t", "a", "b", (Column("x", "50 %_{}#&$~^\\"),), (Row("r", EVIL, "", (Cell(EVIL, {}),)),))
    text = to_tex(table)
    assert (
        balanced(text)
        and "\\end{table} $" not in text
        and text.count("\\end{longtable}") == 1
        and "\\end{table}" not in text
    )


def test_every_figure_is_there_for_a_paper(plain: Path) -> None:
    names = set(re.findall(r'id="figure-([^"]+)"', everything(plain)))
    folder = plain.parent / "figures"
    assert names and names == {path.stem for path in folder.glob("*.pdf")} == {
        path.stem for path in folder.glob("*.svg")
    }
    assert all((folder / f"{name}.pdf").read_bytes().startswith(b"%PDF-") for name in names)
    linked = re.findall(r"\]\(figures/([^)]+)\.png\)", (plain.parent / "report.md").read_text())
    assert set(linked) == names


def test_the_policy_allows_the_page_its_own_style_and_script_alone(plain: Path) -> None:
    html = plain.read_text()
    (policy,) = {about["content"] or "" for tag, about in read(plain).tags if "http-equiv" in about}
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'" and rules["img-src"] == "data: 'self' file:"
    for tag, rule in (("style", "style-src"), ("script", "script-src")):
        (text,) = re.findall(rf"<{tag}>(.*?)</{tag}>", html, re.S)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert rules[rule] == f"'sha256-{digest}'"
    assert not [about for _, about in read(plain).tags if "style" in about]


def test_headline_then_figures_then_further_tables_and_long_ones_folded(plain: Path) -> None:
    html = (plain.parent / "pages" / "data-grid.html").read_text() + (plain.parent / "pages" / "run.html").read_text()
    order = [html.index(f'id="{one}"') for one in ("table-grid_headline", "figure-grid_scatter", "table-grid_further")]
    assert order == sorted(order)
    for name, folded in (("ledger", True), ("cells", True), ("grid_headline", False), ("grid_cost", False)):
        after = html.split(f'id="table-{name}"')[1].lstrip(">\n ")
        assert after.startswith("<details>") is folded, name
    assert page.is_long(Table("grid_full", "", "", (), ()))
    assert broken_links(plain) == []


def test_the_first_screen_says_what_it_must(plain: Path) -> None:
    head = plain.read_text().split('<section class="panel"')[0]
    for said in ("Small budget", "15 cells", "235 published figures", "controls", "Most modes", "Cost of training"):
        assert said in head, said


def test_controls_are_marked_for_hiding(plain: Path) -> None:
    html = everything(plain)
    part = html.split('id="table-grid_headline"')[1].split("</table>")[0]
    assert re.findall(r'<tr class="control"><th scope="row">([^<]+)', part) == ["Held-out real", "Noise"]
    cells = html.split('id="table-cells"')[1].split("</table>")[0]
    assert cells.count('<tr class="control">') == 6 and cells.count("<tr>") == 9 + 1
    assert not re.search(r'data-value="[^"]*">feedbeef|data-value="[^"]*">grid/', cells)  # words sort as words
    assert "grid/veegan/2</td>" in cells and "feedbeef</td>" in cells


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ({"": 0.25}, "0.25"),
        ({"": "17.3"}, "17.3"),
        ({"": float("inf")}, "Infinity"),
        ({"": float("-inf")}, "-Infinity"),
        ({"": float("nan")}, ""),
        ({"": "gan"}, ""),
        ({"": None}, ""),
        ({}, ""),
    ],
)
def test_what_a_cell_is_sorted_by(raw: dict[str, object], said: str) -> None:
    assert page.raw_number(Cell("text", raw)) == said  # type: ignore[arg-type]


def test_the_markdown_holds_the_answers_the_tables_and_the_provenance(plain: Path) -> None:
    text = (plain.parent / "report.md").read_text()
    for said in (
        "## Who leads",
        "| Most modes |",
        "**AE-OT**",
        "Small budget",
        "235 published figures",
        "feedbeef",
    ):
        assert said in text, said
    assert "[tables/cells.md](tables/cells.md)" in text and "otbench reproduce results/default grid/gan/0" in text
    assert text.index("AE-OT Table 2 and PacGAN Table 1") < text.index("figures/grid_scatter.png")
    links = re.findall(r"\]\(((?:tables|figures)/[^)]+)\)", text)
    assert links and all((plain.parent / link).is_file() for link in links)
