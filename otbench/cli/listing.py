"""What the verb `list` shows."""

from __future__ import annotations

from typing import Any

import numpy as np

from otbench.data.base import DataSet


def listing() -> dict[str, list[dict[str, Any]]]:
    """Models, data sets, metrics and studies of the theory, each with its paper and what it is about.

    Returns:
        Kind (`models`, `datasets`, `metrics`, `theory`) -> one row for each entry, ready for JSON.
    """
    import torch

    from otbench.data import list_datasets, load
    from otbench.metrics import METRICS
    from otbench.models import configure, models

    rows = []
    for kind, data in (("points", load("grid-pyomt")), ("images", _like_mnist())):
        classes = models(kind)
        for name in sorted(classes, key=lambda n: (classes[n].control, classes[n].family, n)):
            model = classes[name]
            if kind != model.kinds[0]:
                continue
            with torch.device("meta"):  # shapes alone: the weights of large networks would take seconds to draw
                built = model(configure(name, None, kind), data, [0], "meta", training=False)
            rows.append(
                {
                    "name": name,
                    "title": model.title_of(name),
                    "about": " ".join((model.__doc__ or "").split("\n\n")[0].split()),
                    "family": model.family,
                    "paper": model.paper,
                    "data": list(model.kinds),
                    "parameters": built.parameters(),
                    "paper_steps": model.paper_steps,
                }
            )
    metrics = [
        {"name": m.name, "title": m.title, "direction": m.direction, "data": list(m.kinds), "paper": m.paper}
        | {"description": m.description, "along_training": [kind for kind in m.kinds if kind in m.cheap]}
        for m in METRICS.values()
    ]
    return {
        "models": rows,
        "datasets": [{"name": n, "description": d} for n, d in list_datasets().items()],
        "metrics": metrics,
        "theory": theory(),
    }


def theory() -> list[dict[str, Any]]:
    """Studies of the theory with their sources and options.

    Returns:
        Rows with name, title, paper and options, each option with its default and description.
    """
    from otbench.registry import THEORIES
    from otbench.theory import configure, module

    rows = []
    for name in THEORIES:
        study = module(name)
        defaults = configure(name, {}).model_dump(mode="json")
        descriptions = {option: field.description or "" for option, field in study.Options.model_fields.items()}
        options = {
            option: {"default": value, "description": descriptions[option]} for option, value in defaults.items()
        }
        rows.append({"name": name, "title": study.TITLE, "paper": study.SOURCE, "options": options})
    return rows


def _like_mnist() -> DataSet:
    """A data set of MNIST's shape, for counts of parameters: 28x28 pixels, grey, all black."""
    black = np.zeros((2, 1, 28, 28), np.uint8)
    return DataSet("mnist", black, black, validation=black)


def text(found: dict[str, list[dict[str, Any]]]) -> str:
    """The listing as plain text.

    Args:
        found: The listing, or the part of one kind.

    Returns:
        Lines under a heading for each kind.
    """
    lines: list[str] = []
    for kind, rows in found.items():
        lines += [kind, "-" * len(kind)]
        width = max(len(row["name"]) for row in rows)
        for row in rows:
            what = row.get("title") or row.get("description", "")
            lines.append(f"{row['name']:<{width}}  {what}")
            more = [row["about"]] if row.get("about") else []
            more += [row["paper"]] if row.get("paper") else []
            if row.get("parameters"):
                more.append("parameters: " + ", ".join(f"{k} {v:,}" for k, v in row["parameters"].items()))
            for option, entry in (row.get("options") or {}).items():
                more.append(f"{option} ({entry['default']}): {entry['description']}")
            if row.get("direction"):
                more.append(f"{row['direction']} is better; {row['description']}")
            if row.get("along_training"):
                more.append(f"also before the end of training, of {' and '.join(row['along_training'])}")
            lines += [f"{'':<{width}}    {part}" for part in more]
        lines.append("")
    return "\n".join(lines).rstrip()
