"""A plausible gathered run, made up: every model on a grid and a ring, with one diverged and one missing cell."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from otbench.report.results import COLUMNS
from otbench.runs.formats import REAL

MODELS = (
    "gan pacgan2 pacgan3 pacgan4 ali md-gan veegan unrolled-gan wgan wgan-gp ae-ot ae-ot-10k ae-ot-pyomt "
    "real memoriser collapsed noise"
).split()
CONTROLS = ("real", "memoriser", "collapsed", "noise")
TITLES = {"gan": "GAN", "pacgan2": "PacGAN2", "ae-ot": "AE-OT", "real": "Held-out real"}
MODED = "modes high_quality reverse_kl reverse_kl_train reverse_kl_hq reverse_kl_hq_train mode_mixture".split()
PAIRED = "w2 prd_f8 prd_f1_8 precision recall density coverage".split()
SNAPSHOTS = (0.05, 0.1, 0.2, 0.4, 0.7, 1.0)
N = 2500


def centres_of(dataset: str) -> np.ndarray:
    """Mode centres (K, 2) of the grid or the ring at PacGAN's scale."""
    if dataset.startswith("grid"):
        return np.array([(x, y) for x in range(-4, 5, 2) for y in range(-4, 5, 2)], dtype=float)
    angles = 2 * np.pi * np.arange(8) / 8
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


SIGMA = {"grid": 0.05, "ring": 0.01}


class Maker:
    """Makes points and tidy rows that behave like a short run."""

    def __init__(self, dataset: str, seed: int = 0):
        self.dataset, self.rng = dataset, np.random.default_rng(seed)
        self.swiss = dataset == "swissroll"
        self.centres = np.zeros((1, 2)) if self.swiss else centres_of(dataset)
        self.sigma = SIGMA.get(dataset, 0.02)

    def points(self, model: str, quality: float) -> np.ndarray:
        """N points (N, 2) of a model whose training has come `quality` in [0, 1] far."""
        rng, k = self.rng, len(self.centres)
        if self.swiss:
            turn = 1.5 * np.pi * (1 + 2 * rng.random(N))
            roll = np.stack([turn * np.cos(turn), turn * np.sin(turn)], axis=1) / 7.5
            return (roll + (0.03 + 0.2 * (1 - quality)) * rng.standard_normal((N, 2))).astype(np.float32)
        weights = np.full(k, 1 / k)
        spread, between = self.sigma, 0.0
        if model == "collapsed":
            weights = np.where(np.arange(k) < max(2, k // 5), 1.0, 0.0)
        elif model == "ae-ot":
            spread *= 0.7
        elif model not in CONTROLS:
            weights = rng.dirichlet(np.full(k, 0.3 + 8 * quality**2))
            spread, between = self.sigma * (1.2 + 5 * (1 - quality)), 0.02 + 0.3 * (1 - quality)
        weights = weights / weights.sum()
        mode = rng.choice(k, size=N, p=weights)
        points = self.centres[mode] + spread * rng.standard_normal((N, 2))
        mixed = rng.random(N) < between
        other, share = self.centres[rng.choice(k, size=N)], rng.random((N, 1))
        points = np.where(mixed[:, None], share * points + (1 - share) * other, points)
        if model == "noise":
            half = 1.3 * np.abs(self.centres).max()
            points = rng.uniform(-half, half, size=(N, 2))
        if model == "wgan":  # some points far outside the panel
            points[: N // 50] *= 4
        return points.astype(np.float32)

    def values(self, points: np.ndarray, last: bool, quality: float) -> dict[str, float]:
        """Metric values: those over modes are computed, those over pairs made up."""
        found: dict[str, float] = {}
        if not self.swiss:
            distance = np.linalg.norm(points[:, None] - self.centres[None], axis=2) / self.sigma
            nearest, near = distance.argmin(axis=1), distance.min(axis=1) < 3
            k = len(self.centres)
            every, high = (np.bincount(nearest[kept], minlength=k) for kept in (np.ones(N, bool), near))
            found |= {"modes": float((high > 0).sum()), "high_quality": float(near.mean())}
            found |= {"reverse_kl": _kl(every), "reverse_kl_train": _kl(every) + 1e-4}
            found |= {"reverse_kl_hq": _kl(high), "reverse_kl_hq_train": _kl(high) + 1e-4}
            found["mode_mixture"] = float((~near).mean()) * 0.7
        if last:
            noise = 0.01 * self.rng.random(len(PAIRED))
            found |= dict(zip(PAIRED, np.abs(quality - noise), strict=True))
            found["w2"] = 0.02 + 1.5 * (1 - quality) + 0.01 * self.rng.random()
        return found


def _kl(counts: np.ndarray) -> float:
    if not counts.sum():
        return math.inf
    share = counts[counts > 0] / counts.sum()
    return float((share * np.log(share * len(counts))).sum())


def quality_of(model: str, snapshot: float) -> float:
    """How good a model is made to be, in [0, 1]: it has settled at 0.7 of the budget."""
    if model in CONTROLS or model.startswith("ae-ot"):
        return {"collapsed": 0.3, "noise": 0.1}.get(model, 0.99)
    order = MODELS.index(model)
    return (0.55 + 0.03 * (order * 7 % 11)) * (0.25 + 0.75 * min(1.0, snapshot / 0.7) ** 0.5)


def rows_of(run: str, dataset: str, model: str, seed: int, snapshots: tuple[float, ...], maker: Maker) -> list[dict]:
    """The tidy rows of one cell."""
    fixed = {"run": run, "study": "mode-collapse", "dataset": dataset, "model": model, "seed": seed}
    fixed |= {"device": "cpu", "code_version": "0.1.0+abc1234", "config_hash": "feedbeef"}
    rows = []
    for snapshot in snapshots:
        last, quality = snapshot == 1.0, quality_of(model, snapshot)
        diverged = (dataset, model, seed) == ("grid", "veegan", 1) and snapshot > 0.5
        values = maker.values(maker.points(model, quality), last, quality)
        seconds = snapshot * (20 + 6 * MODELS.index(model) + seed)
        seconds = 0.4 if model.startswith("ae-ot") else 0.0 if model in CONTROLS else seconds
        for metric, value in values.items():
            row = {"metric": metric, "value": math.nan if diverged else value, "seconds": seconds}
            row |= {"snapshot": snapshot, "status": "diverged" if diverged else "ok"}
            row["protocol"] = f"n_generated={N};reference=truth;radius=3sigma"
            if metric in PAIRED:
                row["protocol"] = f"n_real={N};n_generated={N};split=test"
            rows.append(fixed | row)
        if last and model.startswith("ae-ot"):
            for name, value in (("map_max_cell_error", 3e-10), ("map_empty_cells", 0.0), ("map_dual_value", 2.25)):
                extra = {"snapshot": 1.0, "metric": name, "value": value, "seconds": seconds, "status": "ok"}
                rows.append(fixed | extra | {"protocol": "certificate"})
    return rows


def make_run(
    folder: Path,
    name: str = "default",
    datasets: tuple[str, ...] = ("grid", "ring"),
    models: tuple[str, ...] = tuple(MODELS),
    seeds: tuple[int, ...] = (0, 1, 2),
    steps: int = 3000,
) -> Path:
    """Write a made-up gathered run to `folder`: grid/veegan/1 diverges, ring/wgan/2 is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    rows, scatter, expected = [], {}, []
    for dataset in datasets:
        maker = Maker(dataset, 7)
        scatter[f"{dataset}/{REAL}"] = maker.points("real", 1.0)
        for model in models:
            single = model in CONTROLS or model.startswith("ae-ot")
            if (dataset, model) != ("ring", "md-gan"):
                scatter[f"{dataset}/{model}"] = maker.points(model, quality_of(model, 1.0))
            for seed in seeds:
                expected.append([dataset, model, seed])
                if (dataset, model, seed) != ("ring", "wgan", 2):
                    rows += rows_of(name, dataset, model, seed, (1.0,) if single else SNAPSHOTS, maker)
    pd.DataFrame(rows)[list(COLUMNS)].to_parquet(folder / "metrics.parquet", index=False)
    np.savez(folder / "scatter.npz", **scatter)
    about = {one: {"title": one.capitalize(), "source": "", "modes": None, "n_train": 100_000} for one in datasets}
    for one in datasets:
        if one != "swissroll":
            about[one] |= {"modes": len(centres_of(one)), "sigma": SIGMA.get(one, 0.02)}
            about[one]["centres"] = centres_of(one).tolist()
    info = {
        "run": name,
        "config": {"seeds": len(seeds), "budget": {"steps": steps}, "note": "a <b>made-up</b> run"},
        "config_hash": "feedbeef",
        "code_version": "0.1.0+abc1234",
        "versions": {"python": "3.11.7", "torch": "2.15.0"},
        "machine": {"cpu": "a processor", "cores": 2, "gpu": None},
        "started": "2025-01-01T00:00:00Z",
        "finished": "2025-01-01T00:14:00Z",
        "expected": expected,
        "models": {
            one: {"title": TITLES.get(one, ""), "paper": "", "family": "", "control": one in CONTROLS, "options": {}}
            for one in models
        },
        "datasets": about,
        "budget": {"steps": steps, "paper_steps": 400_000, "said": f"{steps:,} of the papers' 400,000 steps"},
        "seeds": list(seeds),
        "snapshots": list(SNAPSHOTS),
    }
    (folder / "run.json").write_text(json.dumps(info))
    return folder


@pytest.fixture(scope="session")
def published() -> Path:
    """The file of published figures."""
    return Path(__file__).parents[2] / "config" / "published.csv"


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole made-up run on grid and ring with three seeds."""
    return make_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="session")
def reference_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A made-up reference of two models at the papers' scale."""
    folder = tmp_path_factory.mktemp("reference")
    return make_run(folder, "reference", ("grid",), ("gan", "pacgan2"), tuple(range(10)), 400_000)


@pytest.fixture(scope="session")
def make() -> Callable[..., Path]:
    """The function that writes a made-up run."""
    return make_run
