"""Models: one file each. A file registers itself by the `names` of the `Model` classes it defines.

Models for points lie in this folder, models for images in `images/`; a class that says `kinds` is for those. Packages
elsewhere register through the entry point groups `otbench.models` (points) and `otbench.models.images`: the entry's
name is the model's, and its value a `Model` class whose `names` hold that name.
"""

from __future__ import annotations

import importlib
from functools import cache
from importlib.metadata import entry_points
from pathlib import PurePosixPath

from pydantic import ValidationError

from otbench.errors import OtbenchError
from otbench.models.base import Config, Model
from otbench.registry import GROUPS, KINDS, model_files
from otbench.utils.validation import dotted, first_fault


def _module(file: str) -> dict[str, type[Model]]:
    """The models that a file of this package registers, by name."""
    module = importlib.import_module(".".join(("otbench", *PurePosixPath(file).with_suffix("").parts)))
    classes = [v for v in vars(module).values() if isinstance(v, type) and issubclass(v, Model)]
    return {name: c for c in classes if c.__module__ == module.__name__ for name in c.names}


@cache
def find(name: str, kind: str | None = None) -> type[Model]:
    """The class of a registered model.

    Imports no other model's file, so that a job pays for its own model alone.

    Args:
        name: Name that the model is registered by.
        kind: Kind of the data, `points` or `images`; None: points first, then images.

    Returns:
        The subclass of `Model`.

    Raises:
        OtbenchError: When no model for data of this kind has the name.
    """
    kinds = (kind,) if kind else KINDS
    for k in kinds:
        files = model_files(k)
        if name in files and files[name]:
            return _module(files[name])[name]
        if name in files:
            (entry,) = entry_points(group=GROUPS[k], name=name)
            return entry.load()
    elsewhere = [k for k in KINDS if k not in kinds and name in model_files(k)]
    if elsewhere:
        raise OtbenchError(f"model {name} takes {elsewhere[0]}, not {kind}; models for {kind} are {_known(kind)}")
    raise OtbenchError(f"unknown model '{name}'; known are {_known(kind)}")


def _known(kind: str | None) -> str:
    return ", ".join(sorted(model_files(kind)))


def models(kind: str | None = None) -> dict[str, type[Model]]:
    """Every registered model for data of a kind.

    Args:
        kind: Kind of the data, `points` or `images`; None: both, points first where a name stands for two models.

    Returns:
        Subclasses of `Model` by name.
    """
    return {name: find(name, kind) for name in model_files(kind)}


def configure(name: str, options: dict | None = None, kind: str | None = None) -> Config:
    """The config of a model, with options in place of the paper's values.

    Args:
        name: Name that the model is registered by.
        options: Values by field of the model's `Config`; None: the paper's alone.
        kind: Kind of the data, as in `find`.

    Returns:
        The validated config.

    Raises:
        OtbenchError: When the model or an option is unknown, or an option's value is invalid.
    """
    model = find(name, kind)
    try:
        return model.Config(**{**model.names[name], **(options or {})})
    except ValidationError as error:
        place, message = first_fault(error, lambda _: model.Config.model_fields, "option")
        raise OtbenchError(f"model {name}, option '{dotted(place) or 'options'}': {message}") from error
