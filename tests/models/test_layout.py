"""Channels last in memory: another order of the same numbers, in every model with convolutions."""

from __future__ import annotations

import pytest
import torch

from otbench.nets import replicas
from tests.models.small_images import batches, build, loud

NAMES = ["ns-gan", "wgan", "wgan-gp", "began", "ae", "wae-gan", "glo", "sngan", "pggan", "dcgan", "fm"]


def stepped(name, data):
    """A model after a step of the first stage that is trained, and the gradients that each optimiser was handed."""
    model = loud(build(name, data))
    place = next(k for k, stage in enumerate(model.stages()) if stage.step)
    for network in model.networks.values():
        network.train()
    (batch,) = batches(model, 1, place)
    losses = model.stages()[place].step(batch)
    tensors = {n: network.parameters() for n, network in model.networks.items()}
    gradients = {f"{n}.{k}": p.grad for n, own in tensors.items() for k, p in enumerate(own) if p.grad is not None}
    return model, losses, gradients


@pytest.mark.parametrize("name", NAMES)
def test_losses_and_gradients_are_the_same_with_channels_last(name, pictures, monkeypatch):
    _, losses, plain = stepped(name, pictures)
    monkeypatch.setattr(replicas, "layout", lambda device: torch.channels_last)
    model, same, last = stepped(name, pictures)
    weights = [p for network in model.networks.values() for p in network.parameters() if p.ndim == 4]
    assert any(not p.is_contiguous() for p in weights), "the images do lie otherwise"
    assert all(p.grad.stride() == p.stride() for p in weights if p.grad is not None)
    assert plain and set(plain) == set(last)
    torch.testing.assert_close(same, losses, rtol=1e-3, atol=3e-4)
    largest = max(float(value.abs().max()) for value in plain.values())
    for key, value in plain.items():
        torch.testing.assert_close(
            last[key], value, rtol=1e-2, atol=1e-4 * largest, msg=lambda text, key=key: f"{key}: {text}"
        )


def test_images_lie_channels_last_on_a_gpu_alone():
    assert replicas.layout(torch.device("cpu")) is torch.contiguous_format
    assert replicas.layout(torch.device("cuda")) is torch.channels_last


def test_a_gradient_is_laid_out_as_its_tensor():
    gradient = torch.arange(24.0).reshape(2, 3, 2, 2)
    tensor = torch.zeros(2, 3, 2, 2).to(memory_format=torch.channels_last)
    found = replicas.laid_out(gradient, tensor)
    assert torch.equal(found, gradient) and found.stride() == tensor.stride() != gradient.stride()
    assert replicas.laid_out(gradient, torch.zeros(2, 3, 2, 2)) is gradient
    assert replicas.laid_out(gradient.transpose(2, 3), torch.zeros(2, 3, 2, 2)).is_contiguous()
