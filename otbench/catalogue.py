"""What is registered, found without importing the heavy packages: for config checks and the workflow's triggers."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path

from otbench.provenance import code_version

ROOT = Path(__file__).parent
KINDS = ("points", "images")
#: where the models of each kind live, and its name among entry points
FOLDERS = {"points": "models", "images": "models/images"}
GROUPS = {"points": "otbench.models", "images": "otbench.models.images"}
#: sources that every fit depends on
TRAINING = ("data/base.py", "nets/layers.py", "training", "models/base.py", "models/__init__.py")


@cache
def model_files(kind: str | None = None) -> dict[str, str]:
    """The source file of every model for data of a kind, by the model's name; `` for a model of another package.

    kind: `points` or `images`; None takes points first, then what only images have. One name may stand for two models,
    one for each kind. Read from the `names` of the classes in otbench/models (points) and otbench/models/images,
    without running them; a class that says `kinds` is registered for those instead.
    """
    if kind is None:
        return {**model_files("images"), **model_files("points")}
    found: dict[str, str] = {entry.name: "" for entry in entry_points(group=GROUPS[kind])}
    for own, folder in FOLDERS.items():
        for file in sorted((ROOT / folder).glob("*.py")):
            for names, kinds in _registered(file):
                if kind in (kinds or (own,)):
                    found.update(dict.fromkeys(names, f"{folder}/{file.name}"))
    return found


def models_of(kind: str) -> tuple[str, ...]:
    """Names of the models for data of this kind (`points` or `images`), sorted."""
    return tuple(sorted(model_files(kind)))


def _registered(file: Path) -> list[tuple[list[str], tuple[str, ...] | None]]:
    """What each class of a file registers: its `names`, and its `kinds` (or a base class's of the same file)."""
    said: dict[str, dict[str, ast.expr]] = {}
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if not isinstance(node, ast.ClassDef):
            continue
        values: dict[str, ast.expr] = {}
        for base in node.bases:
            inherited = said.get(base.id, {}) if isinstance(base, ast.Name) else {}
            values.update({k: v for k, v in inherited.items() if k == "kinds"})
        for part in node.body:
            for target in part.targets if isinstance(part, ast.Assign) else []:
                if isinstance(target, ast.Name) and target.id in ("names", "kinds"):
                    values[target.id] = part.value
        said[node.name] = values
    return [
        (list(ast.literal_eval(v["names"])), ast.literal_eval(v["kinds"]) if "kinds" in v else None)
        for v in said.values()
        if "names" in v
    ]


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
    todo, found = [f"studies/theory/{name.replace('-', '_')}.py", "studies/theory/findings.py"], set()
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
    return code_version("metrics", "features", "data/base.py")


def report_version() -> str:
    """A digest of the sources that gathering and the report depend on."""
    return code_version(
        "report", "ratings", "statistics", "studies", "metrics", "gather.py", "further.py", "pictures.py"
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
    return code_version(f"studies/{study}.py", "studies/spaces.py", "transport")
