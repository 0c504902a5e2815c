"""The pull-back metric of a trained decoder: magnification, geodesics, and what geodesic distances are good for."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from pydantic import BaseModel, ConfigDict, Field
from scipy.spatial import cKDTree
from scipy.stats import spearmanr

from otbench.data.base import DataSet
from otbench.errors import OtbenchError
from otbench.geometry import LatentGraph, Metric, grid, magnification, refined
from otbench.theory.findings import Fact, Findings
from otbench.theory.latent_geometry import distances as far
from otbench.theory.latent_geometry import paths as near
from otbench.theory.latent_geometry.vae import Recipe, Trained, flat, train
from otbench.utils.threads import one_torch_thread

TITLE = "The geometry of a latent plane"
SOURCE = '"Generative Model Part 0", section 1; Arvanitidis et al. 2018 (Latent Space Oddity)'
DATA = True

#: decoded images along a curve
FRAMES = 10


class Options(BaseModel):
    """What is trained, and how much is measured."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    seeds: int = Field(3, ge=1, le=20, description="Autoencoders, each from its own seed: the error bars.")
    train: int = Field(800, ge=20, description="Most training images.")
    test: int = Field(300, ge=10, description="Most test images, between which distances are compared.")
    hidden: int = Field(32, ge=2, description="Units of each of the two hidden layers.")
    epochs: int = Field(200, ge=1, description="Passes over the training images.")
    batch: int = Field(128, ge=2, description="Images a step.")
    floor: float = Field(0.1, gt=0, le=1, description="Least standard deviation of the decoder, grey values in [0, 1].")
    centres: int = Field(32, ge=2, description="Centres of the precision network.")
    precision_steps: int = Field(200, ge=1, description="Steps of Adam that fit the precision network.")
    resolution: int = Field(36, ge=6, description="Nodes along each side of the grid of the graph.")
    neighbours: int = Field(24, ge=4, description="Nearest neighbours that a node of the graph is joined to.")
    map: int = Field(100, ge=4, le=400, description="Points along each side of the map of the magnification.")
    pairs: int = Field(4, ge=1, le=200, description="Pairs of codes between which geodesics are found in every way.")
    tolerance: float = Field(0.01, gt=0, description="Relative residual that the boundary-value solve has to meet.")
    nodes: int = Field(200, ge=30, description="Most nodes of the boundary-value solve.")
    iterations: int = Field(200, ge=1, description="Most iterations towards the curve of least energy.")
    neighbour_counts: tuple[int, ...] = Field((1, 5, 15), min_length=1, description="k of the k-nearest neighbours.")
    classes: tuple[str, str] = Field(("0", "1"), description="Classes of A and B, and of C, of the 0, 0, 1 example.")


def compute(options: Options, data: DataSet | None, seed: int, device: str) -> Findings:
    """Geometry of latent planes of trained autoencoders, under the deterministic and the stochastic metric.

    Args:
        options: What is trained, and how much is measured.
        data: Images with labels.
        seed: Seed of the first autoencoder; the others follow by one.
        device: Where to train; all is measured on the CPU.

    Returns:
        Findings with the tables `distances` (a row a seed and distance) and `paths` (a row a pair and metric, first
        seed), and as arrays maps, codes, curves and decoded images.

    Raises:
        OtbenchError: Where the images have no labels or not the classes asked for, or a count of neighbours is out of
            range.
    """
    assert data is not None
    labels, held_labels = _labels(data, "train", options.train), _labels(data, "test", options.test)
    classes = _classes(data, options)
    if max(options.neighbour_counts) > len(labels) or min(options.neighbour_counts) < 1:
        raise OtbenchError(f"latent geometry: neighbour_counts must be 1 to {len(labels)}, the training images")
    images, held_images = flat(data.train[: options.train]), flat(data.test[: options.test])
    recipe = Recipe(
        options.hidden, options.epochs, options.batch, options.floor, options.centres, options.precision_steps
    )
    rows, compared, findings = [], [], None
    with one_torch_thread():
        for replica in range(options.seeds):
            trained = train(images, held_images, recipe, seed + replica, device)
            metrics = trained.metrics()
            joined = far.graphs(trained, metrics, options.resolution, options.neighbours)
            distances = far.distances(trained, joined, images, held_images)
            rows += _scores(distances, labels, held_labels, classes, options, seed + replica, trained)
            between = {name: of[:, len(images) :] for name, of in distances.items()}
            compared.append(_compared(between, held_labels, classes))
            if findings is None:
                findings = _first(trained, metrics, joined, held_labels, options, seed)
                findings.arrays["labels"] = labels.astype(np.int16)
                findings.arrays["shape"] = np.array(data.shape)
            if "example" not in findings.arrays:
                _example(findings, trained, between, held_labels, classes, seed + replica)
    assert findings is not None
    table = pd.DataFrame(rows)
    facts: dict[str, Fact] = {"seeds": options.seeds, "train": len(images), "test": len(held_images)}
    facts |= {"class_a": options.classes[0], "class_c": options.classes[1], **_summed(table, compared, options)}
    return Findings("latent-geometry", facts | findings.facts, findings.tables | {"distances": table}, findings.arrays)


def _labels(data: DataSet, split: str, most: int) -> np.ndarray:
    labels = data.labels_of(split)
    if labels is None:
        raise OtbenchError(f"latent geometry: {data.name} has no labels of its {split} split, and classes are compared")
    return np.asarray(labels[:most])


def _classes(data: DataSet, options: Options) -> tuple[int, int]:
    for name in options.classes:
        if name not in data.classes:
            raise OtbenchError(f"latent geometry: {data.name} has no class '{name}', it has {', '.join(data.classes)}")
    same, other = (data.classes.index(name) for name in options.classes)
    if same == other:
        raise OtbenchError("latent geometry: classes must be two different ones")
    return same, other


def _scores(
    found: dict[str, np.ndarray],
    labels: np.ndarray,
    held_labels: np.ndarray,
    classes: tuple[int, int],
    options: Options,
    seed: int,
    trained: Trained,
) -> list[dict[str, float | str]]:
    """A row a distance: share of triples that it ranks rightly, accuracy of its nearest neighbours."""
    rows = []
    for name in far.DISTANCES:
        between = found[name][:, len(labels) :]
        good = far.right(between, held_labels, *classes)
        row = {
            "seed": seed,
            "distance": name,
            "example": good.mean(),
            "wrong": int((~good).sum()),
            "triples": good.size,
        }
        row["all_classes"] = far.right_over_classes(between, held_labels)
        for k in options.neighbour_counts:
            row[f"knn_{k}"] = far.accuracy(found[name][:, : len(labels)], labels, held_labels, k)
        row["reconstruction"] = trained.reconstruction
        rows.append(row)
    return rows


def _compared(between: dict[str, np.ndarray], labels: np.ndarray, classes: tuple[int, int]) -> dict[str, float]:
    """Triples on which one distance is right and another wrong; rank correlations of geodesic with Euclidean."""
    good = {name: far.right(of, labels, *classes) for name, of in between.items()}
    numbers: dict[str, float] = {}
    for geodesic in ("deterministic", "stochastic"):
        for euclidean in ("latent", "decoded"):
            numbers[f"{geodesic}_mends_{euclidean}"] = int((good[geodesic] & ~good[euclidean]).sum())
            numbers[f"{geodesic}_breaks_{euclidean}"] = int((~good[geodesic] & good[euclidean]).sum())
        upper = np.triu_indices(len(labels), 1)
        numbers[f"{geodesic}_rank"] = float(spearmanr(between[geodesic][upper], between["latent"][upper]).statistic)
    return numbers


def _summed(table: pd.DataFrame, compared: list[dict[str, float]], options: Options) -> dict[str, Fact]:
    """Means over the seeds, standard errors of differences between distances, and counts over all seeds."""
    facts: dict[str, Fact] = {"reconstruction": float(table["reconstruction"].mean())}
    k = options.neighbour_counts[len(options.neighbour_counts) // 2]
    facts["k"] = k
    wide = {value: table.pivot(index="seed", columns="distance", values=value) for value in ("example", "all_classes")}
    wide["knn"] = table.pivot(index="seed", columns="distance", values=f"knn_{k}")
    for value, frame in wide.items():
        facts |= {f"{value}_{name}": float(frame[name].mean()) for name in far.DISTANCES}
        for geodesic in ("deterministic", "stochastic"):
            for euclidean in ("latent", "decoded"):
                gain = frame[geodesic] - frame[euclidean]
                facts[f"{value}_{geodesic}_over_{euclidean}"] = float(gain.mean())
                error = gain.std(ddof=1) / np.sqrt(len(gain)) if len(gain) > 1 else np.nan
                facts[f"{value}_{geodesic}_over_{euclidean}_error"] = float(error)
    facts["triples"] = int(table.loc[table["distance"] == "latent", "triples"].sum())
    for name in far.DISTANCES:
        facts[f"wrong_{name}"] = int(table.loc[table["distance"] == name, "wrong"].sum())
    for key in compared[0]:
        values = [numbers[key] for numbers in compared]
        facts[key] = float(np.mean(values)) if key.endswith("_rank") else int(np.sum(values))
    return facts


def _first(
    trained: Trained,
    metrics: dict[str, Metric],
    joined: dict[str, LatentGraph],
    labels: np.ndarray,
    options: Options,
    seed: int,
) -> Findings:
    """Maps, geodesics and images along them, of the first seed."""
    facts, arrays = _maps(trained, metrics, options.map)
    pairs = near.chosen(labels, trained.test_codes, options.pairs, np.random.default_rng(seed))
    solvers = near.Solvers(options.tolerance, options.nodes, options.iterations)
    solved = near.paths(trained, metrics, joined, pairs, solvers)
    facts |= _path_facts(solved.lengths, solved.curves, trained)
    arrays |= {f"curve_{name}": curves.astype(np.float32) for name, curves in solved.curves.items()}
    stochastic = solved.lengths[solved.lengths["metric"] == "stochastic"].reset_index(drop=True)
    pair = int((stochastic["straight"] / stochastic["energy"]).argmax())
    facts["shown"] = pair + 1
    for name, curves in solved.curves.items():
        points = torch.from_numpy(curves[pair].copy())
        if name != "straight":
            points = refined(metrics[name], points, 10 * FRAMES - 9)
        frames = points[np.linspace(0, len(points) - 1, FRAMES).round().astype(int)].numpy()
        decoded = trained.images(frames)
        steps = np.linalg.norm(np.diff(decoded, axis=0), axis=1)
        facts[f"largest_step_{name}"] = float(steps.max() / steps.mean())
        arrays[f"frames_{name}"], arrays[f"steps_{name}"] = decoded.astype(np.float32), steps
    arrays["codes"] = trained.codes.astype(np.float32)
    return Findings("latent-geometry", facts, {"paths": solved.lengths}, arrays)


def _example(
    findings: Findings,
    trained: Trained,
    between: dict[str, np.ndarray],
    labels: np.ndarray,
    classes: tuple[int, int],
    seed: int,
) -> None:
    """Add a triple that the latent distance ranks wrongly and the geodesic one rightly, where this seed has one."""
    triple = far.example(between, labels, classes)
    findings.facts["has_example"] = triple is not None
    if triple is not None:
        a, b, c = triple
        findings.facts["example_seed"] = seed
        findings.arrays["example"] = trained.images(trained.test_codes[[a, b, c]]).astype(np.float32)
        for name, of in between.items():
            findings.facts[f"example_ab_{name}"] = float(of[a, b])
            findings.facts[f"example_bc_{name}"] = float(of[b, c])


def _maps(trained: Trained, metrics: dict[str, Metric], points: int) -> tuple[dict[str, Fact], dict[str, np.ndarray]]:
    """log10 of the magnification over the plane (points, points), and its medians at codes and where there are none."""
    low, high = far.box(trained)
    nodes = grid(low, high, points)
    tree = cKDTree(trained.codes)
    usual = float(np.quantile(tree.query(trained.test_codes)[0], 0.99))
    empty = tree.query(nodes)[0] > usual
    facts: dict[str, Fact] = {"empty_beyond": usual, "empty_part": float(empty.mean())}
    arrays = {"low": low, "high": high}
    with torch.no_grad():
        for name, metric in metrics.items():
            parts = [magnification(metric, part) for part in torch.from_numpy(nodes).split(1000)]
            grown = torch.cat(parts).numpy()
            codes = magnification(metric, torch.from_numpy(trained.codes)).numpy()
            arrays[f"map_{name}"] = np.log10(np.maximum(grown, 1e-12)).reshape(points, points).astype(np.float32)
            facts[f"magnification_codes_{name}"] = float(np.median(codes))
            facts[f"magnification_empty_{name}"] = float(np.median(grown[empty])) if empty.any() else float("nan")
    return facts, arrays


def _path_facts(lengths: pd.DataFrame, curves: dict[str, np.ndarray], trained: Trained) -> dict[str, Fact]:
    """Agreement of the three ways, cost of the straight line, and distance of each way from the codes."""
    facts: dict[str, Fact] = {"pairs": len(curves["straight"])}
    facts |= {f"away_{name}": near.emptiness(of, trained.codes) for name, of in curves.items()}
    for name, rows in lengths.groupby("metric"):
        best = rows[["energy", "bvp"]].min(axis=1)
        facts[f"straight_over_geodesic_{name}"] = float((rows["straight"] / best).mean())
        facts[f"straight_over_geodesic_most_{name}"] = float((rows["straight"] / best).max())
        facts[f"graph_over_geodesic_{name}"] = float((rows["graph"] / best).mean())
        solved = rows["bvp"].notna()
        facts[f"solved_{name}"] = int(solved.sum())
        facts[f"solved_from_straight_{name}"] = int(rows["bvp_straight"].notna().sum())
        apart = (rows["bvp"] / rows["energy"] - 1).abs()
        facts[f"disagreement_{name}"] = float(apart.max()) if solved.any() else float("nan")
        facts[f"unevenness_{name}"] = float(rows["speed"].max()) if solved.any() else float("nan")
        longer = rows["bvp_straight"] > best * 1.01
        facts[f"longer_from_straight_{name}"] = int(longer.sum())
    return facts
