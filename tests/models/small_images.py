"""Small models of images, and what their tests take apart."""

from __future__ import annotations

import torch

from otbench.models import configure, find
from otbench.training.feed import Feed
from otbench.utils.rng import generator

SMALL = {"width": 4, "latent": 6, "batch": 16, "targets": 40, "early": 30, "components": 3}
SMALL |= {"evaluations": 4, "pairs": 40, "flow_steps": 20, "flow_width": 16}


def options(name, **more):
    known = find(name, "images").Config.model_fields
    return {k: v for k, v in {**SMALL, **more}.items() if k in known}


def build(name, data, seeds=(0,), **more):
    return find(name, "images")(configure(name, options(name, **more), "images"), data, list(seeds))


def batches(model, count=1, stage=0):
    stage = model.stages()[stage]
    chunk = Feed(stage.inputs, torch.from_numpy(model.data.train), model.seeds, stage.name, model.device).chunk()
    return [{name: values[k] for name, values in chunk.items()} for k in range(count)]


def loud(model):
    """The model with weights so large that no loss looks like another: the papers' are near zero at first."""
    stream = generator(0, "loud")
    with torch.no_grad():
        for network in model.networks.values():
            for p in network.parameters():
                p.copy_(0.3 * torch.randn(p.shape, generator=stream))
    return model


def sp(x):
    return torch.log(1 + torch.exp(x))


def taken(model, name):
    """The gradients that the last step handed to this optimiser."""
    return [p.grad.reshape(p.shape) for group in model.optimisers[name].param_groups for p in group["params"]]


def close(ours, theirs):
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-5)


def slopes(loss, module):
    return torch.autograd.grad(loss, list(module.parameters()), retain_graph=True)
