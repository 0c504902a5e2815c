"""Digests of the sources that the result of each verb depends on, the triggers of the workflow."""

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
    """Digest of the sources that fitting and drawing a model depends on; a job runs again when it changes.

    Args:
        model: Name of the model.
        kind: Kind of data, `points` or `images`; None as in `model_files`.

    Returns:
        Version and digest, as `code_version` writes them.
    """
    return code_version(*TRAINING, *sorted(sources(model, kind)))


def sources(model: str, kind: str | None = None) -> set[str]:
    """Source files that a model depends on: its own, and what it imports of this package.

    Args:
        model: Name of the model.
        kind: Kind of data, `points` or `images`; None as in `model_files`.

    Returns:
        Paths in the package: of models and networks only those imported, directly or through another; of transport and
        metrics the whole package where any of them is imported. Empty for a model of another package.
    """
    files: set[str] = set()
    todo = [model_file] if (model_file := model_files(kind).get(model, "")) else []
    while todo:
        path = todo.pop()
        if path not in files:
            files.add(path)
            todo += _imported(path)
    return files


@cache
def _imported(path: str) -> list[str]:
    """Models, networks and packages of otbench that a file imports itself, as paths in the package."""
    paths: list[str] = []
    for area, names in _named(path):
        if area in ("transport", "metrics"):
            paths.append(area)
        elif area in ("models", "nets"):
            paths += [file for file in (f"{name}.py" for name in names) if (ROOT / file).is_file()]
    return paths


def _named(path: str) -> Iterator[tuple[str, list[str]]]:
    """Imports of otbench in a file, one by one: the area of the package, and the paths without `.py` that may be meant,
    the module itself or modules of the package that is named. A folder has none.
    """
    if (ROOT / path).is_dir():
        return
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("otbench."):
            parts = node.module.split(".")[1:]
            yield parts[0], ["/".join(parts), *("/".join([*parts, alias.name]) for alias in node.names)]


@cache
def theory_version(name: str) -> str:
    """Digest of the sources that a study of the theory depends on: its own, and all of this package that they import.

    Args:
        name: Name of the study, as in `registry.THEORIES`.

    Returns:
        Version and digest, as `code_version` writes them.
    """
    folder = f"theory/{name.replace('-', '_')}"
    todo = [*sorted(str(file.relative_to(ROOT)) for file in (ROOT / folder).glob("*.py")), "theory/findings.py"]
    files: set[str] = set()
    while todo:
        path = todo.pop()
        if path not in files:
            files.add(path)
            todo += _used(path)
    return code_version(*sorted(files))


WHOLE = ("transport", "metrics", "features", "geometry", "training")
"""Packages of otbench that count as a whole where anything of them is used."""


@cache
def _used(path: str) -> list[str]:
    """Files of otbench that a file imports itself, as paths in the package; of WHOLE the package."""
    paths: list[str] = []
    for area, names in _named(path):
        files = [area] if area in WHOLE else [f"{name}{end}" for name in names for end in (".py", "/__init__.py")]
        paths += [file for file in files if (ROOT / file).exists()]
    return paths


def measure_version() -> str:
    """Digest of the sources that measuring depends on.

    Returns:
        Version and digest, as `code_version` writes them.
    """
    return code_version("metrics", "features", "data/base.py", "data/samples.py", "utils/protocol.py")


def report_version() -> str:
    """Digest of the sources that gathering and the report depend on.

    Returns:
        Version and digest, as `code_version` writes them.
    """
    return code_version(
        *("report", "ratings", "statistics", "studies", "theory", "metrics"),
        *("runs/gather.py", "runs/losses.py", "runs/arrays.py", "runs/formats.py", "data/samples.py"),
    )


def ratings_version() -> str:
    """Digest of the sources that rating sessions are made by.

    Returns:
        Version and digest, as `code_version` writes them.
    """
    return code_version("ratings")


def data_version() -> str:
    """Digest of the sources that data sets are made by.

    Returns:
        Version and digest, as `code_version` writes them.
    """
    return code_version("data")


def features_version() -> str:
    """Digest of the sources that the features of real images depend on.

    Returns:
        Version and digest, as `code_version` writes them.
    """
    return code_version("features", "data/base.py")


def study_version(study: str) -> str:
    """Digest of the sources that a study of fitted models depends on.

    Args:
        study: Name of the study's module in otbench/studies, such as `spread`.

    Returns:
        Version and digest, as `code_version` writes them.
    """
    return code_version(f"studies/{study}.py", "config/search_spaces.py", "transport")
