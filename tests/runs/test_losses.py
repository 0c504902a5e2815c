"""Losses along training, as the report gets them."""

from __future__ import annotations

import numpy as np
import pytest

from otbench.errors import OtbenchError
from otbench.runs.losses import read_losses, thinned


def test_a_long_curve_is_thinned_evenly_and_keeps_its_ends():
    steps = thinned(np.arange(50, 50_001, 50), 100)
    assert len(steps) == 100 and steps[0] == 50 and steps[-1] == 50_000
    assert set(np.diff(steps)) <= {500, 550}
    assert thinned(np.array([7, 3, 5])).tolist() == [3, 5, 7]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("stage,step,seed,loss\n", "expected the columns stage, step, seed, loss, value"),
        ("stage,step,seed,loss,value\na,x,0,l,1\n", "it is no table of losses"),
        ("", "it is no table of losses"),
    ],
)
def test_a_wrong_file_gets_a_sentence(tmp_path, text, said):
    (tmp_path / "losses.csv").write_text(text)
    with pytest.raises(OtbenchError, match=said):
        read_losses(tmp_path / "losses.csv")
