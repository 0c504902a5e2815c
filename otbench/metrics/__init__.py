"""Metrics: features, statistics and score, three pure functions each, and the tidy table that they fill."""

from otbench.metrics.base import Metric, Score
from otbench.metrics.features import FEATURE_METRICS, score_features
from otbench.metrics.measuring import floors, measure
from otbench.metrics.registry import CHEAP, METRICS, applicable

__all__ = [
    "CHEAP",
    "FEATURE_METRICS",
    "METRICS",
    "Metric",
    "Score",
    "applicable",
    "floors",
    "measure",
    "score_features",
]
