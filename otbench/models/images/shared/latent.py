"""Models that draw from a law of the training images' codes: fitted once the codes stand, and roughly at snapshots."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from otbench.models.images.shared.base import CHUNK, Coding, mapped
from otbench.utils.rng import generator

Law = dict[str, Tensor]


class LatentModel(Coding):
    """A model with an encoder and a decoder that draws codes from a law fitted to codes of training images.

    A subclass says how a law is fitted (`fit_law`) and drawn from (`draw_codes`), and fits the laws of all replicas
    with `fit_laws` in a stage of its own. A snapshot taken before that stage gets a law of the codes as they then are,
    fitted to at most `config.early` of them, so that samples can be followed along the training.
    """

    #: any ImageConfig that has `early`
    config: Any

    def __init__(self, *args, **kwargs) -> None:
        #: the law of every replica, by seed; empty until its stage
        self.laws: dict[int, Law] = {}
        super().__init__(*args, **kwargs)

    def fit_law(self, codes: np.ndarray, seed: int) -> tuple[Law, dict[str, float]]:
        """The law of one replica's codes.

        Args:
            codes: Codes (n, latent) float32 of training images.
            seed: Seed of the replica.

        Returns:
            Tensors of the law by name, and its numbers for the record.
        """
        raise AssertionError(f"{type(self).__name__} defines no law of codes")

    def draw_codes(self, law: Law, n: int, stream: torch.Generator) -> Tensor:
        """Codes drawn from a law.

        Args:
            law: Tensors of the law by name.
            n: Number of codes.
            stream: The replica's generator.

        Returns:
            Codes (n, latent).
        """
        raise AssertionError(f"{type(self).__name__} defines no law of codes")

    def codes(self, rows: np.ndarray) -> Tensor:
        """Codes of training images.

        Args:
            rows: Row numbers (R, n) of each replica's images.

        Returns:
            Codes (R, n, latent) on the CPU.
        """
        parts = []
        for start in range(0, rows.shape[1], CHUNK):
            images = torch.from_numpy(self.data.train[rows[:, start : start + CHUNK]]).to(self.device)
            parts.append(self.means(mapped(self.networks["encoder"], images)).cpu())
        return torch.cat(parts, 1)

    def rows(self, most: int | None) -> np.ndarray:
        """Training rows whose codes count.

        Args:
            most: Largest number of rows, chosen by each replica's seed; None: all.

        Returns:
            Row numbers (R, n).
        """
        n = len(self.data.train)
        if most is None or most >= n:
            return np.tile(np.arange(n), (len(self.seeds), 1))
        chosen = [torch.randperm(n, generator=generator(seed, "law/rows"))[:most] for seed in self.seeds]
        return torch.stack(chosen).sort(1).values.numpy()

    def fit_laws(self, most: int | None = None) -> tuple[dict[int, Law], list[dict[str, float]]]:
        """The laws of the replicas' codes as they are now.

        Args:
            most: Largest number of codes that a law is fitted to; None: all.

        Returns:
            Laws by seed, and one record a replica.
        """
        codes = self.codes(self.rows(most)).numpy()
        fits = [self.fit_law(part, seed) for part, seed in zip(codes, self.seeds, strict=True)]
        return {seed: law for seed, (law, _) in zip(self.seeds, fits, strict=True)}, [record for _, record in fits]

    def draw(self, n: int, streams: list[torch.Generator]) -> Tensor:
        """Codes from each replica's law, decoded."""
        codes = [self.draw_codes(self.laws[s], n, g) for s, g in zip(self.seeds, streams, strict=True)]
        return self.decode(torch.stack(codes).to(self.device, torch.get_default_dtype()))

    def state(self) -> dict[str, Tensor]:
        """The networks, and the laws as `law.<name>`, each (R, ...)."""
        laws = self.laws or self.fit_laws(self.config.early)[0]
        ordered = [laws[seed] for seed in self.seeds]
        return super().state() | {f"law.{k}": torch.stack([law[k] for law in ordered]) for k in ordered[0]}

    def load(self, state: dict[str, Tensor]) -> None:
        """Take networks and laws from what `state` returned."""
        super().load(state)
        laws = {k.removeprefix("law."): v.cpu() for k, v in state.items() if k.startswith("law.")}
        self.laws = {seed: {k: v[r] for k, v in laws.items()} for r, seed in enumerate(self.seeds)}

    def training_state(self) -> dict[str, Any]:
        """Networks, optimisers and the laws there are."""
        return super().training_state() | {"laws": self.laws}

    def load_training_state(self, state: dict[str, Any]) -> None:
        """Go on from what `training_state` returned."""
        super().load_training_state(state)
        self.laws = {seed: {k: v.cpu() for k, v in law.items()} for seed, law in state["laws"].items()}
