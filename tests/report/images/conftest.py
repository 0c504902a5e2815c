"""A plausible gathered run of the image study, made up: values by formula, images from scikit-learn's digits."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits

from otbench.metrics.table import COLUMNS

MODELS = "ae vae ns-gan wgan wgan-mlp ae-ot otvae ae-gaussian ae-gmm real memoriser collapsed noise".split()
CONTROLS = ("real", "memoriser", "collapsed", "noise")
TITLES = {
    "ae": "AE (reconstructions)",
    "vae": "VAE",
    "ns-gan": "NS GAN",
    "wgan": "WGAN",
    "wgan-mlp": "WGAN (MLP)",
    "ae-ot": "AE-OT",
    "otvae": "OTVAE",
    "real": "Held-out real",
    "memoriser": "Memoriser",
    "collapsed": "Collapsed",
    "noise": "Noise",
    "ae-gaussian": "AE + Gaussian",
    "ae-gmm": "AE + mixture",
}
QUALITY = {"ae": 0.95, "vae": 0.55, "ns-gan": 0.7, "wgan": 0.75, "wgan-mlp": 0.4, "ae-ot": 0.9, "otvae": 0.8}
QUALITY |= {"real": 1.0, "memoriser": 1.0, "collapsed": 0.6, "noise": 0.0, "ae-gaussian": 0.5, "ae-gmm": 0.65}
CODED = ("ae", "vae", "ae-ot", "otvae", "ae-gaussian", "ae-gmm")
SNAPSHOTS = (0.03, 0.1, 0.3, 1.0)
N = 500
PROTOCOLS = {
    "classifier": f"features=classifier-0badf00d;n_real={N};n_generated={N};split=test",
    "inception": f"features=inception-6726825d;n_real={N};n_generated={N};split=test;resize=tf-bilinear",
}
CHEAP = (
    "fid",
    "fid_validation",
    "prd_f8",
    "prd_f1_8",
    "precision",
    "recall",
    "sharpness",
    "modes",
    "reverse_kl",
    "excellence_proxy",
)


def best(model: str) -> float:
    """The quality of a model at the end of training; one without its own gets one from its name."""
    return QUALITY.get(model, 0.3 + 0.6 * (sum(model.encode()) % 13) / 13)


def quality(model: str, snapshot: float) -> float:
    """How good a model is made to be, in [0, 1]: settled at 0.3 of the budget, controls throughout."""
    return best(model) * (1 if model in CONTROLS else 0.3 + 0.7 * min(1.0, snapshot / 0.3) ** 0.4)


def scores(model: str, q: float, network: str, noise: np.random.Generator) -> dict[str, float]:
    """Metrics on the features of one network, of a model of quality q; KID of Inception is on a scale of its own."""
    unit = 1.0 if network == "classifier" else 0.4
    full = 0.45 if model == "collapsed" else 1.0  # what it covers of the classes
    jitter = 1 + 0.05 * noise.standard_normal()
    fid = unit * (4 + 300 * (1 - q) ** 2 + 60 * (1 - full)) * jitter
    held_out = fid * (1 + 0.2 * noise.standard_normal())
    found = {"fid": fid, "fid_train": fid - 0.5 * unit * (1 + (model == "memoriser") * 7), "kid": fid / 2000}
    found["fid_validation"] = held_out
    found |= {"is": 1 + 8 * q * full, "precision": 0.9 * q, "recall": 0.85 * q * full, "density": 0.95 * q}
    found |= {"prd_f1_8": (0.97 if model == "collapsed" else 0.98 * q) * min(jitter, 1), "prd_f8": 0.97 * q * full}
    found["coverage"] = 0.92 * q * full
    if model in CODED:
        found["fid_reconstruction"] = unit * (5 + 20 * (1 - q)) * jitter
    if network == "classifier":
        found |= {"modes": 4.0 if model == "collapsed" else 10.0, "reverse_kl": 0.9 * (full < 1) + 0.02 + 0.2 * (1 - q)}
        found["excellence_proxy"] = 0.95 * min(q, 1.0) ** 1.5
        found["memorised"] = {"memoriser": 1.0, "ae-ot": 0.31, "noise": 0.0}.get(model, 0.05 * q)
        found["data_copying"] = {"memoriser": -26.0, "noise": 27.0, "ae-ot": -8.0}.get(model, 6 * (1 - q)) * jitter
    return found


def own(model: str, q: float) -> dict[str, float]:
    """Metrics that know no features."""
    found = {"sharpness": 0.02 * (0.3 + 0.7 * q) if model != "noise" else 1.1}
    found["sharpness_min"] = found["sharpness"] / 3
    if model in CODED:
        found |= {"l2": 0.01 * (1.4 - q), "l2_train": 0.008 * (1.4 - q)}
    if model in ("ae", "ae-ot", "ae-gaussian", "ae-gmm"):
        found |= {"l2_before": 0.013 * (1.4 - q), "l2_before_train": 0.011 * (1.4 - q)}
    return found


def rows_of(run: str, dataset: str, model: str, seed: int, networks: tuple[str, ...]) -> list[dict]:
    """The tidy rows of one cell; digits/wgan/1 diverges half-way."""
    noise = np.random.default_rng([seed, *model.encode()])
    fixed = {"run": run, "study": "images", "dataset": dataset, "model": model, "seed": seed, "device": "cpu"}
    fixed |= {"code_version": "0.2.0", "config_hash": "feedbeef"}
    rows = []
    for snapshot in SNAPSHOTS if model not in CONTROLS or model.startswith("ae-") else (1.0,):
        bad = (dataset, model, seed) == ("digits", "wgan", 1) and snapshot > 0.2
        q = quality(model, snapshot)
        seconds = (
            0.0
            if model in CONTROLS[:4]
            else snapshot * (20 + 7 * (MODELS.index(model) if model in MODELS else len(model)) + seed)
        )
        values = [
            (m, v, PROTOCOLS[net])
            for net in (networks if snapshot == 1 else networks[:1])
            for m, v in scores(model, q, net, noise).items()
        ]
        values += [
            (m, v, "certificate" if m.startswith("l2") else "features=pixels;range=0..1")
            for m, v in own(model, q).items()
        ]
        for metric, value, protocol in values:
            if snapshot == 1 or metric in CHEAP:
                row = {"metric": metric, "value": math.nan if bad else value, "protocol": protocol}
                row |= {"snapshot": snapshot, "seconds": seconds, "status": "diverged" if bad else "ok"}
                rows.append(fixed | row)
    if model == "ae-ot":
        for name, value in (("map_max_cell_error", 0.08), ("map_empty_cells", 0.0)):
            extra = {"metric": name, "value": value, "protocol": "certificate", "snapshot": 1.0, "seconds": 60.0}
            rows.append(fixed | extra | {"status": "ok"})
    return rows


def pictures(dataset: str, count: int, noise: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Real images (count, c, h, w) uint8 and labels: digits at 16x16, or in colour at 32x32 as cifar10."""
    digits = load_digits()
    rows = noise.choice(len(digits.images), count, replace=False)
    images = np.kron(digits.images[rows] * (255 / 16), np.ones((2, 2)))[:, None]
    if dataset == "cifar10":
        tint = noise.random((count, 3, 1, 1))
        images = np.kron(images, np.ones((1, 1, 2, 2))) * tint + 40 * (1 - tint)
    return np.clip(images, 0, 255).astype(np.uint8), digits.target[rows]


def sampled(images: np.ndarray, q: float, noise: np.random.Generator) -> np.ndarray:
    """Images of a model of quality q: real ones, blurred towards their mean, with noise."""
    values = images * (0.4 + 0.6 * q) + images.mean(axis=0) * 0.6 * (1 - q)
    return np.clip(values + 120 * (1 - q) * noise.standard_normal(images.shape), 0, 255).astype(np.uint8)


def gallery_of(dataset: str, models: tuple[str, ...], seeds: tuple[int, ...]) -> dict[str, np.ndarray]:
    """The arrays of gallery.npz for one data set."""
    noise = np.random.default_rng(3)
    real, _ = pictures(dataset, 400, noise)
    found = {f"{dataset}/__real__": real[:100], f"{dataset}/__reference__": real[100:200]}
    for model in models:
        for seed in seeds:
            for snapshot in SNAPSHOTS if model not in CONTROLS else (1.0,):
                if (dataset, model, seed) != ("digits", "wgan", 1) or snapshot < 0.2:
                    images = sampled(real[200:300], quality(model, snapshot), noise)
                    found[f"{dataset}/{model}/{seed}/{snapshot:g}"] = images
        if model in CODED:
            found[f"{dataset}/{model}/reconstruction"] = sampled(real[100:200], quality(model, 1.0), noise)
    return found


def curves_of(dataset: str, models: tuple[str, ...], seeds: tuple[int, ...], networks: tuple[str, ...]) -> dict:
    """The arrays of curves.npz for one data set: curves through (0, p), (p q, r q), (r, 0)."""
    angle, found = np.linspace(1e-10, np.pi / 2 - 1e-10, 1001), {}
    for model in models:
        for seed in seeds:
            reach = best(model) * (0.5 if model == "collapsed" else 1) + 0.01 * seed
            sharp = 2 + 8 * best(model)
            radius = (np.cos(angle) ** sharp + np.sin(angle) ** sharp) ** (-1 / sharp)
            for network in networks:
                start = f"{dataset}/{model}/{network}/{seed}"
                found[f"{start}/recall"] = np.clip(radius * np.cos(angle) * min(reach, 1), 0, 1)
                found[f"{start}/precision"] = np.clip(radius * np.sin(angle) * best(model), 0, 1)
    return found


def latent_of(dataset: str, crosses: bool = True) -> dict[str, np.ndarray]:
    """The arrays of latent.npz for one data set."""
    noise = np.random.default_rng(5)
    real, labels = pictures(dataset, 600, noise)
    centres = 0.15 + 0.7 * noise.random((2, 10, 2))
    found = {"path/threshold": np.array(0.31), "path/facets": noise.integers(4, 14, 200)}
    found["path/singular"] = np.minimum(noise.poisson(0.4, 200), found["path/facets"]) * crosses
    for name, angle in (("crossing", 0.46), ("regular", 0.22)):
        if name == "regular" or crosses:
            share = np.linspace(0, 3, 13)
            cell = np.minimum(share.astype(int), 2)
            part = (share - cell)[:, None, None, None]
            mixed = (1 - part) * real[cell] + part * real[cell + 1]
            found[f"path/{name}/images"] = mixed.astype(np.uint8)
            found[f"path/{name}/at"] = np.linspace(0.3, 0.62, 13)
            found[f"path/{name}/facet_at"] = np.array([0.1, 0.33, 0.45, 0.55, 0.8])
            found[f"path/{name}/facet_angle"] = np.array([0.2, 0.18, angle, 0.21, 0.25])
            found[f"path/{name}/cells"] = np.arange(4)
    for at, key in enumerate(("images", "codes")):
        flat = centres[at][labels] + 0.04 * noise.standard_normal((600, 2))
        found[f"tsne/{key}"] = np.clip(flat, 0, 1).astype(np.float32)
    found |= {"tsne/labels": labels.astype(np.int64), "tsne/rows": np.arange(600), "info": np.array("{}")}
    return {f"{dataset}/{key}": value for key, value in found.items()}


def about(model: str) -> dict:
    """What run.json says of a model."""
    coded = {"batch": 100} if model == "otvae" else {"batch": 64}
    return {"title": TITLES.get(model, ""), "paper": "", "family": "", "control": model in CONTROLS, "options": coded}


def make_images(
    folder: Path,
    name: str = "default",
    networks: dict[str, tuple[str, ...]] | None = None,
    models: tuple[str, ...] = tuple(MODELS),
    seeds: tuple[int, ...] = (0, 1, 2),
    steps: int = 400,
) -> Path:
    """Write a made-up gathered run of images to `folder`, added to a run that is there; networks: data set -> networks.

    On digits wgan/1 diverges and vae/2 is missing.
    """
    networks = networks or {"digits": ("classifier",)}
    folder.mkdir(parents=True, exist_ok=True)
    rows, expected, gallery, curves, latent = [], [], {}, {}, {}
    for dataset, own_networks in networks.items():
        for model in models:
            for seed in seeds:
                expected.append([dataset, model, seed])
                if (dataset, model, seed) != ("digits", "vae", 2):
                    rows += rows_of(name, dataset, model, seed, own_networks)
        gallery |= gallery_of(dataset, models, seeds)
        curves |= curves_of(dataset, models, seeds, own_networks)
        latent |= latent_of(dataset)
    table = pd.DataFrame(rows)[list(COLUMNS)]
    for file, arrays in (("gallery", gallery), ("curves", curves), ("latent", latent)):
        np.savez_compressed(folder / f"{file}.npz", **arrays)
    said = f"{steps:,} training steps of the papers' 15,625 or more ({100 * steps / 15_625:.2g} %)"
    study = {"datasets": list(networks), "models": list(models), "snapshots": list(SNAPSHOTS), "samples": N}
    study |= {"budget": {"steps": steps, "paper_steps": 15_625, "said": said}, "seeds": None}
    titles = {"digits": "Digits", "mnist": "MNIST", "cifar10": "CIFAR-10"}
    data = {
        dataset: {"title": titles.get(dataset, dataset), "study": "images", "kind": "images", "n_train": 797}
        | {"classes": [str(digit) for digit in range(10)], "shape": [1, 16, 16], "n_test": 500, "n_validation": 500}
        for dataset in networks
    }
    info = {"run": name, "config": {}, "expected": [], "models": {}, "datasets": {}, "seeds": list(seeds)}
    if (folder / "run.json").exists():
        info = json.loads((folder / "run.json").read_text())
        first = {key: info.pop(key) for key in ("budget", "snapshots")}
        first |= {"models": list(info["models"]), "datasets": list(info["datasets"])}
        info["studies"] = {"mode-collapse": first}
        table = pd.concat([pd.read_parquet(folder / "metrics.parquet"), table], ignore_index=True)
    else:
        np.savez(folder / "scatter.npz")
    info.setdefault("studies", {})["images"] = study
    info["expected"] += expected
    info["datasets"] |= data
    for model in models:
        both = info["models"].get(model)
        info["models"][model] = about(model) | {"by_study": {"images": about(model)}}
        if both:
            info["models"][model]["by_study"]["mode-collapse"] = both
    (folder / "run.json").write_text(json.dumps(info))
    table.to_parquet(folder / "metrics.parquet", index=False)
    return folder


@pytest.fixture(scope="session", name="make_images")
def _make_images() -> Callable[..., Path]:
    """The function that writes a made-up run of images."""
    return make_images
