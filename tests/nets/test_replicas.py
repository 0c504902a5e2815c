"""Replicas run as one against each one alone, in double precision."""

import pytest
import torch
from torch import nn

from otbench.nets import dcgan, pacgan, toy
from otbench.nets.replicas import Replicas, knows_replicas

SEEDS = [0, 3, 8]
MODULES = {
    "generator": (lambda: pacgan.Generator(2, 2, 6), (10, 2)),
    "generator of packs": (lambda: pacgan.Generator(2, 2, 6, norm="pytorch"), (4, 10, 2)),
    "discriminator": (lambda: pacgan.Discriminator(4, 5, 3), (10, 4)),
    "perceptron": (lambda: toy.Perceptron(3, 2, 6, 2), (10, 3)),
    "critic": (lambda: toy.Discriminator(3, 6, 1, nn.Tanh, "orthogonal"), (10, 3)),
}


def replicas(build, seeds):
    return Replicas(lambda: build().double(), seeds, "network", torch.device("cpu"))


def inputs_of(shape, replica=None):
    x = torch.randn((len(SEEDS), *shape), dtype=torch.double, generator=torch.Generator().manual_seed(1))
    return (x if replica is None else x[replica : replica + 1]).requires_grad_()


def quantities(network, x):
    """Output, its gradients, and those of the squared slope at the inputs, as a gradient penalty has them."""
    out = network(x)
    slope = torch.autograd.grad(out.square().sum(), x, create_graph=True)[0]
    first = torch.autograd.grad(out.square().sum(), network.parameters(), retain_graph=True)
    second = torch.autograd.grad(slope.square().sum(), network.parameters(), allow_unused=True)
    return [out, slope, *first, *(g for g in second if g is not None)]


@pytest.mark.parametrize("name", MODULES)
def test_replicas_at_once_are_each_one_alone(name):
    build, shape = MODULES[name]
    together = replicas(build, SEEDS)
    assert knows_replicas(build())
    at_once = quantities(together, inputs_of(shape))
    inference = together.eval()(inputs_of(shape))
    for k, seed in enumerate(SEEDS):
        alone = replicas(build, [seed])
        for ours, theirs in zip(at_once, quantities(alone, inputs_of(shape, k)), strict=True):
            # tensors of replicas have the axis in front, the parameters of one have none
            assert torch.allclose(ours[k], theirs.reshape(ours[k].shape), rtol=1e-10, atol=1e-12)
        for key, value in alone.state().items():
            assert torch.allclose(together.state()[key][k], value[0], rtol=1e-10, atol=1e-12), key
        assert torch.allclose(inference[k], alone.eval()(inputs_of(shape, k))[0], rtol=1e-10, atol=1e-12)


def test_an_encoder_of_two_inputs_takes_replicas_too():
    build = lambda: pacgan.Encoder(2, 2, 2, 6)
    together = replicas(build, SEEDS)
    x, eps = inputs_of((10, 2)).detach(), inputs_of((10, 2)).detach() + 1
    both = together(x, eps)
    for k, seed in enumerate(SEEDS):
        assert torch.allclose(both[k], replicas(build, [seed])(x[k : k + 1], eps[k : k + 1])[0], rtol=1e-10, atol=1e-12)


def test_a_module_with_a_part_that_does_not_know_replicas_is_mapped():
    class Child(pacgan.Discriminator):
        """Its forward may be another one, so it has to say `stacked` itself."""

    assert not knows_replicas(Child())
    assert not knows_replicas(nn.Sequential(nn.Linear(2, 2)))
    assert not knows_replicas(dcgan.Generator((1, 16, 16), 4, 4))
