"""The studies of the theory, in the order of the report."""

from __future__ import annotations

THEORIES = (
    "parallel-lines",
    "meaningful-loss",
    "potentials",
    "primal-dual",
    "collaboration",
    "singular-sets",
    "folding",
    "latent-geometry",
    "blur",
    "scaling",
    "beyond",
)

#: those that need a data set of images
OF_IMAGES = ("meaningful-loss", "latent-geometry", "blur")

#: those that are computed on the CPU whatever device is asked for: small networks, exact plans
ON_CPU = ("parallel-lines", "primal-dual", "collaboration", "singular-sets", "beyond")
