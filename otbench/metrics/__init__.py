"""Metrics: features, statistics and score, three pure functions each, and the tidy table that they fill."""

from otbench.metrics.base import Metric, Score
from otbench.metrics.measure import expected, floors, measure
from otbench.metrics.registry import METRICS, applicable, cheap
from otbench.metrics.score import FEATURE_METRICS, score_features

__all__ = [
    "FEATURE_METRICS",
    "METRICS",
    "Metric",
    "Score",
    "applicable",
    "cheap",
    "expected",
    "floors",
    "measure",
    "score_features",
]
