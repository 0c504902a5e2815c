"""What a model's training costs, as its fit states it (otbench/training/meter.py)."""

from __future__ import annotations

from otbench.metrics.base import BOTH, Metric


def _cost(name: str, title: str, unit: str, description: str) -> Metric:
    paper = "measured (otbench/training/meter.py)"
    return Metric(name, title, unit, "lower", BOTH, paper, description, uses="model", scale="log")


METRICS = (
    _cost("peak_memory", "Peak memory", "bytes", "Most memory that training held at once beyond what it found held."),
    _cost("energy", "Energy", "J", "What the GPU took while the model was trained, by NVML's counter."),
)

COSTS = tuple(metric.name for metric in METRICS)
"""Metrics whose protocol is `cost`: numbers of a machine, not of a model."""
