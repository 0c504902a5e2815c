"""What a rule's result depends on: digests of the sources behind each verb, the triggers of the workflow."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache

from otbench.provenance import code_version
from otbench.registry import ROOT, model_files

#: sources that every fit depends on
TRAINING = (
    "data/base.py",
    "nets/layers.py",
    "nets/replicas.py",
    "training",
    "models/base.py",
    "models/inputs.py",
    "models/__init__.py",
    "utils/devices.py",
    "utils/rng.py",
)


@cache
def fit_version(model: str, kind: str | None = None) -> str:
    """A digest of the sources that fitting and drawing `model` depends on: a job runs again when one changes."""
    return code_version(*TRAINING, *sorted(sources(model, kind)))


def sources(model: str, kind: str | None = None) -> set[str]:
    """The file of `model` and what it imports of ours, as paths in the package.

    Of models and networks only those that it imports, directly or through another; of transport and metrics the whole
    package where any of them is imported.
    """
    found: set[str] = set()
    todo = [own] if (own := model_files(kind).get(model, "")) else []
    while todo:
        path = todo.pop()
        if path not in found:
            found.add(path)
            todo += _imported(path)
    return found


@cache
def _imported(path: str) -> list[str]:
    """The models, networks and packages of ours that a file imports itself, as paths in the package."""
    found: list[str] = []
    for area, names in _named(path):
        if area in ("transport", "metrics"):
            found.append(area)
        elif area in ("models", "nets"):
            found += [file for file in (f"{name}.py" for name in names) if (ROOT / file).is_file()]
    return found


def _named(path: str) -> Iterator[tuple[str, list[str]]]:
    """What a file imports of ours, an import each: the area of the package, and the paths without `.py` that may be
    meant, the module itself or modules of the package that is named; nothing of a folder.
    """
    if (ROOT / path).is_dir():
        return
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("otbench."):
            parts = node.module.split(".")[1:]
            yield parts[0], ["/".join(parts), *("/".join([*parts, alias.name]) for alias in node.names)]


@cache
def theory_version(name: str) -> str:
    """A digest of the sources that a study of the theory depends on: its own, and all of ours that they import."""
    folder = f"theory/{name.replace('-', '_')}"
    todo = [*sorted(str(file.relative_to(ROOT)) for file in (ROOT / folder).glob("*.py")), "theory/findings.py"]
    found: set[str] = set()
    while todo:
        path = todo.pop()
        if path not in found:
            found.add(path)
            todo += _used(path)
    return code_version(*sorted(found))


WHOLE = ("transport", "metrics", "features", "geometry", "training")
"""Packages of ours that count as a whole where anything of them is used."""


@cache
def _used(path: str) -> list[str]:
    """The files of ours that a file imports itself, as paths in the package; of WHOLE the package."""
    found: list[str] = []
    for area, names in _named(path):
        files = [area] if area in WHOLE else [f"{name}{end}" for name in names for end in (".py", "/__init__.py")]
        found += [file for file in files if (ROOT / file).exists()]
    return found


def measure_version() -> str:
    """A digest of the sources that measuring depends on."""
    return code_version("metrics", "features", "data/base.py", "data/samples.py", "utils/protocol.py")


def report_version() -> str:
    """A digest of the sources that gathering and the report depend on."""
    return code_version(
        *("report", "ratings", "statistics", "studies", "theory", "metrics"),
        *("runs/gather.py", "runs/losses.py", "runs/arrays.py", "runs/formats.py", "data/samples.py"),
    )


def ratings_version() -> str:
    """A digest of the sources that rating sessions are made by."""
    return code_version("ratings")


def data_version() -> str:
    """A digest of the sources that data sets are made by."""
    return code_version("data")


def features_version() -> str:
    """A digest of the sources that the features of real images depend on."""
    return code_version("features", "data/base.py")


def study_version(study: str) -> str:
    """A digest of the sources that a study of fitted models depends on."""
    return code_version(f"studies/{study}.py", "config/search_spaces.py", "transport")
