"""A classification loss on the codes of a variational autoencoder (OTVAE report, algorithm 3)."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from otbench.errors import OtbenchError
from otbench.models.base import Losses, Stage
from otbench.models.images.shared.base import as_floats
from otbench.models.images.vae import Variational
from otbench.models.inputs import Rows
from otbench.nets.layers import Linear


class Labelled(Variational):
    """A variational autoencoder that also descends classification * E[-log softmax(A z + b)_label].

    A and b are trained with it; z is the sampled code, as in the report. The batches are those without the loss: rows
    come from the same stream, as numbers, so that labels go with them. With a weight of 0 nothing of it is there.
    """

    #: any ImageConfig that has `classification`
    config: Any

    @cached_property
    def labelled(self) -> tuple[Tensor, Tensor]:
        """Training images (n, c, h, w) uint8 and their labels (n,), where the model is."""
        labels = self.data.labels_of("train")
        if labels is None:
            raise OtbenchError(
                f"option classification: it needs labels of the training images, and {self.data.name} has none"
            )
        return torch.from_numpy(self.data.train).to(self.device), torch.from_numpy(labels).to(self.device)

    def head(self) -> list[str]:
        """The classifier of codes, where its loss has a weight.

        Returns:
            Names of the networks that it adds; empty where the weight is 0.
        """
        if not self.config.classification:
            return []
        if not self.data.classes and self.training:
            raise OtbenchError(
                f"option classification: it needs a data set with classes, and {self.data.name} has none"
            )
        self.network("classifier", lambda: Linear(self.config.latent, len(self.data.classes)))
        return ["classifier"]

    def stages(self) -> list[Stage]:
        """One stage, whose rows come as numbers where labels are needed."""
        (stage,) = super().stages()
        if self.config.classification:
            stage = Stage(stage.name, self.labelled_step, {**stage.inputs, "real": Rows((self.config.batch,))})
        return [stage]

    def labelled_step(self, batch: dict[str, Tensor]) -> Losses:
        """One update of the networks with the classification loss.

        Args:
            batch: Row numbers `real` (R, B) and noise `eps` (R, B, latent).

        Returns:
            Losses (R,), detached: `reconstruction`, `divergence` and `classification`.
        """
        images, labels = self.labelled
        real, label = as_floats(images[batch["real"]]), labels[batch["real"]]
        codes, losses = self.bound(real, batch["eps"])
        scores = self.networks["classifier"](codes)
        classification = F.cross_entropy(scores.flatten(0, 1), label.flatten(), reduction="none").view_as(label).mean(1)
        bound = losses["reconstruction"] + losses["divergence"]
        self.descend(autoencoder=bound + self.config.classification * classification)
        losses["classification"] = classification
        return {name: loss.detach() for name, loss in losses.items()}
