"""What is registered, found without importing the heavy packages: for config checks and the workflow's triggers."""

from __future__ import annotations

import ast
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path

from otbench.provenance import code_version

ROOT = Path(__file__).parent
#: sources that every fit depends on
TRAINING = ("data", "nets", "training", "models/base.py", "models/plane.py", "models/__init__.py")


@cache
def model_files() -> dict[str, str]:
    """The source file of every model, by the model's name; models of other packages have the file ``.

    Read from the `names` of the classes in otbench/models, without running them.
    """
    found: dict[str, str] = {entry.name: "" for entry in entry_points(group="otbench.models")}
    for file in sorted((ROOT / "models").glob("*.py")):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            for part in node.body if isinstance(node, ast.ClassDef) else []:
                targets = part.targets if isinstance(part, ast.Assign) else []
                if any(isinstance(t, ast.Name) and t.id == "names" for t in targets):
                    found.update(dict.fromkeys(ast.literal_eval(part.value), f"models/{file.name}"))
    return found


def fit_version(model: str) -> str:
    """A digest of the sources that fitting and drawing `model` depends on: a job runs again when one changes."""
    own = model_files().get(model, "")
    text = (ROOT / own).read_text(encoding="utf-8") if own else ""
    parts = [part for part in ("transport", "metrics") if f"from otbench.{part}" in text]
    return code_version(*TRAINING, *([own] if own else []), *parts)


def measure_version() -> str:
    """A digest of the sources that measuring depends on."""
    return code_version("metrics", "data")


def report_version() -> str:
    """A digest of the sources that gathering and the report depend on."""
    return code_version("report", "studies", "metrics", "gather.py")
