"""Scales against their formulas, and there and back."""

from __future__ import annotations

import math

import numpy as np
import pytest

from otbench.metrics import METRICS
from otbench.statistics.scales import SCALES, back, effect, forward, usable


@pytest.mark.parametrize(
    ("scale", "values", "samples"),
    [("log", [0.2, 3.0], None), ("logit", [0.0, 0.4, 1.0], 2500), ("logit", [0.1, 0.9], None), ("identity", [-1.0], 9)],
)
def test_there_and_back(scale: str, values: list[float], samples: int | None) -> None:
    assert back(forward(values, scale, samples), scale, samples) == pytest.approx(values)


def test_half_a_count_keeps_shares_of_none_and_all_finite() -> None:
    assert forward([0.0, 1.0, 0.5], "logit", 100) == pytest.approx([-math.log(201), math.log(201), 0.0])
    assert forward([0.2], "logit") == pytest.approx([math.log(0.25)])


def test_values_that_do_not_allow_a_scale_are_compared_as_they_are() -> None:
    assert usable([1.0, 0.0], "log") == "identity" and usable([1.0, 2.0, math.inf], "log") == "log"
    assert usable([0.0, 0.5], "logit") == "identity" and usable([0.0, 0.5], "logit", 10) == "logit"
    assert usable([0.5, 1.2], "logit", 10) == "identity"
    with pytest.raises(ValueError, match="expected one of log, logit, identity"):
        usable([1.0], "square root")


def test_effects() -> None:
    assert effect(math.log(2), "log") == pytest.approx(2) and effect(-3.0, "identity") == -3.0
    odds = forward([0.8], "logit")[0] - forward([0.5], "logit")[0]
    assert effect(odds, "logit") == pytest.approx(4.0)


def test_every_metric_has_a_scale_that_its_unit_allows() -> None:
    assert {metric.scale for metric in METRICS.values()} == set(SCALES)
    assert all(metric.scale == "logit" for metric in METRICS.values() if metric.unit == "share")
    assert all(metric.unit == "share" for metric in METRICS.values() if metric.counted)
    assert [METRICS[name].scale for name in ("fid", "kid", "w2", "reverse_kl", "modes", "data_copying")] == [
        "log", "log", "log", "log", "identity", "identity",
    ]  # fmt: skip
    assert np.all([METRICS[name].scale == "logit" for name in ("high_quality", "excellence_proxy", "prd_f8")])
