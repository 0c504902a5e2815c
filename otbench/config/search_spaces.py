"""The ranges that Lucic et al. (2018) search, wide and narrow (their Tables 5 and 6, and their code)."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

SPACES = ("wide", "narrow")
AGAIN = "again"
"""In place of a space: the best wide configuration with other seeds, the third phase of Lucic et al."""


@dataclass(frozen=True)
class Between:
    """A number drawn uniformly from [low, high); log: its logarithm is."""

    low: float
    high: float
    log: bool = False

    def draw(self, stream: random.Random) -> float:
        """One number, to four significant digits, so that a trial can be written down and repeated.

        Args:
            stream: Source of random numbers.

        Returns:
            A number in [low, high).
        """
        share = stream.random()
        value = self.low * (self.high / self.low) ** share if self.log else self.low + (self.high - self.low) * share
        # rounding must not leave the range, whose end a model may refuse
        return min(max(float(f"{value:.4g}"), self.low), self.high * (1 - 1e-4))


@dataclass(frozen=True)
class OneOf:
    """One of some values, each as likely."""

    values: tuple[Any, ...]

    def draw(self, stream: random.Random) -> Any:
        """One value.

        Args:
            stream: Source of random numbers.

        Returns:
            One of `values`.
        """
        return stream.choice(self.values)


Range = Between | OneOf
EITHER = OneOf((True, False))

_WIDE: dict[str, Range] = {
    "beta1": Between(0.0, 1.0),
    "rate": Between(1e-5, 1e-2, log=True),
    "critic_steps": OneOf((1, 5)),
    "normalised": EITHER,
}
_NARROW: dict[str, Range] = {
    "beta1": OneOf((0.5,)),
    "rate": Between(1e-4, 1e-3, log=True),
    "critic_steps": OneOf((1,)),
    "normalised": EITHER,
}
_BARE = {"normalised": OneOf((False,))}


def _vae(space: dict[str, Range]) -> dict[str, Range]:
    return {name: space[name] for name in ("beta1", "rate", "normalised")}


RANGES: dict[str, dict[str, dict[str, Range]]] = {
    "wide": {
        "mm-gan": _WIDE,
        "ns-gan": _WIDE,
        "lsgan": _WIDE,
        "wgan": _WIDE | {"clip": Between(1e-3, 1.0, log=True)},
        "wgan-gp": _WIDE | {"penalty": Between(1e-1, 1e2, log=True)},
        "dragan": _WIDE | {"penalty": Between(1e-1, 1e2, log=True)},
        "began": _WIDE | {"gamma": Between(0.0, 1.0), "k_rate": Between(1e-4, 1e-2, log=True)},
        "vae": _vae(_WIDE),
    },
    "narrow": {
        "mm-gan": _NARROW,
        "ns-gan": _NARROW,
        "lsgan": _NARROW,
        "wgan": _NARROW | {"clip": Between(1e-2, 1.0, log=True)},
        "wgan-gp": _NARROW | _BARE | {"penalty": Between(1e-1, 1e1, log=True)},
        "dragan": _NARROW | _BARE | {"penalty": Between(1e-1, 1e1, log=True)},
        "began": _NARROW | {"gamma": Between(0.6, 0.9), "k_rate": OneOf((1e-3,))},
        "vae": _vae(_NARROW),
    },
}
"""Space -> model -> the ranges of its options. The `disc_iters` of Lucic et al. is `critic_steps` here."""
SEARCHED = tuple(RANGES["wide"])
"""Models that can be searched."""


def options_of(model: str, space: str, trial: int, seed: int = 0) -> dict[str, Any]:
    """Options of a trial; the first of the wide space has the model's own defaults, as in Lucic et al.

    The same model, space, trial and seed give the same options, however many trials there are.

    Args:
        model: Name of the model, one of SEARCHED.
        space: `wide` or `narrow`.
        trial: Number of the trial, from 0.
        seed: Seed of the draws.

    Returns:
        Name of the option -> value; empty for the defaults.
    """
    if space == "wide" and trial == 0:
        return {}
    stream = random.Random(f"otbench/{seed}/{space}/{model}/{trial}")
    return {name: span.draw(stream) for name, span in RANGES[space][model].items()}
