"""Differences between two runs of a cell, compared with those between seeds."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from otbench.metrics.cost import COSTS

if TYPE_CHECKING:
    import pandas

    from otbench.data.samples import SampleFile


LEVEL = 0.95
"""Probability with which a new seed's value falls into the interval."""


KEY = ["snapshot", "metric", "protocol"]


#: verdicts on a value: the same bits; inside the interval; outside it; no interval; on one side only
EQUAL, WITHIN, OUTSIDE, DIFFERS, ABSENT = "equal", "within", "outside", "differs", "absent"


def interval(values: np.ndarray) -> tuple[float, float] | None:
    """Prediction interval: where a further value of the same normal law falls with probability 0.95.

    Args:
        values: Values (n,).

    Returns:
        Limits (low, high): mean -+ t_{0.975, n-1} s sqrt(1 + 1/n), s the standard deviation with n - 1. None of fewer
        than two values, or where one is not finite.

    Source: Hahn & Meeker (1991), Statistical Intervals, section 4.7.
    """
    from scipy import stats

    values = np.asarray(values, dtype=np.float64)
    if len(values) < 2 or not np.isfinite(values).all():
        return None
    half = stats.t.ppf((1 + LEVEL) / 2, len(values) - 1) * values.std(ddof=1) * math.sqrt(1 + 1 / len(values))
    return float(values.mean() - half), float(values.mean() + half)


def compare(table: pandas.DataFrame, again: pandas.DataFrame, seed: int) -> list[dict[str, Any]]:
    """Values of a cell beside those of the run, costs left out.

    Args:
        table: Tidy table of the model in the run, with all seeds, which make the interval.
        again: Tidy table of this seed alone, from the new cell.
        seed: Seed of the cell.

    Returns:
        A record for every value: snapshot, metric, protocol, run, again, relative (their difference, of the run's),
        low, high, n (seeds) and verdict.
    """
    table, again = (frame[~frame["metric"].isin(COSTS)] for frame in (table, again))
    original = table[table["seed"] == seed].set_index(KEY)
    repeated = again[again["seed"] == seed].set_index(KEY)
    groups = dict(iter(table[table["status"] == "ok"].groupby(KEY)["value"]))
    order = [*original.index, *(key for key in repeated.index if key not in original.index)]
    return [_compared(key, original, repeated, groups) for key in order]


def _compared(key: tuple, one: pandas.DataFrame, two: pandas.DataFrame, groups: dict) -> dict[str, Any]:
    rows: list[Any] = [frame.loc[key, ["value", "status"]] if key in frame.index else None for frame in (one, two)]
    was, now = (math.nan if row is None else float(row["value"]) for row in rows)
    values = np.asarray(groups.get(key, []), dtype=np.float64)
    limits = interval(values)
    if any(row is None for row in rows):
        verdict = ABSENT
    elif rows[0]["status"] == rows[1]["status"] and same_bits(was, now):
        verdict = EQUAL
    elif limits is None:
        verdict = DIFFERS
    else:
        verdict = WITHIN if limits[0] <= now <= limits[1] else OUTSIDE
    relative = 0.0 if verdict == EQUAL else abs(now - was) / abs(was) if was else math.nan
    low, high = limits or (math.nan, math.nan)
    record = dict(zip(KEY, key, strict=True)) | {"run": was, "again": now, "relative": relative}
    return record | {"low": low, "high": high, "n": len(values), "verdict": verdict}


def same_bits(one: float, two: float) -> bool:
    """Whether two numbers are the same to the last bit.

    Args:
        one: First number.
        two: Second number.

    Returns:
        True for equal bits; two that are NaN count as the same.
    """
    return (math.isnan(one) and math.isnan(two)) or np.float64(one).tobytes() == np.float64(two).tobytes()


def same_samples(run: SampleFile, again: SampleFile, seed: int) -> dict[str, Any]:
    """Whether the samples of a seed, and its reconstructions, are the same bytes.

    Args:
        run: Samples of the run; of a file that holds the first samples alone these are compared.
        again: Samples of the new cell.
        seed: Seed of the cell.

    Returns:
        `equal`, the number of `rows`, and how many of them are `different` (None where shape or type differ).
    """
    from otbench.data.samples import THINNED

    original, repeated = (_of_seed(file, seed) for file in (run, again))
    if THINNED in (run.info or {}):  # of every snapshot the first
        first = np.concatenate(
            [np.flatnonzero(repeated[1] == mark)[: (original[1] == mark).sum()] for mark in np.unique(repeated[1])]
        )
        repeated = repeated[0][first], repeated[1][first]
    if original[0].shape != repeated[0].shape or original[0].dtype != repeated[0].dtype:
        return {"equal": False, "rows": len(original[0]), "different": None}
    bits = [np.ascontiguousarray(rows).reshape(len(rows), -1).view(np.uint8) for rows, _ in (original, repeated)]
    different = int((bits[0] != bits[1]).any(1).sum())
    parts: list[Any] = [file.reconstructions.get(seed) for file in (run, again)]
    if THINNED in (run.info or {}) and parts[0] is not None and parts[1] is not None:
        parts[1] = parts[1][: len(parts[0])]
    given_back = (parts[0] is None) == (parts[1] is None) and (parts[0] is None or np.array_equal(*parts))
    equal = not different and np.array_equal(original[1], repeated[1]) and given_back
    return {"equal": bool(equal), "rows": len(original[0]), "different": different}


def _of_seed(file: SampleFile, seed: int) -> tuple[np.ndarray, np.ndarray]:
    chosen = np.flatnonzero(file.seed == seed)
    chosen = chosen[np.argsort(file.snapshot[chosen], kind="stable")]
    return file.samples[chosen], file.snapshot[chosen]


def differences(then: dict[str, Any], now: dict[str, Any]) -> list[dict[str, Any]]:
    """Differences of two fits that can change bits.

    Args:
        then: Content of the run's fit.json; older ones may lack `machine`, which is then not compared.
        now: Content of the new fit.json.

    Returns:
        A record for every difference: `what`, `run` and `here`.
    """
    pairs = [(name.replace("_", " "), then.get(name), now.get(name)) for name in ("code_version", "device")]
    was, here = ((side.get("machine") or {}).get("cpu") for side in (then, now))
    pairs.append(("processor", was, here))
    pairs.append(("settings (config hash)", then.get("config_hash"), now.get("config_hash")))
    packages = [name for name in then.get("versions", {}) if name != "snakemake"]  # it computes nothing
    pairs += [(name, then["versions"][name], now.get("versions", {}).get(name)) for name in packages]
    pairs.append(("replicas trained at once", at_once(then), at_once(now)))
    return [{"what": what, "run": a, "here": b} for what, a, b in pairs if a != b and a is not None]


def at_once(fitted: dict[str, Any]) -> int:
    """Number of replicas that a fit trained at once.

    Args:
        fitted: Content of fit.json.

    Returns:
        The number; 1 on a CPU unless more were asked for.
    """
    training, n = fitted.get("training", {}), len(fitted["seeds"])
    return min(n, training.get("together") or (n if str(training.get("device")).startswith("cuda") else 1))


def judge(rows: list[dict[str, Any]], samples_equal: bool, promised: bool) -> tuple[str, bool]:
    """Verdict on a cell.

    Args:
        rows: Records of `compare`.
        samples_equal: Whether the samples are the same bytes.
        promised: Whether equal bits were to be expected: then nothing less counts as reproduced, else every value must
            be equal or within its interval.

    Returns:
        The verdict in words, and whether the cell was reproduced.
    """
    verdicts = {row["verdict"] for row in rows}
    if verdicts <= {EQUAL} and samples_equal:
        return "bitwise equal", True
    if not verdicts <= {EQUAL, WITHIN}:
        bad = sum(row["verdict"] not in (EQUAL, WITHIN) for row in rows)
        return f"not reproduced: {bad} of {len(rows)} values are neither equal nor within their interval", False
    reason = "every value is within its interval" if WITHIN in verdicts else "every value is equal, but not the samples"
    return (reason, True) if not promised else (f"not bitwise equal, though it should be; {reason}", False)
