"""Which figures must be drawn again: each is keyed by its data and by the code that draws, and stays while both do.

Copies are kept in a hidden folder beside that of the figures, as Snakemake removes what a rule has written before it
runs the rule again.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from otbench.utils.files import atomic_write, write_text

if TYPE_CHECKING:
    from otbench.report.comparison import Comparison
    from otbench.report.results import RunResults
    from otbench.theory.findings import Findings

NAME = "keys.json"
"""File beside the copies: name -> key that its files were drawn under."""
DRAWING = ("report", "statistics", "metrics", "theory", "utils/plotting.py")
"""What of the package decides how a figure looks."""
FRAMES = ("table", "search", "spread", "bias", "losses")
ARRAYS = ("scatter", "gallery", "curves", "latent")
FACTS = ("run", "models", "datasets", "expected", "studies", "budget", "seeds", "snapshots")


class Kept:
    """The copies of a folder's figures and their keys, which are read once and written with every change.

    Args:
        folder: Folder of the figures.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.copies = folder, folder.with_name(f".{folder.name}")
        self.path = self.copies / NAME
        try:
            found = json.loads(self.path.read_text("utf-8"))
        except (OSError, ValueError):
            found = {}
        self.keys: dict[str, str] = found if isinstance(found, dict) else {}

    def brings(self, name: str, key: str, kinds: Iterable[str]) -> bool:
        """Put a figure's files into place where they were drawn under the key.

        Args:
            name: Name of the figure.
            key: Its key; an empty one never holds.
            kinds: Endings of the files that it must have; that of its numbers comes along.

        Returns:
            True where it need not be drawn.
        """
        wanted = [f"{name}.{kind}" for kind in kinds]
        if not key or self.keys.get(name) != key or not all((self.copies / file).is_file() for file in wanted):
            return False
        for file in (*wanted, f"{name}.csv"):
            if not (self.folder / file).is_file() and (self.copies / file).is_file():
                with atomic_write(self.folder / file) as temporary:
                    shutil.copyfile(self.copies / file, temporary)
        return True

    def forget(self, name: str) -> None:
        """Forget a figure before its files are replaced, so that a run that is killed meanwhile draws it again.

        Args:
            name: Name of the figure.
        """
        if self.keys.pop(name, None) is not None:
            self._write()

    def keep(self, name: str, key: str, kinds: Iterable[str]) -> None:
        """Copy a figure's files, and note the key that they were drawn under.

        Args:
            name: Name of the figure.
            key: Its key; with an empty one nothing is kept.
            kinds: Endings of its files; that of its numbers is kept where it is there.
        """
        if not key:
            return
        for file in (f"{name}.{kind}" for kind in (*kinds, "csv")):
            (self.copies / file).unlink(missing_ok=True)
            if (self.folder / file).is_file():
                with atomic_write(self.copies / file) as temporary:
                    shutil.copyfile(self.folder / file, temporary)
        self.keys[name] = key
        self._write()

    def _write(self) -> None:
        write_text(self.path, json.dumps(dict(sorted(self.keys.items())), indent=0) + "\n")


def key_of_data(comparison: Comparison, dataset: str = "", ratings: bool = False) -> str:
    """Key of the figures of a data set, or of all data sets of a study.

    Args:
        comparison: Study of a run.
        dataset: Name of the data set; empty for all.
        ratings: Whether the figures show what people rated. Those that do not keep their key when an answer comes in.

    Returns:
        Digest of everything that such a figure may show, and of the code.
    """
    digest = hashlib.sha256(code_key().encode())
    digest.update(repr((comparison.study.name, dataset, comparison.is_reference)).encode())
    for label, run in comparison.runs.items():
        digest.update(label.encode())
        _add_run(digest, run, dataset, ratings)
    for record in comparison.published:
        if not dataset or record.dataset == dataset:
            digest.update(repr(record).encode())
    return digest.hexdigest()


def key_of_findings(findings: Findings) -> str:
    """Key of the figures of a study of the theory.

    Args:
        findings: What the study found.

    Returns:
        Digest of its findings, and of the code.
    """
    digest = hashlib.sha256(code_key().encode())
    digest.update(json.dumps([findings.name, findings.facts, findings.info], sort_keys=True, default=str).encode())
    for name, table in findings.tables.items():
        digest.update(name.encode())
        _add_frame(digest, table)
    _add_arrays(digest, findings.arrays)
    return digest.hexdigest()


@lru_cache(maxsize=1)
def code_key() -> str:
    """Digest of the code that draws, and of the version of the drawing library.

    Returns:
        Hexadecimal digits.
    """
    import matplotlib

    import otbench

    root, digest = Path(otbench.__file__).parent, hashlib.sha256(matplotlib.__version__.encode())
    for part in DRAWING:
        path = root / part
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            digest.update(file.relative_to(root).as_posix().encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()


def _add_run(digest: Any, run: RunResults, dataset: str, ratings: bool) -> None:
    facts = {name: run.info.get(name) for name in FACTS}
    if dataset:
        facts["datasets"] = run.info["datasets"].get(dataset)
        facts["expected"] = [cell for cell in run.info["expected"] if cell[0] == dataset]
    digest.update(json.dumps(facts, sort_keys=True, default=str).encode())
    for name in FRAMES:
        frame = getattr(run, name)
        frame = frame[frame["dataset"] == dataset] if dataset else frame
        if name == "table" and not ratings:
            frame = frame[frame["metric"] != "excellence"]
        _add_frame(digest, frame)
    for name in ARRAYS:
        arrays = getattr(run, name)
        chosen = {key: value for key, value in arrays.items() if not dataset or key.startswith(f"{dataset}/")}
        _add_arrays(digest, chosen)
    if ratings:
        shown = {name: entry for name, entry in run.ratings.items() if not dataset or name == dataset}
        digest.update(json.dumps(shown, sort_keys=True, default=str).encode())


def _add_frame(digest: Any, frame: pd.DataFrame) -> None:
    digest.update(repr(list(map(str, frame.columns))).encode())
    if len(frame):
        digest.update(frame.to_csv(index=False).encode())


def _add_arrays(digest: Any, arrays: dict[str, np.ndarray]) -> None:
    for key in sorted(arrays):
        value = np.ascontiguousarray(arrays[key])
        digest.update(repr((key, value.shape, str(value.dtype))).encode())
        digest.update(value.tobytes())
