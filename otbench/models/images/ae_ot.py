"""AE-OT of images (An et al. 2020; Lei et al. 2020): an autoencoder, and semi-discrete transport onto its codes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from otbench.models.images.autoencoder import AutoencoderConfig, Autoencoding
from otbench.models.images.shared.latent import Law
from otbench.models.solvers import SolverConfig, numbers_of, solved_as_papers
from otbench.transport import AngleRule, TransportMap, extend, solve
from otbench.transport.hierarchical import solve_hierarchical
from otbench.transport.sources import named
from otbench.utils.rng import stream_seed

#: angle thresholds (rad) of Lei et al. 2020 (6.1) other than 0.75
PAPERS = {"cifar10": 0.68}
#: source points a target from which the centres of mass of the cells are estimated (Lei et al. 2020, 6.1)
POINTS = 100
#: rate of Adam on the heights in the authors' demo on images
PYOMT_RATE = 5e-2


@dataclass(frozen=True)
class Centred(TransportMap):
    """A map whose cells' centres of mass, known (n, d), were estimated once, when it was solved."""

    known: np.ndarray = field(kw_only=True)

    def centroids(self, points: int = 0, seed: int = 1) -> np.ndarray:
        """The known centres of mass (n, d); NaN for an empty cell."""
        return self.known


class AEOTConfig(AutoencoderConfig, SolverConfig):
    """All training codes as targets; source uniform on the centred unit cube of the code space (Lei et al. 2020)."""

    #: codes that the map is solved for, chosen by the seed; None for all
    targets: int | None = Field(None, ge=1)
    #: how new codes are made from the map: `paper` is algorithm 2 of An et al. 2020, `pyomt-image` the authors' demo
    rule: Literal["paper", "pyomt-image"] = "paper"
    #: largest angle (rad) between planes whose targets are mixed, on the codes as they are; None: the papers' 0.75, and
    #: 0.68 on CIFAR-10, on the angles of `code_angles`
    threshold: float | None = Field(None, gt=0)
    #: mean relative error of the cells' masses; 0.1 is what the paper's 100 points a cell amount to
    tolerance: float = Field(0.1, gt=0)
    #: as in the plane; hierarchical: to the centres of clusters, then within their cells (Lei et al. 2020, section 4)
    solver: Literal["suite", "paper", "pyomt", "hierarchical"] = "suite"
    #: as many as in the authors' demo on images
    solver_points: int = Field(20_000, ge=1)
    #: clusters of `hierarchical`; None: the root of the number of codes
    clusters: int | None = Field(None, ge=1)


class AEOT(Autoencoding):
    """The optimal map from the uniform cube to the training codes, extended and cut at its singular set, decoded.

    Three stages: autoencoder; transport, once the encoder is frozen; decoder. The transport comes before the decoder's
    own training because the codes no longer change: every later snapshot draws from the final map.

    `ae-ot-deep` is the paper's larger autoencoder of CelebA, two more convolutional layers (Lei et al. 2020, 6.4.1);
    28x28 pixels have no room for them. `ae-ot-standard` and `ae-ot-resnet` are the rows AE-OT of the AE-OT-GAN paper's
    table 1 (An et al. 2020, ECCV), whose sizes are not known: they have the networks of the rows beside them (SNGAN's
    standard CNN; WGAN-GP's ResNet), with codes as long as those of Lucic et al. `ae-ot-paper` has the same autoencoder
    as `ae-ot`, and the map of the papers' own algorithm (An et al. 2020, Algorithm 1) in place of the suite's.
    """

    names = {
        "ae-ot": {},
        "ae-ot-deep": {"depth": 4},
        "ae-ot-paper": {"solver": "paper"},
        "ae-ot-standard": {"networks": "standard"},
        "ae-ot-resnet": {"networks": "resnet", "width": 128},
    }
    title = "AE-OT"
    titles = {
        "ae-ot-deep": "AE-OT (two more layers)",
        "ae-ot-paper": "AE-OT (paper's solver)",
        "ae-ot-standard": "AE-OT (standard)",
        "ae-ot-resnet": "AE-OT (ResNet)",
    }
    paper = "An et al. 2020 (ICLR), algorithm 2; Lei et al. 2020 (Engineering), section 6, tables 1 and 4"
    family = "transport"
    Config = AEOTConfig
    config: AEOTConfig
    law_stage = "transport"

    def most(self) -> int | None:
        """The cap on targets."""
        return self.config.targets

    def fit_law(self, codes: np.ndarray, seed: int) -> tuple[Law, dict[str, float]]:
        """Targets (n, d), heights (n,), centroids of the cells (n, d), the angle rule's threshold, scale and centre."""
        c = self.config
        solution, certificate = self._map(codes, stream_seed(seed, "transport") % 2**31)
        rule = AngleRule(c.threshold) if c.threshold else code_angles(codes, PAPERS.get(self.data.name, 0.75))
        centre = np.zeros(codes.shape[1]) if rule.centre is None else rule.centre
        # as many points as the paper estimates masses with; an empty cell's centre is no number, and stored as zeros
        centroids = solution.centroids(max(POINTS * len(codes), 100_000))
        law = {
            "target": torch.from_numpy(codes),
            "centroid": torch.from_numpy(np.nan_to_num(centroids).astype(np.float32)),
            "height": torch.from_numpy(solution.heights),
            "threshold": torch.tensor(rule.threshold, dtype=torch.float64),
            "scale": torch.tensor(rule.scale, dtype=torch.float64),
            "centre": torch.from_numpy(centre),
        }
        return law, certificate

    def _map(self, codes: np.ndarray, seed: int) -> tuple[TransportMap, dict[str, float]]:
        """The map and its certificate, by the solver that the config asks for."""
        c = self.config
        if c.solver == "suite":
            return self._solved(codes, seed)
        if c.solver != "hierarchical":
            solution = solved_as_papers(c, codes, PYOMT_RATE, seed, self.device.type)
            return solution, solution.certificate() | numbers_of(solution)
        y, law = codes.astype(np.float64), named("cube", codes.shape[1])
        found = solve_hierarchical(y, law, c.clusters, c.tolerance, seed, device=self.device.type)
        weights = np.full(len(y), 1 / len(y))
        return Centred(y, found.heights, weights, law, known=found.centroids), found.certificate

    def _solved(self, codes: np.ndarray, seed: int) -> tuple[TransportMap, dict[str, float]]:
        """The map and its certificate; goes on where the solver's own estimate stopped it too early."""
        tolerance = goal = self.config.tolerance
        solution = None
        for _ in range(4):
            solution = solve(codes, tolerance=goal, seed=seed, start=solution, device=self.device.type)
            solution = replace(solution, info={**solution.info, "tolerance": tolerance})
            certificate = solution.certificate()
            if certificate["map_tolerance_met"]:
                break
            goal *= 0.7
        assert solution is not None
        return solution, certificate

    def transport(self, seed: int) -> tuple[TransportMap, AngleRule]:
        """The map of a replica and the rule that cuts it.

        Args:
            seed: Seed of the replica, whose law has been fitted.

        Returns:
            The map onto the codes, and the angle rule.
        """
        law = {k: v.numpy() for k, v in self.laws[seed].items()}
        target = law["target"].astype(np.float64)
        weights = np.full(len(target), 1 / len(target))
        centroids = law["centroid"].astype(np.float64)
        centroids[~centroids.any(1)] = np.nan
        solution = Centred(target, law["height"], weights, named("cube", target.shape[1]), known=centroids)
        return solution, AngleRule(float(law["threshold"]), float(law["scale"]), law["centre"])

    def draw(self, n: int, streams: list[torch.Generator]) -> Tensor:
        """New codes from each replica's extended map, decoded."""
        codes = []
        for seed, stream in zip(self.seeds, streams, strict=True):
            solution, rule = self.transport(seed)
            drawn = extend(solution, n, rule=self.config.rule, threshold=rule, generator=stream)
            codes.append(torch.from_numpy(drawn).to(torch.get_default_dtype()))
        return self.decode(torch.stack(codes).to(self.device))


def code_angles(codes: np.ndarray, threshold: float) -> AngleRule:
    """The angle rule that mixes codes whose directions, seen from their mean, are close.

    The papers write the angle between the planes' normals (y, -1), which depends on the units of the codes, and the
    angle between the codes (Lei et al. 2020, theta_ij), which does not; they agree where codes are long. An
    autoencoder's are (25 to 35 on digits), and 0.68 to 0.75 then is about the best choice, from 60 to 1,500 batches: on
    digits after 400, the Frechet distance to the test images (24 principal components) was 0.30 and 0.31 at 0.68 and
    0.75, 0.34 at 0.85 and 0.51 at 1.0. `transport.angle_threshold`, made for modes with gaps between them, finds one
    piece, keeps 99.5 % of the source and blurs (0.44).

    Args:
        codes: Codes (n, d).
        threshold: Largest angle (rad) between directions of codes that are mixed.

    Returns:
        The rule, with the codes' mean as centre and a scale at which normals and directions have the same angles.
    """
    centre = codes.astype(np.float64).mean(0)
    radius = np.sqrt(((codes - centre) ** 2).sum(1).mean())
    return AngleRule(threshold, 1e3 / radius if radius > 0 else 1.0, centre)
