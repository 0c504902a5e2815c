"""Models: one file each. A file in this folder registers itself by the `names` of the `Model` classes it defines.

Packages elsewhere register through the entry point group `otbench.models`: the entry's name is the model's, and its
value a `Model` class whose `names` hold that name.
"""

from __future__ import annotations

import importlib
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path

from pydantic import ValidationError

from otbench.catalogue import model_files
from otbench.errors import OtbenchError
from otbench.models.base import Config, Model


def _module(file: str) -> dict[str, type[Model]]:
    """The models that a file of this folder registers, by name."""
    module = importlib.import_module(f"{__name__}.{Path(file).stem}")
    classes = [v for v in vars(module).values() if isinstance(v, type) and issubclass(v, Model)]
    return {name: c for c in classes if c.__module__ == module.__name__ for name in c.names}


@cache
def find(name: str) -> type[Model]:
    """The class of the model called `name`; raises OtbenchError where there is none.

    Imports no other model's file, so that a job pays for its own model alone.
    """
    files = model_files()
    if name not in files:
        raise OtbenchError(f"unknown model '{name}'; known are {', '.join(sorted(files))}")
    if files[name]:
        return _module(files[name])[name]
    (entry,) = entry_points(group="otbench.models", name=name)
    return entry.load()


def models() -> dict[str, type[Model]]:
    """Every registered model, by name."""
    return {name: find(name) for name in model_files()}


def configure(name: str, options: dict | None = None) -> Config:
    """The config of model `name` with `options` in place of the paper's values; refuses what it does not know."""
    model = find(name)
    try:
        return model.Config(**{**model.names[name], **(options or {})})
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "options"
        known = ", ".join(model.Config.model_fields) or "none"
        raise OtbenchError(f"model {name}, option '{key}': {first['msg']} (options are: {known})") from error
