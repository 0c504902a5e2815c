"""Why generative models on autoencoders blur: reconstruction against the match of the prior, as a frontier.

A Wasserstein autoencoder (penalty MMD, factor lambda) and a variational one (factor beta) pay with reconstruction for
codes that follow N(0, I). AE-OT matches nothing: it transports a uniform law onto the codes as they are. All have the
same networks, batches, rate, budget and one stage, so that the penalty is all that differs: the decoder's own stage
that AE-OT has in its paper is left out, and so are the noise and the pretraining of the Wasserstein autoencoder's code.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field
from scipy.stats import spearmanr

from otbench.data.base import DataSet
from otbench.data.samples import as_bytes
from otbench.metrics.sharpness import laplacian_variance
from otbench.models.base import Model
from otbench.models.images.ae_ot import AEOTConfig
from otbench.theory.blur.models import Matched, MatchedConfig, Transported, trained, with_gaussian, with_prior
from otbench.theory.findings import Fact, Findings
from otbench.theory.shared.ruler import Ruler, ruler
from otbench.training.draw import reconstructed
from otbench.utils.devices import configure_torch
from otbench.utils.rng import generator

TITLE = "Why models on autoencoders blur: reconstruction against the match of the prior"
SOURCE = "slides, problem 2 of GAN- and AE-based models; Tolstikhin et al. 2018; Lei et al. 2020, section 6"
DATA = True

#: images of each row of the sheet
SHOWN = 12
MEASURES = ("l2", "frechet", "frechet_back", "sharpness", "sharpness_back", "novelty")
#: family -> the penalty of its objective
PENALTIES: dict[str, Literal["mmd", "kl"]] = {"WAE-MMD": "mmd", "VAE": "kl"}

Weight = Annotated[float, Field(gt=0)]


class Options(BaseModel):
    """What is trained and how it is measured."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    lambdas: tuple[Weight, ...] = Field(
        (1.0, 30.0, 1000.0),
        min_length=1,
        description="factors of the Wasserstein autoencoder's MMD; an image's squared error is summed over values",
    )
    betas: tuple[Weight, ...] = Field(
        (0.01, 0.1, 1.0),
        min_length=1,
        description="factors of the variational autoencoder's divergence; twice the variance of a Gaussian likelihood",
    )
    seeds: int = Field(3, ge=1, description="trainings of each")
    steps: int = Field(150, ge=1, description="batches of each training")
    batch: int = Field(64, ge=2, description="images of a batch")
    rate: float = Field(3e-3, gt=0, description="learning rate of Adam")
    latent: int = Field(16, ge=1, description="dimensions of a code")
    width: int = Field(16, ge=1, description="channels of the first convolution")
    samples: int = Field(500, ge=10, description="samples, and held-out images at most, that are measured")
    classifier_steps: int = Field(
        150, ge=0, description="batches that the classifier of the Frechet distance is trained for; 0: pixels instead"
    )


def compute(options: Options, data: DataSet, seed: int, device: str) -> Findings:
    """Reconstruction, samples and sharpness of every setting, trained for every seed.

    Args:
        options: What is trained and how it is measured.
        data: Images.
        seed: Seed of the first training of each setting; the others follow by one.
        device: Where to train.

    Returns:
        Findings with the tables `settings` (a row a setting, means and standard errors over seeds), `runs` (a row a
        training) and `sheet` (names of the sheet's rows), and the array `sheet` (rows, images, c, h, w) uint8 of the
        first seed.
    """
    configure_torch(device)
    made = ruler(data, options.classifier_steps, options.samples, seed, device)
    runs: list[dict[str, object]] = []
    rows = {"held-out images": made.reference[:SHOWN]}
    for number in range(options.seeds):
        for family, weight, model in _models(options, data, seed + number, device):
            images = as_bytes(model.draw(options.samples, [generator(seed + number, "samples")])[0])
            back = reconstructed(model, made.reference)
            runs.append({"family": family, "weight": weight, "seed": seed + number, **made.measure(images, back)})
            if number == 0:
                if family == "AE-OT":
                    rows["AE, held-out images given back"] = back[:SHOWN]
                rows[named(family, weight)] = images[:SHOWN]
    every = pd.DataFrame(runs)
    settings = summary(every)
    sheet = pd.DataFrame({"sheet": list(rows)})
    tables = {"settings": settings, "runs": every, "sheet": sheet}
    facts = _facts(settings, made, data, options) | _leads(every, settings)
    return Findings("blur", facts, tables, {"sheet": np.stack(list(rows.values()))})


def _models(options: Options, data: DataSet, seed: int, device: str) -> Iterator[tuple[str, float, Model]]:
    """Every trained model of a seed, with its family and factor; the factor is NaN where there is none."""
    o = options
    base = {"latent": o.latent, "width": o.width, "batch": o.batch, "rate": o.rate}
    transported = trained(Transported(AEOTConfig(**base), data, [seed], device), o.steps, f"AE-OT, seed {seed}")
    yield "AE-OT", float("nan"), transported
    yield "AE + Gaussian", float("nan"), with_gaussian(transported, base)
    yield "AE + prior", float("nan"), with_prior(transported, base)
    for family, weights in (("WAE-MMD", o.lambdas), ("VAE", o.betas)):
        for weight in sorted(weights):
            config = MatchedConfig(**base, matching=PENALTIES[family], weight=weight)
            model = Matched(config, data, [seed], device)
            yield family, weight, trained(model, o.steps, f"{named(family, weight)}, seed {seed}")


def named(family: str, weight: float) -> str:
    """Title of a setting.

    Args:
        family: AE-OT, AE + Gaussian, AE + prior, WAE-MMD or VAE.
        weight: Factor of the penalty; without effect for families that have none.

    Returns:
        Family, with the factor where it has one.
    """
    symbol = {"WAE-MMD": "λ", "VAE": "β"}.get(family)
    return f"{family}, {symbol} = {weight:g}" if symbol else family


def summary(runs: pd.DataFrame) -> pd.DataFrame:
    """Means of every setting over seeds, with the settings it dominates.

    Args:
        runs: A row a training: family, weight, seed and MEASURES.

    Returns:
        A row a setting: name, family, weight, seeds, means of MEASURES, standard errors as `<measure>_se` (NaN of one
        seed), `dominates` (number of settings it beats in both reconstruction and Frechet distance) and `frontier`
        (whether none beats it so).
    """
    rows = []
    for (family, weight), group in runs.groupby(["family", "weight"], sort=False, dropna=False):
        row = {"name": named(family, weight), "family": family, "weight": weight, "seeds": len(group)}
        for measure in MEASURES:
            row[measure] = group[measure].mean()
            row[f"{measure}_se"] = group[measure].std(ddof=1) / np.sqrt(len(group)) if len(group) > 1 else float("nan")
        rows.append(row)
    table = pd.DataFrame(rows)
    table["dominates"] = [_beaten(table, k) for k in range(len(table))]
    table["frontier"] = [not _beaters(table, k) for k in range(len(table))]
    return table


def _worse(found: pd.DataFrame, better: int, worse: int) -> bool:
    a, b = (found.loc[k, ["l2", "frechet"]].to_numpy(float) for k in (better, worse))
    return bool((a <= b).all() and (a < b).any())


def _beaten(found: pd.DataFrame, k: int) -> int:
    """Number of settings that the k-th beats in both reconstruction and Frechet distance."""
    return sum(_worse(found, k, other) for other in found.index)


def _beaters(found: pd.DataFrame, k: int) -> int:
    return sum(_worse(found, other, k) for other in found.index)


def _facts(settings: pd.DataFrame, made: Ruler, data: DataSet, options: Options) -> dict[str, Fact]:
    per_name = settings.set_index("name")
    facts: dict[str, Fact] = {
        "features": made.features,
        "held_out": len(made.reference),
        "train": len(data.train),
        "frechet_floor": made.frechet(data.train[: max(options.samples, 2)]),
        "sharpness_real": float(laplacian_variance(made.reference).mean()),
        "matched": int(settings["family"].isin(PENALTIES).sum()),
    }
    for family, short in (("AE-OT", "ot"), ("AE + Gaussian", "gaussian"), ("AE + prior", "prior")):
        facts |= {f"{short}_{m}": float(per_name.loc[family, m]) for m in (*MEASURES, "frechet_se", "l2_se")}
    for family, short in (("WAE-MMD", "wae"), ("VAE", "vae")):
        facts |= _swept(settings[settings["family"] == family].sort_values("weight"), short)
    matched = settings[settings["family"].isin(PENALTIES)]
    ot = int(settings.index[settings["family"] == "AE-OT"][0])
    facts["dominated"] = sum(_worse(settings, ot, k) for k in matched.index)
    facts["dominating"] = sum(_worse(settings, k, ot) for k in matched.index)
    return facts


def _leads(runs: pd.DataFrame, settings: pd.DataFrame) -> dict[str, Fact]:
    """Excess of the best setting with a penalty over AE-OT, in L2 and Frechet distance: mean and error over seeds."""
    matched = settings[settings["family"].isin(PENALTIES)]
    facts: dict[str, Fact] = {}
    for measure in ("l2", "frechet"):
        best = matched.loc[matched[measure].idxmin()]
        best_runs = runs[(runs["family"] == best["family"]) & (runs["weight"] == best["weight"])].set_index("seed")
        gaps = best_runs[measure] - runs[runs["family"] == "AE-OT"].set_index("seed")[measure]
        facts[f"lead_{measure}"] = float(gaps.mean())
        facts[f"lead_{measure}_se"] = float(gaps.std(ddof=1) / np.sqrt(len(gaps))) if len(gaps) > 1 else float("nan")
    return facts


def _swept(own: pd.DataFrame, short: str) -> dict[str, Fact]:
    """Best Frechet distance of a sweep, and the trend of reconstruction and samples with the factor."""
    best = own.loc[own["frechet"].idxmin()]
    facts: dict[str, Fact] = {f"{short}_{m}": float(best[m]) for m in ("weight", *MEASURES, "frechet_se")}
    facts[f"{short}_inner"] = bool(own["weight"].min() < best["weight"] < own["weight"].max())
    for end, row in (("least", own.iloc[0]), ("most", own.iloc[-1])):
        facts |= {f"{short}_{end}_{m}": float(row[m]) for m in ("weight", *MEASURES)}
    for measure in ("l2", "frechet", "sharpness"):
        rank = spearmanr(own["weight"], own[measure]).statistic if len(own) > 2 else float("nan")
        facts[f"{short}_trend_{measure}"] = float(rank)
    return facts
