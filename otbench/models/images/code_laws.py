"""The simplest rivals of AE-OT: on the codes of its autoencoder a Gaussian, or a mixture of Gaussians, in place of the
transport map.
"""

from __future__ import annotations

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from otbench.models.images.autoencoder import AutoencoderConfig, Autoencoding
from otbench.models.images.shared.latent import Law
from otbench.utils.rng import stream_seed

PAPER = "Ghosh et al. 2020, ex-post density estimation"


class AEGaussian(Autoencoding):
    """Codes from the normal law with the mean and the covariance of the training codes, decoded.

    The baseline for the transport: the same autoencoder with a law that ignores modes.
    """

    names = {"ae-gaussian": {}}
    title = "AE + Gaussian"
    paper = PAPER
    family = "autoencoder, law of codes"

    def fit_law(self, codes: np.ndarray, seed: int) -> tuple[Law, dict[str, float]]:
        """Mean (d,) and a square root (d, d) of the covariance."""
        wide = codes.astype(np.float64)
        covariance = np.cov(wide, rowvar=False, ddof=0).reshape(wide.shape[1], wide.shape[1])
        return {"mean": torch.from_numpy(wide.mean(0)), "root": torch.from_numpy(_root(covariance))}, {}

    def draw_codes(self, law: Law, n: int, stream: torch.Generator) -> Tensor:
        """n codes (n, d) of the normal law."""
        z = torch.randn((n, len(law["mean"])), generator=stream, dtype=torch.float64)
        return law["mean"] + z @ law["root"].T


class GMMConfig(AutoencoderConfig):
    """Ten components, as many as MNIST has digits."""

    components: int = Field(10, ge=1)
    #: added to the variances, in units of the codes' mean variance: few codes a component leave some directions flat
    floor: float = Field(1e-3, gt=0)


class AEGMM(Autoencoding):
    """Codes from a mixture of Gaussians fitted to the training codes (EM, full covariances), decoded."""

    names = {"ae-gmm": {}}
    title = "AE + Gaussian mixture"
    paper = PAPER
    family = "autoencoder, law of codes"
    Config = GMMConfig
    config: GMMConfig

    def fit_law(self, codes: np.ndarray, seed: int) -> tuple[Law, dict[str, float]]:
        """Weights (K,), means (K, d) and square roots (K, d, d) of the covariances."""
        from sklearn.mixture import GaussianMixture

        c, wide = self.config, codes.astype(np.float64)
        floor = c.floor * wide.var(0).mean() + 1e-12
        count = min(c.components, len(wide))
        state = stream_seed(seed, "law/mixture") % 2**32
        mixture = GaussianMixture(count, reg_covar=floor, max_iter=50, random_state=state).fit(wide)
        roots = np.stack([_root(k) for k in mixture.covariances_])
        law = {"weights": mixture.weights_, "means": mixture.means_, "roots": roots}
        return {k: torch.from_numpy(v) for k, v in law.items()}, {}

    def draw_codes(self, law: Law, n: int, stream: torch.Generator) -> Tensor:
        """n codes (n, d) of the mixture."""
        k = torch.multinomial(law["weights"], n, replacement=True, generator=stream)
        z = torch.randn((n, law["means"].shape[1]), generator=stream, dtype=torch.float64)
        drawn = law["means"][k]
        for component in range(len(law["weights"])):
            mine = k == component
            drawn[mine] += z[mine] @ law["roots"][component].T
        return drawn


def _root(covariance: np.ndarray) -> np.ndarray:
    """A square root S of a covariance (d, d), S S' = covariance, also of a singular one."""
    values, vectors = np.linalg.eigh(covariance)
    return vectors * np.sqrt(np.maximum(values, 0))
