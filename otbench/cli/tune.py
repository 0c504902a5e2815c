"""The verb `tune`: the same number of draws for every trainable model of a study."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from otbench.commands import command_line
from otbench.errors import OtbenchError


def tune(
    config: Annotated[Path, typer.Argument(help="The run's config file, laid over config/config.yaml.")],
    dataset: Annotated[str, typer.Option(help="Data set of the config whose models are tuned.")],
    out: Annotated[Path, typer.Option(help="What to write, .yaml; name it in the study's `tuned`.")],
    draws: Annotated[int, typer.Option(min=1, help="Draws of every model, its values without tuning among them.")] = 8,
    cores: Annotated[int, typer.Option(min=1, help="Draws made at once, one thread each.")] = 1,
    work: Annotated[Path, typer.Option(help="Folder of the trials; what is there is not made again.")] = Path(
        "results/tuning"
    ),
) -> None:
    """Tune every trainable model of a study alike, on data that no comparison measures, and write what won.

    Example: otbench tune config/config.yaml --dataset digits --out config/tuned/images-digits.yaml

    \f
    Args:
        config: The run's config file, .yaml, laid over config/config.yaml as Snakemake does.
        dataset: Data set of the config whose models are tuned.
        out: What to write, .yaml.
        draws: Draws of every model, its values without tuning among them.
        cores: Draws made at once, one thread each.
        work: Folder of the trials.

    Raises:
        OtbenchError: Where the config has no such data set, or nothing on it can be tuned.
    """
    from otbench.runs.slices import configured
    from otbench.runs.tune import Tuning, write_tuned
    from otbench.runs.tune import tune as choose

    run = configured(config, [])
    if dataset not in run.datasets:
        raise OtbenchError(f"{config} has no data set '{dataset}', expected one of {', '.join(run.datasets)}")
    tuning = Tuning(run, dataset, draws, work)
    if not tuning.models:
        raise OtbenchError(f"{config}: no model on {dataset} has options to tune")
    won = choose(tuning, cores, typer.echo)
    words = [str(config), "--dataset", dataset, "--draws", str(draws), "--out", str(out)]
    write_tuned(won, out, command_line("tune", words))
    for name, model in won.models.items():
        typer.echo(f"{name}: draw {model.trial} of {model.draws}, {model.base} -> {model.scores}")
