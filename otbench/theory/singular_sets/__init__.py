"""Singular sets: where the optimal map jumps, for targets of five shapes, and what a continuous network does there.

Lei et al. (2020), sections 3.4 and 5.2: the map from a convex source is continuous where the target is convex
(Theorem 3.15) and jumps across a singular set where it is not, which no ReLU network can follow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from otbench.theory.findings import Findings
from otbench.theory.singular_sets import targets
from otbench.utils.progress import Bar

if TYPE_CHECKING:
    from otbench.data.base import DataSet
    from otbench.theory.singular_sets.networks import Outcome
    from otbench.theory.singular_sets.targets import Case

TITLE = "Singular sets, and networks that cannot jump"
SOURCE = "Lei et al. 2020, sections 3.4 and 5.2, Theorem 3.15, Fig. 5 to 10"
DATA = False

#: targets whose gap networks are judged on
TAUGHT = ("clusters", "annulus")
GRID = 160
SHOWN = 3000


class Options(BaseModel):
    """What is computed, and how much of it."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    source: Literal["disk", "square"] = Field(
        "disk", description="Uniform law on the unit disk or the square of side 2."
    )
    points: int = Field(400, ge=40, description="Target points of the maps that are drawn and taught.")
    counts: tuple[int, ...] = Field(
        (200, 400, 800), description="Target points of the maps whose lengths are compared."
    )
    jump: float = Field(
        0.3, gt=0, description="Distance between targets from which a facet is singular; targets are about 2 wide."
    )
    widths: tuple[int, ...] = Field((8, 32, 128), min_length=1, description="Widths of the networks' hidden layers.")
    depths: tuple[int, ...] = Field((1, 2, 3), min_length=1, description="Numbers of hidden layers.")
    seeds: int = Field(3, ge=1, description="Networks of each width and depth.")
    steps: int = Field(800, ge=1, description="Steps of training.")
    batch: int = Field(256, ge=1, description="Source points a step.")
    rate: float = Field(0.01, gt=0, description="Learning rate at the start; it falls linearly to zero.")
    samples: int = Field(10_000, ge=100, description="Source points on which a network is judged.")
    tolerance: float = Field(0.05, gt=0, le=0.2, description="Distance from the target's support that is forgiven.")

    def model_post_init(self, _: object) -> None:
        """Raises ValueError where a count, width or depth is too small."""
        if min(self.counts, default=40) < 40:
            raise ValueError("counts must be at least 40")
        if min(self.widths) < 1 or min(self.depths) < 1:
            raise ValueError("widths and depths must be at least 1")


def compute(options: Options, data: DataSet | None, seed: int, device: str) -> Findings:
    """Singular sets of the maps to every target, and how far taught networks go astray.

    Args:
        options: What is computed, and how much of it.
        data: Not used.
        seed: Seed of all draws.
        device: Not used; all runs on the CPU.

    Returns:
        Findings with the tables `targets` (a row a target), `lengths` (a row a target and number of points), `networks`
        (means over seeds) and `each` (a row a network), and as arrays what the figures draw.
    """
    from otbench.theory.singular_sets.networks import Schedule, judge, train

    source = targets.source_of(options.source)
    counts = sorted({*options.counts, options.points})
    nets = [(name, depth, width) for name in TAUGHT for depth in options.depths for width in options.widths]
    schedule = Schedule(options.steps, options.batch, options.rate)
    rows, lengths, taught, outcomes, arrays = [], [], [], {}, {}
    cases: dict[str, Case] = {}
    with Bar("singular sets", len(targets.TARGETS) * len(counts) + len(nets)) as bar:
        for name in targets.TARGETS:
            for n in counts:
                case = targets.solved(name, source, n, options.jump, np.random.default_rng([seed, n]))
                lengths.append(_length(case))
                if n == options.points:
                    cases[name] = case
                    rows.append(_measured(case))
                    arrays |= _drawn(case)
                bar.update(len(lengths), f"{name}, {n} points")
        for k, (name, depth, width) in enumerate(nets):
            case = cases[name]
            x = source.sample(options.samples, np.random.default_rng([seed, 1]))
            seeds = [1000 * seed + s for s in range(options.seeds)]
            results = judge(case, train(case, width, depth, seeds, schedule), x, options.tolerance)
            outcomes[name, depth, width] = results
            taught += [{"target": name, "depth": depth, "width": width, "seed": s} | outcome.numbers
                       for s, outcome in enumerate(results)]  # fmt: skip
            bar.update(len(lengths) + k + 1, f"{name}, {depth} x {width}")
    each = pd.DataFrame(taught)
    tables = {
        "targets": pd.DataFrame(rows),
        "lengths": pd.DataFrame(lengths),
        "networks": _means(each),
        "each": each,
    }
    facts = _facts_of_targets(options, cases, tables) | _facts_of_networks(options, each)
    return Findings("singular-sets", facts, tables, arrays | _examples(options, outcomes, x))


def _length(case: Case) -> dict[str, Any]:
    """A row: number of target points, Euler's number, and length of the singular set."""
    vertices, edges, faces = targets.counts(case.transport)
    return {
        "target": case.name,
        "points": len(case.target.points),
        "euler": vertices - edges + faces,
        "length": float(case.lengths[case.singular].sum()),
        "singular": int(case.singular.sum()),
    }


def _measured(case: Case) -> dict[str, Any]:
    vertices, edges, faces = targets.counts(case.transport)
    jumps, ordinary = case.jumps[case.singular], case.jumps[~case.singular]
    certificate = case.transport.certificate()
    missing = float("nan")
    return {
        "target": case.name,
        "title": targets.TITLES[case.name],
        "points": len(case.target.points),
        "spacing": case.target.spacing,
        "vertices": vertices,
        "edges": edges,
        "faces": faces,
        "euler": vertices - edges + faces,
        "facets": len(case.pairs),
        "singular": int(case.singular.sum()),
        "share": float(case.singular.mean()),
        "length": float(case.lengths[case.singular].sum()),
        "total": float(case.lengths.sum()),
        "ordinary": float(ordinary.max()),
        "jump": float(np.median(jumps)) if len(jumps) else missing,
        "widest": float(jumps.max()) if len(jumps) else missing,
        "outside": targets.outside_share(case),
        "modes": case.modes,
        "rule_length": case.rule_length,
        "w2": certificate["map_w2"],
        "error": certificate["map_max_cell_error"],
    }


def _drawn(case: Case) -> dict[str, np.ndarray]:
    """What the figures draw of a case: points, dual edges, facets, cells, and the potential on a grid."""
    cells = case.transport.cells.polygons()
    low, high = case.transport.source.polygon.min(0), case.transport.source.polygon.max(0)
    axes = [np.linspace(low[c], high[c], GRID) for c in range(2)]
    grid = np.stack(np.meshgrid(*axes, indexing="xy"), axis=-1).reshape(-1, 2)
    potential = np.where(case.transport.source.contains(grid), case.transport.brenier(grid), np.nan)
    return {
        f"{case.name}/target": case.transport.target.astype(np.float32),
        f"{case.name}/pairs": case.pairs.astype(np.uint16),
        f"{case.name}/facets": case.facets.astype(np.float32),
        f"{case.name}/singular": case.singular,
        f"{case.name}/corners": np.concatenate(cells).astype(np.float32),
        f"{case.name}/sizes": np.array([len(cell) for cell in cells], np.uint16),
        f"{case.name}/potential": potential.reshape(GRID, GRID).astype(np.float32),
        f"{case.name}/outline": case.transport.source.polygon.astype(np.float32),
    }


def _examples(options: Options, outcomes: dict[tuple, list[Outcome]], x: np.ndarray) -> dict[str, np.ndarray]:
    """Of the network of middle depth and width: where the first of the source points go, and which go astray."""
    depth, width = sorted(options.depths)[len(options.depths) // 2], sorted(options.widths)[len(options.widths) // 2]
    arrays = {"example": np.array([depth, width]), "x": x[:SHOWN].astype(np.float32)}
    for name in TAUGHT:
        outcome = outcomes[name, depth, width][0]
        arrays |= {f"{name}/y": outcome.y[:SHOWN].astype(np.float32), f"{name}/astray": outcome.astray[:SHOWN]}
    return arrays


def _means(each: pd.DataFrame) -> pd.DataFrame:
    """Means over the seeds, with the standard deviation of the share in the gap (NaN of one seed)."""
    keys = ["target", "depth", "width"]
    grouped = each.drop(columns="seed").groupby(keys, sort=False)
    return grouped.mean().assign(gap_sd=grouped["gap"].std(), seeds=grouped.size()).reset_index()


def _facts_of_targets(options: Options, cases: dict[str, Case], tables: dict[str, pd.DataFrame]) -> dict[str, Any]:
    rows, lengths = tables["targets"].set_index("target"), tables["lengths"]
    facts: dict[str, Any] = {
        "source": options.source,
        "jump": options.jump,
        "tolerance": options.tolerance,
        "euler_holds": bool((lengths["euler"] == 1).all()),
        "largest_cell_error": float(rows["error"].max()),
        "line_length": 2.0,
    }
    for name, row in rows.iterrows():
        of_target = lengths[lengths["target"] == name]
        keys = ("points", "facets", "singular", "share", "length", "ordinary", "modes")
        facts |= {f"{name}_{key}": row[key] for key in keys}
        if row["singular"]:
            facts |= {f"{name}_{key}": float(row[key]) for key in ("jump", "widest", "outside")}
        facts |= {
            f"{name}_coarsest_length": float(of_target["length"].iloc[0]),
            f"{name}_finest_length": float(of_target["length"].iloc[-1]),
        }
    facts |= {"coarsest": int(lengths["points"].min()), "finest": int(lengths["points"].max())}
    return facts | (_linear(cases["ellipse"]) if options.source == "disk" else {})


def _linear(case: Case) -> dict[str, float]:
    """The ellipse from the disk: T(x) = A x, A = diag(semi-axes), W2^2 = sum (1 - a)^2 / 4."""
    centroids, mass = case.transport.centroids(), case.transport.masses()
    away = ((centroids * np.array(targets.AXES) - case.transport.target) ** 2).sum(1)
    return {
        "ellipse_w2": float(case.transport.wasserstein()),
        "ellipse_w2_closed_form": float(np.sqrt(sum((1 - a) ** 2 for a in targets.AXES) / 4)),
        "ellipse_w2_bound": case.target.error,
        "ellipse_map_error": float(np.sqrt(mass @ away)),
        "ellipse_spacing": case.target.spacing,
    }


def _facts_of_networks(options: Options, each: pd.DataFrame) -> dict[str, Any]:
    means = _means(each)
    facts: dict[str, Any] = {"networks": len(each), "seeds": options.seeds}
    for name in TAUGHT:
        rows, mean = each[each["target"] == name], means[means["target"] == name]
        best, worst = mean.loc[mean["gap"].idxmin()], mean.loc[mean["gap"].idxmax()]
        facts |= {
            f"{name}_gap_least": float(best["gap"]),
            f"{name}_gap_least_of_one": float(rows["gap"].min()),
            f"{name}_gap_least_net": f"{best['depth']:.0f} x {best['width']:.0f}",
            f"{name}_gap_most": float(worst["gap"]),
            f"{name}_gap_most_net": f"{worst['depth']:.0f} x {worst['width']:.0f}",
            f"{name}_proven_holds": bool((rows["gap"] >= rows["proven"]).all()),
            f"{name}_seen_holds": bool((rows["gap"] >= rows["least"]).all()),
            f"{name}_over_seen": float((rows["gap"] / rows["least"]).replace(np.inf, np.nan).median()),
            f"{name}_slope": _slope(rows["lipschitz"], rows["gap"]),
            f"{name}_near": float(rows["near"].median()),
            f"{name}_anywhere": float(rows["anywhere"].median()),
            f"{name}_winding": int((rows["winds"].abs() >= 1).sum()),
            f"{name}_networks": len(rows),
        }
    return {key: value for key, value in facts.items() if not (isinstance(value, float) and np.isnan(value))}


def _slope(x: pd.Series, y: pd.Series) -> float:
    """Slope of log y on log x; NaN where fewer than three are positive."""
    positive = (x > 0) & (y > 0)
    if positive.sum() < 3 or x[positive].nunique() < 2:
        return float("nan")
    return float(np.polyfit(np.log(x[positive]), np.log(y[positive]), 1)[0])
