"""Where a step's inputs and random streams stood before; models elsewhere may still import them from here.

They are in `otbench.models.inputs` and `otbench.utils.rng`.
"""

from otbench.models.inputs import Input, Normal, Real, Rows, Uniform
from otbench.utils.rng import generator, stream_seed

__all__ = ["Input", "Normal", "Real", "Rows", "Uniform", "generator", "stream_seed"]
