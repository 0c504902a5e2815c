"""A run of the benchmark from any folder: which config a name means, and what Snakemake is called with."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from otbench.errors import OtbenchError
from otbench.utils.home import HOME

#: where configs are, and the profile of one machine, in a clone and in an installed package
CONFIGS, PROFILE = HOME / "config", HOME / "profiles" / "default"
#: endings of a config's file
ENDINGS = (".yaml", ".yml", ".json")


def find_config(name: str) -> Path:
    """The config file that a name or a path means.

    Args:
        name: Path of a file, or the name of a config that the benchmark brings, with or without its ending.

    Returns:
        Path of the file: one in this folder comes before one that the benchmark brings.

    Raises:
        OtbenchError: There is no such file.
    """
    here = Path(name).expanduser()
    brought = CONFIGS / (name if name.endswith(ENDINGS) else f"{name}.yaml")
    for path in (here, brought):
        if path.is_file() and path.suffix in ENDINGS:
            return path
    known = ", ".join(sorted(path.stem for path in CONFIGS.glob("*.yaml") if path.stem != "queue"))
    raise OtbenchError(f"there is no config {name}; expected a .yaml file, or one of {known}")


def words_for_snakemake(words: list[str], cores: int) -> list[str]:
    """Command line of Snakemake for a run.

    Args:
        words: The config's name or path, where it is not the default's, and then options of Snakemake.
        cores: Jobs at once.

    Returns:
        Words after `snakemake`.
    """
    config, options = ([words[0]], words[1:]) if words and not words[0].startswith("-") else ([], words)
    line = ["--snakefile", str(HOME / "workflow" / "Snakefile"), "--cores", str(cores)]
    if not _has(options, "--workflow-profile"):
        line += ["--workflow-profile", str(PROFILE)]
    # the default's config is loaded by the workflow itself
    files = [str(find_config(name)) for name in config]
    # options that take several values would take the files for theirs, or the other way round
    return [*line, *(["--configfile", *files] if files else []), *options]


def _has(options: list[str], name: str) -> bool:
    return any(word == name or word.startswith(f"{name}=") for word in options)


def run(words: list[str], cores: int, logger: str | None = None) -> int:
    """Run the benchmark in this folder.

    Args:
        words: The config's name or path, where it is not the default's, and then options of Snakemake.
        cores: Jobs at once.
        logger: Name of a registered logger of Snakemake that shows the run; None for Snakemake's own lines.

    Returns:
        Exit status of Snakemake: 0 where all is done, 1 where a job failed.
    """
    line = words_for_snakemake(words, cores)
    # the jobs call the command that belongs to this Python, whatever the shell would find
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    from snakemake.cli import main

    try:
        main([*(["--logger", logger] if logger else []), *line])
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return 0
