"""Where the benchmark's own files lie: workflow, configs, profiles, published figures and reference results."""

from __future__ import annotations

from otbench.registry import ROOT

#: the folder of them all: what an installed package brought along (setup.py), in a clone the clone
HOME = ROOT / "benchmark" if (ROOT / "benchmark").is_dir() else ROOT.parent
