"""The latent study: a path through the singular set of AE-OT's map, and embeddings of images and codes.

Figure 12(b) of Lei et al. 2020 (section 6.2) draws random line segments in the source cube, interpolates densely along
them and finds one whose images break in the middle: there the transport map jumps between far-apart codes. Here nothing
is looked for by eye. Along a segment the Brenier potential is the upper envelope of n lines, so every facet that the
segment crosses is found exactly, with the angle between the two planes that meet there. A facet is singular where that
angle is above the model's own threshold, at which its sampler refuses to mix.

The path between two cells is what the map's piecewise-linear extension would give without that refusal: the code in the
middle of a cell's stretch is the cell's target, between middles it is interpolated.

Figure 1 is the t-SNE embedding of the images; that of their codes stands beside it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from otbench.data.base import DataSet
from otbench.errors import OtbenchError
from otbench.transport import AngleRule, TransportMap
from otbench.utils.files import atomic_write

SEGMENTS = 200
"""Random segments whose facets are counted."""
FRAMES = 12
"""Steps along a path, from the middle of its first cell to the middle of its last."""
FACETS = (3, 1)
"""Facets that a path crosses, the one that it is about in the middle: three, or one where no three calm ones follow one
another on any segment.
"""
EMBEDDED = 2000
"""Most training images that are embedded."""
PERPLEXITY = 30


@dataclass(frozen=True)
class Crossings:
    """What a segment crosses, in order: m facets between m + 1 cells.

    cells (m + 1,); at (m,): where, as a fraction of the segment; angles (m,) rad, between the planes that meet there.
    """

    cells: np.ndarray
    at: np.ndarray
    angles: np.ndarray

    @property
    def middles(self) -> np.ndarray:
        """The middle of every cell's stretch of the segment (m + 1,)."""
        ends = np.concatenate([[0.0], self.at, [1.0]])
        return (ends[:-1] + ends[1:]) / 2


def crossings(transport: TransportMap, rule: AngleRule, start: np.ndarray, end: np.ndarray) -> Crossings:
    """Facets that a segment of the source crosses, exactly.

    u(start + t (end - start)) = max_i a_i + b_i t with a_i = <start, y_i> + h_i, b_i = <end - start, y_i>: from the
    line that is highest at t = 0, the next facet is where a steeper line first meets it (section 4 of Lei et al. 2020
    for u). Equal targets count once.

    Args:
        transport: Semi-discrete map.
        rule: Rule that gives the angles.
        start: Start of the segment (d,).
        end: End of the segment (d,).

    Returns:
        Cells and facets in the order of the segment.
    """
    first, _ = transport.groups
    target, height = transport.target[first], transport.heights[first]
    a, b = target @ start + height, target @ (end - start)
    t = 0.0
    # where several are highest, the steepest is so a moment later
    now = int(np.lexsort((-b, -a))[0])
    cells, at = [now], []
    while True:
        steeper = np.flatnonzero(b > b[now])
        meets = (a[now] - a[steeper]) / (b[steeper] - b[now])
        if not len(steeper) or meets.min() >= 1:
            break
        t = max(t, float(meets.min()))
        # of those that meet at one place, the steepest goes on
        ties = steeper[meets <= meets.min() + 1e-12]
        now = int(ties[np.argmax(b[ties])])
        cells.append(now)
        at.append(t)
    visited = first[np.array(cells)]
    place = np.arange(len(visited))
    return Crossings(visited, np.array(at), rule.angles(transport.target[visited], place[:-1], place[1:]))


@dataclass(frozen=True)
class Stretch:
    """A part of a segment: which segment, and the first of the facets that it crosses."""

    segment: int
    facet: int


def stretches(found: list[Crossings], rule: AngleRule) -> tuple[int, Stretch | None, Stretch | None]:
    """Stretch of a segment whose middle facet is singular, and one that crosses no singular facet, as many facets each.

    Args:
        found: Crossings of every segment.
        rule: Rule above whose threshold a facet is singular.

    Returns:
        Number of facets of a stretch; the singular stretch, with the widest angle of all segments; and, of the
        stretches without a singular facet, the one whose widest angle is the median. Either stretch is None where there
        is none.

    Raises:
        OtbenchError: Where no segment crosses a facet.
    """
    if not any(len(passage.at) for passage in found):
        raise OtbenchError("latent study: no segment crosses a facet; the map has too few cells")
    for facets in FACETS:
        calm, about = [], []
        for s, passage in enumerate(found):
            for k in range(len(passage.angles) - facets + 1):
                widest = float(passage.angles[k : k + facets].max())
                calm += [(widest, s, k)] if widest <= rule.threshold else []
                about.append((float(passage.angles[k + facets // 2]), -s, -k))
        if calm or facets == FACETS[-1]:
            break
    angle, s, k = max(about)
    median = Stretch(*sorted(calm)[len(calm) // 2][1:]) if calm else None
    return facets, (Stretch(-s, -k) if angle > rule.threshold else None), median


def path_codes(transport: TransportMap, one: Crossings, facet: int, facets: int) -> tuple[np.ndarray, np.ndarray]:
    """Codes along a stretch of a segment.

    Args:
        transport: Semi-discrete map.
        one: Crossings of the segment.
        facet: First facet of the stretch.
        facets: Number of facets of the stretch.

    Returns:
        Codes (FRAMES + 1, d), and their places on the segment (FRAMES + 1,), as fractions.
    """
    steps = np.linspace(0, facets, FRAMES + 1)
    cell = np.minimum(steps.astype(int), facets - 1)
    share = (steps - cell)[:, None]
    target = transport.target[one.cells[facet : facet + facets + 1]]
    middles = one.middles[facet : facet + facets + 1]
    codes = (1 - share) * target[cell] + share * target[cell + 1]
    return codes, (1 - share[:, 0]) * middles[cell] + share[:, 0] * middles[cell + 1]


def embed(points: np.ndarray, seed: int = 0) -> np.ndarray:
    """t-SNE (van der Maaten and Hinton 2008) of points in the plane, scaled to [0, 1] as in Figure 1.

    Args:
        points: Points (n, d), or arrays (n, ...).
        seed: Seed of the embedding.

    Returns:
        Points (n, 2) float32 in [0, 1].
    """
    from sklearn.manifold import TSNE

    values = points.reshape(len(points), -1).astype(np.float32)
    if not np.ptp(values, axis=0).any():  # one point, many times: its principal components are not defined
        return np.zeros((len(values), 2), np.float32)
    perplexity = min(PERPLEXITY, max(1, (len(values) - 1) // 3))
    flat = TSNE(2, perplexity=perplexity, init="pca", random_state=seed, n_jobs=1).fit_transform(values)
    low, high = flat.min(axis=0), flat.max(axis=0)
    return ((flat - low) / np.where(high > low, high - low, 1)).astype(np.float32)


def study(
    data: DataSet,
    fit: Path,
    seed: int | None = None,
    segments: int = SEGMENTS,
    embedded: int = EMBEDDED,
    features: Path | None = None,
) -> dict[str, np.ndarray]:
    """Arrays of the latent study of a fitted AE-OT, at its last snapshot.

    Args:
        data: Data that the model was fitted on.
        fit: Folder of the fit.
        seed: Replica; by default the first that is ok.
        segments: Number of random segments of the source.
        embedded: Number of training images that are embedded, at most.
        features: Folder that `otbench features` made of the data; its classifier judges the images of a path. None, or
            a folder without a classifier: no judgement.

    Returns:
        Arrays by name. `path/crossing/...` (absent where no segment crosses the singular set) and `path/regular/...`
        (absent where every facet is singular): `images` (FRAMES + 1, c, h, w) uint8, `at` (FRAMES + 1,), where on the
        segment, `facet_at` and `facet_angle` (m,), all facets of the segment, rad, `cells` (facets + 1,), those of the
        path, and, where there is a classifier, `class` and `confidence` (FRAMES + 1,), the class that it takes an image
        for and the probability that it gives it; `path/threshold` (), rad; `path/facets` and `path/singular`
        (segments,), facets crossed and those above the threshold; `tsne/images` and `tsne/codes` (n, 2) in [0, 1];
        `tsne/rows` (n,), of the training set; `tsne/labels` (n,), -1 where there are none; `info`, JSON text.

    Raises:
        OtbenchError: Where the folder holds no such fit.
    """
    from otbench.training.saved import open_fit
    from otbench.utils.devices import configure_torch

    configure_torch("cpu")
    summary, load = open_fit(fit, data)
    cell = _cell(summary, seed, fit)
    model = load(cell["seed"], cell["snapshot"])
    if not hasattr(model, "transport") or not hasattr(model, "decode"):
        raise OtbenchError(f"{fit} holds the model {summary['model']}, expected one that transports codes, as ae-ot")
    transport, rule = model.transport(cell["seed"])
    arrays = _paths(model, transport, rule, segments)
    arrays |= _judged(arrays, data, features) | _embeddings(model, data, embedded)
    info = {
        "model": summary["model"],
        "dataset": data.name,
        "seed": cell["seed"],
        "snapshot": cell["snapshot"],
        "segments": segments,
        "cells": len(transport),
        "angle_scale": rule.scale,
        "perplexity": PERPLEXITY,
        "asked": summary.get("asked"),
        "data": summary["data"],
        "fit_version": summary.get("fit_version"),
        "code_version": summary["code_version"],
        "config_hash": summary["config_hash"],
    }
    return arrays | {"info": np.array(json.dumps(info, sort_keys=True))}


def _cell(summary: dict[str, Any], seed: int | None, fit: Path) -> dict[str, Any]:
    cells = [cell for cell in summary["cells"] if cell["status"] == "ok" and seed in (None, cell["seed"])]
    if not cells:
        of_seed = "" if seed is None else f" of seed {seed}"
        raise OtbenchError(f"{fit}: no cell{of_seed} is ok, so there is no map to study")
    return min(cells, key=lambda cell: (-cell["snapshot"], cell["seed"]))


def _paths(model: Any, transport: TransportMap, rule: AngleRule, segments: int) -> dict[str, np.ndarray]:
    draw = np.random.default_rng(0)
    ends = [transport.source.sample(2, draw) for _ in range(segments)]
    passages = [crossings(transport, rule, start, end) for start, end in ends]
    # the map of images that are all the same has one cell, and there is no facet to show a path across
    crossed = any(len(passage.at) for passage in passages)
    facets, crossing, regular = stretches(passages, rule) if crossed else (FACETS[-1], None, None)
    arrays: dict[str, np.ndarray] = {
        "path/threshold": np.array(rule.threshold),
        "path/facets": np.array([len(passage.at) for passage in passages]),
        "path/singular": np.array([int((passage.angles > rule.threshold).sum()) for passage in passages]),
    }
    for name, chosen in (("crossing", crossing), ("regular", regular)):
        if chosen is None:
            continue
        passage = passages[chosen.segment]
        codes, at = path_codes(transport, passage, chosen.facet, facets)
        arrays |= {
            f"path/{name}/images": _decoded(model, codes),
            f"path/{name}/at": at,
            f"path/{name}/facet_at": passage.at,
            f"path/{name}/facet_angle": passage.angles,
            f"path/{name}/cells": passage.cells[chosen.facet : chosen.facet + facets + 1],
        }
    return arrays


def _judged(arrays: dict[str, np.ndarray], data: DataSet, features: Path | None) -> dict[str, np.ndarray]:
    """What the classifier of a features folder says of the images of every path; empty where there is none."""
    from otbench.features.store import opener, read_info

    if features is None or "classifier" not in read_info(features, data)["extractors"]:
        return {}
    classifier, found = opener("classifier", features, None, "cpu")(), {}
    for name in ("crossing", "regular"):
        if f"path/{name}/images" in arrays:
            seen = classifier.extract(arrays[f"path/{name}/images"])
            found |= {f"path/{name}/class": seen.classes, f"path/{name}/confidence": seen.confidence}
    return found


def _decoded(model: Any, codes: np.ndarray) -> np.ndarray:
    import torch

    images = model.decode(torch.from_numpy(codes.astype(np.float32))[None])[0].cpu().numpy()
    return np.round(255 * np.clip(images, 0, 1)).astype(np.uint8)


def _embeddings(model: Any, data: DataSet, embedded: int) -> dict[str, np.ndarray]:
    import torch

    rows = np.arange(len(data.train))
    if len(rows) > embedded:
        rows = np.sort(np.random.default_rng(0).choice(rows, embedded, replace=False))
    images = data.train[rows]
    codes = model.encode(torch.from_numpy(images))[0].cpu().numpy()
    labels = data.labels.get("train")
    return {
        "tsne/images": embed(images.astype(np.float32) / 255),
        "tsne/codes": embed(codes),
        "tsne/rows": rows,
        "tsne/labels": np.full(len(rows), -1) if labels is None else labels[rows].astype(np.int64),
    }


def write(path: str | Path, arrays: dict[str, Any]) -> dict[str, Any]:
    """Write the arrays to an `.npz`, whole or not at all.

    Args:
        path: Where to write, .npz.
        arrays: Arrays of `study`.

    Returns:
        Counts of segments, of those that cross a singular facet (crossing), of facets and of singular ones, and the
        threshold, rad.
    """
    with atomic_write(path) as temporary, open(temporary, "wb") as file:
        np.savez_compressed(file, **arrays)
    facets, singular = arrays["path/facets"], arrays["path/singular"]
    return {
        "segments": len(facets),
        "crossing": int((singular > 0).sum()),
        "facets": int(facets.sum()),
        "singular": int(singular.sum()),
        "threshold": float(arrays["path/threshold"]),
    }
