"""Equal tuning: every trainable model of a study gets the same number of draws at the study's budget; the best is kept.

A draw is a trial of `otbench search` in the space `tuning`, with a seed that no comparison has; draw 0 is what the
config asks for without tuning. Images are selected on validation images; points by the share of high quality and the
reverse KL divergence against the known law. Test data select nothing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from otbench.config.run import Run
from otbench.config.tuning import SELECT, TUNING, Tuned, TunedModel, draw_options
from otbench.data.roots import source_of
from otbench.errors import OtbenchError
from otbench.fingerprints import fit_version, measure_version
from otbench.provenance import digest
from otbench.studies.search import ranges_of, read_search
from otbench.utils.threads import THREADS

if TYPE_CHECKING:
    import pandas

#: seed of weights and of the options drawn; the comparisons have 0, 1, 2 ...
SEED = 1000


@dataclass(frozen=True)
class Tuning:
    """What is tuned: the trainable models of one study of a run on one data set.

    draws: of every model, the base among them; work: folder of the trials, which are kept.
    """

    run: Run
    dataset: str
    draws: int
    work: Path

    @property
    def models(self) -> list[str]:
        """The models of the study that have anything to tune."""
        kind, models = self.run.kind(self.dataset), self.run.section(self.dataset).models_on(self.dataset)
        return [model for model in models if ranges_of(model, kind)]

    def options(self, model: str, draw: int) -> dict[str, Any]:
        """The options of one draw: the base, and over it those drawn.

        Args:
            model: Name of the model.
            draw: Number of the draw.

        Returns:
            Option to its value.
        """
        ranges = ranges_of(model, self.run.kind(self.dataset))
        base = self.run.section(self.dataset).base(model, self.dataset)
        return base | draw_options(ranges, model, draw, SEED)

    def made(self, model: str, draw: int) -> bool:
        """Whether the table of one draw is there, with the options that the ranges give now.

        Args:
            model: Name of the model.
            draw: Number of the draw.

        Returns:
            Whether it need not be made.
        """
        if not (path := self.table(model, draw)).exists():
            return False
        try:
            options = set(read_search(path)["options"])
        except OtbenchError:
            return False
        return options == {json.dumps(self.options(model, draw), sort_keys=True)}

    def table(self, model: str, draw: int) -> Path:
        """Where the table of one draw lies; its name changes with the budget, the base and the code.

        Args:
            model: Name of the model.
            draw: Number of the draw.

        Returns:
            Path, .csv.
        """
        section, kind = self.run.section(self.dataset), self.run.kind(self.dataset)
        asked = {"base": section.base(model, self.dataset), "steps": section.steps, "samples": section.samples}
        versions = [fit_version(model, kind), measure_version()]
        return self.work / self.dataset / f"{model}-{draw}-{digest([asked, versions, SEED])}.csv"

    def words(self, model: str, draw: int) -> list[str]:
        """The words after `otbench search` for one draw.

        Args:
            model: Name of the model.
            draw: Number of the draw.

        Returns:
            The words.
        """
        section = self.run.section(self.dataset)
        words = [model, "--data", str(self.data), "--space", TUNING, "--trials", f"{draw}:{draw + 1}"]
        words += ["--steps", str(section.steps), "--samples", str(section.samples), "--seed", str(SEED)]
        words += ["--options", json.dumps(section.base(model, self.dataset), sort_keys=True)]
        words += ["--device", self.run.device, "--out", str(self.table(model, draw))]
        if self.run.kind(self.dataset) == "images":
            words += ["--features", str(self.features), *self.weights]
        return words

    @property
    def source(self) -> list[str]:
        """The words after `otbench data`: the data set as the run has it."""
        run = self.run
        source = source_of(self.dataset, run.section(self.dataset).folders)
        words = [source, "--name", self.dataset, "--out", str(self.data)]
        return words + (["--root", run.data_root] if run.data_root else []) + ["--unverified"] * run.unverified

    @property
    def extractor(self) -> str:
        """The network whose features images are compared in: one, the first that the study names."""
        return self.run.section(self.dataset).features[0]

    @property
    def weights(self) -> list[str]:
        """Inception's weights as an option; nothing where they are not needed or not named."""
        path = self.run.section(self.dataset).inception_weights
        return ["--weights", path] if path and self.extractor == "inception" else []

    @property
    def data(self) -> Path:
        """The data set's file, made where it is not there."""
        return self.work / "data" / f"{self.dataset}.npz"

    @property
    def features(self) -> Path:
        """The folder of what images are compared in."""
        return self.work / "features" / self.dataset


def tune(tuning: Tuning, cores: int, tell: Callable[[str], None]) -> Tuned:
    """Train and measure every draw of every model, some at once, and choose.

    Args:
        tuning: What is tuned. Draws whose tables are there are not made again.
        cores: Draws made at once, one thread each.
        tell: Is given a line for every draw that ends.

    Returns:
        What won, for every model.

    Raises:
        OtbenchError: Where a draw could not be made at all; those that were stay.
    """
    _prepare(tuning)
    jobs = [(model, draw) for draw in range(tuning.draws) for model in tuning.models]
    waiting = [job for job in jobs if not tuning.made(*job)]
    done = len(jobs) - len(waiting)
    tell(f"{tuning.dataset}: {len(tuning.models)} models x {tuning.draws} draws, {done} of {len(jobs)} are there")
    with ThreadPoolExecutor(cores) as pool:
        errors = pool.map(lambda job: _call(["search", *tuning.words(*job)]), waiting)
        for at, ((model, draw), error) in enumerate(zip(waiting, errors, strict=True), done + 1):
            tell(f"{at}/{len(jobs)} {model}, draw {draw}{': ' + error if error else ''}")
    lacking = [job for job in waiting if not tuning.made(*job)]
    if lacking:
        model, draw = lacking[0]
        raise OtbenchError(f"{len(lacking)} draws could not be made, the first draw {draw} of {model}")
    section, kind = tuning.run.section(tuning.dataset), tuning.run.kind(tuning.dataset)
    found = {model: choose(_trials(tuning, model), kind, section.samples, tuning.data) for model in tuning.models}
    return Tuned(
        study=tuning.run.study_of[tuning.dataset],
        dataset=tuning.dataset,
        steps=section.steps,
        samples=section.samples,
        seed=SEED,
        selected_by=SELECT[kind],
        models=found,
    )


def _call(words: list[str]) -> str:
    """Run a verb in a process of one thread; returns its last line on standard error where it fails."""
    environment = os.environ | dict.fromkeys(THREADS, "1")
    done = subprocess.run([sys.executable, "-m", "otbench", *words], env=environment, capture_output=True, text=True)
    return "" if done.returncode == 0 else (done.stderr.strip().splitlines() or ["no message"])[-1]


def _prepare(tuning: Tuning) -> None:
    """Make the data set and, of images, its features, where they are not there."""
    (tuning.work / tuning.dataset).mkdir(parents=True, exist_ok=True)
    tuning.data.parent.mkdir(exist_ok=True)
    wanted = [(tuning.data, ["data", *tuning.source])]
    if tuning.run.kind(tuning.dataset) == "images":
        words = ["features", "--data", str(tuning.data), "--out", str(tuning.features), "--device", tuning.run.device]
        words += ["--extractor", tuning.extractor, *tuning.weights]
        wanted.append((tuning.features / "features.json", words))
    for path, words in wanted:
        if not path.exists() and (error := _call(words)):
            raise OtbenchError(f"{path} could not be made: {error}")


def _trials(tuning: Tuning, model: str) -> pandas.DataFrame:
    import pandas

    return pandas.concat([read_search(tuning.table(model, draw)) for draw in range(tuning.draws)], ignore_index=True)


def choose(trials: pandas.DataFrame, kind: str, samples: int, data: Path | str) -> TunedModel:
    """The draw of one model that wins: that of the least mean rank by the metrics that select.

    Args:
        trials: Rows of `otbench search`, of one model, trials from 0 up.
        kind: `points` or `images`.
        samples: Samples that were measured.
        data: The data set, a name or a file; says what a perfect sampler scores.

    Returns:
        The winner; the base, draw 0, where no draw could be measured. Of equal draws the first.
    """
    names = SELECT[kind]
    last = trials[(trials["snapshot"] == trials["snapshot"].max()) & trials["metric"].isin(names)]
    values = last.pivot(index="trial", columns="metric", values="value")[names]
    options = last.drop_duplicates("trial").set_index("trial")["options"].map(json.loads)
    good = values.dropna()
    best = 0
    if len(good):
        shortfall = good - _ideal(names, samples, data) if kind == "points" else good
        best = int((shortfall.abs() if kind == "points" else shortfall).rank().mean(axis=1).idxmin())
    base = options[0]
    chosen = {name: value for name, value in options[best].items() if base.get(name, ...) != value}
    return TunedModel(
        set=chosen,
        trial=best,
        draws=len(values),
        ok=len(good),
        scores=_rounded(values.loc[best]),
        base=_rounded(values.loc[0]),
    )


def _ideal(names: list[str], samples: int, data: Path | str) -> Any:
    """What a perfect sampler scores: a share of high quality above it is no merit."""
    import pandas

    from otbench.data import load
    from otbench.metrics.measure import floors

    ideal = floors(load(str(data)), samples)
    return pandas.Series({name: ideal[name] for name in names})


def _rounded(values: pandas.Series) -> dict[str, float | None]:
    return {name: None if value != value else float(f"{value:.4g}") for name, value in values.items()}


def write_tuned(tuned: Tuned, path: Path, command: str) -> None:
    """Write what won as YAML, whole or not at all.

    Args:
        tuned: What won.
        path: The file, .yaml.
        command: The command line that made it, for the file's first line.
    """
    import yaml

    from otbench.utils.files import atomic_write

    path.parent.mkdir(parents=True, exist_ok=True)
    text = f"# Written by `{command}`; do not edit (docs/tuning.md).\n"
    text += yaml.safe_dump(tuned.model_dump(mode="json"), sort_keys=False, width=110)
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
