"""Where each file of a run lies: every path below its folder, in one place."""

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
        """The config that the run was made under."""
        return self.folder / "config.json"

    @property
    def table(self) -> Path:
        """The tidy table; `metrics.csv` beside it holds the same."""
        return self.folder / "metrics.parquet"

    @property
    def summary(self) -> Path:
        """What the run is and what made it."""
        return self.folder / "run.json"

    def data(self, dataset: str) -> Path:
        """A data set."""
        return self.folder / "data" / f"{dataset}.npz"

    def features(self, dataset: str) -> Path:
        """The folder of the networks that images are compared in, and of the real images' features."""
        return self.folder / "features" / dataset

    def feature_info(self, dataset: str) -> Path:
        """What says which features there are."""
        return self.features(dataset) / "features.json"

    def fit(self, dataset: str, model: str) -> Path:
        """The folder of a fitted model, all seeds."""
        return self.folder / "fit" / dataset / model

    def fit_summary(self, dataset: str, model: str) -> Path:
        """What a fit is and how it went."""
        return self.fit(dataset, model) / "fit.json"

    def losses(self, dataset: str, model: str) -> Path:
        """A model's losses along training."""
        return self.fit(dataset, model) / "losses.csv"

    def samples(self, dataset: str, model: str) -> Path:
        """Samples of every seed and snapshot of a model."""
        return self.folder / "samples" / dataset / f"{model}.npz"

    def metrics(self, dataset: str, model: str) -> Path:
        """The tidy table of a model on a data set."""
        return self.folder / "metrics" / dataset / f"{model}.csv"

    def curves(self, dataset: str, model: str) -> Path:
        """PRD's curves of a model on a data set."""
        return self.folder / "metrics" / dataset / f"{model}.curves.npz"

    def spread(self, dataset: str, model: str) -> Path:
        """Repeated measurements of a model on a data set."""
        return self.folder / "spread" / dataset / f"{model}.csv"

    def bias(self, dataset: str, model: str) -> Path:
        """Repeated measurements at several numbers of samples."""
        return self.folder / "spread" / dataset / f"{model}.bias.csv"

    def search(self, dataset: str, model: str, space: str, trials: str) -> Path:
        """Some trials of a search."""
        return self.folder / "search" / dataset / f"{model}-{space}-{trials}.csv"

    def latent(self, dataset: str) -> Path:
        """The study of AE-OT's latent space."""
        return self.folder / "studies" / "latent" / f"{dataset}.npz"

    def ratings(self, dataset: str) -> Path:
        """The folder of a rating session."""
        return self.folder / "ratings" / dataset

    def theory(self, name: str) -> Path:
        """A study of the theory."""
        return self.folder / "theory" / f"{name}.npz"


def layout(run: Run) -> Layout:
    """The paths of the files of `run`."""
    return Layout(run.folder)
