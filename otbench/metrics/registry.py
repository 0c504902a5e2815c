"""Every metric by name, found in this folder and among entry points: one file a metric.

A file of this folder registers the `Metric`s of its tuple `METRICS`. A package elsewhere registers its own through the
entry point group `otbench.metrics`: the entry's name is the metric's, its value a `Metric`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import import_module
from importlib.metadata import entry_points

from otbench.data.base import DataSet
from otbench.errors import OtbenchError
from otbench.metrics.base import Metric
from otbench.registry import METRIC_GROUP, metric_modules


def _registered() -> Iterator[Metric]:
    for module in metric_modules():
        yield from import_module(f"otbench.metrics.{module}").METRICS
    for entry in entry_points(group=METRIC_GROUP):
        try:
            metric = entry.load()
        except Exception as error:  # whatever another package's module raises
            raise OtbenchError(
                f"entry point {METRIC_GROUP}:{entry.name}: {entry.value} cannot be loaded ({error})"
            ) from error
        if not isinstance(metric, Metric) or metric.name != entry.name:
            raise OtbenchError(
                f"entry point {METRIC_GROUP}:{entry.name}: expected a Metric called '{entry.name}', got {metric!r:.80}"
            )
        yield metric


def _by_name() -> dict[str, Metric]:
    metrics: dict[str, Metric] = {}
    for metric in _registered():
        if metric.name in metrics:
            raise OtbenchError(f"two metrics are called '{metric.name}', expected different names")
        metrics[metric.name] = metric
    return metrics


METRICS: dict[str, Metric] = _by_name()


def cheap(kind: str) -> list[str]:
    """Metrics that are also computed at the snapshots before the last.

    Args:
        kind: `points` or `images`.

    Returns:
        Their names, in registry order.
    """
    return [metric.name for metric in METRICS.values() if kind in metric.cheap]


def with_rulers(rulers: Sequence[str] | None) -> list[str] | None:
    """Names of the metrics that are measured by themselves, with some of those on request.

    Args:
        rulers: Names of metrics on request; None or empty for none.

    Returns:
        Their names, in registry order; None for those that are measured by themselves.

    Raises:
        OtbenchError: Where a name is not in the registry.
    """
    for name in rulers or ():
        if name not in METRICS:
            raise OtbenchError(f"no metric is called {name!r}, expected one of {', '.join(METRICS)}")
    return [name for name, metric in METRICS.items() if not metric.on_request or name in rulers] if rulers else None


def applicable(
    dataset: DataSet,
    metrics: Sequence[str] | None = None,
    extractors: Sequence[str] = ("classifier",),
    reconstructs: bool = False,
    last: bool = True,
) -> list[str]:
    """Metrics that apply to a data set, of all or of those asked for.

    Args:
        dataset: Data set that samples are measured against.
        metrics: Names of the metrics to choose from; None for all but those that are on request.
        extractors: Names of the extractors of image features there are.
        reconstructs: Whether the samples come with reconstructions.
        last: Whether it is the last snapshot; before it only the cheap metrics count.

    Returns:
        Their names, in registry order; never those that a model's training states.

    Raises:
        OtbenchError: Where a name is not in the registry.
    """
    for name in metrics or ():
        if name not in METRICS:
            raise OtbenchError(f"no metric is called {name!r}, expected one of {', '.join(METRICS)}")
    return [
        name
        for name, metric in METRICS.items()
        if metric.uses != "model"
        and metric.applies_to(dataset, extractors, reconstructs)
        and (last or dataset.kind in metric.cheap)
        and (not metric.on_request if metrics is None else name in metrics)
    ]
