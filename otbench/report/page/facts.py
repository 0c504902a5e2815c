"""What is said of a run and its models: budget, seeds, machine, versions, parameters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from otbench.report.comparison import Comparison
from otbench.report.results import RunResults

GLOSSARY = (
    ("Grid, ring", "Gaussian mixtures in the plane with 25 modes on a square lattice and 8 on a circle (PacGAN)."),
    (
        "Digits 16x16",
        "scikit-learn's 8x8 digits, enlarged to 16x16 pixels: 797 training, 500 validation and 500 test images.",
    ),
    (
        "High quality",
        "Share of the points within three standard deviations of a mode's centre; true samples have 98.89 %.",
    ),
    ("Mode mixture", "Share of the points that lie between two neighbouring modes."),
    (
        "Reverse KL",
        "Divergence of the generated modes' histogram from the true weights, KL(generated || true); lower is better.",
    ),
    ("W2", "Wasserstein-2 distance between generated and real points; lower is better."),
    (
        "Fréchet distance",
        "Distance of two Gaussians fitted to features; FID where the features are Inception's. Lower is better.",
    ),
    ("Kernel distance", "Squared maximum mean discrepancy of features; KID where the features are Inception's."),
    ("Class score", "Inception score with the run's own classifier in Inception's place; higher is better."),
    ("PRD F8, F1/8", "Best F-scores of the precision-recall curve of distributions; F8 weighs recall, F1/8 precision."),
    ("Excellence", "Share of the images that people call real; the proxy asks the classifier instead."),
    ("Memorised", "Share of the samples nearer to a training image than 95 % of the test images are; 5 % is chance."),
    ("C_T", "Data-copying test: far below 0 for a copier, about 0 for a perfect sampler."),
    ("Controls", "Held-out real data, a memoriser (training samples given back), a collapsed sampler and noise."),
    ("Settled", "Training no longer changes the metric by more than its noise, and the end is better than noise."),
    ("Cell", "One model with one seed on one data set. In transport: the part of the source that goes to one target."),
)
"""Terms that the pages use, each with what it means."""


def facts(run: RunResults, reference: RunResults | None, comparisons: list[Comparison]) -> list[tuple[str, str]]:
    """Facts of the run: budget, seeds, snapshots, times, machine, versions.

    Args:
        run: Gathered run.
        reference: Reference run; None where there is none.
        comparisons: Studies of the run.

    Returns:
        (name, value) of every fact that is known.
    """
    info, views = run.info, [(comparison.study.title, comparison.run) for comparison in comparisons]
    machine = info.get("machine") or {}
    devices = Counter(str(device) for device in run.table.drop_duplicates(["dataset", "model", "seed"])["device"])
    rows = [
        ("Run", run.name),
        *_each("Budget", [(title, view.budget) for title, view in views]),
        *_each("Seeds", [(title, _listed(view.info.get("seeds"), str)) for title, view in views]),
        *_each("Snapshots", [(title, _listed(view.info.get("snapshots"), _short)) for title, view in views]),
        ("Started", str(info.get("started") or "")),
        ("Finished", str(info.get("finished") or "")),
        ("Machine", "; ".join(f"{name}: {value}" for name, value in machine.items() if value)),
        ("Devices", "; ".join(f"{device}: {number} cells" for device, number in sorted(devices.items()) if device)),
        ("Code version", str(info.get("code_version") or "")),
        ("Config hash", str(info.get("config_hash") or "")),
    ]
    if reference:
        budgets = "; ".join(dict.fromkeys(reference.of(name).budget for name in reference.studies))
        text = f"{reference.name}, {budgets}, code {reference.info.get('code_version') or 'unstated'}"
        rows.append(("Reference", text))
    return [(name, value) for name, value in rows if value]


def _each(name: str, values: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """One fact where all studies agree, else one a study."""
    if len({value for _, value in values}) == 1:
        return [(name, values[0][1])]
    return [(f"{name}, {title}", value) for title, value in values]


def _listed(values: list[float] | None, said: Callable[[float], str]) -> str:
    return ", ".join(said(value) for value in values or [])


def _short(snapshot: float) -> str:
    return f"{float(snapshot):.3g}"


def models(comparisons: list[Comparison]) -> list[dict[str, Any]]:
    """Title, paper, options and number of parameters of every model of the run.

    Args:
        comparisons: Studies of the run.

    Returns:
        Rows with the keys title, name, paper, options and parameters, study by study.
    """
    rows = []
    for comparison, name, about in [(view, *item) for view in comparisons for item in view.run.info["models"].items()]:
        options, parameters = about.get("options") or {}, about.get("parameters") or {}
        several = f" ({comparison.study.title})" if len(comparisons) > 1 else ""
        rows.append(
            {
                "title": comparison.title(name) + several,
                "name": name,
                "paper": about.get("paper") or "–",
                "options": ", ".join(f"{key} {value}" for key, value in options.items()) or "–",
                "parameters": ", ".join(f"{part} {int(number):,}" for part, number in parameters.items()) or "–",
            }
        )
    return rows
