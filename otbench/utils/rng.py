"""Random streams: every replica owns one for each purpose, so that seed k means the same alone and in a group."""

from __future__ import annotations

import hashlib

import torch


def stream_seed(seed: int, name: str) -> int:
    """A 63-bit seed for the stream `name` of replica `seed`; streams of different names are independent."""
    digest = hashlib.sha256(f"otbench/{seed}/{name}".encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def generator(seed: int, name: str, device: str | torch.device = "cpu") -> torch.Generator:
    """A torch generator at the start of stream `name` of replica `seed`."""
    return torch.Generator(device).manual_seed(stream_seed(seed, name))
