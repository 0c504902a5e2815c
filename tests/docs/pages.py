"""What a page of docs tells a reader to do, done in a copy of the repository."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


def block(text: str, language: str) -> str:
    """The first code block in a language."""
    return re.search(rf"```{language}\n(.*?)```", text, re.S).group(1)


@dataclass(frozen=True)
class Page:
    """A page: where its file goes, the file's text, the lines for a config, its commands."""

    path: str
    source: str
    line: str
    commands: tuple[str, ...]


def read_page(path: Path) -> Page:
    """The parts of a page that adds a file; `line` is empty where no config needs one."""
    text = path.read_text(encoding="utf-8")
    target = re.search(r"^Put this in `(\S+)`:$", text, re.M).group(1)
    line = block(text, "yaml") if "```yaml" in text else ""
    return Page(target, block(text, "python"), line, tuple(block(text, "sh").strip().splitlines()))


class Checkout:
    """A copy of the repository in which the copy's package runs, not the installed one."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.folder = folder
        for name in ("otbench", "workflow", "config", "tests", "profiles"):
            shutil.copytree(root / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("Snakefile", "pyproject.toml"):
            shutil.copy(root / name, folder / name)
        shim = folder / "bin" / "otbench"
        shim.parent.mkdir()
        shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m otbench "$@"\n')
        shim.chmod(0o755)
        path = f"{shim.parent}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.env = {**os.environ, "PATH": path, "PYTHONPATH": str(folder)}

    def add(self, page: Page, after: str = "") -> None:
        """Put a page's file in its place, and its line into the smallest config, after the line `after`."""
        (self.folder / page.path).write_text(page.source, encoding="utf-8")
        if page.line:
            config = self.folder / "config" / "tiny.yaml"
            text = config.read_text(encoding="utf-8")
            assert text.count(after) == 1
            config.write_text(text.replace(after, f"{after}{page.line}"), encoding="utf-8")

    def run(self, command: str) -> str:
        """Run a command in the copy; return what it printed."""
        done = subprocess.run(command, shell=True, cwd=self.folder, env=self.env, capture_output=True, text=True)
        assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout
