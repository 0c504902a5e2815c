"""The key of a rating session: what every numbered image is. It stays with whoever made the session."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from otbench.errors import OtbenchError
from otbench.utils.files import read_json
from otbench.utils.validation import first_fault

FORMAT = "otbench-rating-key-1"
SESSION = r"^[0-9a-f]{12}$"


class Strict(BaseModel):
    """A record whose fields are exactly those named, of exactly those types."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


class Item(Strict):
    """One showing of one image.

    kind: `model`; `real`, a held-out image that counts for the ceiling; `check`, one that counts for attention alone.
    index: its place among the samples of its cell, or among the held-out images. of: of a second showing, the item
    that it repeats.
    """

    item: int = Field(ge=1)
    kind: Literal["model", "real", "check"]
    model: str | None = None
    seed: int | None = None
    snapshot: float | None = None
    index: int = Field(ge=0)
    of: int | None = None

    @property
    def what(self) -> tuple[object, ...]:
        """Image that is shown, apart from when: kind, model, seed, snapshot and index."""
        return (self.kind, self.model, self.seed, self.snapshot, self.index)


class Key(Strict):
    """A session: its name, which depends on all its images and on this record, and its items in order."""

    format: Literal["otbench-rating-key-1"] = FORMAT
    session: str = Field(pattern=SESSION)
    dataset: str
    title: str
    seed: int
    items: list[Item] = Field(min_length=1)

    @property
    def first(self) -> list[Item]:
        """The first showings that count for a rate: neither repeats nor attention checks."""
        return [item for item in self.items if item.of is None and item.kind != "check"]


def sealed(dataset: str, title: str, seed: int, items: list[Item], images: np.ndarray) -> Key:
    """Key of items with their images; equal contents give an equal session name.

    Args:
        dataset: Name of the data set.
        title: Title of the data set.
        seed: Seed of the choice and of the order.
        items: The items, in order.
        images: Their images (n, c, h, w) uint8.

    Returns:
        The key, whose session name is twelve hexadecimal digits of a SHA-256.
    """
    bare = Key(session="0" * 12, dataset=dataset, title=title, seed=seed, items=items)
    sums = hashlib.sha256(json.dumps(bare.model_dump(mode="json"), sort_keys=True).encode())
    sums.update(f"{images.dtype}{images.shape}".encode())
    sums.update(np.ascontiguousarray(images).data)
    return bare.model_copy(update={"session": sums.hexdigest()[:12]})


def read_key(folder: str | Path) -> Key:
    """Read the key of a session.

    Args:
        folder: Folder of the session, with key.json.

    Returns:
        The key.

    Raises:
        OtbenchError: Where it is missing, is none, or its items contradict one another.
    """
    path = Path(folder) / "key.json"
    if not path.is_file():
        raise OtbenchError(f"{folder} holds no rating session: there is no key.json; `otbench rate sheet` makes it")
    try:
        key = Key.model_validate(read_json(path))
    except (ValidationError, RecursionError) as error:
        raise OtbenchError(f"{path}: {reason(error)}; expected a key that `otbench rate sheet` wrote") from error
    for at, item in enumerate(key.items):
        where = f"{path}, item {at + 1}"
        if item.item != at + 1:
            raise OtbenchError(f"{where}: its number is {item.item}, expected items in order from 1")
        if item.of is not None and not (1 <= item.of <= at and key.items[item.of - 1].what == item.what):
            raise OtbenchError(f"{where}: it repeats item {item.of}, which is no earlier showing of the same image")
        if item.kind == "model" and (item.model is None or item.seed is None or item.snapshot is None):
            raise OtbenchError(f"{where}: expected model, seed and snapshot of a generated image")
    return key


def reason(error: Exception) -> str:
    """First error of a record, in words.

    Args:
        error: `ValidationError` of the record, or `RecursionError`.

    Returns:
        Where in the file it is and what was expected.
    """
    if not isinstance(error, ValidationError):
        return "it is nested too deeply"
    place, message = first_fault(error)
    location = " ".join(f"{part + 1}" if isinstance(part, int) else str(part)[:40] for part in place) or "the whole"
    return f"{location}: {message[:1].lower()}{message[1:]}"
