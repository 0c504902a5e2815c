"""Tables in LaTeX: longtables with booktabs that fit the text of an article and break over pages."""

from __future__ import annotations

import re
import textwrap
import unicodedata
from dataclasses import dataclass

from otbench.report.tables.base import Cell, Column, Row, Table

TEXT_WIDTH = 345.0
"""Width of the text of LaTeX's article class at 10 points, in points: the narrowest page that a table must fit."""
SIZE, COLUMN_SEP = 8.0, 2.5
"""Size of the letters (`\\footnotesize`) and the space on either side of a column, both in points."""
WIDEST, NARROWEST = 112.0, 34.0
"""Widest column of words before its text is broken into lines, and narrowest that a label is broken to, in points."""
LABEL = 104.0
"""Widest column of the rows' labels, in points."""

_TEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "±": r"$\pm$",
    "∞": r"$\infty$",
    "−": "$-$",
    "–": "--",
    "†": r"$^\dagger$",
    "‡": r"$^\ddagger$",
    "≥": r"$\ge$",
    "≤": r"$\le$",
    "·": r"$\cdot$",
    "σ": r"$\sigma$",
    "×": r"$\times$",
    "≈": r"$\approx$",
    "→": r"$\rightarrow$",
    "²": r"$^2$",
    "³": r"$^3$",
    "α": r"$\alpha$",
    "β": r"$\beta$",
    "γ": r"$\gamma$",
    "δ": r"$\delta$",
    "ε": r"$\varepsilon$",
    "θ": r"$\theta$",
    "λ": r"$\lambda$",
    "μ": r"$\mu$",
    "π": r"$\pi$",
    "φ": r"$\varphi$",
    "χ": r"$\chi$",
    "ψ": r"$\psi$",
    "ω": r"$\omega$",
    "…": r"\ldots{}",
}


@dataclass(frozen=True)
class _Part:
    """Some of a table's columns that fit the width of the text: their places, and the width of each, 0 for its own."""

    places: tuple[int, ...]
    widths: tuple[float, ...]


def tex(text: str) -> str:
    """Escape what LaTeX would read as commands, and what its standard fonts lack.

    Args:
        text: Plain text.

    Returns:
        The text for LaTeX, on one line.
    """
    return "".join(map(_letter, " ".join(text.split())))


def to_tex(table: Table) -> str:
    """The table as longtables for the packages booktabs and longtable.

    A table that is wider than the text of an article is cut into several, each with some of the columns.

    Args:
        table: Table to write.

    Returns:
        Text in LaTeX.
    """
    label = min(_label_width(table), LABEL)
    parts = _parts(table, label)
    lines = ["% needs \\usepackage{booktabs,longtable}", "\\begingroup\\footnotesize"]
    lines += [
        f"\\setlength{{\\tabcolsep}}{{{COLUMN_SEP:g}pt}}\\setlength{{\\LTcapwidth}}{{\\textwidth}}\\emergencystretch=2em"
    ]
    for at, part in enumerate(parts):
        lines += _longtable(table, part, label, at, len(parts))
    if table.notes:
        lines += ["\\noindent", *(_breakable(note) + "\\par" for note in table.notes)]
    return "\n".join([*lines, "\\endgroup"]) + "\n"


def width(text: str) -> float:
    """Width of a line in Computer Modern at SIZE, never too small.

    Args:
        text: Plain text.

    Returns:
        Points.
    """
    return SIZE * sum(_em(letter) for letter in text)


def _letter(letter: str) -> str:
    if letter in _TEX:
        return _TEX[letter]
    if ord(letter) < 0x180 or letter in "“”‘’—":
        return letter
    plain = unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode()
    return tex(plain) if plain else f"[U+{ord(letter):04X}]"


def _em(letter: str) -> float:
    if letter in "iljtfrI.,:;'|!()[] ":
        return 0.40
    if letter in "mwMWQO@%&±−×∞≥≤≈→":
        return 0.98
    return 0.80 if letter.isupper() else 0.56


def _label_width(table: Table) -> float:
    return max(width(text) for text in [table.row_head, *(row.label for row in table.rows)])


def _widths(table: Table) -> list[tuple[float, bool]]:
    """Width of every column, and whether its text is broken into lines."""
    sizes = []
    for at, column in enumerate(table.columns):
        texts = [row.cells[at].text + ("m" if row.cells[at].strong else "") for row in table.rows]
        widest = max(map(width, texts), default=0.0)
        head = max(map(width, _broken(column.label, max(widest, NARROWEST))), default=0.0)
        wanted = max(widest, head)
        sizes.append((min(wanted, WIDEST), wanted > WIDEST))
    end = 0
    for group, span in table.groups:  # a long word above a group widens its last column
        end += span
        longest = max(map(width, group.split()), default=0.0)
        lack = longest - sum(size for size, _ in sizes[end - span : end]) - 2 * COLUMN_SEP * (span - 1)
        if lack > 0:
            sizes[end - 1] = (sizes[end - 1][0] + lack, sizes[end - 1][1])
    return sizes


def _parts(table: Table, label: float) -> list[_Part]:
    """The columns, in as few parts as fit; a group of columns stays together where it can."""
    sizes, room = _widths(table), TEXT_WIDTH - label - 2 * COLUMN_SEP
    parts: list[list[int]] = [[]]

    def size(places: list[int]) -> float:
        return sum(sizes[at][0] + 2 * COLUMN_SEP for at in places)

    start = 0
    for _, span in table.groups:
        group = list(range(start, start + span))
        start += span
        if parts[-1] and table.columns[group[0]].group and size(parts[-1] + group) > room and size(group) <= room:
            parts.append([])
        for at in group:
            if parts[-1] and size([*parts[-1], at]) > room:
                parts.append([])
            parts[-1].append(at)
    return [
        _Part(tuple(places), tuple(min(sizes[at][0], room) if sizes[at][1] else 0.0 for at in places))
        for places in parts
    ]


def _longtable(table: Table, part: _Part, label: float, at: int, number: int) -> list[str]:
    columns = [table.columns[place] for place in part.places]
    spec = f"p{{{label:.0f}pt}}" if _label_width(table) > LABEL else "l"
    spec += "".join(
        f"p{{{wide:.0f}pt}}" if wide else column.align for column, wide in zip(columns, part.widths, strict=True)
    )
    more = f" ({at + 1} of {number})" if number > 1 else ""
    caption = f"{tex(table.title)}{more}." + ("" if at else f" {_breakable(table.whole_caption)}")
    tag = f"\\label{{tab:{table.name}{f':{at + 1}' if at else ''}}}"
    heads = _heads(table, part, columns)
    lines = [f"\\begin{{longtable}}{{{spec}}}", f"\\caption{{{caption}}}{tag} \\\\", "\\toprule", *heads, "\\midrule"]
    lines += ["\\endfirsthead", "\\toprule", *heads, "\\midrule", "\\endhead", "\\bottomrule", "\\endfoot"]
    for position, (block, rows) in enumerate(table.headed_blocks):
        if position:
            lines.append("\\midrule")
        if block:
            lines.append(f"\\multicolumn{{{len(columns) + 1}}}{{l}}{{\\emph{{{tex(block)}}}}} \\\\*")
        lines += [_row(row, part) for row in rows]
    return [*lines, "\\end{longtable}"]


def _heads(table: Table, part: _Part, columns: list[Column]) -> list[str]:
    lines, sizes = [], _widths(table)
    spans: list[tuple[str, list[int]]] = []
    for place in part.places:
        group = table.columns[place].group
        if spans and spans[-1][0] == group:
            spans[-1][1].append(place)
        else:
            spans.append((group, [place]))
    if any(group for group, _ in spans):
        cells, rules, start = [""], [], 2
        for group, places in spans:
            room = sum(sizes[place][0] + 2 * COLUMN_SEP for place in places) - 2 * COLUMN_SEP
            cells.append(f"\\multicolumn{{{len(places)}}}{{c}}{{{_stack(group, room, 'c')}}}")
            if group:
                rules.append(f"\\cmidrule(lr){{{start}-{start + len(places) - 1}}}")
            start += len(places)
        lines += [" & ".join(cells) + r" \\", "".join(rules)]
    texts = [tex(table.row_head)]
    for place, column, wide in zip(part.places, columns, part.widths, strict=True):
        widest = max((width(row.cells[place].text) for row in table.rows), default=0.0)
        stack = _stack(column.label, max(min(widest, WIDEST), NARROWEST), column.align)
        texts.append(_breakable(column.label) if wide else stack)
    return [*lines, " & ".join(texts) + r" \\"]


def _row(row: Row, part: _Part) -> str:
    texts = [_breakable(row.label) if width(row.label) > LABEL else tex(row.label)]
    for place, wide in zip(part.places, part.widths, strict=True):
        cell: Cell = row.cells[place]
        text = _breakable(cell.text) if wide else tex(cell.text)
        texts.append(f"\\textbf{{{text}}}" if cell.strong else text)
    return " & ".join(texts) + r" \\"


def _broken(text: str, room: float) -> list[str]:
    """The text in lines of at most `room` points, or as long as its longest word."""
    letters = max(4, int(room / (0.56 * SIZE)))
    return textwrap.wrap(text, letters, break_long_words=False, break_on_hyphens=False) or [""]


def _stack(text: str, room: float, align: str) -> str:
    lines = _broken(text, room)
    if len(lines) == 1:
        return tex(lines[0])
    stacked = r" \\ ".join(map(tex, lines))
    return f"\\shortstack[{align}]{{{stacked}}}"


def _breakable(text: str) -> str:
    """The text for LaTeX, with places where a long word may break."""
    return " ".join(_word(word) for word in text.split())


def _word(word: str) -> str:
    if len(word) < 13:
        return tex(word)
    pieces = re.findall(r"[^;=/_,:@+\-]{1,8}[;=/_,:@+\-]*|[;=/_,:@+\-]+", word)
    return "\\allowbreak{}".join(map(tex, pieces))
