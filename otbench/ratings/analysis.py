"""What raters' answers say: excellence rates with intervals, the ceiling, raters' quality, the proxy beside them.

The excellence rate of a model is the share of its images that people call real (Cui, OTVAE report). Second showings and
attention checks never count for a rate.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from otbench.ratings.agreement import cohen, together
from otbench.ratings.answers import Answer, check_answers, stored
from otbench.ratings.intervals import LEVEL, clustered, number, wilson
from otbench.ratings.key import Item, Key, read_key
from otbench.utils.protocol import protocol

FORMAT = "otbench-ratings-analysis-1"
ATTENTION = 0.6
"""Share of attention checks that a rater must call real: below it the rater is flagged, and counted all the same."""

Proxies = dict[tuple[str, float], float]
"""(model, snapshot) -> the classifier's share of samples that look real."""


class Panel:
    """The answers to one session as a matrix (raters, items) of 1 (called real), 0 and NaN (no answer)."""

    def __init__(self, key: Key, answers: list[Answer]) -> None:
        session_answers = [answer for answer in answers if answer.session == key.session]
        self.key, self.stale = key, len(answers) - len(session_answers)
        self.raters = sorted({answer.rater for answer in session_answers})
        place = {rater: at for at, rater in enumerate(self.raters)}
        self.values = np.full((len(self.raters), len(key.items)), np.nan)
        self.seconds = np.full_like(self.values, np.nan)
        for answer in session_answers:
            at = place[answer.rater], answer.item - 1
            self.values[at] = float(answer.answer == "real")
            if answer.milliseconds is not None:
                self.seconds[at] = answer.milliseconds / 1000

    def of(self, items: list[Item]) -> np.ndarray:
        """Answers about some items.

        Args:
            items: Items of the session.

        Returns:
            Answers (raters, n) in {0, 1, NaN}.
        """
        return self.values[:, [item.item - 1 for item in items]]


def excellence_rows(key: Key, answers: list[Answer]) -> list[dict[str, Any]]:
    """Excellence rate of each cell (model, seed, snapshot) that somebody rated.

    Args:
        key: Key of the session.
        answers: The raters' answers.

    Returns:
        One row per cell: `model`, `seed`, `snapshot`, `rate` in [0, 1], `answers` and `images`, their numbers.
    """
    panel, cells = Panel(key, answers), {}
    for item in key.first:
        if item.kind == "model":
            cells.setdefault((item.model, item.seed, item.snapshot), []).append(item)
    rows = []
    for (model, seed, snapshot), items in sorted(cells.items()):
        values = panel.of(items)
        count = int((~np.isnan(values)).sum())
        if count:
            row = {"model": model, "seed": seed, "snapshot": snapshot, "rate": float(np.nanmean(values))}
            rows.append(row | {"answers": count, "images": len(items)})
    return rows


def analyse(key: Key, answers: list[Answer], proxies: Proxies | None = None) -> dict[str, Any]:
    """All that the answers to a session say, ready for JSON.

    Answers to other sessions are counted as `stale` and left out. Equal input gives equal output.

    Args:
        key: Key of the session.
        answers: The raters' answers.
        proxies: The classifier's share by model and snapshot; None for none.

    Returns:
        Rates with intervals, the real images' rate, cells, raters, agreement and the proxy's correlation; shares are in
        [0, 1], None is what is not defined.
    """
    panel, proxies = Panel(key, answers), proxies or {}
    raters = [_rater(panel, at) for at in range(len(panel.raters))]
    attentive = np.array([not rater["flagged"] for rater in raters], dtype=bool)
    groups: dict[tuple[str, float], list[Item]] = {}
    for item in key.first:
        if item.kind == "model":
            groups.setdefault((str(item.model), float(item.snapshot or 0)), []).append(item)
    rates = []
    for (model, snapshot), items in sorted(groups.items()):
        summary = _rate(panel, items, attentive)
        if summary:
            proxy = number(proxies.get((model, snapshot), np.nan))
            seeds = len({item.seed for item in items})
            rates.append({"model": model, "snapshot": snapshot, "seeds": seeds} | summary | {"proxy": proxy})
    return {
        "format": FORMAT,
        "session": key.session,
        "dataset": key.dataset,
        "items": len(key.items),
        "raters": len(panel.raters),
        "answers": int((~np.isnan(panel.values)).sum()),
        "stale": panel.stale,
        "level": LEVEL,
        "attention_threshold": ATTENTION,
        "flagged": [rater["rater"] for rater in raters if rater["flagged"]],
        "rates": rates,
        "real": _rate(panel, [item for item in key.first if item.kind == "real"], attentive),
        "cells": excellence_rows(key, answers),
        "by_rater": raters,
        "agreement": together(panel.of(key.first)),
        "proxy": _correlation(rates),
    }


def _rate(panel: Panel, items: list[Item], attentive: np.ndarray) -> dict[str, Any] | None:
    """The share called real with both intervals, of all raters, and of those that are not flagged."""
    values = panel.of(items)
    count, called = int((~np.isnan(values)).sum()), int(np.nansum(values))
    if not count:
        return None
    unflagged = values[attentive]
    left = int((~np.isnan(unflagged)).sum())
    both = clustered(values)
    return {
        "rate": called / count,
        "wilson": list(wilson(called, count)),
        "bootstrap": list(both) if both else None,
        "answers": count,
        "raters": int((~np.isnan(values)).any(axis=1).sum()),
        "images": int((~np.isnan(values)).any(axis=0).sum()),
        "attentive": {"rate": float(np.nansum(unflagged) / left) if left else None, "answers": left},
    }


def _rater(panel: Panel, at: int) -> dict[str, Any]:
    """One rater: attention, consistency over repeats, time."""
    values, items = panel.values[at], panel.key.items
    checks = values[[item.item - 1 for item in items if item.kind == "check"]]
    checks = checks[~np.isnan(checks)]
    pairs = values[[[item.of - 1, item.item - 1] for item in items if item.of is not None]].reshape(-1, 2)
    pairs = pairs[~np.isnan(pairs).any(axis=1)]
    attention = float(checks.mean()) if len(checks) else None
    times = panel.seconds[at][~np.isnan(panel.seconds[at])]
    return {
        "rater": panel.raters[at],
        "answers": int((~np.isnan(values)).sum()),
        "checks": len(checks),
        "attention": attention,
        "flagged": attention is not None and attention < ATTENTION,
        "repeats": len(pairs),
        "consistency": float((pairs[:, 0] == pairs[:, 1]).mean()) if len(pairs) else None,
        "kappa": cohen(pairs[:, 0], pairs[:, 1]),
        "median_seconds": float(np.median(times)) if len(times) else None,
    }


def _correlation(rates: list[dict[str, Any]]) -> dict[str, Any]:
    """Pearson's and Spearman's correlation of people's rate with the proxy, where both are known."""
    from scipy.stats import pearsonr, spearmanr

    pairs = np.array([(row["rate"], row["proxy"]) for row in rates if row["proxy"] is not None]).reshape(-1, 2)
    summary: dict[str, Any] = {"n": len(pairs), "pearson": None, "spearman": None}
    if len(pairs) > 2 and (np.ptp(pairs, axis=0) > 0).all():
        summary["pearson"] = number(pearsonr(pairs[:, 0], pairs[:, 1])[0])
        summary["spearman"] = number(spearmanr(pairs[:, 0], pairs[:, 1])[0])
    return summary


def proxies_of(key: Key, table: pd.DataFrame) -> Proxies:
    """Classifier proxy of every model and snapshot of the session, mean over the session's seeds.

    Args:
        key: Key of the session.
        table: The tidy table; its most frequent protocol is used where there are several.

    Returns:
        (model, snapshot) -> share in [0, 1].
    """
    seeds = {(item.model, item.seed) for item in key.items if item.kind == "model"}
    proxy = [str(metric).partition("@")[0] == "excellence_proxy" for metric in table["metric"]]
    rows = table[np.array(proxy, dtype=bool) & (table["status"] == "ok") & (table["dataset"] == key.dataset)]
    rows = rows[[pair in seeds for pair in zip(rows["model"], rows["seed"], strict=True)]]
    if not len(rows):
        return {}
    rows = rows[rows["protocol"] == rows["protocol"].value_counts(sort=True).index[0]]
    means = rows.groupby(["model", "snapshot"])["value"].mean()
    return {(str(model), float(snapshot)): float(value) for (model, snapshot), value in means.items()}


def session_of(folder: str | Path) -> tuple[Key, list[Answer]]:
    """Key and answers of a session, checked.

    Args:
        folder: Folder of the session.

    Returns:
        Key and answers; no answers where nobody's were imported.
    """
    key, answers = read_key(folder), stored(folder)
    path = Path(folder) / "answers.csv"
    for rater in sorted({answer.rater for answer in answers if answer.session == key.session}):
        rater_answers = [answer for answer in answers if answer.session == key.session and answer.rater == rater]
        check_answers(rater_answers, key, path, partial=True)
    return key, answers


def rating_summary(folder: str | Path, table: pd.DataFrame) -> dict[str, Any] | None:
    """Analysis of a session, with the proxies of a tidy table.

    Args:
        folder: Folder of the session, results/<run>/ratings/<dataset>.
        table: The tidy table.

    Returns:
        The analysis (`analyse`); None where nobody rated the session.

    Raises:
        OtbenchError: Where key.json or answers.csv are wrong.
    """
    if not (Path(folder) / "answers.csv").is_file():
        return None
    key, answers = session_of(folder)
    if not any(answer.session == key.session for answer in answers):
        return None
    return analyse(key, answers, proxies_of(key, table))


def tidy_rows(folder: str | Path) -> list[dict[str, Any]]:
    """Rows for the tidy table.

    Args:
        folder: Folder of the session.

    Returns:
        One row per rated cell: model, seed, snapshot, metric `excellence`, value, protocol.
    """
    if not (Path(folder) / "answers.csv").is_file():
        return []
    key, answers = session_of(folder)
    raters = len(Panel(key, answers).raters)
    return [
        {
            "model": row["model"],
            "seed": row["seed"],
            "snapshot": row["snapshot"],
            "metric": "excellence",
            "value": row["rate"],
            "protocol": protocol(rated="people", raters=raters, n_generated=row["images"], session=key.session),
        }
        for row in excellence_rows(key, answers)
    ]
