"""The optimal map as the gradient of an input convex network (Makkuva et al. 2020)."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor

from otbench.models.base import Config, Losses, Stage
from otbench.models.inputs import Input, Normal, Real
from otbench.models.points.shared.maps import ExplicitMap
from otbench.nets.icnn import ConvexNetwork, clamp, concavity, gradient


class W2ICNNConfig(Config):
    """Values of the paper's code for two dimensions (W2-minimax).

    inner_steps: updates of the map for one of the other potential.
    penalty: weight of the penalty on negative weights of the map's potential (lambda); those of the other potential are
    set to 0 after every update.
    """

    width: int = Field(64, ge=1)
    depth: int = Field(4, ge=1)
    inner_steps: int = Field(10, ge=1)
    penalty: float = Field(1.0, ge=0)
    batch: int = Field(1024, ge=2)
    rate: float = Field(1e-4, gt=0)
    beta1: float = Field(0.5, ge=0, lt=1)
    beta2: float = Field(0.9, ge=0, lt=1)


class W2ICNN(ExplicitMap):
    """Two input convex networks: min over f, max over g of E f(x) + E[<z, grad g(z)> - f(grad g(z))].

    At the saddle grad g is the optimal map from the noise z to the data x, and g the convex conjugate of f (equation
    8). A step is `inner_steps` updates of g, each on noise of its own, then one of f. The recorded `distance` is the
    estimate of W2^2 / 2, E|x|^2 / 2 + E|z|^2 / 2 less the value above, in the map's units: it may lie on either side,
    as g is not optimal.

    The start of the weights is not the code's, which is uniform on [0, 0.1] for those of either sign too, so that all
    units start alike; see `nets/icnn.py`.
    """

    names = {"w2-icnn": {}}
    title = "W2 (ICNN)"
    paper = "Makkuva et al. 2020, equation 8, algorithm 1 and code"
    #: 100,000 updates of f, ten of g before each
    paper_steps = 1_000_000
    sampler = ("potential",)
    Config = W2ICNNConfig
    config: W2ICNNConfig

    def build(self) -> None:
        """The potential g of the map and its partner f, Adam on each."""
        c, d = self.config, self.data.shape[0]
        self.potential = self.network("potential", lambda: ConvexNetwork(d, c.width, c.depth))
        self.partner = self.network("partner", lambda: ConvexNetwork(d, c.width, c.depth))
        for name in ("potential", "partner"):
            self.adam(name, [name], c.rate, c.beta1, c.beta2)

    def stages(self) -> list[Stage]:
        """One stage; a step costs its updates of the map."""
        c = self.config
        inputs: dict[str, Input] = {
            "real": Real((c.batch,)),
            "z": Normal((c.inner_steps + 1, c.batch, *self.data.shape)),
        }
        return [Stage("minimax", self.step, inputs, cost=c.inner_steps)]

    def step(self, batch: dict[str, Tensor]) -> Losses:
        """`inner_steps` updates of the map's potential and one of its partner.

        Args:
            batch: Points `real` (R, B, d) and noise `z` (R, inner_steps + 1, B, d).

        Returns:
            Losses (R,), detached: `distance`, the estimate of W2^2 / 2, and `map`, what the last update descended.
        """
        c, f, g = self.config, self.partner, self.potential
        for k in range(c.inner_steps):
            z = batch["z"][:, k]
            image = gradient(g, z, create_graph=True)
            loss = (f(image) - (z * image).sum(-1)).mean(1) + c.penalty * concavity(g)
            self.descend(potential=loss)
        z, real = batch["z"][:, -1], self.standard(batch["real"])
        image = gradient(g, z)
        at_real, at_image = f(real).mean(1), f(image).mean(1)
        self.descend(partner=at_real - at_image)
        clamp(f)
        squares = (real.square().sum(-1).mean(1) + z.square().sum(-1).mean(1)) / 2
        distance = squares - at_real + at_image - (z * image).sum(-1).mean(1)
        return {"distance": distance.detach(), "map": loss.detach()}

    def map(self, z: Tensor) -> Tensor:
        """The gradient of the potential."""
        self.potential.eval()
        return gradient(self.potential, z).detach()
