"""Holm's correction against statsmodels."""

from __future__ import annotations

import math

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from otbench.statistics.holm import holm


def test_holm_against_statsmodels() -> None:
    p = np.random.default_rng(1).uniform(0, 0.1, size=15)
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1])
    assert holm(np.array([math.nan, 0.01, 0.04])) == pytest.approx([math.nan, 0.02, 0.04], nan_ok=True)
