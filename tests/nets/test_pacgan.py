"""The networks in the plane have the papers' sizes."""

import pytest
import torch

from otbench.nets.pacgan import Discriminator, Encoder, Generator
from otbench.nets.toy import Perceptron
from tests.nets.counting import parameter_count


def test_parameter_counts_are_the_papers():
    assert parameter_count(Generator()) == 484_802
    assert [parameter_count(Discriminator(2 * m)) for m in (1, 2, 3, 4)] == [405_201, 407_201, 409_201, 411_201]
    assert parameter_count(Encoder()) == 164_002


def test_toy_perceptron_has_three_hidden_layers_of_512():
    assert parameter_count(Perceptron(2, 1)) == 3 * 512 + 2 * 513 * 512 + 513


@pytest.mark.parametrize("lead", [(), (3,)])
def test_shapes(lead):
    x = torch.randn(*lead, 10, 2)
    assert Generator(width=8)(x).shape == (*lead, 10, 2)
    assert Discriminator(2, width=8)(x).shape == (*lead, 10)
    assert Encoder(width=8)(x, x).shape == (*lead, 10, 2)
