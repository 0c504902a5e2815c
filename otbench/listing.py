"""What the verb `list` shows."""

from __future__ import annotations

from typing import Any


def listing() -> dict[str, list[dict[str, Any]]]:
    """Models, data sets and metrics, each with its paper and what it is about."""
    from otbench.data import known
    from otbench.data.points import POINTS
    from otbench.metrics import METRICS
    from otbench.models import configure, models

    found = models()
    tried = {kind: POINTS["grid-pyomt"]() for kind in ("points",)}
    rows = []
    for name in sorted(found, key=lambda n: (found[n].control, found[n].family, n)):
        model = found[name]
        data = next((tried[k] for k in model.kinds if k in tried), None)
        built = model(configure(name), data, [0]) if data else None
        rows.append(
            {
                "name": name,
                "title": model.title_of(name),
                "about": " ".join((model.__doc__ or "").split("\n\n")[0].split()),
                "family": model.family,
                "paper": model.paper,
                "data": list(model.kinds),
                "parameters": built.parameters() if built else {},
                "paper_steps": model.paper_steps,
            }
        )
    metrics = [
        {"name": m.name, "title": m.title, "direction": m.direction, "data": list(m.kinds), "paper": m.paper}
        | {"description": m.description}
        for m in METRICS.values()
    ]
    return {
        "models": rows,
        "datasets": [{"name": n, "description": d} for n, d in known().items()],
        "metrics": metrics,
    }


def text(found: dict[str, list[dict[str, Any]]]) -> str:
    """The listing as plain text."""
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
            if row.get("direction"):
                more.append(f"{row['direction']} is better; {row['description']}")
            lines += [f"{'':<{width}}    {part}" for part in more]
        lines.append("")
    return "\n".join(lines).rstrip()
