"""How many replicas of a model are trained at once, where the config leaves it open (`together: 0`)."""

from __future__ import annotations

import torch

from otbench.data.base import DataSet
from otbench.models.base import Config, Model
from otbench.nets.replicas import knows_replicas

#: multiply-adds of a forward pass of one replica's batch through all its networks, below which stacked replicas take
#: less time than one after another on one CPU thread (benchmarks/README.md, "Stacked seeds"): there a step's time goes
#: to calls, which stacked replicas share, above it to arithmetic, which they do not
STACKED_BELOW = 40_000_000


def choose(model_class: type[Model], config: Config, data: DataSet, seeds: list[int], device: str) -> tuple[int, str]:
    """How many replicas are trained at once, from the arithmetic of the model.

    Args:
        model_class: Class of the model.
        config: Its config.
        data: Data set.
        seeds: Seeds of the replicas.
        device: Device of torch.

    Returns:
        Number of replicas, and one sentence that says why; the sentence is empty where there is nothing to choose.
    """
    if len(seeds) == 1 or torch.device(device).type != "cpu":
        return len(seeds), ""
    model = model_class(config, data, seeds[:1], device, training=False)
    if not model.networks:
        return 1, ""
    if not all(knows_replicas(network.module) for network in model.networks.values()):
        return 1, "one seed after another, as stacked networks of images gain nothing on a CPU"
    products = getattr(config, "batch", 1) * sum(model.parameters().values())
    what = f"a forward pass of a batch has {products / 1e6:.3g} million multiply-adds"
    if products >= STACKED_BELOW:
        return 1, f"one seed after another: {what}, stacked seeds pay below {STACKED_BELOW / 1e6:g}"
    return len(seeds), f"all {len(seeds)} seeds at once: {what}, stacked seeds pay below {STACKED_BELOW / 1e6:g}"
