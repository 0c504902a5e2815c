"""What figures show beside numbers: the right rows of the right cells, and nothing of cells that are not ok."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from otbench.config.run import Run
from otbench.data.base import DataSet
from otbench.data.samples import write_samples
from otbench.errors import OtbenchError
from otbench.runs import arrays
from otbench.utils.arrays import read_npz

STUDIES = {
    "mode-collapse": {"datasets": ["grid"], "models": ["gan"], "steps": 10},
    "images": {"datasets": ["digits"], "models": ["vae"], "steps": 10},
}


@pytest.fixture
def run(tmp_path) -> Run:
    return Run(run="r", results=str(tmp_path), seeds=[0, 1], studies=STUDIES)


def cells(*ok: tuple[str, str, int, float]) -> pd.DataFrame:
    rows = [dict(zip(("dataset", "model", "seed", "snapshot"), cell, strict=True), status="ok") for cell in ok]
    return pd.DataFrame([*rows, {**rows[0], "seed": 9, "status": "diverged"}])


def images(first: int, n: int = 150) -> np.ndarray:
    """n images of 2x2 pixels; the first pixel counts up from `first`."""
    values = np.zeros((n, 1, 2, 2), np.uint8)
    values[:, 0, 0, 0] = first + np.arange(n) % 50
    return values


def test_every_cell_that_is_ok_gives_its_own_rows(run):
    points = np.random.default_rng(0).normal(size=(3000, 2)).astype(np.float32)
    data = {
        "grid": DataSet("grid", points, points),
        "digits": DataSet("digits", images(0), images(1), validation=images(2)),
    }
    drawn = np.stack([np.full((4, 2), k, np.float32) for k in range(4)]).reshape(-1, 2)
    write_samples(
        run.folder / "samples/grid/gan.npz", drawn, np.repeat([0, 0, 1, 1], 4), np.tile(np.repeat([0.5, 1.0], 4), 2)
    )
    both = np.concatenate([images(10), images(100)])
    again = {0: images(60, 150), 1: images(70, 150)}
    write_samples(run.folder / "samples/digits/vae.npz", both, np.repeat([0, 1], 150), 1.0, reconstructions=again)
    table = cells(
        ("grid", "gan", 1, 0.5), ("grid", "gan", 1, 1.0), ("digits", "vae", 0, 1.0), ("digits", "vae", 1, 1.0)
    )
    arrays.write(run, data, table)
    scatter, gallery = read_npz(run.folder / "scatter.npz"), read_npz(run.folder / "gallery.npz")
    assert (scatter["grid/gan"] == 3).all() and scatter["grid/gan"].shape == (4, 2), "seed 1 at its last snapshot"
    assert np.array_equal(scatter["grid/__real__"], points[1500:])
    assert np.array_equal(gallery["digits/vae/1/1"], images(100)[:100])
    assert np.array_equal(gallery["digits/vae/reconstruction"], images(60)[:100])
    assert np.array_equal(gallery["digits/__real__"], images(2)[:100])
    assert np.array_equal(gallery["digits/__reference__"], images(1)[:100])
    assert set(gallery) == {
        "digits/vae/0/1",
        "digits/vae/1/1",
        "digits/vae/reconstruction",
        "digits/__real__",
        "digits/__reference__",
    }


def test_curves_and_the_latent_study_are_collected_under_their_names(run):
    (run.folder / "metrics/digits").mkdir(parents=True)
    (run.folder / "studies/latent").mkdir(parents=True)
    np.savez(run.folder / "metrics/digits/vae.curves.npz", **{"classifier/0/recall": np.arange(3.0)})
    np.savez(run.folder / "studies/latent/digits.npz", angle=np.arange(4.0))
    arrays.write(run, {}, cells(("digits", "vae", 0, 1.0)))
    assert np.array_equal(read_npz(run.folder / "curves.npz")["digits/vae/classifier/0/recall"], np.arange(3.0))
    assert np.array_equal(read_npz(run.folder / "latent.npz")["digits/angle"], np.arange(4.0))


def test_a_damaged_curves_file_is_named(run):
    path = run.folder / "metrics/digits/vae.curves.npz"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"PK\x03\x04 cut")
    with pytest.raises(OtbenchError, match=r"vae.curves.npz is damaged"):
        arrays.write(run, {}, cells(("digits", "vae", 0, 1.0)))
    assert not (run.folder / "curves.npz").exists()


def test_floats_become_bytes_by_rounding():
    values = np.array([0.0, 0.5, 1.0, 1.2, -0.1])
    assert arrays.as_bytes(values).tolist() == [0, 128, 255, 255, 0]
