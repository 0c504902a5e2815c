"""The whole report from made-up runs: what is there, what is escaped, what is the same twice."""

from __future__ import annotations

import base64
import csv
import json
import re
import shutil
from collections.abc import Callable
from html import unescape
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pytest

from otbench import theory
from otbench.errors import OtbenchError
from otbench.report import render
from otbench.report.figures import base
from otbench.theory import compute
from tests.conftest import smoke
from tests.report.pages import all_pages, broken_links, everything, ids

Make = Callable[..., Path]
FEW = ("gan", "pacgan2", "veegan", "wgan", "ae-ot", "real", "memoriser", "collapsed", "noise")


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory, published: Path, reference_folder: Path, make: Make) -> Path:
    folder = make(tmp_path_factory.mktemp("rendered"), models=FEW)
    return render(folder, published, reference_folder)


def rows(path: Path) -> dict[str, dict[str, str]]:
    with path.open(newline="") as file:
        return {row[next(iter(row))]: row for row in csv.DictReader(file)}


def test_files_are_there_and_the_page_is_small(rendered: Path) -> None:
    folder = rendered.parent
    for name in ("headline", "further", "neighbours", "controls", "veegan"):
        assert all((folder / "tables" / f"grid_{name}.{kind}").stat().st_size for kind in ("csv", "md", "tex"))
    for name in ("scatter", "compare", "curves", "histograms", "cost"):
        assert all((folder / "figures" / f"ring_{name}.{kind}").stat().st_size for kind in ("png", "pdf", "svg"))
    assert rendered.stat().st_size < 2e6
    assert not [path for path in folder.rglob("*") if path.name.startswith(".") and path.name != ".figures"]


def test_the_page_needs_no_network(rendered: Path) -> None:
    for page in all_pages(rendered):
        html = page.read_text()
        assert not re.search(r"""(src|href)\s*=\s*["']?\s*(https?:)?//""", html)
        assert not re.search(r"@import|url\(|<link", html)
        assert re.findall(r"<script([^>]*)>", html) == [' id="index" type="application/json"', ""]
        assert len(ids(page)) == len(set(ids(page))), page.name  # an id is that of one thing
    assert broken_links(rendered) == []


def test_the_single_file_holds_everything(rendered: Path, published: Path, reference_folder: Path) -> None:
    folder = rendered.parent
    again = render(folder, published, reference_folder, single_file=True)
    single = folder / "report-single.html"
    html = single.read_text()
    assert again == rendered and len(ids(single)) == len(set(ids(single)))
    sources = re.findall(r'src="([^"]{0,30})', html)
    assert len(sources) > 10 and all(source.startswith("data:image/") for source in sources)
    anchors = {unquote(anchor) for anchor in re.findall(r'href="#([^"]+)"', html)}
    assert anchors and anchors <= set(ids(single))
    stored = re.search(r'href="data:text/csv;base64,([^"]+)" download="grid_headline.csv"', html)
    assert stored and base64.b64decode(stored[1]).decode() == (folder / "tables" / "grid_headline.csv").read_text()
    for page in (folder / "pages").glob("*.html"):
        assert f'id="page-{page.stem}"' in html


def test_figures_stay_where_their_data_do(
    rendered: Path, published: Path, reference_folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(rendered.parent, folder)
    drawn: list[str] = []
    kept = base.save

    def save(figure: object, where: Path, name: str) -> None:
        drawn.append(name)
        kept(figure, where, name)  # type: ignore[arg-type]

    monkeypatch.setattr(base, "save", save)
    render(folder, published, reference_folder)
    assert drawn == []
    (folder / "figures" / "ring_cost.pdf").unlink()
    render(folder, published, reference_folder)
    assert drawn == [] and (folder / "figures" / "ring_cost.pdf").is_file()
    (folder / ".figures" / "ring_cost.pdf").unlink()
    render(folder, published, reference_folder)
    assert drawn == ["ring_cost"]
    drawn.clear()
    table = pd.read_parquet(folder / "metrics.parquet")
    table.loc[(table["dataset"] == "ring") & (table["metric"] == "w2"), "value"] += 0.5
    table.to_parquet(folder / "metrics.parquet")
    render(folder, published, reference_folder)
    assert drawn and all(name.startswith("ring_") for name in drawn)


def test_a_figure_has_its_numbers(rendered: Path) -> None:
    with (rendered.parent / "figures" / "grid_curves.csv").open(newline="") as file:
        rows_of = list(csv.DictReader(file))
    values = pd.read_parquet(rendered.parent / "metrics.parquet").query(
        "dataset == 'grid' and model == 'pacgan2' and metric == 'modes' and status == 'ok'"
    )
    means = values.groupby("snapshot")["value"].mean()
    shown = [row for row in rows_of if row["series"] == "PacGAN2" and row["kind"] == "line"][: len(means)]
    assert [float(row["y"]) for row in shown] == pytest.approx(list(means), rel=1e-5)


def test_tables_hold_published_reference_and_this_run(rendered: Path) -> None:
    table = rows(rendered.parent / "tables" / "grid_headline.csv")
    assert list(table)[:4] == ["gan", "ali", "md-gan", "pacgan2"]  # the papers' order, run or not
    assert list(table)[-5:] == ["real", "memoriser", "collapsed", "noise", "floor"]
    gan = table["gan"]
    assert (gan["modes_published"], gan["modes_published_error"], gan["modes_published_error_kind"]) == (
        "17.3",
        "0.8",
        "se",
    )
    values = pd.read_parquet(rendered.parent / "metrics.parquet").query(
        "dataset == 'grid' and model == 'gan' and metric == 'modes' and snapshot == 1.0"
    )["value"]
    assert float(gan["modes_this_run"]) == pytest.approx(values.mean())
    assert float(gan["modes_this_run_error"]) == pytest.approx(values.std() / np.sqrt(3))
    assert gan["modes_reference_n"] == "10"
    assert table["ae-ot"]["reverse_kl_published"] == "" and table["ae-ot"]["reverse_kl_train_published"] == "0.007"
    assert gan["reverse_kl_published_certain"] == "no"
    assert table["ali"]["modes_this_run"] == "" and table["ali"]["seeds_this_run_expected"] == "0"


def test_missing_and_diverged_cells_are_seen(rendered: Path) -> None:
    tables = rendered.parent / "tables"
    assert rows(tables / "grid_headline.csv")["veegan"]["seeds_this_run_diverged"] == "1"
    assert rows(tables / "ring_headline.csv")["wgan"]["seeds_this_run_missing"] == "1"
    with (tables / "incomplete.csv").open() as file:
        found = {(row["data set"], row["model"], row["seed"], row["status"]) for row in csv.DictReader(file)}
    assert found == {("grid", "veegan", "1", "diverged"), ("ring", "wgan", "2", "missing")}
    html = everything(rendered)
    assert "2/3 ok, 1 diverged" in html and "2/3 ok, 1 missing" in html
    assert f"{2 * len(FEW) * 3 - 2} of {2 * len(FEW) * 3} cells" in html


def test_the_page_says_what_it_must(rendered: Path) -> None:
    html = everything(rendered)
    for text in (
        "Small budget",
        "otbench reproduce results/default grid/gan/0",
        "3,000 of the papers&#39; 400,000 steps",
        "98.89 %",
        "memoriser",
        "does not mean equal",
        "feedbeef",
    ):
        assert text in html
    assert "another set-up" in html  # VEEGAN's own table stands apart
    controls = rows(rendered.parent / "tables" / "grid_controls.csv")
    assert controls["modes"]["verdict"] == controls["high_quality"]["verdict"] == "right order"


def test_everything_untrusted_is_escaped(tmp_path: Path, published: Path, make: Make) -> None:
    evil = "<img src=x onerror=alert(1)>"
    folder = make(tmp_path, evil, ("swissroll",), ("gan", "real"), (0,))
    info = json.loads((folder / "run.json").read_text())
    info["models"]["gan"] |= {"title": evil, "paper": evil, "options": {evil: evil}}
    info["datasets"]["swissroll"]["title"] = evil
    info["config"], info["machine"], info["versions"] = {"note": evil}, {"cpu": evil}, {evil: evil}
    info["budget"]["said"] = evil
    (folder / "run.json").write_text(json.dumps(info))
    table = pd.read_parquet(folder / "metrics.parquet").assign(protocol=evil, device=evil, code_version=evil)
    table.to_parquet(folder / "metrics.parquet")
    page = render(folder, published)
    html = everything(page)
    assert "<img src=x" not in html and "&lt;img src=x onerror" in html
    assert "<img src=x" not in (folder / "report.md").read_text().replace("\\<", "")
    assert "<img" not in "".join(path.read_text() for path in (folder / "tables").glob("*.tex"))


def test_one_seed_and_a_data_set_without_modes(tmp_path: Path, published: Path, make: Make) -> None:
    folder = make(tmp_path, datasets=("swissroll",), models=("gan", "ae-ot", "real", "noise"), seeds=(0,))
    html = everything(render(folder, published))
    assert "one seed, so no error bar and no test" in html
    assert not (folder / "tables" / "swissroll_headline.csv").exists()
    assert float(rows(folder / "tables" / "swissroll_further.csv")["gan"]["w2_this_run"]) > 0


def test_nothing_but_trouble_still_renders(tmp_path: Path, published: Path, make: Make) -> None:
    folder = make(tmp_path, datasets=("ring", "swissroll"), models=("gan", "real"), seeds=(0, 1))
    table = pd.read_parquet(folder / "metrics.parquet")
    lost = (table["model"] == "gan") | (table["dataset"] == "swissroll")
    table.loc[lost, ["value", "status"]] = [np.nan, "failed"]
    table.to_parquet(folder / "metrics.parquet")
    np.savez(folder / "scatter.npz")
    html = everything(render(folder, published))
    assert "2 of 8 cells" in html and "6 failed" in html
    assert "No metric was measured on this data set." in html
    assert rows(folder / "tables" / "ring_headline.csv")["gan"]["seeds_this_run_failed"] == "2"


def test_twice_gives_the_same_bytes_and_shows_the_reference_once(tmp_path: Path, published: Path, make: Make) -> None:
    folder = make(tmp_path / "run", "reference", ("ring",), ("gan", "ae-ot", "real"), (0, 1))
    render(folder, published, folder)
    kept = [
        path for path in sorted(folder.rglob("*.*")) if path.suffix in (".csv", ".md", ".tex", ".svg", ".pdf", ".html")
    ]
    first = {path: path.read_bytes() for path in kept}
    render(folder, published, folder, tmp_path / "again")
    assert len(first) > 20
    assert [
        path.name for path in kept if (tmp_path / "again" / path.relative_to(folder)).read_bytes() != first[path]
    ] == []
    head = (folder / "tables" / "ring_headline.csv").read_text().splitlines()[0]
    assert "modes_reference" in head and "this_run" not in head


def test_wrong_inputs_are_named(tmp_path: Path, published: Path, make: Make) -> None:
    with pytest.raises(OtbenchError, match="no run at"):
        render(tmp_path / "none", published)
    folder = make(tmp_path / "run", datasets=("ring",), models=("real",), seeds=(0,))
    with pytest.raises(OtbenchError, match="no run at .*elsewhere"):
        render(folder, published, tmp_path / "elsewhere")
    table = pd.read_parquet(folder / "metrics.parquet")
    info = (folder / "run.json").read_text()

    def refuses(said: str) -> None:
        with pytest.raises(OtbenchError, match=said):
            render(folder, published)

    table.drop(columns="status").to_parquet(folder / "metrics.parquet")
    refuses("column.s. status are missing")
    table.assign(status="fine").to_parquet(folder / "metrics.parquet")
    refuses("expected one of ok, diverged, failed, missing, got 'fine'")
    pd.concat([table, table]).to_parquet(folder / "metrics.parquet")
    refuses("is measured twice under one protocol")
    (folder / "metrics.parquet").write_bytes(b"not a table")
    refuses("is not a parquet table")
    (folder / "metrics.parquet").unlink()
    refuses("metrics.parquet: no such file")
    table.to_parquet(folder / "metrics.parquet")
    (folder / "run.json").write_text(json.dumps({"run": "x"}))
    refuses("expected the key 'expected' with a list")
    (folder / "run.json").write_text(info)
    np.savez(folder / "scatter.npz", **{"ring/real": np.zeros((3, 3))})
    refuses(r"array ring/real: expected floats of shape \(n, 2\), got \(3, 3\)")
    (folder / "scatter.npz").unlink()
    refuses("scatter.npz: no such file")
    assert not (folder / "report.html").exists() and not (folder / "tables").exists()


def test_the_theory_has_its_chapters_and_says_what_is_missing(published: Path, tmp_path: Path, make: Make) -> None:
    folder = make(tmp_path, models=("gan", "real"))
    compute("potentials", smoke("potentials")).write(folder / "theory" / "potentials.npz")
    info = json.loads((folder / "run.json").read_text())
    info["config"] = {**(info.get("config") or {}), "theory": {"potentials": {}, "folding": {}, "blur": None}}
    (folder / "run.json").write_text(json.dumps(info))
    html = everything(render(folder, published))
    title = theory.module("potentials").TITLE
    assert html.count(f"<h1>{title}</h1>") == 1 and 'href="pages/theory-potentials.html"' in html
    missing = re.search(r"<strong>Not computed:</strong> ([^<]+)</p>", html)
    assert missing and unescape(missing[1]) == theory.module("folding").TITLE
    assert (folder / "tables" / "theory_potentials_known.csv").stat().st_size > 100
    assert (folder / "figures" / "theory_potentials_cells.pdf").stat().st_size > 1000
    text = (folder / "report.md").read_text()
    assert "## The theory, drawn and checked" in text and f"### {title}" in text and "**Not computed:** Fold" in text


def test_a_damaged_file_of_the_theory_gets_a_sentence(published: Path, tmp_path: Path, make: Make) -> None:
    folder = make(tmp_path, models=("gan", "real"))
    (folder / "theory").mkdir()
    (folder / "theory" / "blur.npz").write_bytes(b"PK\x03\x04 broken")
    with pytest.raises(OtbenchError, match="blur.npz is damaged, truncated or not what `otbench theory` writes"):
        render(folder, published)
