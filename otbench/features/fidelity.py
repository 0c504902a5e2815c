"""The classifier as a feature extractor of torch-fidelity's own, for use with its command line and functions.

from otbench.features.fidelity import NAME, register
register()
torch_fidelity.calculate_metrics(
    input1=..., input2=..., fid=True, feature_extractor=NAME,
    feature_extractor_weights_path="features/digits/classifier.safetensors",
)
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch_fidelity import FeatureExtractorBase, register_feature_extractor
from torch_fidelity.registry import FEATURE_EXTRACTORS_REGISTRY

from otbench.features.classifier import load_classifier

NAME = "otbench-classifier"
LAYERS = ("features", "logits")


class FeatureExtractorClassifier(FeatureExtractorBase):
    """Layers `features` and `logits` of the classifier in the file `feature_extractor_weights_path`."""

    def __init__(
        self, name: str, features_list: list[str], feature_extractor_weights_path: str | Path, **more: Any
    ) -> None:
        super().__init__(name, features_list)
        self.classifier = load_classifier(feature_extractor_weights_path)
        self.network = self.classifier.network  # a module of its own, so that it moves with this one

    @staticmethod
    def get_provided_features_list() -> tuple[str, ...]:
        """Names of the layers.

        Returns:
            `features` and `logits`.
        """
        return LAYERS

    @staticmethod
    def get_default_feature_layer_for_metric(metric: str) -> str:
        """Layer that a metric takes.

        Args:
            metric: torch-fidelity's name of the metric.

        Returns:
            `logits` for the Inception score (`isc`), `features` for all other metrics.
        """
        return "logits" if metric == "isc" else "features"

    @staticmethod
    def can_be_compiled() -> bool:
        """Whether torch.compile may wrap it.

        Returns:
            False.
        """
        return False

    @staticmethod
    def get_dummy_input_for_compile() -> Tensor:
        """Image to compile with.

        Returns:
            Zeros (1, 3, 32, 32) uint8.
        """
        return torch.zeros((1, 3, 32, 32), dtype=torch.uint8)

    def forward(self, input: Tensor) -> tuple[Tensor, ...]:
        """Layers of images, as torch-fidelity feeds them.

        Args:
            input: Images (n, 3, h, w) uint8; grey ones come with three equal channels.

        Returns:
            The layers that were asked for, in order: features (n, width) or logits (n, K), float32.
        """
        grey = not self.classifier.form.stacked and self.classifier.form.shape[0] == 1
        self.classifier.device = str(input.device)
        extracted = self.classifier.extract((input[:, :1] if grey else input).cpu().numpy())
        layers = {"features": extracted.features, "logits": extracted.logits}
        return tuple(torch.from_numpy(layers[name]).to(input.device) for name in self.features_list)


def register() -> None:
    """Register the extractor with torch-fidelity under NAME; once is enough."""
    if NAME not in FEATURE_EXTRACTORS_REGISTRY:
        register_feature_extractor(NAME, FeatureExtractorClassifier)
