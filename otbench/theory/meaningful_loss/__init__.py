"""A loss that means something: what a critic and a discriminator say along training, beside the samples' quality.

A WGAN's critic and a standard GAN's discriminator, the same network, are trained against three generators. At
checkpoints a copy of each is trained on against the generator as it is then, which the game does not see, and asked on
held-out images for its estimate: of the Wasserstein distance, up to the critic's Lipschitz constant, and of the
Jensen-Shannon divergence. Two measures of quality that neither game sees stand beside them: the exact W1 between
samples and held-out images, and a Frechet distance in principal components.

Tried on digits otherwise, rank correlation with W1 over all checkpoints of all generators: 25, 50, 100 and 200 steps of
the judge gave 0.80 each (Wasserstein; as it stands 0.61) and 0.34, 0.52, 0.51 and 0.43 (Jensen-Shannon; as it stands
0.21). A looser clip of the judge, 0.03 or 0.1 at 100 steps, left the Wasserstein estimate's at 0.80: the clip's size is
not what limits it. That it is a clip may be: a new critic as judge with WGAN-GP's penalty instead (weight 10, Adam
1e-3, 100 steps, one seed) had slopes of 1.1 to 1.4, not of 0.014 to 0.11, and 0.93 against the clipped judge's 0.83 on
that seed; in changes 0.57, 0.79 and 0.96 for the three generators against 0.46, 0.32 and 0.32. Division by the slope
alone does not make up for it (0.80 on that seed). The distance between the mean images, a lower bound on W1, has 0.94.
The game as it stands depends on the rates too: with a clip of 0.05 and all rates 5e-4 the critic had -0.39.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from pydantic import BaseModel, ConfigDict, Field
from scipy.stats import spearmanr
from torch import Tensor

from otbench.data.base import DataSet
from otbench.data.samples import as_bytes
from otbench.errors import OtbenchError
from otbench.metrics.frechet import frechet, statistics
from otbench.metrics.wasserstein import cost, import_ot
from otbench.models.base import Model
from otbench.models.images.shared.base import as_floats
from otbench.theory.findings import Fact, Findings
from otbench.theory.meaningful_loss.players import (
    Critics,
    Discriminators,
    PlayersConfig,
    generators,
    jensen_shannon,
    scores,
    steepest,
    trained_on,
    wasserstein,
)
from otbench.theory.shared.ruler import Extract, flat, principal
from otbench.training.trainer import Options as Training
from otbench.training.trainer import Trainer, key
from otbench.utils.devices import configure_torch
from otbench.utils.rng import generator

TITLE = "A loss that means something: the critic's estimate and the discriminator's along training"
SOURCE = "slides, Wasserstein GAN: meaningful loss metric, robustness; Arjovsky et al. 2017, figures 3 and 4"
DATA = True

LOSSES = ("Wasserstein", "Jensen-Shannon")
GENERATORS = tuple(generators((1, 8, 8), 1, 1, 1))
#: points on each segment where the critic's slope is taken, and the number of segments
POINTS, SEGMENTS = 5, 100
#: what is measured at a checkpoint
MEASURES = ("estimate", "estimate_train", "as_is", "slope", "w1", "frechet")


class Options(BaseModel):
    """The games and what is measured of them."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    seeds: int = Field(2, ge=1, description="trainings of each game")
    steps: int = Field(160, ge=2, description="updates of the generator in each training")
    critic_steps: int = Field(3, ge=1, description="updates of the critic to each of the generator (the text: 5)")
    batch: int = Field(32, ge=2, description="images of a batch (the text: 64)")
    critic_rate: float = Field(1e-3, gt=0, description="learning rate of RMSProp in the WGAN (the text: 5e-5)")
    generator_rate: float = Field(1e-3, gt=0, description="learning rate of the generator in both")
    clip: float = Field(0.01, gt=0, description="bound on the critic's weights, as in the text")
    discriminator_rate: float = Field(1e-3, gt=0, description="learning rate of Adam in the standard GAN")
    judge_steps: int = Field(
        50, ge=0, description="updates of a copy of the critic, the generator held, before it is asked; 0: as it stands"
    )
    latent: int = Field(32, ge=1, description="dimensions of the noise")
    width: int = Field(8, ge=1, description="channels of DCGAN's narrowest layer, and of the critic's first")
    hidden: int = Field(128, ge=1, description="width of the MLP generator's four hidden layers (the paper's: 512)")
    checkpoints: int = Field(8, ge=4, description="moments, evenly over the training, at which all is measured")
    samples: int = Field(250, ge=10, description="samples, and held-out images at most, at each")
    sheets: tuple[float, ...] = Field(
        (0.1, 0.3, 1.0), min_length=1, description="fractions of the training at which samples are shown"
    )
    shown: int = Field(8, ge=1, description="samples shown at each of them")


@dataclass(frozen=True)
class Judge:
    """What quality is measured against: held-out images, and as many training images for the critic to be asked on."""

    held: np.ndarray
    train: np.ndarray
    extract: Extract
    real: dict[str, np.ndarray]

    def w1(self, images: np.ndarray) -> float:
        """Exact W1 between images and the held-out ones, Euclidean, values in [0, 1].

        Args:
            images: Images (n, c, h, w) uint8.

        Returns:
            Distance in units of the grey values.
        """
        distances = np.sqrt(cost(flat(self.held), flat(images)))
        return float(import_ot().emd2([], [], distances, numItermax=1_000_000))

    def frechet(self, images: np.ndarray) -> float:
        """Frechet distance from the held-out images in principal components of the training images.

        Args:
            images: Images (n, c, h, w) uint8.

        Returns:
            Distance.
        """
        return frechet(self.real, statistics(self.extract(images)))


def compute(options: Options, data: DataSet, seed: int, device: str) -> Findings:
    """Losses and quality along the training of every game, for every seed.

    Args:
        options: The games and what is measured of them.
        data: Images.
        seed: Seed of the first training of each game; the others follow by one.
        device: Where to train.

    Returns:
        Findings with the tables `correlations` (a row a game) and `checkpoints` (a row a checkpoint of a training), and
        as arrays `sheets` (losses, generators, fractions, images, c, h, w) uint8 of the first seed, `fractions`, the
        measures, each (losses, generators, seeds, checkpoints), and the generator's updates at the checkpoints as
        `steps`.

    Raises:
        OtbenchError: Where a fraction of `sheets` lies outside (0, 1].
    """
    if any(not 0 < f <= 1 for f in options.sheets):
        raise OtbenchError(f"theory meaningful-loss: sheets must be fractions in (0, 1], got {options.sheets}")
    configure_torch(device)
    o, made = options, judge(data, options.samples, seed)
    marks = np.round(np.linspace(0, 1, o.checkpoints + 1)[1:], 6).tolist()
    measures = np.zeros((len(MEASURES), len(LOSSES), len(GENERATORS), o.seeds, o.checkpoints))
    sheets = []
    for i, loss in enumerate(LOSSES):
        for j, name in enumerate(GENERATORS):
            for k in range(o.seeds):
                model, states = played(o, data, loss, name, seed + k, device, sorted({*marks, *o.sheets}))
                for m, mark in enumerate(marks):
                    model.load(states[mark])
                    measures[:, i, j, k, m] = measured(model, made, loss, o)
                if k == 0:
                    sheets += [sampled(model, states[f], o.shown) for f in o.sheets]
    shape = (len(LOSSES), len(GENERATORS), len(o.sheets))
    arrays = dict(zip(MEASURES, measures, strict=True))
    arrays |= {"steps": np.array(marks) * o.steps, "fractions": np.array(o.sheets)}
    arrays["sheets"] = np.stack(sheets).reshape(*shape, *sheets[0].shape)
    correlated = correlations(arrays)
    facts = _facts(arrays, correlated, made, data, options)
    return Findings("meaningful-loss", facts, {"correlations": correlated, "checkpoints": _long(arrays)}, arrays)


def judge(data: DataSet, most: int, seed: int) -> Judge:
    """Measures of quality on held-out images.

    Args:
        data: Images.
        most: Number of held-out images, at most.
        seed: Seed of the principal components and of the training images that are chosen.

    Returns:
        Held-out images, as many training images, and what distances are taken in.
    """
    extract, _ = principal(data.train, seed)
    reference = data.reference[:most]
    rows = np.random.default_rng(seed).permutation(len(data.train))[: len(reference)]
    return Judge(reference, data.train[rows], extract, statistics(extract(reference)))


def played(
    options: Options, data: DataSet, loss: str, name: str, seed: int, device: str, marks: list[float]
) -> tuple[Critics | Discriminators, dict[float, dict[str, Tensor]]]:
    """Game of a loss and a generator, trained, with its networks along the training.

    Args:
        options: Sizes, rates and budget.
        data: Images.
        loss: One of LOSSES.
        name: Generator, one of GENERATORS.
        seed: Seed of the training.
        device: Where to train.
        marks: Fractions of the training at which the networks are kept.

    Returns:
        Model of one replica, and the state of its networks by fraction: tensors (1, ...) by name.

    Raises:
        OtbenchError: Where the training diverged.
    """
    o, adversarial = options, loss == "Wasserstein"
    rate = o.critic_rate if adversarial else o.discriminator_rate
    config = PlayersConfig.model_validate(
        {
            "generator": name,
            "latent": o.latent,
            "batch": o.batch,
            "width": o.width,
            "hidden": o.hidden,
            "clip": o.clip,
            "critic_steps": o.critic_steps,
            "rate": rate,
            "generator_rate": o.generator_rate / rate,
        }
    )
    model = (Critics if adversarial else Discriminators)(config, data, [seed], device)
    what = f"{loss}, {name}, seed {seed}"
    budget = o.steps * (o.critic_steps if adversarial else 1)
    record = Trainer(model, budget, marks, Training(device=device), None).run(what)
    for cell in record.cells.values():
        if cell["status"] != "ok":
            raise OtbenchError(f"theory meaningful-loss, {what}: expected to train well, but {cell['message']}")
    snapshots = {mark: record.snapshots[key(seed, mark)] for mark in marks}
    return model, {mark: {n: v.unsqueeze(0) for n, v in state.items()} for mark, state in snapshots.items()}


def sampled(model: Model, state: dict[str, Tensor], n: int) -> np.ndarray:
    """Samples of a checkpoint; the noise is the same at each.

    Args:
        model: Model, which is set to the checkpoint's state.
        state: State of its networks.
        n: Number of samples.

    Returns:
        Images (n, c, h, w) uint8.
    """
    model.load(state)
    return as_bytes(model.draw(n, [generator(model.seeds[0], "samples")])[0])


def measured(model: Critics | Discriminators, made: Judge, loss: str, options: Options) -> list[float]:
    """Measures of a model as it stands; the model is not changed.

    Args:
        model: Model of one replica.
        made: What quality is measured against.
        loss: One of LOSSES.
        options: Numbers of samples and of the judge's steps.

    Returns:
        The measures of MEASURES, in order; the slope of a discriminator is NaN.
    """
    drawn = model.draw(options.samples, [generator(model.seeds[0], "samples")])[0]
    images = as_bytes(drawn)
    real, train = (as_floats(torch.from_numpy(part).to(model.device)) for part in (made.held, made.train))
    asked = trained_on(model, options.judge_steps)
    estimate = wasserstein if loss == "Wasserstein" else jensen_shannon
    slope = float("nan")
    if loss == "Wasserstein":
        slope = steepest(asked, real[:SEGMENTS], drawn[:SEGMENTS], POINTS)
    fake = scores(asked, drawn)
    estimates = [estimate(scores(asked, part), fake) for part in (real, train)]
    standing = model.discriminator
    as_is = estimate(scores(standing, real), scores(standing, drawn))
    return [*estimates, as_is, slope, made.w1(images), made.frechet(images)]


def ranked(a: np.ndarray, b: np.ndarray) -> float:
    """Spearman's rank correlation.

    Args:
        a: Values (n,).
        b: Values (n,).

    Returns:
        Correlation; NaN where either is constant or has a missing value.
    """
    if np.isnan([a, b]).any() or np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    return float(spearmanr(a, b).statistic)


def correlations(arrays: dict[str, np.ndarray]) -> pd.DataFrame:
    """Rank correlations of every game's estimate with quality, means and standard errors over seeds.

    Args:
        arrays: Measures by name, each (losses, generators, seeds, checkpoints).

    Returns:
        A row a game and, as generator `all`, a row a loss. `w1`, `frechet`: correlations along the checkpoints of a
        training; `<kind>_se`: their standard errors; `<kind>_changes`: correlations of the changes from one checkpoint
        to the next, which no common trend can feign. Rows `all`: pooled over all checkpoints of all generators and
        seeds. `as_is`: with W1, of the estimate of the network as it stands in the game. `scaled`: with W1, of the
        estimate over the network's slope. `last_<measure>`: at the last checkpoint.
    """
    kinds = {"w1": ("estimate", "w1"), "frechet": ("estimate", "frechet")}
    kinds |= {"as_is": ("as_is", "w1"), "scaled": ("scaled", "w1")}
    arrays = arrays | {"scaled": arrays["estimate"] / arrays["slope"]}
    rows = []
    for i, loss in enumerate(LOSSES):
        for j, name in enumerate(GENERATORS):
            row: dict[str, object] = {"loss": loss, "generator": name}
            for kind, (estimate, truth) in kinds.items():
                pairs = list(zip(arrays[estimate][i, j], arrays[truth][i, j], strict=True))
                along = np.array([ranked(a, b) for a, b in pairs])
                changes = np.array([ranked(np.diff(a), np.diff(b)) for a, b in pairs])
                row |= {kind: along.mean(), f"{kind}_se": _error(along), f"{kind}_changes": changes.mean()}
            row |= {f"last_{m}": arrays[m][i, j, :, -1].mean() for m in MEASURES}
            rows.append(row)
        pooled = {
            kind: ranked(arrays[estimate][i].ravel(), arrays[truth][i].ravel())
            for kind, (estimate, truth) in kinds.items()
        }
        rows.append({"loss": loss, "generator": "all", **pooled})
    return pd.DataFrame(rows)


def _error(values: np.ndarray) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("nan")


def _long(arrays: dict[str, np.ndarray]) -> pd.DataFrame:
    rows = []
    for (i, j, k, m), _ in np.ndenumerate(arrays["estimate"]):
        row = {"loss": LOSSES[i], "generator": GENERATORS[j], "seed": k, "step": float(arrays["steps"][m])}
        rows.append(row | {measure: float(arrays[measure][i, j, k, m]) for measure in MEASURES})
    return pd.DataFrame(rows)


def _facts(
    arrays: dict[str, np.ndarray], correlated: pd.DataFrame, made: Judge, data: DataSet, options: Options
) -> dict[str, Fact]:
    facts: dict[str, Fact] = {
        "w1_floor": made.w1(made.train),
        "frechet_floor": made.frechet(made.train),
        "held_out": len(made.held),
        "train": len(data.train),
        "updates": options.steps,
        "trainings": options.seeds,
    }
    for i, short in enumerate(("w", "js")):
        rows = correlated[correlated["loss"] == LOSSES[i]]
        # a discriminator has no slope to divide by
        for quality in ("w1", "frechet", "as_is", "scaled")[: 4 - i]:
            facts[f"{short}_{quality}_pooled"] = float(rows[rows["generator"] == "all"][quality].iloc[0])
            facts[f"{short}_{quality}_least"] = float(rows[rows["generator"] != "all"][quality].min())
            facts[f"{short}_{quality}_most"] = float(rows[rows["generator"] != "all"][quality].max())
            changes = rows[f"{quality}_changes"].dropna()
            facts[f"{short}_{quality}_changes"] = float(changes.mean()) if len(changes) else float("nan")
        facts[f"{short}_highest"] = float(arrays["estimate"][i].max())
        facts[f"{short}_lowest"] = float(arrays["estimate"][i].min())
        for part in ("estimate", "estimate_train"):
            facts[f"{short}_last_{part}"] = float(arrays[part][i, ..., -1].mean())
    bound = arrays["estimate"][0] / arrays["slope"][0] / arrays["w1"][0]
    facts |= {"bound_least": float(bound.min()), "bound_mean": float(bound.mean()), "bound_most": float(bound.max())}
    steepest_ = arrays["slope"][0]
    facts |= {"slope_least": float(steepest_.min()), "slope_most": float(steepest_.max())}
    return facts
