"""The geometry that a decoder gives its latent space: pull-back metrics, lengths, geodesics.

A metric is a function from points (n, d) to matrices (n, d, d); `partial(pullback, decoder)` is one. A curve is a
polyline (T, d) in the latent space. Points are tensors for metrics and arrays for curves that are given back; all is
computed in the precision of the points: use float64. Derivatives are `torch.func`'s, so decoders must be functions
that it can go through, and smooth (tanh, softplus, sigmoid): a ReLU network has no geodesic equation.
"""

from otbench.geometry.curves import curve_length, energy, refined, straight
from otbench.geometry.geodesics import Geodesic, geodesic_bvp, geodesic_energy
from otbench.geometry.graph import LatentGraph, geodesic_graph, grid, latent_graph
from otbench.geometry.metric import (
    Metric,
    acceleration,
    jacobian,
    magnification,
    metric_derivative,
    pullback,
    stochastic_pullback,
)
from otbench.geometry.precision import RBFPrecision, fit_precision

__all__ = [
    "Geodesic",
    "LatentGraph",
    "Metric",
    "RBFPrecision",
    "acceleration",
    "curve_length",
    "energy",
    "fit_precision",
    "geodesic_bvp",
    "geodesic_energy",
    "geodesic_graph",
    "grid",
    "jacobian",
    "latent_graph",
    "magnification",
    "metric_derivative",
    "pullback",
    "refined",
    "stochastic_pullback",
    "straight",
]
