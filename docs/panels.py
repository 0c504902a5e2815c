"""The three panels of the README, from the committed reference results: `python docs/panels.py`."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("Agg")
from matplotlib import pyplot as plt

ROOT = Path(__file__).parent.parent
PANELS = (("grid/gan", "GAN"), ("grid/ae-ot", "AE-OT"), ("grid/real", "real data"))


def draw(out: Path) -> None:
    """Draw the panels.

    Args:
        out: Figure to write, .png.
    """
    with np.load(ROOT / "results" / "reference" / "scatter.npz") as arrays:
        points = {key: arrays[key] for key, _ in PANELS}
    figure, axes = plt.subplots(1, 3, figsize=(9, 3.2), layout="constrained")
    for axis, (key, title) in zip(axes, PANELS, strict=True):
        axis.scatter(*points[key].T, s=2, alpha=0.4, linewidths=0, color="#1f4e79" if "real" not in key else "#555555")
        axis.set_title(title)
        axis.set(xlim=(-5.5, 5.5), ylim=(-5.5, 5.5), xticks=[], yticks=[], aspect="equal")
    figure.savefig(out, dpi=130)


if __name__ == "__main__":
    draw(Path(__file__).parent / "images" / "panels.png")
