"""What a metric is called and which way it is better, for the report."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass


@dataclass(frozen=True)
class Shown:
    """How a metric is shown: its short label, the factor and the decimals of its numbers, and which way is better.

    direction is `higher`, `lower` or `none`. digits are decimals, significant is significant digits instead; with
    neither, at least three decimals and two significant digits.
    """

    name: str
    label: str
    direction: str
    scale: int = 1
    digits: int | None = None
    significant: int | None = None

    def number(self, value: float, error: float = math.nan) -> str:
        """`value ± error` in the metric's unit; `n/a` where there is no value."""
        if math.isnan(value):
            return "n/a"
        if math.isinf(value):
            return "∞" if value > 0 else "−∞"
        digits = self.digits
        if self.significant is not None:
            digits = min(6, max(0, self.significant - 1 - magnitude(value * self.scale)))
        elif digits is None:
            digits = min(6, max(3, 1 - magnitude(value * self.scale)))
        parts = [f"{number * self.scale:.{digits}f}" for number in (value, error) if math.isfinite(number)]
        return " ± ".join(parts)


def magnitude(value: float) -> int:
    """The power of ten of the first digit of `value`; 0 for 0."""
    return math.floor(math.log10(abs(value))) if value else 0


NETWORKS = {"inception": "Inception features", "classifier": "classifier features"}
"""The networks on whose features metrics are taken, as people call them."""

INCEPTION = {
    "fid": "FID",
    "kid": "KID",
    "is": "Inception score",
    "fid_train": "FID against training images",
    "fid_validation": "FID against validation images",
    "fid_reconstruction": "FID of reconstructions",
}
"""What a metric is called on Inception's features alone: the names that papers mean."""

_SHOWN = {
    shown.name: shown
    for shown in (
        Shown("modes", "Modes", "higher", digits=1),
        Shown("high_quality", "High quality, %", "higher", scale=100, digits=2),
        Shown("reverse_kl", "Reverse KL, all points to true weights", "lower"),
        Shown("reverse_kl_train", "Reverse KL, all points to training histogram", "lower"),
        Shown("reverse_kl_hq", "Reverse KL, high-quality points to true weights", "lower"),
        Shown("reverse_kl_hq_train", "Reverse KL, high-quality points to training histogram", "lower"),
        Shown("mode_mixture", "Mode mixture, %", "lower", scale=100, digits=2),
        Shown("w2", "W2", "lower"),
        Shown("prd_f8", "PRD F8", "higher"),
        Shown("prd_f1_8", "PRD F1/8", "higher"),
        Shown("precision", "Precision", "higher"),
        Shown("recall", "Recall", "higher"),
        Shown("density", "Density", "higher"),
        Shown("coverage", "Coverage", "higher"),
        Shown("fid", "Fréchet distance", "lower", significant=3),
        Shown("fid_train", "Fréchet distance to training images", "lower", significant=3),
        Shown("fid_validation", "Fréchet distance to validation images", "lower", significant=3),
        Shown("fid_reconstruction", "Fréchet distance of reconstructions", "lower", significant=3),
        Shown("kid", "Kernel distance", "lower", significant=3),
        Shown("is", "Class score (as the Inception score)", "higher", digits=2),
        Shown("sharpness", "Sharpness, mean", "none", significant=3),
        Shown("sharpness_min", "Sharpness, minimum", "none", significant=3),
        Shown("excellence_proxy", "Excellence (proxy), %", "higher", scale=100, digits=1),
        Shown("excellence", "Excellence (people), %", "higher", scale=100, digits=1),
        Shown("memorised", "Memorised, %", "none", scale=100, digits=1),
        Shown("data_copying", "Data copying, C_T", "none", digits=1),
        Shown("l2", "L2 on test images, per value", "lower"),
        Shown("l2_train", "L2 on training images, per value", "lower"),
        Shown("l2_before", "L2 on test images before freezing, per value", "lower"),
        Shown("l2_before_train", "L2 on training images before freezing, per value", "lower"),
        Shown("seconds", "Training, s", "lower", significant=3),
    )
}


def shown(name: str) -> Shown:
    """How the metric `name` is shown; one that the report does not know is taken from the registry of metrics.

    `metric@network` is the metric on the features of a network, which its label says.
    """
    base, _, network = name.partition("@")
    if network:
        found = shown(base)
        said = INCEPTION.get(base) if network == "inception" else None
        return replace(found, name=name, label=said or f"{found.label}, {NETWORKS.get(network, network)}")
    if name in _SHOWN:
        return _SHOWN[name]
    from otbench.metrics import METRICS

    entry = METRICS.get(name)
    return Shown(name, entry.title, entry.direction) if entry else Shown(name, name, "none")


def points_in(protocol: str) -> str:
    """The number of generated points that a protocol states, or an empty string."""
    found = re.search(r"\bn_generated=(\d+)", protocol)
    return f"{int(found[1]):,}" if found else ""


UNITS = {"peak_memory": ("Peak memory", "MiB", 2.0**20), "energy": ("Energy", "kJ", 1e3)}
"""Metric -> its label, the unit it is shown in, and how many of its own unit (bytes, joules) make one of that."""
