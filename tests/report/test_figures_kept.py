"""Figures are drawn again only where their data or the code changed, also after Snakemake removed their folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from otbench.report.figures.base import FigureSpec, save_figures


class Drawings:
    """Specs of two figures that note what is drawn; `bars` has numbers, the length of its bar."""

    def __init__(self) -> None:
        self.drawn: list[str] = []
        self.length = 1.0
        self.broken = ""

    def draw(self, name: str):
        import matplotlib.pyplot as plt

        if name == self.broken:
            raise RuntimeError("killed here")
        self.drawn.append(name)
        figure, axes = plt.subplots(figsize=(1, 1))
        axes.plot([0, self.length], [0, 1], label=name)
        return figure

    def save(self, folder: Path, key: str) -> list[str]:
        """What is drawn where the figures are asked for under this key."""
        self.drawn.clear()
        specs = [FigureSpec(name, name, "", "svg", lambda name=name: self.draw(name)) for name in ("bars", "lines")]
        save_figures(specs, "a test", folder, key)
        return list(self.drawn)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_what_has_not_changed_is_not_drawn_again(tmp_path: Path) -> None:
    drawings, folder = Drawings(), tmp_path / "figures"
    assert drawings.save(folder, "one") == ["bars", "lines"]
    before = contents(folder)
    assert {"bars.png", "bars.pdf", "bars.svg", "bars.csv", "lines.png"} <= set(before)
    assert drawings.save(folder, "one") == []
    shutil.rmtree(folder)
    assert drawings.save(folder, "one") == [] and contents(folder) == before
    drawings.length = 2.0
    assert drawings.save(folder, "two") == ["bars", "lines"]
    assert contents(folder)["bars.csv"] != before["bars.csv"]
    after = contents(folder)
    shutil.rmtree(folder)
    assert drawings.save(folder, "two") == [] and contents(folder) == after
    assert drawings.save(folder, "") == ["bars", "lines"], "no key, nothing is known"


def test_what_a_kill_left_is_drawn_again(tmp_path: Path) -> None:
    drawings, folder = Drawings(), tmp_path / "figures"
    drawings.save(folder, "one")
    drawings.broken = "lines"
    with pytest.raises(RuntimeError, match="killed here"):
        drawings.save(folder, "two")
    drawings.broken = ""
    assert drawings.save(folder, "two") == ["lines"]
    (tmp_path / ".figures" / "bars.png").unlink()
    assert drawings.save(folder, "two") == ["bars"]
