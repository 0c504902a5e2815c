"""A blind rating session: which images are shown, in which order, and the files that raters and their host get."""

from __future__ import annotations

import csv
import io
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from otbench.data.base import DataSet
from otbench.data.samples import Cell, SampleFile
from otbench.errors import OtbenchError
from otbench.ratings.key import Item, Key, sealed
from otbench.ratings.page import page
from otbench.ratings.paper import write_pdf
from otbench.utils.files import write_json, write_text

FIELDS = ("session", "rater", "item", "answer", "milliseconds")


@dataclass(frozen=True)
class Plan:
    """Content of a session.

    per_cell: images of every seed at every snapshot that is shown. along: models of which all snapshots are shown; of
    the others only the last. real, checks: held-out real images that count for the ceiling and for attention.
    repeats: images that are shown twice. seed: of the choice and of the order.
    """

    per_cell: int = 2
    along: tuple[str, ...] = ()
    real: int = 20
    checks: int = 6
    repeats: int = 10
    seed: int = 0


@dataclass(frozen=True)
class Session:
    """A key, its images (n, c, h, w) uint8 in the order of the items, and cells that were left out, in words."""

    key: Key
    images: np.ndarray
    left_out: tuple[str, ...] = ()


Shown = tuple[Item, np.ndarray]


def session(dataset: DataSet, files: list[SampleFile], plan: Plan) -> Session:
    """Choose images and order of a session; the same request gives the same session.

    Args:
        dataset: Data set of images.
        files: Samples of the models, a file each.
        plan: Content of the session.

    Returns:
        Key and images, and the cells that were left out.

    Raises:
        OtbenchError: Where the data are no images, a model is given twice or not at all, or there are fewer images than
            the plan asks for.
    """
    _check(dataset, plan)
    named: dict[str, SampleFile] = {}
    for file in files:
        name = str((file.check(dataset).info or {}).get("model") or file.path.stem)
        if name in named:
            raise OtbenchError(
                f"{file.path}: it holds samples of {name}, as {named[name].path} does; give a model once"
            )
        named[name] = file
    unknown = [name for name in plan.along if name not in named]
    if unknown:
        raise OtbenchError(f"--along {unknown[0]}: there are no samples of it, only of {', '.join(named) or 'none'}")
    showings, left_out = _real(dataset, plan), []
    for name in sorted(named):
        for cell in _cells(named[name], name in plan.along):
            if cell.status == "ok":
                showings += _of_cell(named[name].path, name, cell, plan)
            else:
                left_out.append(f"{name}, seed {cell.seed}, snapshot {cell.snapshot:g} ({cell.status})")
    if not showings:
        raise OtbenchError("the session would hold no image: expected samples, or --real above 0")
    items, images = _ordered(showings, plan)
    return Session(sealed(dataset.name, dataset.title or dataset.name, plan.seed, items, images), images, (*left_out,))


def _check(dataset: DataSet, plan: Plan) -> None:
    if dataset.kind != "images":
        raise OtbenchError(f"data set {dataset.name} holds points, expected images: people rate what they can see")
    for name in ("per_cell", "real", "checks", "repeats"):
        if getattr(plan, name) < 0:
            option = name.replace("_", "-")
            raise OtbenchError(f"--{option}: expected a whole number from 0 up, got {getattr(plan, name)}")


def _real(dataset: DataSet, plan: Plan) -> list[Shown]:
    count, images = plan.real + plan.checks, dataset.held_out
    if count > len(images):
        raise OtbenchError(
            f"--real {plan.real} and --checks {plan.checks}: data set {dataset.name} holds out {len(images)} images,"
            f" expected at least {count}"
        )
    chosen = _random(plan.seed, "held-out").choice(len(images), size=count, replace=False)
    kinds: list[Any] = ["real"] * plan.real + ["check"] * plan.checks
    pairs = zip(kinds, chosen.tolist(), strict=True)
    return [(Item(item=1, kind=kind, index=index), images[index]) for kind, index in pairs]


def _cells(file: SampleFile, every: bool) -> list[Cell]:
    cells = file.cells()
    last = max((cell.snapshot for cell in cells), default=1.0)
    return [cell for cell in cells if every or cell.snapshot == last]


def _of_cell(path: Path, model: str, cell: Cell, plan: Plan) -> list[Shown]:
    if len(cell.samples) < plan.per_cell:
        raise OtbenchError(
            f"{path}, seed {cell.seed}, snapshot {cell.snapshot:g}: there are {len(cell.samples)} images,"
            f" expected at least {plan.per_cell} (--per-cell)"
        )
    fixed = {"item": 1, "kind": "model", "model": model, "seed": cell.seed, "snapshot": cell.snapshot}
    draw = _random(plan.seed, f"{model}/{cell.seed}/{cell.snapshot!r}")
    chosen = draw.choice(len(cell.samples), size=plan.per_cell, replace=False).tolist()
    return [(Item(**fixed, index=index), cell.samples[index]) for index in chosen]


def _ordered(shown: list[Shown], plan: Plan) -> tuple[list[Item], np.ndarray]:
    """Random order. Repeated images come from its first half and return in its last quarter, well apart."""
    draw, count = _random(plan.seed, "order"), len(shown)
    order = draw.permutation(count).tolist()
    early = [at for at in order[: count // 2] if shown[at][0].kind != "check"]
    if plan.repeats > len(early):
        raise OtbenchError(f"--repeats {plan.repeats}: this session has room for {len(early)}; ask for fewer")
    again = draw.choice(early, size=plan.repeats, replace=False).tolist() if plan.repeats else []
    head, tail = order[: count - count // 4], order[count - count // 4 :] + again
    sequence = head + [tail[at] for at in draw.permutation(len(tail))]
    first: dict[int, int] = {}
    items = []
    for number, at in enumerate(sequence, 1):
        items.append(shown[at][0].model_copy(update={"item": number, "of": first.get(at)}))
        first.setdefault(at, number)
    return items, np.stack([shown[at][1] for at in sequence])


def _random(seed: int, what: str) -> np.random.Generator:
    """A stream of its own for every purpose, so that a further model leaves the other models' images as they were."""
    return np.random.default_rng([abs(seed), int(seed < 0), zlib.crc32(what.encode())])


def write_session(made: Session, folder: str | Path) -> None:
    """Write rate.html, sheet.pdf and form.csv (for raters) and key.json (for nobody else).

    Args:
        made: The session.
        folder: Where to write.
    """
    folder, key = Path(folder), made.key
    write_text(folder / "rate.html", page(key, made.images))
    write_pdf(folder / "sheet.pdf", key, made.images)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(FIELDS)
    writer.writerows([key.session, "", item.item, "", ""] for item in key.items)
    write_text(folder / "form.csv", out.getvalue())
    write_json(folder / "key.json", key.model_dump(mode="json"))
