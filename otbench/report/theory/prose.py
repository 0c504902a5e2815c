"""What the theory's chapters say: a jinja2 template a chapter, and the forms in which all of them write numbers.

A template holds a macro for each text (a paragraph of the chapter, or the caption of a table or figure). It chooses
between sentences by booleans alone; the chapter's module computes them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment

    from otbench.theory.findings import Findings


def fixed(value: float, places: int) -> str:
    """Writes a number with so many decimal places.

    Args:
        value: The number.
        places: Number of decimal places.

    Returns:
        The number's text: `3.14`.
    """
    return f"{value:.{places}f}"


def whole(value: float) -> str:
    """Writes a number rounded to an integer, with commas between thousands.

    Args:
        value: The number.

    Returns:
        The number's text: `1,234`.
    """
    return f"{value:,.0f}"


def digits(value: float, count: int = 6) -> str:
    """Writes a number with at most so many significant digits.

    Args:
        value: The number.
        count: Number of significant digits.

    Returns:
        The number's text; large and small numbers have a power of ten.
    """
    return f"{value:.{count}g}"


def significant(value: float, count: int = 3) -> str:
    """Writes a number with at most so many significant digits, and no power of ten where it is large.

    Args:
        value: The number.
        count: Number of significant digits.

    Returns:
        The number's text.
    """
    text = digits(value, count)
    return whole(value) if abs(float(text)) >= 10**count else text


def power(value: float, places: int = 0) -> str:
    """Writes a number with a power of ten and so many decimal places.

    Args:
        value: The number.
        places: Number of decimal places.

    Returns:
        The number's text: `1e-03`.
    """
    return f"{value:.{places}e}"


def signed(value: float, places: int) -> str:
    """Writes a number with its sign and so many decimal places.

    Args:
        value: The number.
        places: Number of decimal places.

    Returns:
        The number's text: `+0.50`.
    """
    return f"{value:+.{places}f}"


def signed_power(value: float, places: int) -> str:
    """Writes a number with its sign, a power of ten and so many decimal places.

    Args:
        value: The number.
        places: Number of decimal places.

    Returns:
        The number's text: `+1.5e-03`.
    """
    return f"{value:+.{places}e}"


def percent(share: float, places: int = 0) -> str:
    """Writes a share as a percentage with so many decimal places.

    Args:
        share: The share, 1 for all.
        places: Number of decimal places.

    Returns:
        The percentage with its sign: `50 %`.
    """
    return f"{fixed(100 * share, places)} %"


def counted(count: int, noun: str) -> str:
    """Writes a count with its noun.

    Args:
        count: The count.
        noun: The noun in the singular, with a plural in s.

    Returns:
        The text: `one seed`, `3 seeds`.
    """
    return f"one {noun}" if count == 1 else f"{count:,} {noun}s"


def listed(names: list[str]) -> str:
    """Writes names as a list.

    Args:
        names: The names.

    Returns:
        The text: `a, b and c`.
    """
    return " and ".join(part for part in (", ".join(names[:-1]), *names[-1:]) if part)


FORMS = {
    form.__name__: form
    for form in (fixed, whole, digits, significant, power, signed, signed_power, percent, counted, listed)
}
"""The filters of the templates."""


@cache
def environment() -> Environment:
    """The templates' environment.

    It escapes nothing: the page and the Markdown report escape the texts themselves.

    Returns:
        An environment with FORMS as filters, in which an undefined name is an error.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("otbench.report.theory"),
        autoescape=False,
        undefined=StrictUndefined,
    )
    made.filters |= FORMS
    return made


def context(findings: Findings, derived: object) -> dict[str, object]:
    """The names that a chapter's template knows.

    Args:
        findings: What the study found.
        derived: The chapter's dataclass of what its sentences need besides the study's facts.

    Returns:
        `facts` and `options` of the study, and the fields of `derived` by their names.
    """
    return {"facts": findings.facts, "options": findings.info.get("options", {}), **vars(derived)}


def fill(chapter: str, findings: Findings, derived: object) -> Callable[[str], str]:
    """Fills in a chapter's template.

    Args:
        chapter: Name of the chapter's module and template.
        findings: What the study found.
        derived: The chapter's dataclass of what its sentences need besides the study's facts.

    Returns:
        A function from the name of a macro to its text, on one line.
    """
    filled = environment().get_template(f"{chapter}.md.j2").make_module(context(findings, derived))
    return lambda name: " ".join(getattr(filled, name)().split())
