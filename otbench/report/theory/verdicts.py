"""What each study of the theory was to show, in one line, and whether it did: for the first page of the report."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from otbench.report.tables.base import Cell, Column, Row, Table
from otbench.theory.findings import Fact, Findings

HOLDS, PARTLY, FAILS, OPEN = "holds", "holds in part", "does not hold", "open question"
"""Verdicts on an argument; an open question has none."""


@dataclass(frozen=True)
class Verdict:
    """What a study was to show: the argument, what theory expects, what was found, and the verdict."""

    argument: str
    expected: str
    found: str
    verdict: str


def verdict_of(findings: Findings) -> Verdict | None:
    """Judge a study's argument by its facts.

    Args:
        findings: What the study found.

    Returns:
        The verdict; None for a study that has no rule here, or whose facts lack what the rule needs.
    """
    rule = RULES.get(findings.name)
    try:
        return rule(findings.facts) if rule else None
    except (KeyError, TypeError):
        return None


Facts = dict[str, Fact]
WHERE = ("two", "ring")
"""Problems of the study `tearing`."""


def _number(facts: Facts, name: str) -> float:
    return float(facts[name])


def _parallel_lines(facts: Facts) -> Verdict:
    least, slope = _number(facts, "js_bound_least"), _number(facts, "slope_w1_greatest")
    right = least > 0.95 * math.log(2) and slope > 0.9
    return Verdict(
        "Where laws do not meet, JS is blind to the distance and W1 is not",
        "JS = ln 2 = 0.693 at every distance; W1's slope 1",
        f"JS {least:.3f} at the least distance; W1's slope {slope:.3f}",
        HOLDS if right else FAILS,
    )


def _potentials(facts: Facts) -> Verdict:
    cost, dual = _number(facts, "newton_cost"), _number(facts, "newton_dual")
    return Verdict(
        "The convex potential solves transport: its dual is its map's cost",
        "cost − dual = 0",
        f"cost {cost:.4f}, dual {dual:.4f}",
        HOLDS if abs(cost - dual) <= 1e-3 * abs(cost) else FAILS,
    )


def _singular_sets(facts: Facts) -> Verdict:
    convex, apart, joined = (
        int(facts[name]) for name in ("ellipse_singular", "clusters_singular", "dumbbell_singular")
    )
    right = convex == 0 and apart > 0
    return Verdict(
        "Maps onto supports that are not convex jump, so networks mix modes",
        "no singular facet for the ellipse, some for the others",
        f"ellipse {convex}, clusters {apart}, dumbbell {joined} singular facets",
        HOLDS if right and joined > 0 else PARTLY if right else FAILS,
    )


def _folding(facts: Facts) -> Verdict:
    convex, star = int(facts["ellipsoid_singular"]), int(facts["star_singular"])
    return Verdict(
        "In space too, a concave target makes the map jump",
        "no singular facet for the ellipsoid, some for the star",
        f"ellipsoid {convex}, star {star} singular facets",
        HOLDS if convex == 0 and star > 0 else FAILS,
    )


def _primal_dual(facts: Facts) -> Verdict:
    broken, iterates = int(facts["broken"]), int(facts["iterates"])
    return Verdict(
        "Couplings bound the distance from above, potentials from below",
        "no bound is broken",
        f"{broken:,} of {iterates:,} iterates break it",
        HOLDS if broken == 0 else FAILS,
    )


def _scaling(facts: Facts) -> Verdict:
    met, tolerance = _number(facts, "met"), _number(facts, "tolerance")
    return Verdict(
        "Semi-discrete transport is solved and certified beyond dimension 3",
        f"largest error of a cell at most {tolerance:g}",
        f"{met:.0%} of the runs certify it",
        HOLDS if met == 1 else PARTLY if met > 0 else FAILS,
    )


def _blur(facts: Facts) -> Verdict:
    better, worse, settings = (int(facts[name]) for name in ("dominating", "dominated", "matched"))
    return Verdict(
        "Matching a prior costs reconstruction or samples, transport neither",
        "no setting of VAE or WAE is better than AE-OT in both",
        f"{better} of {settings} settings better in both, {worse} worse in both",
        FAILS if better else HOLDS if worse == settings else PARTLY,
    )


def _meaningful_loss(facts: Facts) -> Verdict:
    critic, discriminator = _number(facts, "w_w1_changes"), _number(facts, "js_w1_changes")
    return Verdict(
        "W1's estimate follows the quality of samples, the GAN's does not",
        "rank correlation of changes with W1: the critic's is higher",
        f"critic {critic:.2f}, discriminator {discriminator:.2f}",
        HOLDS if critic > max(discriminator, 0) else FAILS,
    )


def _collaboration(facts: Facts) -> Verdict:
    start, end, floor = (_number(facts, f"translation/{name}") for name in ("none", "closed", "floor"))
    return Verdict(
        "With the optimal critic, one step gives the optimal generator",
        f"W2 of one step at the floor of samples, {floor:.3f}",
        f"W2 {start:.2f} before, {end:.3f} after one step",
        HOLDS if end <= 1.5 * floor else PARTLY if end < 0.5 * start else FAILS,
    )


def _latent_geometry(facts: Facts) -> Verdict:
    lengths = [_number(facts, f"straight_over_geodesic_{name}") - 1 for name in ("deterministic", "stochastic")]
    return Verdict(
        "Straight lines in the latent plane are no shortest paths",
        "straight lines are longer than geodesics",
        f"by {lengths[0]:.1%} (deterministic metric) and {lengths[1]:.1%} (stochastic) on average",
        HOLDS if min(lengths) > 0.01 else PARTLY if max(lengths) > 0.01 else FAILS,
    )


def _beyond(facts: Facts) -> Verdict:
    mean, plan = _number(facts, "limit_mean"), _number(facts, "limit_plan")
    return Verdict(
        "Does regularised transport give a smooth map that extends?",
        "the report leaves it open",
        f"the limits are right ({mean:.2%}, {plan:.1%} off); scores of every map in the chapter",
        OPEN,
    )


def _critic_estimates(facts: Facts) -> Verdict:
    better, spaces = int(facts["critic_better"]), int(facts["spaces"])
    critic, batch = _number(facts, "critic_off"), _number(facts, "batch_off")
    wrong = critic > 0.05 and batch > 0.05
    return Verdict(
        "WGANs work although their critic's value is not W1",
        "W1 missed by over 5 %; a critic's generator beats exact batches'",
        f"critics {critic:.0%} off, batches {batch:.0%}; its generator better in {better} of {spaces} dimensions",
        HOLDS if wrong and better == spaces else PARTLY if wrong else FAILS,
    )


def _polar(facts: Facts) -> Verdict:
    found, right = _number(facts, "linear_least"), _number(facts, "linear_least_closed_form")
    error = _number(facts, "linear_error")
    return Verdict(
        "A generator is an optimal map after a rearrangement of its noise",
        f"of a linear map, W2² = {right:.4f} and the rotation of its polar decomposition",
        f"W2² = {found:.4f}, rotation {error:.3f} off",
        HOLDS if abs(found - right) <= 0.01 * right and error < 0.1 else FAILS,
    )


def _tearing(facts: Facts) -> Verdict:
    maps, holding = int(facts["maps"]), int(facts["holding"])
    models = ("fm", "ot-cfm", "rectified-flow", "ddpm")
    continuous = min(sum(_number(facts, f"{where}/{name}/most/between") for where in WHERE) for name in models)
    cut = sum(_number(facts, f"{where}/ae-ot/most/between") for where in WHERE)
    return Verdict(
        "Continuous maps put mass where the optimal map tears; AE-OT cuts",
        "at least 2 Φ(gap / 2 L) − 1 outside modes; AE-OT least of all",
        f"{holding} of {maps} maps keep the bound; between modes: AE-OT {cut / 2:.1%}, next {continuous / 2:.1%}",
        HOLDS if holding == maps and cut < continuous else PARTLY if cut < continuous else FAILS,
    )


RULES: dict[str, Callable[[Facts], Verdict]] = {
    "parallel-lines": _parallel_lines,
    "meaningful-loss": _meaningful_loss,
    "potentials": _potentials,
    "primal-dual": _primal_dual,
    "collaboration": _collaboration,
    "singular-sets": _singular_sets,
    "folding": _folding,
    "latent-geometry": _latent_geometry,
    "blur": _blur,
    "scaling": _scaling,
    "beyond": _beyond,
    "critic-estimates": _critic_estimates,
    "polar-factorisation": _polar,
    "tearing": _tearing,
}
"""Study -> the rule that judges its facts."""


def theory_table(verdicts: list[tuple[str, str, Verdict]]) -> Table | None:
    """The arguments of the theory with what was expected, what was found and the verdict.

    Args:
        verdicts: (name of the study, title, verdict) of each study that was computed.

    Returns:
        The table; None without a study.
    """
    if not verdicts:
        return None
    columns = (
        Column("argument", "Argument", align="l"),
        Column("expected", "Expected", align="l"),
        Column("found", "This run", align="l"),
        Column("verdict", "Verdict", align="l"),
    )
    rows = []
    for name, title, one in verdicts:
        kind = "trouble" if one.verdict == FAILS else "absent" if one.verdict == OPEN else ""
        texts = (one.argument, one.expected, one.found)
        cells = (*(Cell(text, {"": text}) for text in texts), Cell(one.verdict, {"": one.verdict}, kind=kind))
        rows.append(Row(name, title, "", cells))
    caption = "Each argument on a problem whose answer is known."
    return Table("front_theory", "The theory, argument by argument", caption, columns, tuple(rows), row_head="Study")
