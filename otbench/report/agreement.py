"""Whether a published mean and a measured one agree, from the summary statistics that a paper prints."""

from __future__ import annotations

import math
from dataclasses import dataclass

from otbench.report.recipes.published import Published
from otbench.report.summary import Summary

LEVEL = 0.05
"""The level of the tests, after Holm's correction over the ledger."""

WELCH, TRIAL, NORMAL, EXACT = "Welch", "one more trial", "normal", "exact"


@dataclass(frozen=True)
class Agreement:
    """A test of one published figure: its name, statistic, p-value, and how many standard deviations of one published
    trial the measured mean lies from the published one (NaN where that is not known).
    """

    test: str
    statistic: float
    p: float
    trials_away: float


def agreement(record: Published, own: Summary) -> Agreement | None:
    """Test of the published mean against the seeds' mean.

    With the number of trials and at least two seeds: Welch's t test (scipy.stats.ttest_ind_from_stats). With one seed:
    that seed as one more trial of the published law, t = d / (s sqrt(1 + 1/n)) with n - 1 degrees of freedom (pooled t
    test against a sample of one). Where the trials are not counted but the standard error is given: z = d / sqrt(se^2 +
    se_run^2). Two figures without any spread agree where they differ by no more than the published figure's rounding.

    Args:
        record: Published figure.
        own: The run's summary of the same metric over its seeds, in the published unit.

    Returns:
        The test; None where the statistics do not allow it.
    """
    error, trials = _error(record), record.n_trials
    if error is None or not own.n or not math.isfinite(own.mean):
        return None
    value = float(record.value)
    difference = own.mean - value
    sd = error * math.sqrt(trials) if trials else math.nan
    away = abs(difference) / sd if sd > 0 else math.nan
    spread = own.error if own.n > 1 else 0.0
    if own.n == 1 and (not trials or trials < 2):
        return None
    if error == 0 and spread == 0:
        same = abs(difference) <= _rounding(record) * (1 + 1e-9)
        return Agreement(EXACT, 0.0 if same else math.inf, 1.0 if same else 0.0, away)
    if trials and trials > 1:
        from scipy.stats import ttest_ind_from_stats

        own_sd = spread * math.sqrt(own.n)
        test = ttest_ind_from_stats(own.mean, own_sd, own.n, value, sd, trials, equal_var=own.n == 1)
        return Agreement(WELCH if own.n > 1 else TRIAL, float(test.statistic), float(test.pvalue), away)
    from scipy.stats import norm

    z = difference / math.hypot(error, spread)
    return Agreement(NORMAL, z, 2 * float(norm.sf(abs(z))), away)


def _error(record: Published) -> float | None:
    """The standard error of the published mean; None where its kind or its number of trials does not give it."""
    if record.error is None:
        return None
    if record.error_kind == "se":
        return float(record.error)
    if record.error_kind == "sd" and record.n_trials:
        return float(record.error) / math.sqrt(record.n_trials)
    return None


def _rounding(record: Published) -> float:
    """Half a unit of the last digit that the paper prints."""
    return 0.5 * 10.0 ** int(record.value.as_tuple().exponent)
