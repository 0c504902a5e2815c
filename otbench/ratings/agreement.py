"""How far raters agree with one another and with themselves."""

from __future__ import annotations

import warnings

import numpy as np

from otbench.errors import OtbenchError
from otbench.ratings.intervals import number


def alpha(answers: np.ndarray) -> float | None:
    """Krippendorff's alpha for nominal answers.

    Args:
        answers: Answers (raters, items), NaN where there is none.

    Returns:
        Alpha, 1 for full agreement and 0 for chance; None where it is not defined: fewer than two raters, one answer
        throughout, or no item with two answers.

    Raises:
        OtbenchError: Where the package krippendorff is missing.
    """
    if len(answers) < 2 or len(np.unique(answers[~np.isnan(answers)])) < 2:
        return None
    try:
        import krippendorff
    except ImportError as error:
        raise OtbenchError(
            f"the raters' agreement needs the package krippendorff (pip install 'otbench-generative[ratings]'): {error}"
        ) from error
    try:
        return number(krippendorff.alpha(reliability_data=answers, level_of_measurement="nominal"))
    except ValueError:  # no item with two answers
        return None


def fleiss(counts: np.ndarray) -> float | None:
    """Fleiss' kappa (1971).

    Args:
        counts: Number of answers (items, categories), of equally many raters about every item.

    Returns:
        Kappa; None where it is not defined.
    """
    from statsmodels.stats.inter_rater import fleiss_kappa

    if not len(counts) or counts[0].sum() < 2 or (counts.sum(axis=0) > 0).sum() < 2:
        return None
    return number(fleiss_kappa(counts, method="fleiss"))


def cohen(first: np.ndarray, second: np.ndarray) -> float | None:
    """Cohen's kappa (1960) of two series of answers.

    Args:
        first: Answers (n,) in {0, 1}.
        second: Answers (n,) in {0, 1}.

    Returns:
        Kappa; None where it is not defined.
    """
    from statsmodels.stats.inter_rater import cohens_kappa

    if not len(first):
        return None
    table = np.zeros((2, 2))
    np.add.at(table, (first.astype(int), second.astype(int)), 1)
    with warnings.catch_warnings():  # one answer throughout leaves nothing above chance to measure: 0 / 0
        warnings.simplefilter("ignore")
        return number(float(cohens_kappa(table, return_results=False)))


def together(answers: np.ndarray) -> dict[str, float | int | None]:
    """Agreement of all raters about the items that every rater answered.

    Args:
        answers: Answers (raters, items) in {0, 1, NaN}.

    Returns:
        `items` and `raters`, their numbers, `krippendorff_alpha` and `fleiss_kappa`.
    """
    common = answers[:, ~np.isnan(answers).any(axis=0)] if len(answers) else answers
    counts = np.stack([(common == 0).sum(axis=0), (common == 1).sum(axis=0)], axis=1)
    return {
        "items": int(common.shape[1]),
        "raters": len(common),
        "krippendorff_alpha": alpha(common) if common.shape[1] else None,
        "fleiss_kappa": fleiss(counts),
    }
