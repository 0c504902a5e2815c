"""Tuned options: the ranges that every trainable model is tuned over, and the file of what won.

Every model gets the same number of draws at the same budget, and the same ranges for what all of them have: the rate,
Adam's beta1 and the size of the code or noise. Beside these stand the ranges of what is a model's own; those of the
models of Lucic et al. 2018 are that paper's wide ones (its table 5). The budgets are far below the papers', so rates
start above the papers' lowest ones, for all models alike.
"""

from __future__ import annotations

import random
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field

from otbench.config.fields import STRICT, Count, Count0, Name, Options, Seed, Steps, distinct, none
from otbench.config.search_spaces import RANGES, Between, OneOf, Range
from otbench.utils.home import HOME
from otbench.utils.paths import expanded
from otbench.utils.validation import read_form

TUNING = "tuning"
"""Name of the space of these ranges, beside those of Lucic et al."""
SELECT = {"images": ["fid_validation"], "points": ["high_quality", "reverse_kl"]}
"""The metrics that select, by kind of data; the least mean rank wins. None is of test data."""

#: what every model has, where it has the option at all
IMAGES: dict[str, Range] = {
    "rate": Between(3e-4, 1e-2, log=True),
    "beta1": OneOf((0.0, 0.5, 0.9)),
    "latent": OneOf((8, 16, 32, 64)),
}
POINTS: dict[str, Range] = {"rate": Between(1e-4, 1e-2, log=True), "beta1": OneOf((0.2, 0.5, 0.8))}

_ANGLE = {"threshold": Between(0.4, 1.2)}
_GAN = {"gan_rate": Between(5e-5, 2e-3, log=True), "content": Between(1, 1e3, log=True)}
_GAN |= {"feature": Between(1e-1, 1e1, log=True)}
_WAE = {"penalty": Between(1e0, 1e2, log=True)}
_ADVERSARY = {"adversary_rate": Between(3e-4, 1e-2, log=True)}
_CODES = {"code_rate": Between(1e-3, 1e-1, log=True)}
_MAP = {"map_rate": Between(3e-4, 1e-2, log=True)}
_NEAR: dict[str, Range] = {"neighbours": OneOf((1, 2, 4))}
_STEPS = {"critic_steps": OneOf((1, 5))}
_CRITIC = _STEPS | {"penalty": Between(1e-1, 1e2, log=True)}
_INNER: dict[str, Range] = {"inner_steps": OneOf((2, 5, 10))}
_SHARE: dict[str, Range] = {"regularisation": Between(1e-3, 1e-1, log=True)}
_TRAINED_MAP: dict[str, Range] = {"map_rate": Between(1e-4, 1e-2, log=True)}
_REFLOW: dict[str, Range] = {"reflow": OneOf((0.25, 0.5, 0.75))}
_TWO_RATES = {"generator_rate": Between(0.25, 4.0, log=True)}

OWN_IMAGES: dict[str, dict[str, Range]] = {
    "ae-ot": _ANGLE,
    "ae-ot-deep": _ANGLE,
    "ae-ot-paper": _ANGLE,
    "ae-ot-standard": _ANGLE,
    "ae-ot-resnet": _ANGLE,
    "ae-ot-gan": _ANGLE | _GAN,
    "ae-ot-gan-resnet": _ANGLE | _GAN,
    "ae-gmm": {"components": OneOf((5, 10, 20))},
    "ae-sinkhorn": _SHARE,
    "ae-icnn": _TRAINED_MAP,
    "ae-not": _TRAINED_MAP,
    "otvae": _NEAR,
    "otvae-labels": _NEAR | {"classification": Between(1e0, 1e2, log=True)},
    "otvae-sinkhorn": _NEAR | {"regularisation": Between(1e-2, 1e-1, log=True)},
    "otvae-kernel": _NEAR,
    "otvae-ae": _NEAR,
    "otvae-wae": _NEAR | {"penalty": Between(1e1, 1e3, log=True)},
    "swae": _WAE,
    "sinkhorn-ae": _WAE | _SHARE,
    "sinkhorn-gan": _SHARE,
    "wgan-lp": _CRITIC,
    "wae-mmd": _WAE,
    "wae-gan": _WAE | _ADVERSARY,
    "big-wae-mmd": _WAE,
    "big-wae-gan": _WAE | _ADVERSARY,
    "aae": {"adversarial": Between(1e-3, 1e-1, log=True)},
    "glo": _CODES,
    "glann": _CODES | _MAP,
    "imle": {"candidates": OneOf((2, 5, 10))},
    "wgan-mlp": _STEPS | {"clip": Between(1e-3, 1.0, log=True)},
    "sngan": _STEPS,
    "sngan-resnet": _STEPS,
    "wgan-gp-standard": _CRITIC,
    "wgan-gp-resnet": _CRITIC,
    "wgan-div": {"k": Between(0.5, 8.0, log=True)},
    "wgan-div-resnet": {"k": Between(0.5, 8.0, log=True)},
    "wgan-qc": {"gamma": Between(1e-2, 1.0, log=True), "residual": Between(1e-2, 1.0, log=True)},
    "pggan": {"penalty": Between(1e0, 1e2, log=True)},
    "rectified-flow": _REFLOW,
    "ae-fm": {"flow_rate": Between(3e-4, 1e-2, log=True)},
} | {
    name: {key: value for key, value in ranges.items() if key not in IMAGES} for name, ranges in RANGES["wide"].items()
}
OWN_POINTS: dict[str, dict[str, Range]] = {
    "wgan": _STEPS | {"clip_rate": Between(1e-5, 1e-3, log=True), "clip": Between(1e-3, 1.0, log=True)},
    "wgan-gp": _CRITIC,
    "wgan-lp": _CRITIC,
    "sinkhorn-gan": _SHARE,
    "sinkhorn-barycentric": _SHARE,
    "w2-icnn": _INNER,
    "not": _INNER,
    "unrolled-gan": {"unrolled": OneOf((1, 5))},
    "rectified-flow": _REFLOW,
    "ae-ot": {"threshold": Between(0.2, 1.5)},
    "ae-ot-10k": {"threshold": Between(0.2, 1.5)},
    "ae-ot-pyomt": {"threshold": Between(0.2, 1.5)},
    "ae-ot-paper": {"threshold": Between(0.2, 1.5)},
}
FIXED: dict[str, dict[str, tuple[str, ...]]] = {
    # the clipped WGAN in the plane has no Adam
    "points": {"wgan": ("rate", "beta1")},
    # nothing of it is trained
    "images": {"untrained": ("latent",)},
}
"""Options that `otbench tune` leaves at the base although the model has them, by kind of data."""


def tuning_ranges(model: str, kind: str, options: Collection[str]) -> dict[str, Range]:
    """The ranges that a model is tuned over.

    Args:
        model: Name of the model.
        kind: `points` or `images`.
        options: Names of the options that the model has.

    Returns:
        Option to its range; empty where nothing of the model can be tuned.
    """
    common, own = (IMAGES, OWN_IMAGES) if kind == "images" else (POINTS, OWN_POINTS)
    fixed = FIXED[kind].get(model, ())
    two_rates = _TWO_RATES if kind == "images" else {}
    ranges = common | two_rates | own.get(model, {})
    return {key: value for key, value in ranges.items() if key in options and key not in fixed}


def draw_options(ranges: dict[str, Range], model: str, draw: int, seed: int) -> dict[str, Any]:
    """The options of a draw; draw 0 has none and is the base.

    Args:
        ranges: What is drawn from.
        model: Name of the model.
        draw: Number of the draw.
        seed: Of the stream; the same model, draw and seed give the same options, however many draws there are.

    Returns:
        Option to its value.
    """
    stream = random.Random(f"otbench/{seed}/{TUNING}/{model}/{draw}")
    return {name: span.draw(stream) for name, span in ranges.items()} if draw else {}


class TunedModel(BaseModel):
    """The options that won for one model, and how."""

    model_config = STRICT
    set: Options = Field(description="the options that won; none where the base did")
    trial: Count0 = Field(description="number of the draw that won; 0 is the base without any drawn option")
    draws: Count = Field(description="draws that were trained, the base among them")
    ok: Count0 = Field(description="draws that could be measured")
    scores: dict[str, float | None] = Field(description="what selected the winner, by metric")
    base: dict[str, float | None] = Field(description="the same of the base, draw 0")


class Tuned(BaseModel):
    """What `otbench tune` found for the models of one study on one data set."""

    model_config = STRICT
    study: Name = Field(description="the study of the config that was tuned")
    dataset: Name = Field(description="the data set")
    steps: Steps = Field(description="budget of every draw")
    samples: Count = Field(description="samples that were measured")
    seed: Seed = Field(description="of weights and draws; none of the comparison's")
    selected_by: list[str] = Field(description="metrics whose mean rank selects; none is of test data")
    models: dict[Name, TunedModel] = Field(description="what won, by model")


def read_tuned(path: Path) -> Tuned:
    """Read a file that `otbench tune` wrote.

    Args:
        path: The YAML file.

    Returns:
        What it holds.

    Raises:
        OtbenchError: Where it is missing, damaged or holds something else.
    """
    return read_form(path, Tuned)


def _by_dataset(value: object) -> object:
    """Files as what they hold, by data set; what is a mapping already stays."""
    value = none(value) or {}
    if isinstance(value, dict):
        return value
    files = [read_tuned(_place(expanded(str(path)))) for path in (value if isinstance(value, list) else [value])]
    distinct([file.dataset for file in files], "a data set")
    return {file.dataset: file for file in files}


def _place(path: str) -> Path:
    """A path from this folder, or, where it has none, from the folder that the package came with."""
    here, there = Path(path), HOME / path
    return there if not here.exists() and there.exists() else here


TunedByDataset = Annotated[
    dict[Name, Tuned],
    BeforeValidator(_by_dataset, json_schema_input_type=list[str] | str | dict[Name, Tuned] | None),
]
"""Data set -> what was tuned on it; given as the names of files, kept as what they hold, so that a run says it all."""
