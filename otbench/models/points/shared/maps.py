"""What models share that are a map of Gaussian noise of the data's own dimension: units, and the sampler."""

from __future__ import annotations

import torch
from torch import Tensor

from otbench.data.base import DataSet
from otbench.models.base import Config, Model, noise


class ExplicitMap(Model):
    """An approximate optimal map from N(0, I) to the data, for the squared distance.

    The map works on points from which the training data's mean is taken and which are divided by their root mean square
    deviation per coordinate. That moves the optimal map along and changes nothing else, so that learning rates need not
    follow the units of the data.
    """

    family = "transport"

    def __init__(
        self,
        config: Config,
        data: DataSet,
        seeds: list[int],
        device: str | torch.device = "cpu",
        training: bool = True,
    ) -> None:
        points = data.train.astype("float64")
        self.centre = torch.as_tensor(points.mean(0), dtype=torch.get_default_dtype())
        #: one number for all coordinates: other scalings would change which map is optimal
        self.spread = max(float(points.var(0).mean()) ** 0.5, 1e-12)
        super().__init__(config, data, seeds, device, training)
        self.centre = self.centre.to(self.device)

    def standard(self, x: Tensor) -> Tensor:
        """Points in the map's units.

        Args:
            x: Points (..., d) in the data's units.

        Returns:
            Points (..., d) of mean 0 and mean variance 1, as far as they are the training data.
        """
        return (x - self.centre.to(x.device)) / self.spread

    def map(self, z: Tensor) -> Tensor:
        """The map.

        Args:
            z: Noise (R, n, d).

        Returns:
            Points (R, n, d) in the map's units, without a graph.
        """
        raise AssertionError(f"{type(self).__name__} defines no map")

    def draw(self, n: int, streams: list[torch.Generator]) -> Tensor:
        """The map at fresh noise, in the data's units."""
        z = noise((n, *self.data.shape), streams, self.device).to(torch.get_default_dtype())
        return self.centre + self.spread * self.map(z)
