"""Time to error of semi-discrete solvers: ours, pyOMT's algorithm, POT and OTT-JAX (where installed), in one run on one
machine.

    python benchmarks/transport.py --out results/benchmark            # all problems, all solvers: hours on two cores
    python benchmarks/transport.py --problem mixture --seconds 30     # one problem
    python benchmarks/transport.py --tiny                             # does it run: a few seconds

Writes times.csv (solver, problem, seconds, error), table.md (seconds to each error) and times.png. The error is the
mean over cells of |w_i - nu_i| / nu_i on fresh points that no solver saw, its Monte-Carlo floor taken out; the time is
the solver's alone, without compilation and without the measuring. A solver that never gets to an error has a dash.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch

from otbench.transport.draws import Draws
from otbench.transport.newton2d import newton
from otbench.transport.sources import Source, named
from otbench.transport.stochastic import solve_stochastic

ERRORS = (0.5, 0.2, 0.1, 0.05)
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


def matrix_rate(device: str, seconds: float = 1.0) -> float:
    """Floating-point operations a second that torch's float32 matrix product reaches here."""
    a = torch.randn(1024, 1024, device=device)
    count, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        float((a @ a)[0, 0])
        count += 1
    return count * 2 * 1024**3 / (time.perf_counter() - began)


def measured(name: str, problem: str, y: np.ndarray, seconds: float, device: str) -> list[tuple[float, float]]:
    """The solver's curve: seconds and error on fresh points."""
    law = named("cube", y.shape[1])
    judge = Draws(y, law, device, "auto", seed=987_654_321)
    nu = torch.full((len(y),), 1 / len(y), dtype=torch.float64, device=device)
    points = min(max(100 * len(y), 200_000), 1_200_000)
    curve = []
    for passed, heights in SOLVERS[name](y, law, seconds, device):
        curve.append((passed, judge.error(judge.inward(heights), nu, points)))
        print(f"{problem} {name}: {passed:.3f} s, error {curve[-1][1]:.4f}", flush=True)
    return curve


def seconds_to(curve: list[tuple[float, float]], error: float) -> float:
    """The first time at which the error was reached; infinite where it never was."""
    return min((passed for passed, found in curve if found <= error), default=math.inf)


def shown(seconds: float) -> str:
    """Seconds with two digits, or a dash."""
    return "-" if math.isinf(seconds) else f"{seconds:.2g}"


def table(curves: dict[tuple[str, str], list[tuple[float, float]]]) -> str:
    """A Markdown table of seconds to each error."""
    lines = [
        "| problem | solver | " + " | ".join(map(str, ERRORS)) + " | best error |",
        "|" + "---|" * (len(ERRORS) + 3),
    ]
    for (problem, name), curve in curves.items():
        cells = [shown(seconds_to(curve, e)) for e in ERRORS] + [f"{min(e for _, e in curve):.2g}"]
        lines.append(f"| {problem} | {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def figure(curves: dict[tuple[str, str], list[tuple[float, float]]], path: Path) -> None:
    """Error against seconds, one panel a problem."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    problems = list(dict.fromkeys(problem for problem, _ in curves))
    fig, axes = plt.subplots(1, len(problems), figsize=(4.2 * len(problems), 3.4), squeeze=False, layout="constrained")
    for axis, problem in zip(axes[0], problems, strict=True):
        for (where, name), curve in curves.items():
            if where == problem:
                axis.loglog(*zip(*curve, strict=True), marker=".", label=name)
        axis.set(title=problem, xlabel="seconds", ylabel="mean relative cell error")
        axis.legend(frameon=False)
    fig.savefig(path, dpi=150)
    plt.close(fig)


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
    curves: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for problem in chosen.problem or ["mixture", "grid", "codes"]:
        y = PROBLEMS[problem](chosen.tiny)
        for name in chosen.solver or SOLVERS:
            if (name == "otbench exact" and y.shape[1] != 2) or (
                name == "OTT-JAX" and importlib.util.find_spec("ott") is None
            ):
                continue
            # only on the mixture does pyOMT get anywhere with more time than the others have
            seconds = chosen.pyomt_seconds if name == "pyOMT" and problem == "mixture" else chosen.seconds
            curves[problem, name] = measured(name, problem, y, 0.5 if chosen.tiny else seconds, chosen.device)
    with open(chosen.out / "times.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["problem", "solver", "seconds", "error"])
        writer.writerows([*key, *point] for key, curve in curves.items() for point in curve)
    rates = scaling(chosen.device, chosen.tiny)
    with open(chosen.out / "scaling.csv", "w", newline="") as file:
        csv.writer(file).writerows([("n", "d", "sampling", "million_points_a_second", "share_of_matrix_rate"), *rates])
    (chosen.out / "table.md").write_text(table(curves))
    figure(curves, chosen.out / "times.png")
    print(table(curves))


if __name__ == "__main__":
    main()
