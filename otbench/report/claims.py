"""What the papers claim of their models, one line each, and whether a run bears it out, data set by data set."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from otbench.report.comparison import Comparison
from otbench.report.floors import floor, mirrored
from otbench.report.labels import metric_label, scale_of
from otbench.report.summary import Summary, summarise
from otbench.report.tables.controls import WRONG, verdict
from otbench.statistics import scales
from otbench.statistics.holm import holm

HOLDS, FAILS, OPEN, CANNOT = "holds", "does not hold", "open", "cannot be compared"
"""Verdicts: the difference is significant the way it is claimed, the other way, not significant, or no comparison."""
LEVEL = 0.05


@dataclass(frozen=True)
class Claim:
    """One sentence of a paper: `model` is better than each of `others` by `metric`, in the studies named.

    others: names of models; `adversarial` stands for every GAN that the run ranks.
    """

    text: str
    source: str
    study: str
    metric: str
    model: str
    others: tuple[str, ...]


@dataclass(frozen=True)
class Finding:
    """What a run says of a claim on one data set: one of the verdicts, and why."""

    claim: Claim
    dataset: str
    verdict: str
    why: str


GANS = ("adversarial",)
CLAIMS = (
    Claim("Packing finds more modes than a GAN", "PacGAN Table 1", "mode-collapse", "modes", "pacgan2", ("gan",)),
    Claim("AE-OT finds more modes than any GAN", "AE-OT Table 2", "mode-collapse", "modes", "ae-ot", GANS),
    Claim("AE-OT mixes fewer modes than any GAN", "AE-OT, sec. 6", "mode-collapse", "high_quality", "ae-ot", GANS),
    Claim("AE-OT weighs the modes best", "AE-OT Table 2", "mode-collapse", "reverse_kl", "ae-ot", GANS),
    Claim("Packing finds more of 1,000 modes", "PacGAN Table 2", "stacked", "modes", "pacdcgan4", ("dcgan",)),
    Claim("AE-OT is closer to images than any GAN", "AE-OT Tables 3, 4", "images", "fid", "ae-ot", GANS),
    Claim("AE-OT is closer to images than a VAE", "AE-OT Tables 3, 4", "images", "fid", "ae-ot", ("vae",)),
    Claim("AE-OT covers more than any GAN (PRD F8)", "AE-OT Fig. 14", "images", "prd_f8", "ae-ot", GANS),
    Claim("WAE-MMD is closer to images than its VAE", "WAE Table 1", "images", "fid", "wae-mmd", ("wae-vae",)),
    Claim("AE-OT-GAN improves on AE-OT", "AE-OT-GAN Table 1", "images", "fid", "ae-ot-gan", ("ae-ot-standard",)),
    Claim(
        "OTVAE's images pass for real more often",
        "OTVAE report",
        "images",
        "excellence",
        "otvae",
        ("vae",),
    ),
)
"""The claims, in the order of the report."""


def findings(comparisons: list[Comparison]) -> list[Finding]:
    """What the run says of every claim that is about a study and models of it.

    Args:
        comparisons: Studies of a run.

    Returns:
        One finding a claim and data set; claims whose models the run has not are left out. Holm's correction is over
        all tests.
    """
    asked = [
        (claim, comparison, dataset)
        for claim in CLAIMS
        for comparison in comparisons
        if comparison.study.name == claim.study
        for dataset in comparison.datasets
        if (dataset, claim.model) in comparison.run.cells and _others(claim, comparison, dataset)
    ]
    tests = [list(_tests(*one)) for one in asked]
    adjusted = iter(holm(np.array([p for found in tests for _, p, _ in found], dtype=float)).tolist())
    return [
        _finding(*one, [(name, next(adjusted), difference) for name, _, difference in found])
        for one, found in zip(asked, tests, strict=True)
    ]


def _others(claim: Claim, comparison: Comparison, dataset: str) -> list[str]:
    """The models that the claim's is set against, of those that the run has."""
    models = [model for model in comparison.generative(dataset) if model != claim.model]
    if claim.others != GANS:
        return [model for model in models if model in claim.others]
    about = comparison.run.info["models"]
    return [model for model in models if (about.get(model, {}).get("family") or "adversarial") == "adversarial"]


def _key(claim: Claim, comparison: Comparison, dataset: str) -> str:
    return comparison.main_key(dataset, claim.metric)


def _values(claim: Claim, comparison: Comparison, dataset: str, model: str) -> Summary:
    return summarise(comparison.run, dataset, model, _key(claim, comparison, dataset))


def _blocked(claim: Claim, comparison: Comparison, dataset: str) -> str:
    """Why there is nothing to test; empty where there is."""
    key, compared = _key(claim, comparison, dataset), comparison.compared(dataset)
    others = _others(claim, comparison, dataset)
    if not _values(claim, comparison, dataset, claim.model).n:
        return f"{metric_label(key).label} was not measured"
    if claim.model not in compared:
        return f"{comparison.title(claim.model)} had not settled"
    if not [model for model in others if model in compared and _values(claim, comparison, dataset, model).n]:
        return f"{'none of the others' if len(others) > 1 else comparison.title(others[0])} had settled above noise"
    controls = {
        name: summarise(comparison.run, dataset, name, key)
        for name in comparison.study.controls
        if (dataset, name) in comparison.run.cells
    }
    if controls and verdict(key, controls, comparison.study)[0] == WRONG:
        return f"{metric_label(key).label} misorders the controls"
    return ""


def _tests(claim: Claim, comparison: Comparison, dataset: str) -> Iterator[tuple[str, float, float]]:
    """(model, p-value of Welch's test, how much better the claim's model is) of every other model that is compared."""
    if _blocked(claim, comparison, dataset):
        return
    key, compared = _key(claim, comparison, dataset), comparison.compared(dataset)
    own = _values(claim, comparison, dataset, claim.model)
    for model in _others(claim, comparison, dataset):
        other = _values(claim, comparison, dataset, model)
        if model in compared and other.n:
            yield model, *_test(key, floor(comparison.run, dataset, key), own, other)


def _test(key: str, ideal: float, first: Summary, second: Summary) -> tuple[float, float]:
    """p-value of Welch's t test on the metric's scale, and the difference there, above 0 where the first is better."""
    direction, samples = metric_label(key).direction, first.samples
    pair = [np.asarray(mirrored(one.values, ideal, direction), dtype=float) for one in (first, second)]
    scale = scales.usable(np.concatenate(pair), scale_of(key), samples)
    shown = [scales.forward(values, scale, samples) for values in pair]
    sign = 1 if direction == "higher" else -1
    difference = sign * float(np.mean(shown[0]) - np.mean(shown[1]))
    if min(map(len, shown)) < 2:
        return 1.0, difference
    if all(float(np.ptp(values)) == 0 for values in shown) or not math.isfinite(difference):
        return (1.0 if difference == 0 else 0.0), difference
    from scipy.stats import ttest_ind

    return float(ttest_ind(shown[0], shown[1], equal_var=False).pvalue), difference


def _finding(claim: Claim, comparison: Comparison, dataset: str, tests: list[tuple[str, float, float]]) -> Finding:
    blocked = _blocked(claim, comparison, dataset)
    if blocked:
        return Finding(claim, dataset, CANNOT, blocked)
    key = _key(claim, comparison, dataset)
    number = metric_label(key).number
    own = _values(claim, comparison, dataset, claim.model)
    shown = f"{metric_label(key).label} {number(own.mean, own.error)}"
    beaten = [model for model, p, difference in tests if p <= LEVEL and difference > 0]
    ahead = [model for model, p, difference in tests if p <= LEVEL and difference < 0]
    rival = max(tests, key=lambda test: -test[2])[0]
    other = _values(claim, comparison, dataset, rival)
    against = f"against {number(other.mean, other.error)} ({comparison.title(rival)})"
    text = f"{shown} {against}"
    if ahead:
        return Finding(claim, dataset, FAILS, f"{text}; significantly behind {_listed(comparison, ahead)}")
    if len(beaten) == len(tests):
        return Finding(claim, dataset, HOLDS, f"{text}; significant over {_count(len(tests))}")
    return Finding(claim, dataset, OPEN, f"{text}; {len(beaten)} of {len(tests)} differences significant")


def _listed(comparison: Comparison, models: list[str]) -> str:
    return ", ".join(comparison.title(model) for model in models[:3]) + ("" if len(models) < 4 else ", …")


def _count(number: int) -> str:
    return f"all {number} settled" if number > 1 else "the other"
