"""Inception score (Salimans et al. 2016): exp E[KL(p(y|x) || p(y))], mean over splits.

It looks at generated images alone. Salimans et al. take 50,000 images in ten splits; a split below 1,000 images
estimates p(y) too roughly and lowers the score, so fewer images get fewer splits. The shuffling and the splits are
torch-fidelity's, and so is the value (tests), but for logits so far apart that a class's probability is nought in every
image: there torch-fidelity's is not a number, while here all is done with logarithms.
"""

from __future__ import annotations

import numpy as np

from otbench.metrics.base import IMAGES, Metric, Parts, Setting, check_rows

MOST_SPLITS, SPLIT_ROWS = 10, 1000


def splits(n: int) -> int:
    """Number of splits of n images.

    Args:
        n: Number of generated images.

    Returns:
        Ten, or as many as leave 1,000 images in each, at least one.
    """
    return min(MOST_SPLITS, max(1, n // SPLIT_ROWS))


def inception_score(logits: np.ndarray, seed: int = 0, parts: int | None = None) -> float:
    """Inception score, the mean over splits of the shuffled rows, in float64.

    Args:
        logits: Logits (n, K) of the generated images.
        seed: Seed of the shuffling.
        parts: Number of splits; None for `splits`.

    Returns:
        Score between 1 and K.
    """
    from scipy.special import log_softmax, logsumexp

    logits = check_rows(logits, "logits", least=1)
    parts = splits(len(logits)) if parts is None else parts
    log_p = log_softmax(logits[np.random.RandomState(seed).permutation(len(logits))], axis=1)
    edges = [part * len(logits) // parts for part in range(parts + 1)]
    scores = []
    for start, stop in zip(edges[:-1], edges[1:], strict=True):
        rows = log_p[start:stop]
        log_q = logsumexp(rows, axis=0) - np.log(len(rows))
        scores.append(np.exp(np.mean(np.sum(np.exp(rows) * (rows - log_q), axis=1))))
    return float(np.mean(scores))


def _image_parts(setting: Setting) -> Parts:
    return {"n_generated": setting.n, "splits": splits(setting.n)}


METRICS = (
    Metric(
        "is",
        "Inception score",
        "1",
        "higher",
        IMAGES,
        "Salimans et al. 2016, Improved techniques for training GANs",
        "exp of the mean KL of each image's predicted classes against all images'; at most the number of classes.",
        of_images=lambda view: inception_score(view.generated.logits, view.seed),
        image_parts=_image_parts,
        label="Class score (as the Inception score)",
        digits=2,
        scale="log",
        logits=True,
    ),
)
