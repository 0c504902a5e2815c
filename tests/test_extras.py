"""Extras: the base imports none of their packages, and the lock has what CI needs."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from otbench.errors import OtbenchError
from otbench.ratings.agreement import alpha

#: modules of the packages of the extras; statsmodels comes with a package of the base
OF_EXTRAS = ("krippendorff", "trimesh", "rtree", "snakemake_executor_plugin_slurm", "mkdocs", "jax", "ott")


@pytest.fixture(scope="module")
def project(root: Path) -> dict:
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_the_lock_has_every_package_of_the_base_and_of_the_extra_test(root, project):
    locked = re.findall(r"^([A-Za-z0-9._-]+)==([^ ;]+)", (root / "requirements.lock").read_text(), re.M)
    versions = {re.sub(r"[-_.]+", "-", name).lower(): Version(version) for name, version in locked}
    extras, asked = project["optional-dependencies"], list(map(Requirement, project["dependencies"]))
    for entry in map(Requirement, extras["test"]):
        asked += [Requirement(text) for extra in entry.extras for text in extras[extra]] if entry.extras else [entry]
    assert len(asked) > 30
    for one in asked:
        assert versions[re.sub(r"[-_.]+", "-", one.name).lower()] in one.specifier, one


def test_the_command_line_and_all_metrics_load_without_the_extras():
    """As on a machine without them: importing such a module fails."""
    code = f"""
import sys
for name in {OF_EXTRAS!r}:
    sys.modules[name] = None
import otbench.cli.app, otbench.ratings.analysis, otbench.report
from otbench.metrics import METRICS
from otbench.models import models
from otbench.registry import THEORIES
from otbench.theory import module
print(len(METRICS), len(models("images")), len([module(name) for name in THEORIES]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    metrics, images, theories = map(int, done.stdout.split())
    assert metrics > 20 and images > 30 and theories == 14


def test_a_package_that_is_missing_is_a_sentence_with_its_extra(monkeypatch):
    answers = np.array([[0.0, 1.0, 1.0], [0.0, 1.0, 0.0]])
    assert alpha(answers) == pytest.approx(4 / 9)
    monkeypatch.setitem(sys.modules, "krippendorff", None)
    with pytest.raises(OtbenchError, match=r"needs the package krippendorff \(pip install 'otbench-generative\[rat"):
        alpha(answers)
