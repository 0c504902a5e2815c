"""Docstrings of public functions: Google style, with every parameter and what is returned."""

from __future__ import annotations

import ast

import pytest

from tests.conftest import ROOT

PACKAGE = ROOT / "otbench"
TREES = {str(path.relative_to(PACKAGE)): ast.parse(path.read_text()) for path in sorted(PACKAGE.rglob("*.py"))}
CLASSES: dict[str, list[ast.ClassDef]] = {}
for tree in TREES.values():
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            CLASSES.setdefault(node.name, []).append(node)
#: classes of other packages whose methods ours override
FOREIGN = ("Module", "Action", "Formatter", "Handler", "StreamHandler", "HTMLParser", "Filter", "JSONEncoder")


def inherited(owner: ast.ClassDef, method: str) -> bool:
    """Whether a class has the method from a base, which documents it."""
    bases = [getattr(base, "attr", getattr(base, "id", "")) for base in owner.bases]
    ours = [one for base in bases for one in CLASSES.get(base, []) if one is not owner]
    foreign = {name for name in bases if name in FOREIGN}
    foreign |= {one.attr for one in owner.bases if isinstance(one, ast.Attribute) and ast.unparse(one.value) == "nn"}
    here = any(isinstance(part, ast.FunctionDef) and part.name == method for one in ours for part in one.body)
    return here or bool(foreign) or any(inherited(one, method) for one in ours)


def functions(node: ast.Module | ast.ClassDef) -> list[tuple[ast.FunctionDef, bool]]:
    """Public functions and methods, and whether each is a method with a first parameter of its own."""
    found = []
    for part in node.body:
        if isinstance(part, ast.ClassDef) and not part.name.startswith("_"):
            found += functions(part)
        elif isinstance(part, ast.FunctionDef) and not part.name.startswith("_"):
            method = isinstance(node, ast.ClassDef)
            if not method or not inherited(node, part.name):
                static = any("staticmethod" in ast.unparse(one) for one in part.decorator_list)
                found.append((part, method and not static))
    return found


def lacking(function: ast.FunctionDef, method: bool) -> list[str]:
    """What the docstring of a function lacks."""
    text = ast.get_docstring(function) or ""
    decorators = {ast.unparse(one).split(".")[-1] for one in function.decorator_list}
    if decorators & {"property", "cached_property", "setter"}:
        return [] if text else ["docstring"]
    arguments, given = function.args, text.partition("Args:")[2].partition("Returns:")[0]
    plain = [one.arg for one in (*arguments.posonlyargs, *arguments.args)][method:]
    several = [f"*{arguments.vararg.arg}"] if arguments.vararg else []
    several += [f"**{arguments.kwarg.arg}"] if arguments.kwarg else []
    names = [*plain, *several, *(one.arg for one in arguments.kwonlyargs)]
    missing = [name for name in names if not name.startswith("_") and f"    {name}:" not in given]
    returned = ast.unparse(function.returns) if function.returns else "None"
    silent = returned in ("None", "NoReturn") or "Returns:" in text or "Yields:" in text
    return [*(["docstring"] if not text else []), *missing, *([] if silent else ["Returns"])]


@pytest.mark.parametrize("name", TREES)
def test_public_functions_say_what_they_take_and_give(name):
    faults = {one.name: lack for one, method in functions(TREES[name]) if (lack := lacking(one, method))}
    assert not faults, f"{name}: {faults}"


def test_the_rule_sees_what_is_missing():
    text = "def f(x, *y, _z=0) -> int:\n    '''Sum.\n\n    Args:\n        x: A number.\n    '''\n"
    ((function, method),) = functions(ast.parse(text))
    assert lacking(function, method) == ["*y", "Returns"]


def test_files_have_a_docstring_of_their_own():
    assert not [name for name, tree in TREES.items() if tree.body and not ast.get_docstring(tree)]


def test_no_file_is_much_longer_than_four_hundred_lines():
    lines = {str(path.relative_to(PACKAGE)): len(path.read_text().splitlines()) for path in PACKAGE.rglob("*.py")}
    assert max(lines.values()) <= 430, {name: count for name, count in lines.items() if count > 430}
