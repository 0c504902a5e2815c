"""Time to error of semi-discrete solvers: ours, pyOMT's algorithm, POT and OTT-JAX (where installed), in one run on one
machine; and the time of the exact solver on every kind of target in the plane.

    python benchmarks/transport.py --out results/benchmark            # all of it: an hour on two cores
    python benchmarks/transport.py --problem mixture --seconds 30     # one problem
    python benchmarks/transport.py --tiny                             # does it run: a few seconds

Writes machine.json (machine, versions, problems), times.csv (problem, solver, seconds, error), exact.csv, scaling.csv,
table.md and times.png. The error is the mean over cells of |w_i - nu_i| / nu_i: from exact cells in the plane, else on
fresh points that no solver saw, their Monte-Carlo floor taken out, and then not resolved below `resolution`. The time
is the solver's alone, without compilation and without the measuring. A solver that never gets to an error has a dash.
"""

from __future__ import annotations

import argparse
import csv
import importlib.metadata
import importlib.util
import json
import math
import os
import platform
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transport_figure import write

from otbench.transport import compiled
from otbench.transport.cells2d import laguerre
from otbench.transport.draws import Draws
from otbench.transport.newton2d import newton
from otbench.transport.sources import Source, named
from otbench.transport.stochastic import solve_stochastic

Curve = Iterator[tuple[float, np.ndarray]]


def mixture(n: int, d: int, seed: int = 0) -> np.ndarray:
    """n codes (n, d) of a mixture of 20 Gaussians with unequal axes, as autoencoders give them."""
    random = np.random.default_rng(seed)
    centres = random.standard_normal((20, d))
    return centres[random.integers(20, size=n)] + 0.3 * random.standard_normal((n, d)) * (random.random(d) + 0.3)


def grid(n: int, seed: int = 0) -> np.ndarray:
    """n points (n, 2) of PacGAN's 25 Gaussians."""
    random = np.random.default_rng(seed)
    centres = np.array([(i, j) for i in (-4, -2, 0, 2, 4) for j in (-4, -2, 0, 2, 4)], float)
    return centres[random.integers(25, size=n)] + 0.05 * random.standard_normal((n, 2))


PROBLEMS: dict[str, Callable[[bool], np.ndarray]] = {
    "grid": lambda tiny: grid(64 if tiny else 512),
    "mixture": lambda tiny: mixture(200, 8) if tiny else mixture(10_000, 32),
    "codes": lambda tiny: mixture(300, 10) if tiny else mixture(60_000, 64),
}


def ours(y: np.ndarray, law: Source, seconds: float, device: str) -> Curve:
    """The stochastic solver, averaged heights along one run."""
    record: list[tuple[float, int, np.ndarray]] = []
    solve_stochastic(y, np.full(len(y), 1 / len(y)), law, 1e-3, time_limit=seconds, device=device, record=record)
    for passed, _, heights in record:
        yield passed, heights


def ours_exact(y: np.ndarray, law: Source, seconds: float, device: str) -> Curve:
    """Damped Newton on exact cells (the plane only), after each number of steps."""
    for steps in range(12):
        found = newton(y, np.full(len(y), 1 / len(y)), law.polygon, max_steps=steps)
        yield found.seconds, found.heights
        if found.reason == "tolerance":
            return


def pyomt(y: np.ndarray, law: Source, seconds: float, device: str) -> Curve:
    """pyOMT's algorithm, written anew from its description: Adam without bias correction on one fixed set of Sobol
    points.

    20,000 points at the start (10,000 in the plane), doubled after 31 steps without a smaller gradient norm; learning
    rate 5e-2 (1e-4 in the plane).
    """
    n, d = y.shape
    target = torch.as_tensor(y, dtype=torch.float32, device=device)
    sobol = torch.quasirandom.SobolEngine(d)
    points = 10_000 if d == 2 else 20_000
    rate = 1e-4 if d == 2 else 5e-2
    x = sobol.draw(points).to(device) - 0.5
    h, m, v = (torch.zeros(n, device=device) for _ in range(3))
    best, waited, step, began, noted = math.inf, 0, 0, time.perf_counter(), 0.0
    paused = 0.0
    while time.perf_counter() - began - paused < seconds:
        index = torch.cat([torch.addmm(h, part, target.T).argmax(dim=1) for part in x.split(1000)])
        g = torch.bincount(index, minlength=n) / len(x) - 1 / n
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        h = h - rate * m / (v.sqrt() + 1e-8)
        h = h - h.mean()
        norm, step = float(g.norm()), step + 1
        if norm <= best:
            best, waited = norm, 0
        else:
            waited += 1
        if waited > 30:
            x = torch.cat([x, sobol.draw(len(x)).to(device) - 0.5])
            best, waited = math.inf, 0
        passed = time.perf_counter() - began - paused
        if passed > 1.3 * noted:
            noted, stopped = passed, time.perf_counter()
            yield passed, h.cpu().double().numpy()
            paused += time.perf_counter() - stopped


def pot(y: np.ndarray, law: Source, seconds: float, device: str) -> Curve:
    """POT's solver with its defaults for steps and no regularisation left: one whole run for every budget, each
    twice the last.
    """
    from ot.semidiscrete import solve_semidiscrete

    target = torch.as_tensor(y, dtype=torch.float32, device=device)
    generator = torch.Generator(device=device).manual_seed(0)
    steps = 64
    while True:
        began = time.perf_counter()
        g = solve_semidiscrete(
            target, lambda m: law.sample_torch(m, generator), max_iter=steps, batch_size=256, decreasing_reg=False
        )
        passed = time.perf_counter() - began
        yield passed, (g.cpu().double().numpy() - (y**2).sum(1)) / 2
        if 2 * passed > seconds:
            return
        steps *= 2


def ott(y: np.ndarray, law: Source, seconds: float, device: str, rate: float = 400.0) -> Curve:
    """OTT-JAX's semi-discrete solver (SGD, polynomial decay, batch 1,024): one whole run for every budget, compiled
    beforehand.
    """
    import jax
    import jax.numpy as jnp
    import optax
    from ott.geometry.semidiscrete_pointcloud import SemidiscretePointCloud
    from ott.problems.linear.semidiscrete_linear_problem import SemidiscreteLinearProblem
    from ott.solvers.linear.semidiscrete import SemidiscreteSolver

    def sampler(key, shape, dtype):
        return jax.random.uniform(key, shape, dtype) - 0.5

    problem = SemidiscreteLinearProblem(SemidiscretePointCloud(sampler, jnp.asarray(y, jnp.float32), epsilon=0.0))
    steps = 64
    while True:
        optimiser = optax.sgd(optax.polynomial_schedule(rate, rate * 1e-3, 1.0, steps))
        # one look at its own error, at the end: the solver cannot be told to take none
        solver = SemidiscreteSolver(
            num_iterations=steps, batch_size=1024, optimizer=optimiser, error_eval_every=steps, error_num_repeats=1
        )
        run = jax.jit(lambda key, problem, solver=solver: solver(key, problem).g)
        run = run.lower(jax.random.key(0), problem).compile()
        began = time.perf_counter()
        g = np.asarray(run(jax.random.key(0), problem).block_until_ready(), float)
        passed = time.perf_counter() - began
        yield passed, (g - (y**2).sum(1)) / 2
        if 2 * passed > seconds:
            return
        steps *= 2


SOLVERS: dict[str, Callable[..., Curve]] = {
    "otbench": ours,
    "otbench exact": ours_exact,
    "pyOMT": pyomt,
    "POT": pot,
    "OTT-JAX": ott,
}


MODULES = {"torch": "torch", "numpy": "numpy", "scipy": "scipy", "pot": "ot", "jax": "jax", "ott-jax": "ott"}


def matrix_rate(device: str, seconds: float = 1.0) -> float:
    """Floating-point operations a second that torch's float32 matrix product reaches here."""
    a = torch.randn(1024, 1024, device=device)
    count, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        float((a @ a)[0, 0])
        count += 1
    return count * 2 * 1024**3 / (time.perf_counter() - began)


def judged(n: int) -> int:
    """Fresh points on which a map onto n targets is judged: 100 a cell, as far as 2e10 products allow."""
    return max(min(100 * n, 20_000_000_000 // n), 200_000)


def resolution(n: int, d: int) -> float:
    """Smallest mean cell error that the judge can tell from none: zero in the plane, where cells are exact.

    N points give a cell a relative noise of (n / N)^1/2; its square is known up to (2 / n)^1/2, and twice that is what
    is left to be seen.
    """
    return 0.0 if d == 2 else 2 * (2 / n) ** 0.25 * (n / judged(n)) ** 0.5


def judge_of(y: np.ndarray, device: str) -> Callable[[np.ndarray], float]:
    """A function from heights (n,) to the mean relative cell error of the map that they give, weights being equal."""
    law, n = named("cube", y.shape[1]), len(y)
    if law.polygon is not None:
        return lambda heights: float(np.abs(n * laguerre(y, heights, law.polygon).areas - 1).mean())
    draws = Draws(y, law, device, "auto", seed=987_654_321)
    nu = torch.full((n,), 1 / n, dtype=torch.float64, device=device)
    return lambda heights: draws.error(draws.inward(heights), nu, judged(n))


def measured(name: str, problem: str, y: np.ndarray, seconds: float, device: str) -> list[tuple[float, float]]:
    """The solver's curve: seconds and error, judged at steps of 1.3 in time, as judging takes longer than solving."""
    law, judge, curve = named("cube", y.shape[1]), judge_of(y, device), []
    for passed, heights in SOLVERS[name](y, law, seconds, device):
        if curve and passed < 1.3 * curve[-1][0] and name != "otbench exact":
            continue
        curve.append((passed, judge(heights)))
        print(f"{problem} {name}: {passed:.3f} s, error {curve[-1][1]:.4g}", flush=True)
    return curve


def planar(n: int) -> dict[str, np.ndarray]:
    """Targets (n, 2) of every kind that the exact solver must manage, degenerate hulls included."""
    random = np.random.default_rng(0)
    angle, rows = np.arange(n) * 2 * np.pi / n, 2 ** (int(np.log2(n)) // 2)
    uniform, eighth = random.random((n, 2)), np.arange(8) * np.pi / 4
    ring = np.stack([np.cos(eighth), np.sin(eighth)], axis=1)
    return {
        "random": uniform,
        "25 Gaussians": grid(n),
        "ring of 8 Gaussians": ring[np.arange(n) % 8] + 0.01 * random.standard_normal((n, 2)),
        "heavy tails (Cauchy)": random.standard_t(1.0, size=(n, 2)),
        "on a lattice": np.stack(np.meshgrid(np.arange(rows), np.arange(n // rows)), axis=-1).reshape(-1, 2) * 1.0,
        "on a line, along an axis": np.column_stack([np.arange(n), np.zeros(n)]),
        "on an oblique line": np.outer(np.linspace(-2, 1, n), [1, 2]),
        "on five parallel lines": np.column_stack([random.random(n), np.arange(n) % 5]),
        "on a circle": np.stack([np.cos(angle), np.sin(angle)], axis=1),
        "far outside the source": uniform + 100,
        "pairs 1e-6 apart": np.concatenate([uniform[: n // 2], uniform[: n // 2] + 1e-6 * random.random((n // 2, 2))]),
    }


def exact(n: int, repeats: int) -> list[tuple[str, str, int, float, int, float]]:
    """(target, weights, n, seconds, steps, largest relative cell error) of the exact solver; least of some repeats."""
    law, rows = named("cube", 2), []
    for kind, y in planar(n).items():
        for weighted in (False, True):
            nu = np.random.default_rng(1).random(n) + 0.05 if weighted else np.ones(n)
            nu /= nu.sum()
            found = min((newton(y, nu, law.polygon) for _ in range(repeats)), key=lambda solution: solution.seconds)
            weights = "unequal" if weighted else "equal"
            rows.append((kind, weights, n, found.seconds, found.steps, found.error))
            print(f"exact {kind}, {weights}: {found.seconds:.3f} s, largest error {found.error:.1e}", flush=True)
    return rows


def machine(device: str) -> dict[str, Any]:
    """Processor, cores, threads and versions that the times belong to."""
    names = ("torch", "numpy", "scipy", "pot", "jax", "ott-jax")
    versions = {name: importlib.metadata.version(name) for name in names if importlib.util.find_spec(MODULES[name])}
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())
    return {
        "processor": model,
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name() if device == "cuda" else "CPU",
        "compiled loops": compiled.library() is not None,
        "versions": {"python": platform.python_version()} | versions,
    }


def scaling(device: str, tiny: bool) -> list[tuple[int, int, str, float, float]]:
    """(n, d, sampling, million points a second, share of the matrix rate 2 n d a point): the cost of one batch
    against n and d.
    """
    rate, rows = matrix_rate(device, 0.2 if tiny else 1.0), []
    sizes = (
        [(256, 8), (256, 16)]
        if tiny
        else [(1000, 32), (3000, 32), (10_000, 32), (30_000, 32), (10_000, 8), (10_000, 64)]
    )
    for n, d in sizes:
        for sampling in ("plain", "product"):
            draws = Draws(mixture(n, d), named("cube", d), device, sampling, 0)
            h, size, best = torch.zeros(n, dtype=torch.float64, device=device), draws.rounded(4096), math.inf
            for _ in range(3 if tiny else 10):
                began = time.perf_counter()
                draws.best(h, size)[0].item()
                best = min(best, time.perf_counter() - began)
            rows.append((n, d, sampling, size / best / 1e6, 2 * n * d * size / best / rate))
            print(
                "n {}, d {}, {}: {:.3g} million points a second, {:.2g} of the matrix rate".format(*rows[-1]),
                flush=True,
            )
    return rows


def main() -> None:
    """Run the chosen problems and solvers, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("results/benchmark"))
    parser.add_argument("--problem", choices=PROBLEMS, action="append")
    parser.add_argument("--solver", choices=SOLVERS, action="append")
    parser.add_argument("--seconds", type=float, default=120.0, help="for each solver on each problem")
    parser.add_argument("--pyomt-seconds", type=float, default=400.0, help="for pyOMT on the mixture")
    parser.add_argument("--threads", type=int, help="CPU threads (default: torch's own choice)")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--tiny", action="store_true", help="tiny problems, a second each: only to see that it runs")
    chosen = parser.parse_args()
    if chosen.threads:
        torch.set_num_threads(chosen.threads)
    chosen.out.mkdir(parents=True, exist_ok=True)
    described, rows = {}, []
    for problem in chosen.problem or ["mixture", "grid", "codes"]:
        y = PROBLEMS[problem](chosen.tiny)
        described[problem] = {"n": len(y), "d": y.shape[1], "resolution": resolution(*y.shape)}
        for name in chosen.solver or SOLVERS:
            if (name == "otbench exact" and y.shape[1] != 2) or (
                name == "OTT-JAX" and importlib.util.find_spec("ott") is None
            ):
                continue
            # only on the mixture does pyOMT get anywhere with more time than the others have
            seconds = chosen.pyomt_seconds if name == "pyOMT" and problem == "mixture" else chosen.seconds
            curve = measured(name, problem, y, 0.5 if chosen.tiny else seconds, chosen.device)
            rows += [(problem, name, *point) for point in curve]
    record = machine(chosen.device) | {"problems": described}
    (chosen.out / "machine.json").write_text(json.dumps(record, indent=1) + "\n")
    saved(chosen.out / "times.csv", ("problem", "solver", "seconds", "error"), rows)
    kinds = ("target", "weights", "n", "seconds", "steps", "largest_error")
    saved(chosen.out / "exact.csv", kinds, exact(32 if chosen.tiny else 512, 1 if chosen.tiny else 5))
    columns = ("n", "d", "sampling", "million_points_a_second", "share_of_matrix_rate")
    saved(chosen.out / "scaling.csv", columns, scaling(chosen.device, chosen.tiny))
    print(write(chosen.out))


def saved(path: Path, columns: tuple[str, ...], rows: list[tuple]) -> None:
    """Write rows under the names of their columns."""
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([columns, *rows])


if __name__ == "__main__":
    main()
