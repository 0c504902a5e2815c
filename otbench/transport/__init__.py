"""Semi-discrete optimal transport: from a continuous source measure to weighted points.

`solve(target)` returns a `TransportMap`; `map.certificate()` says how good it is; `extend(map, m)` draws new samples.
`plan(source, target)` is the discrete problem, through POT.
"""

from otbench.transport.angles import AngleRule, angle_threshold, angles
from otbench.transport.certificate import certificate
from otbench.transport.discrete import DiscretePlan, otvae_samples, plan
from otbench.transport.extension import extend
from otbench.transport.map import TransportMap, load
from otbench.transport.singular import SingularSet, singular_set
from otbench.transport.solve import solve
from otbench.transport.sources import Source, ball, box, gaussian, polygon

__all__ = [
    "AngleRule",
    "DiscretePlan",
    "SingularSet",
    "Source",
    "TransportMap",
    "angle_threshold",
    "angles",
    "ball",
    "box",
    "certificate",
    "extend",
    "gaussian",
    "load",
    "otvae_samples",
    "plan",
    "polygon",
    "singular_set",
    "solve",
]
