"""The papers of what a run used, as BibTeX: of its models, metrics, data sets and studies of the theory."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

from otbench import __version__
from otbench.errors import OtbenchError
from otbench.utils.files import read_object, read_parquet

#: the entry of this benchmark
SELF = f"""@software{{otbench,
  title = {{otbench: a benchmark of generative models seen through optimal transport}},
  author = {{{{The otbench authors}}}},
  version = {{{__version__}}}
}}"""
#: a paper as descriptions name it: the first author's surname, perhaps others, the year
SURNAME = r"[A-Z][a-zé]+(?:-[A-Z][a-zé]+)*"
MENTION = re.compile(rf"({SURNAME})(?: et al\.|(?:, {SURNAME})*,? and {SURNAME})? ((?:19|20)\d\d)")
#: of two papers of the same first author and year: the word after the mention that means the second
SECOND = {"an2020": ("an2020aeotgan", "ECCV|AE-OT-GAN")}


@cache
def entries() -> dict[str, str]:
    """The papers that this package knows.

    Returns:
        Text of the BibTeX entry by key; a key begins with the first author's surname and the year.
    """
    text = (Path(__file__).parent / "references.bib").read_text(encoding="utf-8")
    return {part[part.index("{") + 1 : part.index(",")]: part.strip() for part in re.split(r"\n(?=@)", text)}


def keys_of(description: str) -> list[str]:
    """Papers that a description names.

    Args:
        description: Such as `Gulrajani et al. 2017, algorithm 1; networks of Miyato et al. 2018, table 3`.

    Returns:
        Keys of `entries`, in the order of the text.

    Raises:
        LookupError: A paper is named that no entry is of.
    """
    keys = []
    for match in MENTION.finditer(description):
        start = f"{match[1].lower()}{match[2]}"
        second, words = SECOND.get(start, ("", "(?!)"))
        rest = description[match.end() : match.end() + 14]
        key = second if re.search(words, rest) else next((key for key in entries() if key.startswith(start)), None)
        if key is None:
            raise LookupError(f"no entry in references.bib is of {match[0]}")
        keys.append(key)
    return list(dict.fromkeys(keys))


def descriptions(folder: Path) -> dict[str, list[str]]:
    """What a gathered run used, with the sources that each names.

    Args:
        folder: Folder of the run, with metrics.parquet and run.json.

    Returns:
        Sources by what was used; what has no paper, such as a control, is not among them.

    Raises:
        OtbenchError: The folder holds no gathered run.
    """
    if not (folder / "metrics.parquet").is_file() or not (folder / "run.json").is_file():
        raise OtbenchError(f"no run at {folder}: expected a folder with metrics.parquet and run.json")
    table, info = read_parquet(folder / "metrics.parquet"), read_object(folder / "run.json")
    names = {column: sorted({str(name).split("@")[0] for name in table[column]}) for column in ("model", "metric")}
    used = {**_models(names["model"]), **_metrics(names["metric"])}
    for name, data in (info.get("datasets") or {}).items():
        used[f"data set {name}"] = [str((data or {}).get("source") or "")]
    for name in _theories(info, folder):
        from otbench.theory import module

        used[f"study {name}"] = [module(name).SOURCE]
    return {what: texts for what, texts in used.items() if any(MENTION.search(text) for text in texts)}


def _models(names: list[str]) -> dict[str, list[str]]:
    from otbench.models import models

    known = [models(kind) for kind in ("points", "images")]
    return {f"model {name}": [classes[name].paper for classes in known if name in classes] for name in names}


def _metrics(names: list[str]) -> dict[str, list[str]]:
    from otbench.metrics import METRICS

    return {f"metric {name}": [METRICS[name].paper] for name in names if name in METRICS}


def _theories(info: dict[str, Any], folder: Path) -> list[str]:
    asked = (info.get("config") or {}).get("theory") or {}
    return [name for name in asked if (folder / "theory" / f"{name}.npz").is_file()]


def bibtex(folder: Path) -> str:
    """BibTeX of the papers of what a run used, and of this benchmark.

    Args:
        folder: Folder of the run, with metrics.parquet and run.json.

    Returns:
        Entries, sorted by key after the benchmark's own; above each, in a comment, what it is cited for.
    """
    reasons: dict[str, list[str]] = {}
    for what, texts in descriptions(Path(folder)).items():
        for key in dict.fromkeys(key for text in texts for key in keys_of(text)):
            reasons.setdefault(key, []).append(what)
    parts = [f"% {', '.join(reasons[key])}\n{entries()[key]}" for key in sorted(reasons)]
    return "\n\n".join([SELF, *parts]) + "\n"
