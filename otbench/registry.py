"""Models by name, kinds of data and studies of the theory; read without importing anything heavy."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path

ROOT = Path(__file__).parent
KINDS = ("points", "images")
#: folders that models live in, and the kind of data that a model there takes where it names none
FOLDERS = {"models": "points", "models/points": "points", "models/images": "images"}
#: groups of entry points: of metrics, of feature networks, and of each kind's data sets and models
METRIC_GROUP = "otbench.metrics"
FEATURE_GROUP = "otbench.features"
DATASET_GROUPS = {"points": "otbench.datasets", "images": "otbench.datasets.images"}
GROUPS = {"points": "otbench.models", "images": "otbench.models.images"}

#: the studies of the theory, in the order of the report
THEORIES = (
    "parallel-lines",
    "meaningful-loss",
    "potentials",
    "primal-dual",
    "collaboration",
    "singular-sets",
    "folding",
    "latent-geometry",
    "blur",
    "scaling",
    "beyond",
    "critic-estimates",
    "polar-factorisation",
    "tearing",
)

#: those that need a data set of images
OF_IMAGES = ("meaningful-loss", "latent-geometry", "blur")

#: those that are computed on the CPU whatever device is asked for: small networks, exact plans
ON_CPU = (
    "parallel-lines",
    "primal-dual",
    "collaboration",
    "singular-sets",
    "beyond",
    "critic-estimates",
    "polar-factorisation",
    "tearing",
)


@cache
def model_files(kind: str | None = None) -> dict[str, str]:
    """Source file of every model for data of a kind.

    Read from the `names` of the classes in otbench/models and its folders, without running them; a class that says
    `kinds` is registered for those instead. One name may stand for two models, one for each kind.

    Args:
        kind: `points` or `images`; None takes points first, then what only images have.

    Returns:
        Path in the package by the model's name; empty for a model of another package.
    """
    if kind is None:
        return {**model_files("images"), **model_files("points")}
    files: dict[str, str] = {entry.name: "" for entry in entry_points(group=GROUPS[kind])}
    for folder, folder_kind in FOLDERS.items():
        for file in sorted((ROOT / folder).glob("*.py")):
            for names, kinds in _registered(file):
                if kind in (kinds or (folder_kind,)):
                    files.update(dict.fromkeys(names, f"{folder}/{file.name}"))
    return files


def models_of(kind: str) -> tuple[str, ...]:
    """Names of the models for data of a kind.

    Args:
        kind: `points` or `images`.

    Returns:
        Names, sorted.
    """
    return tuple(sorted(model_files(kind)))


def _registered(file: Path) -> list[tuple[list[str], tuple[str, ...] | None]]:
    """Registered `names` of each class of a file, and its `kinds` (or a base class's of the same file)."""
    registered: dict[str, dict[str, ast.expr]] = {}
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if not isinstance(node, ast.ClassDef):
            continue
        values: dict[str, ast.expr] = {}
        for base in node.bases:
            inherited = registered.get(base.id, {}) if isinstance(base, ast.Name) else {}
            values.update({k: v for k, v in inherited.items() if k == "kinds"})
        for part in node.body:
            if not isinstance(part, ast.Assign):
                continue
            for target in part.targets:
                if isinstance(target, ast.Name) and target.id in ("names", "kinds"):
                    values[target.id] = part.value
        registered[node.name] = values
    return [
        (list(ast.literal_eval(v["names"])), ast.literal_eval(v["kinds"]) if "kinds" in v else None)
        for v in registered.values()
        if "names" in v
    ]


#: the order of the metrics' files in lists and tables; a file that is not named here follows by its name
METRIC_ORDER = (
    *("modes", "reverse_kl", "mode_mixture", "wasserstein", "frechet", "kernel", "inception_score", "prd"),
    *("neighbours", "memorisation", "excellence", "sharpness", "reconstruction", "cost"),
    *("fid_infinity", "sliced", "clipped", "vendi", "authenticity"),
)


@cache
def metric_modules() -> tuple[str, ...]:
    """Modules in otbench/metrics that register metrics: those with a tuple `METRICS`.

    Returns:
        Names in the order of METRIC_ORDER, others after them by name.
    """
    modules = [file.stem for file in (ROOT / "metrics").glob("*.py") if _assigns(file, "METRICS")]
    last = len(METRIC_ORDER)
    return tuple(sorted(modules, key=lambda name: (METRIC_ORDER.index(name) if name in METRIC_ORDER else last, name)))


def _assigns(file: Path, name: str) -> bool:
    """Whether a file assigns a plain top-level variable of this name."""
    return any(
        isinstance(target, ast.Name) and target.id == name
        for node in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign)
        for target in node.targets
    )


@cache
def feature_names() -> dict[str, str]:
    """Networks whose features images can be compared in.

    Returns:
        One line about every network, by its name; the classifier and Inception first.
    """
    names = {name: about for _, part in _feature_files() for name, about in part.items()}
    first = {name: names[name] for name in ("classifier", "inception")}
    more = {entry.name: f"registered by {entry.value}" for entry in entry_points(group=FEATURE_GROUP)}
    return first | names | more


@cache
def feature_files() -> dict[str, str]:
    """Modules of the feature networks.

    Returns:
        Module in otbench/features by the network's name; empty for one of another package.
    """
    modules = {name: module for module, names in _feature_files() for name in names}
    return {name: modules.get(name, "") for name in feature_names()}


def _feature_files() -> Iterator[tuple[str, dict[str, str]]]:
    """Each module in otbench/features that registers networks, with its `NAMES`, read without running it."""
    yield from _with_names("features")


@cache
def dataset_names(kind: str) -> dict[str, str]:
    """Data sets of a kind.

    Args:
        kind: `points` or `images`.

    Returns:
        One line about every data set, by its name.
    """
    descriptions = {name: about for _, names in _datasets(kind) for name, about in names.items()}
    return descriptions | {
        entry.name: f"registered by {entry.value}" for entry in entry_points(group=DATASET_GROUPS[kind])
    }


@cache
def dataset_files(kind: str) -> dict[str, str]:
    """Modules of the data sets of a kind.

    Args:
        kind: `points` or `images`.

    Returns:
        Module in otbench/data (`images.digits`) by the data set's name; empty for one of another package.
    """
    modules = {name: module for module, names in _datasets(kind) for name in names}
    return modules | {entry.name: "" for entry in entry_points(group=DATASET_GROUPS[kind])}


def _datasets(kind: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Each module of a kind that registers data sets, with its `NAMES`, read without running it."""
    for module, names in _with_names(f"data/{kind}"):
        yield f"{kind}.{module}", names


def _with_names(folder: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Each module of a folder that has a top-level `NAMES`, and its value."""
    for file in sorted((ROOT / folder).glob("*.py")):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "NAMES" for t in node.targets):
                yield file.stem, ast.literal_eval(node.value)
