"""Vendi score (Friedman, Dieng 2023): the effective number of different generated samples.

exp of the entropy of the eigenvalues of K / n, where K holds the cosine similarities of the features. It looks at the
generated side alone: noise is varied too, so that it cannot rank noise below data.
"""

from __future__ import annotations

import numpy as np

from otbench.metrics.base import IMAGES, Metric, Parts, Setting, check_rows


def vendi(features: np.ndarray) -> float:
    """Vendi score under the cosine kernel.

    X X' / n has the nonzero eigenvalues of X' X / n, so that the smaller of the two is taken.

    Args:
        features: Features (n, d); a row of zeros is similar to nothing but itself.

    Returns:
        Score between 1 and n.

    Source: Friedman, Dieng (2023), Eq. 2.
    """
    rows = check_rows(features, "features")
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    zeros = int((norms == 0).sum())
    x = rows[norms[:, 0] > 0] / norms[norms[:, 0] > 0]
    product = x @ x.T if len(x) <= x.shape[1] else x.T @ x
    values = np.concatenate([np.linalg.eigvalsh(product), np.ones(zeros)]) / len(rows)
    values = values[values > 1e-15]
    return float(np.exp(-(values * np.log(values)).sum()))


def _parts(setting: Setting) -> Parts:
    return {"n_generated": setting.n, "kernel": "cosine"}


METRICS = (
    Metric(
        "vendi",
        "Vendi score",
        "effective number of images",
        "higher",
        IMAGES,
        "Friedman and Dieng 2023, The Vendi score",
        "Effective number of different images: exp of the entropy of the eigenvalues of the cosine similarities.",
        of_images=lambda view: vendi(view.generated.features),
        image_parts=_parts,
        digits=2,
        scale="log",
        on_request=True,
        must_see=("collapsed",),
    ),
)
