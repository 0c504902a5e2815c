"""How many replicas are trained at once where the config leaves it open."""

import pytest

from otbench.models import configure, find
from otbench.training.fit import fit
from otbench.training.group import choose
from otbench.training.trainer import Options


def chosen(name, data, seeds=(0, 1, 2), **options):
    return choose(find(name, data.kind), configure(name, options, data.kind), data, list(seeds), "cpu")


def test_narrow_networks_of_points_are_stacked_and_wide_ones_are_not(data):
    n, why = chosen("gan", data, width=64, maxout=32)
    # 2*64 + 3*64^2 + 4*2*64 + 64*2 + 2 in the generator, 5*(32*2 + 32 + 2*(32^2 + 32)) + 33 in the discriminator
    assert n == 3 and "2.41 million multiply-adds" in why, why
    n, why = chosen("gan", data)
    assert n == 1 and "89 million" in why, why
    assert chosen("gan", data, seeds=[4], width=64) == (1, "")


def test_what_trains_no_network_has_nothing_to_choose(data):
    assert chosen("ae-ot", data)[0] == 1 and chosen("noise", data) == (1, "")


@pytest.mark.parametrize("width, together", [(64, 2), (400, 1)])
def test_the_fit_says_what_it_chose(width, together, data, tmp_path, capfd):
    summary = fit(
        "gan",
        data,
        [0, 1],
        tmp_path / "fit",
        steps=2,
        options={"width": width, "maxout": width // 2},
        training=Options("cpu"),
    )
    assert summary["training"]["together"] == together
    said = capfd.readouterr().err
    assert ("all 2 seeds at once" if together == 2 else "one seed after another") in said
