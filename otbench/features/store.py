"""The features folder of a data set: which networks see its images, and the real images' features, computed once.

    features.json           the data set's name and digest, and of every extractor what defines it and what it reached
    classifier.safetensors  the classifier's weights, where there is one
    <extractor>.npz         `key`, and features of real images: `reference` (the test split), `held_out` (validation),
                            each with `_logits`, and `train` with `train_rows`, their places in the training split

Everything is keyed by the data set's digest, the weights' hash and the resizer: what does not fit is refused.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from otbench.data.base import DataSet
from otbench.errors import OtbenchError
from otbench.features import registry
from otbench.features.base import Extracted, Extractor
from otbench.features.registry import Weights
from otbench.utils.arrays import read_npz
from otbench.utils.files import atomic_write, read_json, write_json
from otbench.utils.protocol import protocol

FORMAT = 1
WEIGHTS = "classifier.safetensors"


def protocol_start(name: str, info: dict[str, Any]) -> str:
    """Start of the protocols of all scores in an extractor's features.

    Args:
        name: Name of the extractor.
        info: Its part of features.json.

    Returns:
        `features=<extractor>-<hash>`, then the classifier's accuracy on the test split, or the resizer.
    """
    parts = {"features": f"{name}-{info['weights'][:8]}"}
    if info.get("accuracy") is not None:
        parts["accuracy"] = f"{info['accuracy']:.4f}"
    if info.get("resizer", "none") != "none":
        parts["resizer"] = info["resizer"]
    return protocol(**parts)


def make_features(
    data: DataSet,
    folder: str | Path,
    extractors: Sequence[str] | None = None,
    weights: Weights = None,
    steps: int | None = None,
    seed: int = 0,
    device: str = "cpu",
) -> dict[str, Any]:
    """Train the classifier, or take other networks, or both, and write the features folder.

    Args:
        data: Data set of images.
        folder: Where to write.
        extractors: Names of networks; None for the classifier where there are labels and Inception where its weights
            are given or found.
        weights: Files of weights by the network's name, or Inception's; of networks that are asked for by name they are
            downloaded where they are not at hand.
        steps: The classifier's budget in batches of 128; None for its default.
        seed: Seed of the classifier's training and of the choice of training images.
        device: Device of torch to train and extract on.

    Returns:
        The content of features.json.

    Raises:
        OtbenchError: For points and unknown names, for a classifier without labels, and where nothing is left to
            extract with.
    """
    folder = Path(folder)
    if data.kind != "images":
        raise OtbenchError(f"data set {data.name} holds points, expected images: points are measured as they are")
    for name in extractors or ():
        registry.check_name(name)
    networks: list[tuple[Extractor, dict[str, Any]]] = []
    if "classifier" in (extractors or ()) or (extractors is None and data.labels_of("train") is not None):
        networks.append(_trained(data, folder, steps, seed, device))
    if extractors is None:
        inception = registry.find("inception")
        at_hand = inception.find(registry.path_of("inception", weights))
        networks += [(inception.open(at_hand, device), {})] if at_hand is not None else []
    else:
        networks += [(registry.opened(name, weights, device), {}) for name in extractors if name != "classifier"]
    if not networks:
        raise OtbenchError(
            f"data set {data.name} has no labels to train a classifier with and Inception's weights are not at hand,"
            " expected --weights PATH, or --extractor inception to download them"
        )
    info: dict[str, Any] = {"format": FORMAT, "dataset": data.name, "digest": data.digest(), "extractors": {}}
    for extractor, summary in networks:
        info["extractors"][extractor.name] = write_extracted(data, folder, extractor, summary, seed)
    write_json(folder / "features.json", info)  # last: it is what says that the folder is complete
    return info


def _trained(
    data: DataSet,
    folder: Path,
    steps: int | None,
    seed: int,
    device: str,
) -> tuple[Extractor, dict[str, Any]]:
    from otbench.features import classifier

    network = classifier.train(data, steps, seed, device)
    network.save(folder / WEIGHTS)
    summary = {
        "architecture": network.form.architecture,
        "stacked": network.form.stacked,
        "classes": len(data.classes),
        "seed": seed,
        "steps": steps or classifier.default_steps(network.form, classifier.training_images(network.form, data)),
        "width": network.width,
    }
    return network, summary


def write_extracted(
    data: DataSet, folder: Path, extractor: Extractor, told: dict[str, Any], seed: int
) -> dict[str, Any]:
    """Write the real images' features into `folder`.

    Args:
        data: Data set of images.
        folder: The features folder.
        extractor: Network that sees the images.
        told: What defines the extractor, for features.json.
        seed: Seed of the choice and order of training images.

    Returns:
        `told` with what the features were computed from and of: weights, resizer, numbers of images, protocol, and the
        classifier's accuracies.
    """
    rows = np.random.default_rng(seed).permutation(len(data.train))[: registry.find(extractor.name).train_rows]
    reference, held_out = extractor.extract(data.reference), extractor.extract(data.held_out)
    train = extractor.extract(data.train[rows])
    told = told | {
        "width": reference.features.shape[1],
        "weights": extractor.hash,
        "resizer": extractor.resizer,
        "n": {"reference": len(reference.features), "held_out": len(held_out.features), "train": len(rows)},
    }
    if extractor.name == "classifier":
        told["accuracy"] = _accuracy(reference, data.labels_of("reference"))
        told["accuracy_held_out"] = _accuracy(held_out, data.labels_of("held_out"))
    told["protocol"] = protocol_start(extractor.name, told)
    with atomic_write(folder / f"{extractor.name}.npz") as path, open(path, "wb") as file:
        np.savez(
            file,
            key=np.array(_key(data.digest(), told)),
            reference=reference.features,
            reference_logits=reference.logits,
            held_out=held_out.features,
            held_out_logits=held_out.logits,
            train=train.features,
            train_rows=rows,
        )
    return told


def _accuracy(seen: Extracted, labels: np.ndarray | None) -> float | None:
    return None if labels is None else float(np.mean(seen.classes == labels))


def _key(digest: str, told: dict[str, Any]) -> str:
    return json.dumps({"data": digest, "weights": told["weights"], "resizer": told["resizer"]}, sort_keys=True)


def read_info(folder: str | Path, data: DataSet | None = None) -> dict[str, Any]:
    """Content of a folder's features.json.

    Args:
        folder: The features folder.
        data: Data set that it must be made of; None for any.

    Returns:
        `format`, `dataset`, `digest` and `extractors` (name -> what defines it and what it reached).

    Raises:
        OtbenchError: Where the file is missing or wrong, or made of another data set than `data`.
    """
    path = Path(folder) / "features.json"
    if not path.exists():
        raise OtbenchError(f"{folder}: there is no features.json, expected a folder that `otbench features` made")
    info = read_json(path)
    try:
        good = info["format"] == FORMAT and all(
            isinstance(name, str) and {"weights", "resizer"} <= set(summary)
            for name, summary in info["extractors"].items()
        )
        digest, named = info["digest"], info["dataset"]
    except (TypeError, KeyError, AttributeError):
        good = False
    if not good:
        raise OtbenchError(f"{path}: expected format {FORMAT} with data set, digest and extractors: make it again")
    if data is not None and digest != data.digest():
        raise OtbenchError(
            f"{folder} holds features of data set {named} with digest {digest}, expected {data.name} with digest"
            f" {data.digest()}: make them again with `otbench features`"
        )
    return info


def opener(name: str, folder: Path, weights: Weights, device: str) -> Callable[[], Extractor]:
    """Function that opens an extractor of a features folder.

    Args:
        name: Name of the extractor.
        folder: The features folder.
        weights: Files of weights by the network's name, or Inception's; None for what is at hand or fetched.
        device: Device of torch that the network runs on.

    Returns:
        Function without arguments that reads the weights and gives the extractor.
    """

    def load() -> Extractor:
        if name == "classifier":
            from otbench.features.classifier import load_classifier

            return load_classifier(folder / WEIGHTS, device)
        return registry.opened(name, weights, device)

    return load


def _arrays(path: Path, key: str) -> dict[str, np.ndarray]:
    arrays = read_npz(path, "the features that `otbench features` writes")
    for name in ("key", "reference", "reference_logits", "held_out", "held_out_logits", "train"):
        if name not in arrays:
            raise OtbenchError(f"{path}: there is no array `{name}`; `otbench features` writes it")
    if str(arrays["key"]) != key:
        raise OtbenchError(f"{path}: its key is {arrays['key']}, expected {key}: make the folder again")
    return arrays
