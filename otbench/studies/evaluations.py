"""Quality against function evaluations: a fitted continuous-time model drawn with fewer and more steps.

Training does not depend on how many steps a sample takes, so one fit gives the whole curve. Noise is the same for every
number of steps and every solver, so that differences are the integration's.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from otbench.data.base import DataSet
from otbench.errors import OtbenchError
from otbench.utils.files import atomic_write

if TYPE_CHECKING:
    import pandas

    from otbench.metrics.reference import Features
    from otbench.models.base import Model

COUNTS = (1, 2, 4, 8, 16, 32, 64, 100)
"""Numbers of evaluations at which a model is measured."""
MEASURED = {"points": ("modes", "high_quality", "reverse_kl", "w2"), "images": ("fid",)}
"""Metrics by kind of data; a metric on features counts once for each extractor."""
EVALUATIONS = ["dataset", "model", "seed", "solver", "evaluations", "n", "metric", "protocol", "value"]
"""Columns of the table: a value for every seed, solver and number of evaluations."""
SOLVERS = ("euler", "midpoint")
#: the sampler of models without a solver of their own
DDIM = "ddim"


def evaluations(
    fit: Path,
    data: DataSet,
    n: int,
    counts: Sequence[int] = COUNTS,
    solvers: Sequence[str] = ("euler",),
    features: Features | None = None,
    device: str = "cpu",
) -> pandas.DataFrame:
    """Values of a fitted model drawn with several numbers of evaluations: its last snapshot, every seed that is ok.

    Args:
        fit: Folder of the fit.
        data: Data that the model was fitted on.
        n: Samples of every draw.
        counts: Numbers of evaluations; the midpoint rule takes the even ones.
        solvers: Solvers of flows, `euler` or `midpoint`; diffusion has its own.
        features: Features of the real images; of images alone.
        device: Where to draw.

    Returns:
        Table EVALUATIONS.

    Raises:
        OtbenchError: Where the folder holds no fit of these data or one of a model without evaluations, or a number or
            a solver is wrong.
    """
    import pandas

    from otbench.training.saved import open_fit
    from otbench.utils.devices import configure_torch, resolve_device

    if not counts or min(counts) < 1 or not set(solvers) <= set(SOLVERS):
        raise OtbenchError(f"evaluations: expected numbers from 1 and solvers of {SOLVERS}, got {counts}, {solvers}")
    device = resolve_device(device)
    configure_torch(device)
    summary, load = open_fit(fit, data, device)
    if not counts_evaluations(summary["model"], data.kind):
        raise OtbenchError(f"{fit} holds the model {summary['model']}, which has no option evaluations")
    rows = []
    for cell in summary["cells"]:
        if cell["status"] == "ok" and cell["snapshot"] == 1.0:
            model = load(cell["seed"], 1.0)
            common = {"dataset": data.name, "model": summary["model"], "seed": cell["seed"], "n": n}
            for row in _measured(model, cell["seed"], data, (n, counts, solvers), features, device):
                rows.append(common | row)
    return pandas.DataFrame(rows, columns=EVALUATIONS)


def counts_evaluations(model: str, kind: str) -> bool:
    """Whether a model evaluates its network as often as an option says.

    Args:
        model: Name of the model.
        kind: `points` or `images`.

    Returns:
        Whether it has the option `evaluations`.
    """
    from otbench.models import find

    return "evaluations" in find(model, kind).Config.model_fields


def _measured(
    model: Model,
    seed: int,
    data: DataSet,
    asked: tuple[int, Sequence[int], Sequence[str]],
    features: Features | None,
    device: str,
) -> list[dict[str, Any]]:
    """Rows of one seed, without what all of its rows have in common."""
    from otbench.data.samples import as_bytes
    from otbench.metrics.measure import measure
    from otbench.training.draw import check_samples
    from otbench.training.fit import message_of, work_failed
    from otbench.utils.rng import generator

    n, counts, solvers = asked
    trained, where = model.config, device if data.kind == "images" else "cpu"
    rows = []
    for solver, count in settings(trained, counts, solvers):
        change = {"evaluations": count} | ({} if solver == DDIM else {"solver": solver})
        model.config = trained.model_copy(update=change)
        try:
            samples = check_samples(model.draw(n, [generator(seed, "samples")]), n, data)[0]
        except Exception as error:
            if not work_failed(error):
                raise
            print(f"failed: {solver}, {count} evaluations: {message_of(error)}", file=sys.stderr, flush=True)
            continue
        array = as_bytes(samples) if data.kind == "images" else samples.numpy()
        for score in measure(data, array, 0, MEASURED[data.kind], features, device=where):
            row = {"solver": solver, "evaluations": count, "metric": score.metric}
            rows.append(row | {"protocol": score.protocol, "value": score.value})
    model.config = trained
    return rows


def settings(config: Any, counts: Sequence[int], solvers: Sequence[str]) -> list[tuple[str, int]]:
    """Solvers and numbers of evaluations that a model can be drawn with.

    Args:
        config: Config of the model.
        counts: Numbers of evaluations.
        solvers: Solvers of flows.

    Returns:
        Pairs of solver and number: the midpoint rule with even numbers, diffusion with no more than its steps.
    """
    if not hasattr(config, "solver"):
        return [(DDIM, count) for count in counts if count <= config.steps]
    return [(solver, count) for solver in solvers for count in counts if solver != "midpoint" or count % 2 == 0]


def write_evaluations(table: pandas.DataFrame, out: Path) -> None:
    """Write the table, whole or not at all.

    Args:
        table: Table EVALUATIONS.
        out: Where to write, .csv.
    """
    with atomic_write(out) as temporary:
        table.to_csv(temporary, index=False)
