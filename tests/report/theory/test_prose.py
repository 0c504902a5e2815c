"""The chapters' words stand in templates, which know their numbers' forms and refuse what they are not given."""

from __future__ import annotations

import ast
import math
import tomllib
from pathlib import Path

import pytest
from jinja2 import UndefinedError

from otbench.registry import THEORIES
from otbench.report.theory import prose
from otbench.theory.findings import Findings

THEORY = Path(prose.__file__).parent
CHAPTERS = [name.replace("-", "_") for name in THEORIES]
LONGEST = 70
"""Characters of the longest title or label."""


def literals(tree: ast.AST) -> list[str]:
    """The strings of a module but its docstrings; values in a formatted string count as one character."""
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            found.append("".join(one.value if isinstance(one, ast.Constant) else "0" for one in node.values))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs | parts:
            found.append(node.value)
    return found


@pytest.mark.parametrize("path", sorted(THEORY.glob("*.py")), ids=lambda path: path.stem)
def test_no_prose_is_left_in_python(path):
    long = [text for text in literals(ast.parse(path.read_text())) if len(text) > LONGEST and " " in text]
    assert not long


def test_prose_in_python_would_be_seen():
    words = "The loss falls, and " + "so " * 20
    tree = ast.parse(f'def f():\n    """{words}"""\n    return f"{words}{{1}}", "{words}"')
    assert literals(tree) == [f"{words}0", words]


def test_every_chapter_has_a_template_that_is_packaged(root):
    names = {path.name for path in (THEORY / "templates").iterdir()}
    assert names == {f"{name}.md.j2" for name in [*CHAPTERS, "chapter"]}
    data = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    packaged = [path.name for pattern in data["otbench.report.theory"] for path in THEORY.glob(pattern)]
    assert set(packaged) == names


def test_forms_of_numbers():
    forms = prose.environment().filters
    assert forms["fixed"](1234.567, 1) == "1234.6"
    assert forms["whole"](1234.567) == "1,235"
    assert forms["digits"](0.00012345, 2) == "0.00012" and forms["digits"](0.5) == "0.5"
    assert forms["power"](0.00012345, 1) == "1.2e-04" and forms["signed_power"](12.0, 1) == "+1.2e+01"
    assert forms["signed"](0.126, 2) == "+0.13" and forms["signed"](-1.0, 2) == "-1.00"
    assert forms["percent"](0.1234, 1) == "12.3 %" and forms["percent"](1.0) == "100 %"
    assert forms["counted"](1, "seed") == "one seed" and forms["counted"](3, "seed") == "3 seeds"
    assert [forms["listed"](names) for names in ([], ["a"], ["a", "b", "c"])] == ["", "a", "a, b and c"]


def test_significant_digits_have_no_power_of_ten_where_a_number_is_large():
    assert prose.significant(0.01234) == "0.0123" and prose.significant(99.7, 2) == "100"
    assert prose.significant(1234.5) == "1,234" and prose.significant(-999.7) == "-1,000"
    assert prose.significant(math.inf) == "inf" and prose.significant(math.nan) == "nan"


class Nothing:
    """Values of a chapter that has none."""


def test_a_missing_value_is_an_error_and_nothing_is_escaped():
    found = Findings("chapter", {"a": "<b> & 'c'"})
    template = prose.environment().from_string("{% macro text() %}\n{{ facts.a }}\n{% endmacro %}{{ missing }}")
    with pytest.raises(UndefinedError, match="missing"):
        template.make_module(prose.context(found, Nothing()))
    with pytest.raises(UndefinedError, match="has_dataset"):
        prose.fill("chapter", found, Nothing())("made")
    plain = prose.environment().from_string("{{ facts.a }}")
    assert plain.render(prose.context(found, Nothing())) == "<b> & 'c'"
