"""Keys and columns of a run's files."""

from __future__ import annotations

REAL, REFERENCE = "__real__", "__reference__"


RECONSTRUCTION = "reconstruction"


LOSSES = ["dataset", "model", "stage", "seed", "loss", "step", "value"]
