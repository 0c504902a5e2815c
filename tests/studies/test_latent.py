"""The latent study: facets along a segment against a dense search, the choice of paths, what ends in the file."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from otbench.cli.app import app
from otbench.data.base import DataSet
from otbench.errors import OtbenchError
from otbench.studies import latent
from otbench.transport import AngleRule, TransportMap
from otbench.transport.sources import named


def some_map(n: int, d: int, seed: int = 0) -> TransportMap:
    """A map with random targets (n, d) and heights; it need not be optimal."""
    draw = np.random.default_rng(seed)
    target = draw.standard_normal((n, d))
    heights = -0.15 * (target**2).sum(axis=1) + 0.05 * draw.standard_normal(n)
    return TransportMap(target, heights, np.full(n, 1 / n), named("cube", d))


@pytest.mark.parametrize("d", [2, 5, 16])
def test_crossings_agree_with_a_dense_search(d: int) -> None:
    transport, draw = some_map(80, d, d), np.random.default_rng(d)
    dense = np.linspace(0, 1, 200_001)
    for _ in range(5):
        start, end = transport.source.sample(2, draw)
        found = latent.crossings(transport, AngleRule(1.0), start, end)
        cell = transport.cell(start + dense[:, None] * (end - start))
        change = np.flatnonzero(np.diff(cell))
        short = np.diff(np.concatenate([[0], found.at, [1]])) < 1e-5  # a stretch that the search steps over
        assert not short.any()
        assert found.cells.tolist() == [cell[0], *cell[change + 1]]
        assert found.at == pytest.approx(dense[change], abs=6e-6)


def test_angles_are_those_between_the_planes() -> None:
    transport = some_map(50, 3, 1)
    start, end = np.full(3, -0.5), np.full(3, 0.5)
    found = latent.crossings(transport, AngleRule(1.0), start, end)
    normal = np.concatenate([transport.target, -np.ones((50, 1))], axis=1)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    expected = [np.arccos(normal[i] @ normal[j]) for i, j in zip(found.cells[:-1], found.cells[1:], strict=True)]
    assert len(expected) > 2 and found.angles == pytest.approx(expected, rel=1e-9)


def test_equal_targets_and_one_cell_are_no_trouble() -> None:
    target = np.array([[-1.0, 0.0], [-1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    transport = TransportMap(target, np.zeros(4), np.full(4, 0.25), named("cube", 2))
    found = latent.crossings(transport, AngleRule(1.0), np.array([-0.5, 0.1]), np.array([0.5, 0.3]))
    assert found.cells.tolist() == [0, 2] and found.at.tolist() == [0.5]
    assert found.angles.tolist() == pytest.approx([np.pi / 2])  # normals (-1, 0, -1) and (1, 0, -1)
    still = latent.crossings(transport, AngleRule(1.0), np.array([0.1, 0.0]), np.array([0.4, 0.0]))
    assert still.cells.tolist() == [2] and len(still.at) == 0
    assert still.middles.tolist() == [0.5]


def crossing(*angles: float) -> latent.Crossings:
    at = np.linspace(0, 1, len(angles) + 2)[1:-1]
    return latent.Crossings(np.arange(len(angles) + 1), at, np.array(angles))


def test_the_widest_facet_and_a_median_calm_stretch_are_chosen() -> None:
    found = [crossing(0.1, 0.2, 0.1), crossing(0.1, 0.9, 0.2, 0.1, 0.1), crossing(0.3, 0.1, 0.1), crossing(0.8, 0.1)]
    facets, wide, calm = latent.stretches(found, AngleRule(0.5))
    assert facets == 3 and wide == latent.Stretch(1, 0)  # its middle facet is the 0.9
    assert calm == latent.Stretch(1, 2)  # of 0.2 (segment 0), 0.2 (segment 1), 0.3 (segment 2) the median
    assert latent.stretches(found, AngleRule(1.0))[1] is None


def test_one_facet_is_shown_where_no_three_calm_ones_follow_one_another() -> None:
    found = [crossing(0.9, 0.1, 0.8), crossing(0.7, 0.2), crossing(), crossing(0.3)]
    facets, wide, calm = latent.stretches(found, AngleRule(0.5))
    assert (facets, wide, calm) == (1, latent.Stretch(0, 0), latent.Stretch(1, 1))  # 0.2 of 0.1, 0.2, 0.3
    assert latent.stretches(found, AngleRule(0.05))[2] is None  # every facet is singular
    with pytest.raises(OtbenchError, match="no segment crosses a facet"):
        latent.stretches([crossing()], AngleRule(0.5))


def test_the_path_goes_through_the_codes_of_its_cells() -> None:
    target = np.array([[0.0], [4.0], [6.0], [7.0], [9.0]])
    transport = TransportMap(target, np.zeros(5), np.full(5, 0.2), named("cube", 1))
    one = latent.Crossings(np.arange(5), np.array([0.2, 0.4, 0.6, 0.8]), np.zeros(4))
    codes, at = latent.path_codes(transport, one, 1, 3)
    assert codes.shape == (13, 1) and codes[::4, 0].tolist() == [4, 6, 7, 9]
    assert codes[2, 0] == 5.0 and codes[11, 0] == pytest.approx(8.5)
    assert at[::4] == pytest.approx([0.3, 0.5, 0.7, 0.9]) and at[2] == pytest.approx(0.4)


def test_the_embedding_keeps_clusters_together() -> None:
    draw = np.random.default_rng(0)
    label = np.arange(120) % 3
    points = 20 * np.eye(3)[label] @ draw.standard_normal((3, 10)) + draw.standard_normal((120, 10))
    flat = latent.embed(points)
    assert flat.min() == 0 and flat.max() == 1
    distance = np.linalg.norm(flat[:, None] - flat[None], axis=2) + 9 * np.eye(120)
    assert (label[distance.argmin(axis=1)] == label).mean() > 0.98
    assert (latent.embed(points) == flat).all()


class Fake:
    """A model whose codes are its pixels."""

    def transport(self, seed: int) -> tuple[TransportMap, AngleRule]:
        draw = np.random.default_rng(seed)
        target = draw.random((60, 16))
        return TransportMap(target, np.zeros(60), np.full(60, 1 / 60), named("cube", 16)), AngleRule(0.6)

    def encode(self, images: torch.Tensor) -> torch.Tensor:
        return (images.float() / 255).flatten(1)[None]

    def decode(self, codes: torch.Tensor) -> torch.Tensor:
        return codes.reshape(1, -1, 1, 4, 4)


def images(n: int = 80) -> DataSet:
    draw = np.random.default_rng(1)
    values = draw.integers(0, 256, (n, 1, 4, 4), dtype=np.uint8)
    return DataSet("tiny", values, values[:10], labels={"train": np.arange(n) % 10})


@pytest.fixture
def fitted(monkeypatch: pytest.MonkeyPatch) -> dict:
    """A fit of two seeds, the first of which diverged, behind `open_fit`."""
    cells = [{"seed": 3, "snapshot": 1.0, "status": "diverged"}, {"seed": 4, "snapshot": 0.5, "status": "ok"}]
    summary = {"model": "ae-ot", "cells": [*cells, {"seed": 4, "snapshot": 1.0, "status": "ok"}]}
    summary |= {"data": "0123", "code_version": "1", "config_hash": "2"}
    opened = SimpleNamespace(model=Fake())
    monkeypatch.setattr("otbench.training.saved.open_fit", lambda fit, data: (summary, lambda *cell: opened.model))
    return {"summary": summary, "opened": opened}


def test_what_the_study_holds(fitted: dict, tmp_path: Path) -> None:
    arrays = latent.study(images(), tmp_path, segments=40, embedded=50)
    info = json.loads(str(arrays["info"]))
    assert (info["seed"], info["snapshot"], info["segments"]) == (4, 1.0, 40)
    transport, rule = Fake().transport(4)
    for name in ("crossing", "regular"):
        cells, pictures = arrays[f"path/{name}/cells"], arrays[f"path/{name}/images"]
        expected = np.round(255 * transport.target[cells].astype(np.float32)).reshape(-1, 1, 4, 4)
        assert pictures.shape == (13, 1, 4, 4) and len(cells) in (2, 4)
        assert (pictures[:: 12 // (len(cells) - 1)] == expected.astype(np.uint8)).all()
    at = arrays["path/crossing/facet_angle"].max()
    assert at > rule.threshold == arrays["path/threshold"]
    assert (arrays["path/singular"] <= arrays["path/facets"]).all() and len(arrays["path/facets"]) == 40
    rows, labels = arrays["tsne/rows"], arrays["tsne/labels"]
    assert len(rows) == 50 and (labels == rows % 10).all()
    assert arrays["tsne/images"].shape == arrays["tsne/codes"].shape == (50, 2)
    assert arrays["tsne/images"] == pytest.approx(arrays["tsne/codes"])  # codes are pixels here


def test_what_cannot_be_studied_is_said(fitted: dict, tmp_path: Path) -> None:
    with pytest.raises(OtbenchError, match="no cell of seed 3 is ok"):
        latent.study(images(), tmp_path, seed=3)
    fitted["opened"].model = object()
    with pytest.raises(OtbenchError, match="holds the model ae-ot, expected one that transports codes"):
        latent.study(images(), tmp_path)


def test_the_verb_writes_the_file_and_tells_the_counts(
    fitted: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("otbench.cli.studies.load_data", lambda name: images())
    out = tmp_path / "tiny.npz"
    words = ["study", "latent", "--data", "tiny", "--fit", str(tmp_path), "--out", str(out), "--segments", "30"]
    done = CliRunner().invoke(app, [*words, "--points", "30"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.output)
    with np.load(out) as file:
        assert told["segments"] == 30 and told["facets"] == file["path/facets"].sum()
        assert told["crossing"] == (file["path/singular"] > 0).sum()
    assert "otbench study latent --data" in CliRunner().invoke(app, ["study", "--help"]).output.replace("\n", " ")


def test_a_map_of_one_cell_has_no_path_and_no_singular_facet() -> None:
    transport = TransportMap(np.zeros((1, 2)), np.zeros(1), np.ones(1), named("cube", 2))
    arrays = latent._paths(None, transport, AngleRule(0.5), 4)
    assert set(arrays) == {"path/threshold", "path/facets", "path/singular"}
    assert arrays["path/facets"].tolist() == arrays["path/singular"].tolist() == [0] * 4


def test_images_that_are_all_the_same_are_embedded_at_one_place() -> None:
    assert np.array_equal(latent.embed(np.ones((40, 1, 2, 2))), np.zeros((40, 2)))


def test_the_classifier_judges_the_images_of_the_paths(
    fitted: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from otbench.features.base import Extracted

    def extract(pictures: np.ndarray) -> Extracted:
        bright = pictures.reshape(len(pictures), -1).mean(1) / 255
        return Extracted(np.zeros((len(bright), 1)), np.stack([0 * bright, bright], 1).astype(np.float32))

    judge = SimpleNamespace(extract=extract)
    told = {"extractors": {"classifier": {}}}
    monkeypatch.setattr("otbench.features.store.read_info", lambda folder, data: told)
    monkeypatch.setattr("otbench.features.store.opener", lambda *words: lambda: judge)
    arrays = latent.study(images(), tmp_path, segments=40, embedded=50, features=tmp_path)
    for name in ("crossing", "regular"):
        bright = arrays[f"path/{name}/images"].reshape(13, -1).mean(1) / 255
        assert arrays[f"path/{name}/confidence"] == pytest.approx(1 / (1 + np.exp(-bright)), rel=1e-5)
        assert arrays[f"path/{name}/class"].tolist() == [1] * 13
    told["extractors"] = {"inception": {}}
    assert "path/crossing/class" not in latent.study(images(), tmp_path, segments=40, embedded=50, features=tmp_path)
