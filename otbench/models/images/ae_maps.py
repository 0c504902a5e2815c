"""Explicit maps on the codes of AE-OT's autoencoder: models of the plane in place of the semi-discrete transport."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from otbench.data.base import DataSet
from otbench.models.base import Config
from otbench.models.images.autoencoder import AutoencoderConfig, Autoencoding
from otbench.models.images.shared.latent import Law
from otbench.models.points.neural_ot import NeuralOT, NeuralOTConfig
from otbench.models.points.shared.maps import ExplicitMap
from otbench.models.points.sinkhorn_barycentric import SinkhornBarycentric, SinkhornBarycentricConfig
from otbench.models.points.w2_icnn import W2ICNN, W2ICNNConfig
from otbench.utils.rng import generator

#: share of the map's steps that it gets at a snapshot before the encoder is frozen
EARLY = 0.1


class MappedCodes(Autoencoding):
    """Codes are drawn by a map of Gaussian noise, fitted to the training codes once the encoder is frozen.

    As AE-OT's transport, the map is fitted outside the budget, in its own number of steps, so that autoencoder and
    decoder are those of every model with this autoencoder. A snapshot before that has a map of a tenth of the steps.
    """

    family = "transport"
    #: the model of points that a law is
    Map: ClassVar[type[ExplicitMap]]
    config: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        #: whether the encoder rests, so that the map that is fitted is the last one
        self.frozen = False
        super().__init__(*args, **kwargs)

    def options(self) -> Config:
        """The config of the map.

        Returns:
            A config of `Map`.
        """
        raise AssertionError(f"{type(self).__name__} defines no options of its map")

    def settle(self) -> list[dict[str, float]]:
        """Fit the maps to the codes as they are from here on."""
        self.frozen = True
        return super().settle()

    def made(self, codes: np.ndarray, seed: int, training: bool) -> ExplicitMap:
        """The map of one replica, not yet fitted.

        Args:
            codes: Codes (n, d).
            seed: Seed of the replica.
            training: Whether it will be trained.

        Returns:
            The model of points.
        """
        data = DataSet("codes", codes, codes[:1])
        return self.Map(self.options(), data, [seed], "cpu" if not training else self.device, training)

    def fit_law(self, codes: np.ndarray, seed: int) -> tuple[Law, dict[str, float]]:
        """What the map's model keeps, and centre (d,) and spread (1,) of the codes."""
        model = self.made(codes, seed, True)
        (stage,) = model.stages()
        if stage.solve:
            (record,) = stage.solve()
        else:
            record = self.train_map(model, codes, seed)
        law = {f"map.{name}": value[0].detach().cpu().clone() for name, value in model.state().items()}
        law |= {"centre": model.centre.cpu(), "spread": torch.tensor([model.spread], dtype=torch.float64)}
        return law, {f"map_{name}": value for name, value in record.items()}

    def train_map(self, model: ExplicitMap, codes: np.ndarray, seed: int) -> dict[str, float]:
        """Train a map on one replica's codes.

        Args:
            model: The model of points.
            codes: Codes (n, d).
            seed: Seed of the replica, which names the streams of the inputs.

        Returns:
            The last losses by name.
        """
        (stage,) = model.stages()
        assert stage.step is not None
        steps = self.config.map_steps if self.frozen else max(1, int(EARLY * self.config.map_steps))
        data = torch.from_numpy(codes).to(self.device)
        streams = {name: generator(seed, f"law/{name}", self.device) for name in stage.inputs}
        losses: dict[str, Tensor] = {}
        with torch.enable_grad():
            for _ in range(steps):
                losses = stage.step({name: kind.draw(1, data, streams[name]) for name, kind in stage.inputs.items()})
        return {name: float(value[0]) for name, value in losses.items()}

    def draw_codes(self, law: Law, n: int, stream: torch.Generator) -> Tensor:
        """n codes (n, d) of fresh noise."""
        dimension = len(law["centre"])
        model = self.made(np.zeros((1, dimension), np.float32), 0, False)
        model.centre, model.spread = law["centre"].to(torch.get_default_dtype()), float(law["spread"])
        model.load({k.removeprefix("map."): v[None] for k, v in law.items() if k.startswith("map.")})
        return model.draw(n, [stream])[0]


class TrainedMapConfig(AutoencoderConfig):
    """AE-OT's autoencoder, and what trained maps share."""

    #: updates of the map's partner; each has `inner_steps` updates of the map before it
    map_steps: int = Field(10_000, ge=1)
    inner_steps: int = Field(10, ge=1)
    map_rate: float = Field(1e-4, gt=0)
    map_batch: int = Field(64, ge=2)
    map_width: int = Field(256, ge=1)


class AEICNNConfig(TrainedMapConfig):
    """Values of the paper's code for a VAE's codes of MNIST (three layers of 1,024 units, 16 updates of the map)."""

    map_steps: int = Field(100_000, ge=1)
    inner_steps: int = Field(16, ge=1)
    map_width: int = Field(1024, ge=1)


class AEICNN(MappedCodes):
    """The gradient of an input convex network carries noise to codes; see `points/w2_icnn.py`."""

    names = {"ae-icnn": {}}
    title = "AE + W2 (ICNN)"
    paper = "Makkuva et al. 2020, section 5 and code; autoencoder of Lei et al. 2020 (Engineering)"
    Config = AEICNNConfig
    config: AEICNNConfig
    Map = W2ICNN

    def options(self) -> Config:
        """Three hidden layers, Adam with the betas of the code for codes."""
        c = self.config
        sizes = {"width": c.map_width, "depth": 3, "batch": c.map_batch, "inner_steps": c.inner_steps}
        return W2ICNNConfig.model_validate(sizes | {"rate": c.map_rate, "beta1": 0.9, "beta2": 0.99})


class AENOT(MappedCodes):
    """A perceptron carries noise to codes, against a potential; see `points/neural_ot.py`."""

    names = {"ae-not": {}}
    title = "AE + NOT"
    paper = "Korotin et al. 2023, algorithm 1 for a strong cost; autoencoder of Lei et al. 2020 (Engineering)"
    Config = TrainedMapConfig
    config: TrainedMapConfig
    Map = NeuralOT

    def options(self) -> Config:
        """The plane's depth and Adam, with the width of this config."""
        c = self.config
        sizes = {"width": c.map_width, "batch": c.map_batch, "inner_steps": c.inner_steps}
        return NeuralOTConfig.model_validate(sizes | {"rate": c.map_rate})


class AESinkhornConfig(AutoencoderConfig):
    """2,000 points of each side; the regularisation is a choice of this package, as in the plane."""

    sources: int = Field(2000, ge=1)
    targets: int = Field(2000, ge=1)
    #: regularisation as a share of the mean squared distance between the two samples
    regularisation: float = Field(0.01, gt=0)


class AESinkhorn(MappedCodes):
    """The entropic map carries noise to means of codes; see `points/sinkhorn_barycentric.py`."""

    names = {"ae-sinkhorn": {}}
    title = "AE + entropic map"
    paper = "Pooladian and Niles-Weed 2021, equations 5 and 6; autoencoder of Lei et al. 2020 (Engineering)"
    Config = AESinkhornConfig
    config: AESinkhornConfig
    Map = SinkhornBarycentric

    def options(self) -> Config:
        """The two samples' sizes and the regularisation."""
        c = self.config
        sizes = {"sources": c.sources, "targets": c.targets}
        return SinkhornBarycentricConfig.model_validate(sizes | {"regularisation": c.regularisation})
