"""Every feature network by name, found in this folder and among entry points: one file a kind of network.

A file of this folder registers the networks of its `NAMES` (name -> one line about it) and describes each with
`network(name)`. A package elsewhere registers through the entry point group `otbench.features`: the entry's name is the
network's, its value such a function.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path

from otbench.errors import OtbenchError
from otbench.features.base import Extractor, Network
from otbench.registry import FEATURE_GROUP, feature_files

Weights = Mapping[str, str | Path] | str | Path | None
"""Files of weights by the network's name; one path is Inception's."""


def find(name: str) -> Network:
    """The network of a name.

    Args:
        name: Name of the network.

    Returns:
        What is known of it.

    Raises:
        OtbenchError: Where nobody registers the name, or an entry point gives something else.
    """
    check_name(name)
    module = feature_files()[name]
    if module:
        return import_module(f"otbench.features.{module}").network(name)
    (entry,) = entry_points(group=FEATURE_GROUP, name=name)
    try:
        network = entry.load()(name)
    except Exception as error:  # whatever another package's module raises
        raise OtbenchError(f"entry point {FEATURE_GROUP}:{name}: {entry.value} cannot be loaded ({error})") from error
    if not isinstance(network, Network) or network.name != name:
        raise OtbenchError(
            f"entry point {FEATURE_GROUP}:{name}: expected a function that gives a Network called '{name}', got"
            f" {network!r:.80}"
        )
    return network


def check_name(name: str) -> None:
    """Check that a network of this name is registered.

    Args:
        name: Name of the network.

    Raises:
        OtbenchError: Where there is none.
    """
    if name not in feature_files():
        raise OtbenchError(f"no extractor is called {name!r}, expected one of {', '.join(feature_files())}")


def path_of(name: str, weights: Weights) -> str | Path | None:
    """The file that the user names for a network.

    Args:
        name: Name of the network.
        weights: Files of weights by name, or Inception's.

    Returns:
        The file; None where the user names none.
    """
    if isinstance(weights, Mapping):
        return weights.get(name)
    return weights if name == "inception" else None


def parse_weights(words: list[str] | None) -> dict[str, str]:
    """Files of weights in the words of a command line.

    Args:
        words: `NAME=PATH` each, or `PATH` for Inception's.

    Returns:
        Path by the network's name.

    Raises:
        OtbenchError: Where two paths are given for one network.
    """
    paths: dict[str, str] = {}
    for word in words or ():
        name, equals, path = word.partition("=")
        if not equals or name not in feature_files():
            name, path = "inception", word
        if name in paths:
            raise OtbenchError(f"--weights: two files are given for {name}, expected one: {paths[name]} or {path}")
        paths[name] = path
    return paths


def opened(name: str, weights: Weights = None, device: str = "cpu") -> Extractor:
    """The network of a name with its weights, fetched where they are not at hand.

    Args:
        name: Name of the network.
        weights: Files of weights by name, or Inception's; None for what is at hand.
        device: Device of torch that the network runs on.

    Returns:
        The network as an extractor.

    Raises:
        OtbenchError: Where the file is missing or something else.
        WorkFailed: Where a download fails.
    """
    network = find(name)
    return network.open(network.find(path_of(name, weights)) or network.fetch(), device)
