"""What a metric is called and which way it is better, for the report."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace

from otbench.metrics import METRICS


@dataclass(frozen=True)
class MetricLabel:
    """How a metric is shown: its short label, the factor and the decimals of its numbers, and which way is better.

    direction is `higher`, `lower` or `none`. digits are decimals, significant is significant digits instead; with
    neither, at least three decimals and two significant digits.
    """

    name: str
    label: str
    direction: str
    factor: int = 1
    digits: int | None = None
    significant: int | None = None

    def number(self, value: float, error: float = math.nan) -> str:
        """`value ± error` in the shown unit.

        Args:
            value: Value of the metric, in its own unit.
            error: Error in the same unit; NaN leaves it out.

        Returns:
            Text, scaled by `factor`; `n/a` where there is no value.
        """
        if math.isnan(value):
            return "n/a"
        if math.isinf(value):
            return "∞" if value > 0 else "−∞"
        digits = self.digits
        if self.significant is not None:
            digits = min(6, max(0, self.significant - 1 - magnitude(value * self.factor)))
        elif digits is None:
            digits = min(6, max(3, 1 - magnitude(value * self.factor)))
        parts = [f"{number * self.factor:.{digits}f}" for number in (value, error) if math.isfinite(number)]
        return " ± ".join(parts)


def magnitude(value: float) -> int:
    """Power of ten of a number's first digit.

    Args:
        value: A finite number.

    Returns:
        Exponent; 0 for 0.
    """
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

OWN = {
    label.name: label
    for label in (
        MetricLabel("excellence", "Excellence (people), %", "higher", factor=100, digits=1),
        MetricLabel("seconds", "Training, s", "lower", significant=3),
    )
}
"""What the report shows beside the metrics: people's ratings and the time of training."""


def metric_label(name: str) -> MetricLabel:
    """Label of a metric; one that the report does not know is taken from the registry of metrics.

    Args:
        name: Name of the metric. `metric@network` is the metric on the features of a network, which its label says.

    Returns:
        How the metric is shown.
    """
    base, _, network = name.partition("@")
    if network:
        bare = metric_label(base)
        paper_name = INCEPTION.get(base) if network == "inception" else None
        return replace(bare, name=name, label=paper_name or f"{bare.label}, {NETWORKS.get(network, network)}")
    if name in OWN:
        return OWN[name]
    metric = METRICS.get(name)
    if metric is None:
        return MetricLabel(name, name, "none")
    label = metric.label or metric.title
    return MetricLabel(name, label, metric.direction, metric.factor, metric.digits, metric.significant)


def scale_of(name: str) -> str:
    """Scale on which models are compared by the metric.

    Args:
        name: Name of the metric, with or without `@network`.

    Returns:
        `log`, `logit` or `identity`.
    """
    base = name.partition("@")[0]
    return METRICS[base].scale if base in METRICS else {"seconds": "log", "excellence": "logit"}.get(base, "identity")


def counted(name: str) -> bool:
    """Whether a value of the metric is the share of the generated samples that pass, each by itself.

    Args:
        name: Name of the metric, with or without `@network`.

    Returns:
        True for such a share.
    """
    base = name.partition("@")[0]
    return base in METRICS and METRICS[base].counted


def lower_first(text: str) -> str:
    """The text to stand within a sentence: its first letter small, but not that of a name such as VEEGAN or AE-OT.

    Args:
        text: Text that begins a title.

    Returns:
        The same text, whose first word stays as it is where it holds another capital or a figure.
    """
    first = text.split(" ", 1)[0]
    named = any(letter.isupper() or letter.isdigit() for letter in first[1:])
    return text if named else text[:1].lower() + text[1:]


def points_in(protocol: str) -> str:
    """Number of generated points that a protocol states.

    Args:
        protocol: Protocol of a metric, with `n_generated=...`.

    Returns:
        The number with separators of thousands, or an empty string.
    """
    match = re.search(r"\bn_generated=(\d+)", protocol)
    return f"{int(match[1]):,}" if match else ""


def protocol_words(protocol: str, kind: str) -> str:
    """What a protocol says, for a caption: how many samples, against what, in whose features.

    Args:
        protocol: Protocol of a metric, `key=value` joined by semicolons.
        kind: What the samples are, `points` or `images`.

    Returns:
        Words; the protocol itself where it is of no known form.
    """
    parts = dict(part.split("=", 1) for part in protocol.split(";") if "=" in part)
    counts = {name: f"{int(parts[name]):,}" for name in ("n_generated", "n_real") if parts.get(name, "").isdigit()}
    if not counts:
        return protocol
    words = [f"{counts['n_generated']} generated {kind}"] if "n_generated" in counts else []
    words += [f"{counts['n_real']} real {kind}"] if "n_real" in counts else []
    network = parts.get("features", "").partition("-")[0]
    network = "" if network == "coordinates" else network  # points are their own features
    where = f" on {NETWORKS.get(network, f'features of {network}')}" if network else ""
    return " against ".join(words) + where


UNITS = {"peak_memory": ("Peak memory", "MiB", 2.0**20), "energy": ("Energy", "kJ", 1e3)}
"""Metric -> its label, the unit it is shown in, and how many of its own unit (bytes, joules) make one of that."""
