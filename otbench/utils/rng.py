"""Random streams: every replica owns one for each purpose, so that seed k means the same alone and in a group."""

from __future__ import annotations

import hashlib

import torch


def stream_seed(seed: int, name: str) -> int:
    """Seed of a replica's random stream; streams of different names are independent.

    Args:
        seed: Seed of the replica.
        name: Name of the stream.

    Returns:
        A 63-bit seed.
    """
    digest = hashlib.sha256(f"otbench/{seed}/{name}".encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def generator(seed: int, name: str, device: str | torch.device = "cpu") -> torch.Generator:
    """Generator at the start of a replica's random stream.

    Args:
        seed: Seed of the replica.
        name: Name of the stream.
        device: Device of the generator.

    Returns:
        A torch generator.
    """
    return torch.Generator(device).manual_seed(stream_seed(seed, name))
