"""Paths of a run's files: every path below its folder, in one place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from otbench.config.run import Run


@dataclass(frozen=True)
class Layout:
    """The paths of a run's files.

    Attributes:
        folder: the run's folder, `results/<run>`.
    """

    folder: Path

    @property
    def config(self) -> Path:
        """Path of the config that the run was made under."""
        return self.folder / "config.json"

    @property
    def table(self) -> Path:
        """Path of the tidy table; `metrics.csv` beside it holds the same."""
        return self.folder / "metrics.parquet"

    @property
    def summary(self) -> Path:
        """Path of the description of the run and of what made it."""
        return self.folder / "run.json"

    @property
    def csv(self) -> Path:
        """Path of the tidy table as text."""
        return self.folder / "metrics.csv"

    @property
    def arrays(self) -> tuple[Path, ...]:
        """Paths of the points, images and curves that figures show."""
        return tuple(self.folder / f"{name}.npz" for name in ("scatter", "gallery", "curves", "latent"))

    @property
    def further(self) -> tuple[Path, ...]:
        """Paths of losses, repeated measurements and ratings."""
        return tuple(self.folder / name for name in ("losses.parquet", "spread.csv", "bias.csv", "ratings.json"))

    @property
    def searches(self) -> Path:
        """Path of the table of all searches."""
        return self.folder / "search.csv"

    @property
    def report(self) -> Path:
        """Path of the report, a page."""
        return self.folder / "report.html"

    @property
    def markdown(self) -> Path:
        """Path of the report as text."""
        return self.folder / "report.md"

    @property
    def complete(self) -> Path:
        """Path of the sign that every cell of the run is ok."""
        return self.folder / "complete"

    def log(self, job: str) -> Path:
        """Path of a job's log.

        Args:
            job: Verb and what it works on, between slashes: `fit/ring/gan`.

        Returns:
            Path, .log.
        """
        return self.folder / "logs" / f"{job}.log"

    def data(self, dataset: str) -> Path:
        """Path of a data set.

        Args:
            dataset: Name of the data set.

        Returns:
            Path, .npz.
        """
        return self.folder / "data" / f"{dataset}.npz"

    def features(self, dataset: str) -> Path:
        """Folder of the networks that images are compared in, and of the real images' features.

        Args:
            dataset: Name of the data set.

        Returns:
            Path of the folder.
        """
        return self.folder / "features" / dataset

    def feature_info(self, dataset: str) -> Path:
        """Path of the list of the features that exist.

        Args:
            dataset: Name of the data set.

        Returns:
            Path, .json.
        """
        return self.features(dataset) / "features.json"

    def fit(self, dataset: str, model: str) -> Path:
        """Folder of a fitted model, all seeds.

        Args:
            dataset: Name of the data set.
            model: Name of the model.

        Returns:
            Path of the folder.
        """
        return self.folder / "fit" / dataset / model

    def part(self, dataset: str, model: str, seeds: str) -> Path:
        """Folder of the fits of some of a model's seeds, where each job trains some.

        Args:
            dataset: Name of the data set.
            model: Name of the model.
            seeds: The seeds, as `0-1-2`.

        Returns:
            Path of the folder.
        """
        return self.fit(dataset, model) / f"part-{seeds}"

    def weights(self, dataset: str, model: str) -> Path:
        """Path of a model's weights, of all seeds.

        Args:
            dataset: Name of the data set.
            model: Name of the model.

        Returns:
            Path, .safetensors.
        """
        return self.fit(dataset, model) / "weights.safetensors"

    def fit_summary(self, dataset: str, model: str) -> Path:
        """Path of the description of a fit and how it went.

        Args:
            dataset: Name of the data set.
            model: Name of the model.

        Returns:
            Path, .json.
        """
        return self.fit(dataset, model) / "fit.json"

    def losses(self, dataset: str, model: str) -> Path:
        """Path of a model's losses along training.

        Args:
            dataset: Name of the data set.
            model: Name of the model.

        Returns:
            Path, .csv.
        """
        return self.fit(dataset, model) / "losses.csv"

    def samples(self, dataset: str, model: str) -> Path:
        """Path of the samples of every seed and snapshot of a model.

        Args:
            dataset: Name of the data set.
            model: Name of the model.

        Returns:
            Path, .npz.
        """
        return self.folder / "samples" / dataset / f"{model}.npz"

    def metrics(self, dataset: str, model: str) -> Path:
        """Path of the tidy table of a model on a data set.

        Args:
            dataset: Name of the data set.
            model: Name of the model.

        Returns:
            Path, .csv.
        """
        return self.folder / "metrics" / dataset / f"{model}.csv"

    def curves(self, dataset: str, model: str) -> Path:
        """Path of PRD's curves of a model on a data set.

        Args:
            dataset: Name of the data set.
            model: Name of the model.

        Returns:
            Path, .npz.
        """
        return self.folder / "metrics" / dataset / f"{model}.curves.npz"

    def spread(self, dataset: str, model: str) -> Path:
        """Path of the repeated measurements of a model on a data set.

        Args:
            dataset: Name of the data set.
            model: Name of the model.

        Returns:
            Path, .csv.
        """
        return self.folder / "spread" / dataset / f"{model}.csv"

    def bias(self, dataset: str, model: str) -> Path:
        """Path of the repeated measurements at several numbers of samples.

        Args:
            dataset: Name of the data set.
            model: Name of the model.

        Returns:
            Path, .csv.
        """
        return self.folder / "spread" / dataset / f"{model}.bias.csv"

    def search(self, dataset: str, model: str, space: str, trials: str) -> Path:
        """Path of some trials of a search.

        Args:
            dataset: Name of the data set.
            model: Name of the model.
            space: Name of the search space.
            trials: First trial and end of the trials, such as `0-10`.

        Returns:
            Path, .csv.
        """
        return self.folder / "search" / dataset / f"{model}-{space}-{trials}.csv"

    def latent(self, dataset: str) -> Path:
        """Path of the study of AE-OT's latent space.

        Args:
            dataset: Name of the data set.

        Returns:
            Path, .npz.
        """
        return self.folder / "studies" / "latent" / f"{dataset}.npz"

    def ratings(self, dataset: str) -> Path:
        """Folder of a rating session.

        Args:
            dataset: Name of the data set.

        Returns:
            Path of the folder.
        """
        return self.folder / "ratings" / dataset

    def theory(self, name: str) -> Path:
        """Path of a study of the theory.

        Args:
            name: Name of the study.

        Returns:
            Path, .npz.
        """
        return self.folder / "theory" / f"{name}.npz"


def layout(run: Run) -> Layout:
    """Paths of the files of a run.

    Args:
        run: The run.

    Returns:
        The layout of the run's folder.
    """
    return Layout(run.folder)
