"""A mesh of one's own in the study of folding: what lies inside, its moments, and a study of it."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from otbench.errors import OtbenchError
from otbench.theory import compute
from otbench.theory.folding import solids

pytest.importorskip("trimesh")
pytest.importorskip("rtree")

SIDES = np.array([4.0, 2.0, 1.0])
#: the two triangles of each side of a box whose corners are numbered as `product` gives them, seen from outside
FACES = (
    *((0, 1, 3), (0, 3, 2), (4, 6, 7), (4, 7, 5), (0, 4, 5), (0, 5, 1)),
    *((2, 3, 7), (2, 7, 6), (0, 2, 6), (0, 6, 4), (1, 5, 7), (1, 7, 3)),
)


def written(path: Path, faces=FACES) -> str:
    """A box of SIDES, somewhere, as an OFF file."""
    corners = np.array(list(product((0, 1), repeat=3))) * SIDES + 10
    lines = ["OFF", f"8 {len(faces)} 0", *(" ".join(map(str, c)) for c in corners)]
    path.write_text("\n".join([*lines, *("3 " + " ".join(map(str, face)) for face in faces)]) + "\n")
    return str(path)


def test_a_box_has_its_inside_and_its_moments(tmp_path):
    path = written(tmp_path / "box.off")
    inside, low, high = solids.mesh_inside(path)
    assert low == pytest.approx(np.full(3, 10)) and high == pytest.approx(10 + SIDES)
    probes = np.array([[12, 11, 10.5], [13.9, 11.9, 10.9], [14.1, 11, 10.5], [12, 11, 11.1]])
    assert inside(probes).tolist() == [True, True, False, False]
    target = solids.solid("mesh", 200, np.random.default_rng(0), path)
    scale = (solids.VOLUME / SIDES.prod()) ** (1 / 3)
    spread = target.weights @ target.points**2
    # the points are centres of parts, whose own spread is the target's error squared
    assert np.sqrt(spread.sum() + target.error**2) == pytest.approx(scale * np.sqrt((SIDES**2).sum() / 12), rel=0.03)
    assert spread[0] > spread[1] > spread[2]


def test_a_mesh_is_a_row_of_the_study(tmp_path):
    path = written(tmp_path / "box.off")
    tiny = {"points": 60, "samples": 4000, "particles": 40, "tolerance": 0.3, "solids": [], "mesh": path}
    found = compute("folding", tiny)
    (row,) = found.tables["solids"].to_dict("records")
    assert row["solid"] == "mesh" and row["empty"] == 0 and row["w2"] > 0.2 and found.info["mesh"]


def test_a_mesh_with_a_hole_is_refused(tmp_path):
    with pytest.raises(OtbenchError, match="not watertight"):
        solids.mesh_inside(written(tmp_path / "open.off", FACES[1:]))
