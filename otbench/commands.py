"""The words of the verbs: what `fit`, `draw` and `measure` are called with, by the workflow and by hand."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass


def command_line(verb: str, words: list[str]) -> str:
    """The command line of a call of `verb`, quoted for a shell.

    As it was typed where the verb was called on the command line, relative paths included; else `otbench VERB WORDS`.
    """
    program = Path(sys.argv[0])
    ours = program.stem == "otbench" or (program.stem == "__main__" and program.parent.name == "otbench")
    typed = sys.argv[1:] if ours and sys.argv[1:2] == [verb] else [verb, *words]
    return shlex.join(["otbench", *typed])
