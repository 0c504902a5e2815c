"""Provenance of a number: command, code, versions, machine."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

#: the release since which results count as made by the same code where their sources are the same; raised where every
#: result has to be made again, whatever its sources say
RESULTS_SINCE = "0.1.0"
PACKAGES = ("torch", "POT", "torch-fidelity", "numpy", "scipy", "scikit-learn", "pandas", "snakemake")


SOURCES = (".py", ".html", ".css", ".js", ".j2")
"""Endings of the files that a result depends on: code, and the templates of pages."""


def digest(value: Any) -> str:
    """Digest of a JSON value.

    Args:
        value: Any value that JSON can hold.

    Returns:
        Twelve hexadecimal digits that identify the value.
    """
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]


@cache
def code_version(*parts: str) -> str:
    """Version of the package with a digest of its sources, comments and docstrings apart.

    Args:
        *parts: Folders or files in the package that the digest is limited to; none for all sources.

    Returns:
        Version, `+` and eight hexadecimal digits. The version of a part is RESULTS_SINCE, so that a release does not
        make results again whose code is the same.

    Raises:
        FileNotFoundError: A part does not exist.
    """
    from otbench import __version__

    root = Path(__file__).parent
    chosen = [root / part for part in parts] or [root]
    if missing := [path for path in chosen if not path.exists()]:
        raise FileNotFoundError(f"{missing[0]}: a digest of the sources names it, and it is not there")
    files = {f for c in chosen for f in ([c] if c.is_file() else c.rglob("*")) if f.suffix in SOURCES}
    sums = {str(f.relative_to(root)): _sum(f) for f in files}
    return f"{RESULTS_SINCE if parts else __version__}+{digest(sums)[:8]}"


@cache
def _sum(path: Path) -> str:
    """Digest of what a file does; read once a process, since many versions share their files."""
    return hashlib.sha256(_instructions(path)).hexdigest()


def _instructions(path: Path) -> bytes:
    """What a file does: of Python its lines without comments, docstrings and blank lines, of others all."""
    content = path.read_bytes()
    if path.suffix != ".py":
        return content
    text = content.decode("utf-8")
    for start, end in reversed(_remarks(text)):
        text = text[:start] + text[end:]
    return "\n".join(line.rstrip() for line in text.splitlines() if line.strip()).encode()


TOKEN = re.compile(
    r"""[ \t\f\r]*(?:(?P<ended>\n)|(?P<comment>\#[^\r\n]*)|(?P<opened>[(\[{])|(?P<closed>[)\]}])|(?P<joined>\\\r?\n)"""
    r"""|(?P<string>[rRbBuUfF]{0,2}(?:\"{3}(?:[^\\]|\\.)*?\"{3}|'{3}(?:[^\\]|\\.)*?'{3}"""
    r"""|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'))"""
    r"""|(?P<other>[^\s"'\#()\[\]{}\\]+(?:[ \t]+[^\s"'\#()\[\]{}\\]+)*))""",
    re.DOTALL,
)
"""What tells comments and docstrings from the rest of Python's text, in a fifth of the standard tokenizer's time."""


def _remarks(text: str) -> list[tuple[int, int]]:
    """Where comments and docstrings of Python's text start and end.

    A docstring is any string that a statement on a line of its own begins with.
    """
    places, fresh, depth = [], True, 0
    for token in TOKEN.finditer(text):
        kind = token.lastgroup
        if kind == "comment" or (kind == "string" and fresh):
            places.append(token.span(kind))
        if kind == "ended":
            fresh = fresh or not depth
        elif kind not in ("comment", "joined"):
            fresh = False
            depth += (kind == "opened") - (kind == "closed")
    return places


@cache
def versions() -> dict[str, str]:
    """Versions of Python and of the main dependencies.

    Returns:
        Version by name, `not installed` where a package is missing.
    """
    releases = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            releases[package] = version(package)
        except PackageNotFoundError:
            releases[package] = "not installed"
    return releases


def machine() -> dict[str, Any]:
    """Processor, number of cores that this process may use, and GPU if any.

    Returns:
        `cpu` and `gpu` (None where there is none) by name, and `cores`.
    """
    import torch

    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if "model name" in line]
        cpu = names[0] if names else cpu
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {"cpu": cpu, "cores": cores, "gpu": gpu}
