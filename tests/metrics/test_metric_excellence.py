"""Excellence by proxy: its limits, and what it is not to be fooled by."""

import numpy as np
import pytest

from otbench.metrics.excellence import excellence_proxy, limits


@pytest.mark.parametrize("share", [0.5, 0.9, 0.95, 1])
def test_limits_are_the_tightest_that_let_the_share_pass(share, generator):
    confidence, distance = generator.uniform(size=200), generator.exponential(size=200)
    least, reach = limits(confidence, distance, share)
    assert excellence_proxy(confidence, distance, least, reach) >= share
    k = int((confidence >= least).sum())
    assert k == (distance <= reach).sum()
    tighter = np.sort(confidence)[::-1][k - 2], np.sort(distance)[k - 2]
    assert excellence_proxy(confidence, distance, *tighter) < share


def test_ties_pass_together():
    confidence, distance = np.ones(10), np.arange(10.0)
    assert limits(confidence, distance, 0.8) == (1.0, 7.0)
    assert limits(distance, confidence, 0.8) == (2.0, 1.0)


def test_a_sure_classifier_alone_is_not_enough():
    confidence, distance = np.array([0.9, 0.9, 0.5, 0.5]), np.array([1.0, 9.0, 1.0, 9.0])
    assert excellence_proxy(confidence, distance, 0.8, 2.0) == 0.25
