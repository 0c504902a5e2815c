"""The command line, one file a group of verbs; `main` is the command `otbench`."""

from __future__ import annotations

import os
import sys

from otbench.cli.server import PARENT, VARIABLE, ask, end_with


def main() -> None:
    """Run the command `otbench`, in the warm process where there is one, else here."""
    path, parent = os.environ.get(VARIABLE), os.environ.get(PARENT)
    if parent:
        end_with(int(parent))
    status = ask(path, sys.argv[1:]) if path else None
    if status is not None:
        sys.exit(status)
    from otbench.cli.app import main as run

    run()
