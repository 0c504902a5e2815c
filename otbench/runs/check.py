"""A run from its config, checked: read from a file, from Snakemake, or from a results folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from otbench.config.messages import sentence
from otbench.config.run import Run
from otbench.config.study import KINDS, StudyConfig
from otbench.errors import OtbenchError
from otbench.runs.layout import Layout
from otbench.utils.files import read_yaml
from otbench.utils.paths import REFERENCE

#: sides of images that every network takes are multiples of it
USUAL = 32


def checked(values: dict[str, Any], where: str = "config", options: bool = True) -> Run:
    """Run that a config describes.

    Args:
        values: Values of the config by key.
        where: Name of the config in messages.
        options: Whether options of models and studies are checked too, which takes torch and seconds.

    Returns:
        The run.

    Raises:
        OtbenchError: A key is wrong; the message names it.
    """
    try:
        run = Run(**values)
    except ValidationError as error:
        raise OtbenchError(sentence(error, where)) from error
    except (TypeError, RecursionError) as error:
        raise OtbenchError(f"{where}: expected a mapping of keys to values") from error
    if options:
        _check_options(run, where)
    return run


def _check_folders(run: Run, where: str) -> None:
    """Check that folders of images suit the metrics and models; folders that do not exist pass."""
    for name, section in run.sections.items():
        for dataset in {*section.folders} & {*section.datasets}:
            from otbench.data.images import folder  # needs numpy and Pillow: only where there is something to check
            from otbench.metrics.prd import CLUSTERS

            text = section.folders[dataset]
            try:
                folder.check(text, 10 * CLUSTERS, section.features == ["classifier"])
                if folder.side_of(text) % USUAL:
                    _check_side(section, dataset, folder.side_of(text))
            except OtbenchError as error:
                raise OtbenchError(f"{where}, key 'studies.{name}.folders.{dataset}': {error}") from error


def _check_side(section: StudyConfig, dataset: str, side: int) -> None:
    """Build every model for images of this side; raises OtbenchError where one cannot take them."""
    import numpy as np

    from otbench.data.base import DataSet
    from otbench.models import configure, find

    blank = np.zeros((200, 3, side, side), np.uint8)
    data = DataSet(dataset, blank, blank[:20], validation=blank[:20])
    for model in section.models:
        config = configure(model, section.options(model, dataset), "images")
        try:
            find(model, "images")(config, data, [0], training=False)
        except OtbenchError as error:
            raise OtbenchError(f"model {model}: {error}") from error


def _check_options(run: Run, where: str) -> None:
    _check_folders(run, where)
    for name, section in run.sections.items():
        if section.spread and section.spread.metrics:
            from otbench.metrics import METRICS  # needs numpy: only where there is something to check

            for metric in section.spread.metrics:
                if metric not in METRICS:
                    raise OtbenchError(
                        f"{where}, key 'studies.{name}.spread.metrics': unknown metric '{metric}';"
                        f" known are {', '.join(METRICS)}"
                    )
        if section.rulers:
            from otbench.metrics.registry import with_rulers

            try:
                with_rulers(section.rulers)
            except OtbenchError as error:
                raise OtbenchError(f"{where}, key 'studies.{name}.rulers': {error}") from error
        overridden = {model for override in section.overrides for model in override.models}
        overridden |= {model for tuned in section.tuned.values() for model in tuned.models}
        pairs = [(model, section.options(model, dataset)) for model in overridden for dataset in section.datasets]
        if section.search and section.search.set:
            pairs += [(model, section.search.set) for model in section.search.models]
        for model, options in pairs:
            from otbench.models import configure  # needs torch: only where there is something to check

            configure(model, options, KINDS[name])
    for name, part in run.theories.items():
        if part.set:
            from otbench import theory

            theory.configure(name, part.set)


def check_reference(run: Run) -> None:
    """Check that the reference results that the config names exist; the default may be absent.

    Args:
        run: The run.

    Raises:
        OtbenchError: There is no table of metrics in the folder.
    """
    if run.reference == REFERENCE or Path(run.reference).resolve() == run.folder.resolve():
        return
    if not (Path(run.reference) / "metrics.parquet").is_file():
        raise OtbenchError(
            f"config, key 'reference': there is no metrics.parquet in {run.reference}; expected the folder of a run"
        )


def read(path: str | Path) -> Run:
    """Run that a config file describes.

    Args:
        path: The config, YAML or JSON.

    Returns:
        The run.
    """
    return checked(read_yaml(path), str(path))


def run_of(folder: Path) -> Run:
    """Run whose results are in a folder.

    Args:
        folder: Folder of the run.

    Returns:
        The run.

    Raises:
        OtbenchError: The config is missing, or describes another folder.
    """
    run = read(Layout(Path(folder)).config)
    if run.folder.resolve() != Path(folder).resolve():
        raise OtbenchError(f"{folder}/config.json describes {run.folder}, not this folder")
    return run
