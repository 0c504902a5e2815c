"""A check that renders a chapter's template on every side of its conditions."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from types import ModuleType

import numpy as np
from jinja2 import Template, meta, nodes

from otbench.report.theory import prose
from otbench.theory.findings import Findings

MARK = re.compile("\x01([0-9]+)\x01")


def check_branches(chapter: ModuleType, found: Findings) -> None:
    """Renders both sides of each condition; the report shows all texts of the template, and they use all values."""
    environment, known = prose.environment(), chapter.derived(found)
    source = environment.loader.get_source(environment, f"{chapter.CHAPTER}.md.j2")[0]
    tree = environment.parse(source)
    assert set(vars(known)) <= meta.find_undeclared_variables(tree), "values that no sentence uses"
    called = {call.node.name for call in tree.find_all(nodes.Call) if isinstance(call.node, nodes.Name)}
    texts = {macro.name for macro in tree.find_all(nodes.Macro)} - called
    marks = mark(tree)
    template = Template.from_code(environment, environment.compile(tree, chapter.CHAPTER), environment.globals)
    seen = set()
    for values in flipped(known):
        filled = template.make_module(prose.context(found, values))
        for name in texts:
            marked = getattr(filled, name)()
            seen |= {int(one) for one in MARK.findall(marked)}
            text = " ".join(MARK.sub("", marked).split())
            assert not re.search(r" [,.;:)]|[(] |[,.;:][,.;:]", text) and re.search("[.)]$", text), text
    assert seen == marks, f"sides of conditions that no values reach: {sorted(marks - seen)}"
    shown = {*chapter.said(found), *(one.caption for one in chapter.tables(found))}
    shown |= {caption for _, _, caption, _, _ in chapter.figures(found)}
    text = prose.fill(chapter.CHAPTER, found, known)
    assert {text(name) for name in texts} == shown


def mark(tree: nodes.Template) -> set[int]:
    """Puts a mark on both sides of each condition, which must be made of booleans; returns the marks."""
    assert not list(tree.find_all(nodes.CondExpr)), "a condition inside an expression"
    count = itertools.count()
    marks = set()

    def sign() -> nodes.Output:
        marks.add(number := next(count))
        return nodes.Output([nodes.TemplateData(f"\x01{number}\x01")])

    conditions = list(tree.find_all(nodes.If))
    further = {id(one) for condition in conditions for one in condition.elif_}
    for one in conditions:
        parts = [one.test, *one.test.find_all(nodes.Expr)]
        assert all(isinstance(part, nodes.Name | nodes.Getattr | nodes.Not | nodes.And | nodes.Or) for part in parts)
        one.body.insert(0, sign())
        if id(one) not in further:
            one.else_.insert(0, sign())
    return marks


def flipped(known: object) -> Iterator[object]:
    """The values with their booleans changed: every way for a few, else by ones and twos from three starts.

    Each is made once as it is and once with each of its tuples twice as long.
    """
    n = booleans(known)
    if n <= 8:
        ways = set(itertools.product((False, True), repeat=n))
    else:
        changes = [{*some} for k in range(3) for some in itertools.combinations(range(n), k)]
        starts = ([False] * n, [True] * n, [k % 2 == 0 for k in range(n)])
        ways = {tuple(flag != (k in some) for k, flag in enumerate(start)) for start in starts for some in changes}
    for way in sorted(ways):
        one = rebuilt(known, iter(way))
        yield one
        yield replace(one, **{name: 2 * value for name, value in vars(one).items() if isinstance(value, tuple)})


def booleans(value: object) -> int:
    """How many booleans the value holds."""
    if is_dataclass(value):
        value = tuple(vars(value).values())
    return sum(map(booleans, value)) if isinstance(value, tuple) else isinstance(value, bool | np.bool)


def rebuilt(value: object, flags: Iterator[bool]) -> object:
    """The value with its booleans, and those of what it holds, taken from `flags`."""
    if isinstance(value, bool | np.bool):
        return next(flags)
    if is_dataclass(value):
        return replace(value, **{one.name: rebuilt(getattr(value, one.name), flags) for one in fields(value)})
    return tuple(rebuilt(one, flags) for one in value) if isinstance(value, tuple) else value
