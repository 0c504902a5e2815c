"""Names of data sets, and where their files are looked for."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from otbench.data import known, load, names, points
from otbench.data.images import MODULES
from otbench.errors import OtbenchError


def test_names_and_makers_agree():
    assert list(names.POINTS) == list(points.POINTS) and known() == names.POINTS | names.IMAGES
    for name, make in points.POINTS.items():
        assert make.__doc__.splitlines()[0] == names.POINTS[name]
    for name in names.IMAGES:
        assert callable(import_module(f"otbench.data.images.{MODULES.get(name, name)}").load)
    assert set(MODULES) <= set(names.IMAGES)


def test_names_are_light():
    code = "import sys; import otbench.data.names; print({'torch', 'sklearn', 'PIL', 'pandas'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_the_data_root_is_the_argument_then_the_variable_then_a_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("OTBENCH_DATA", "/somewhere")
    assert names.data_root("~/here") == tmp_path / "here" and names.data_root() == Path("/somewhere")
    for nothing in (lambda: monkeypatch.setenv("OTBENCH_DATA", ""), lambda: monkeypatch.delenv("OTBENCH_DATA")):
        nothing()
        assert names.data_root() == tmp_path / ".cache" / "otbench"


def test_unverified_files_are_let_in_by_argument_or_variable(monkeypatch):
    assert names.allows_unverified() is False
    monkeypatch.setenv("OTBENCH_UNVERIFIED", "1")
    assert names.allows_unverified() is True and names.allows_unverified(False) is False
    monkeypatch.setenv("OTBENCH_UNVERIFIED", "0")
    assert names.allows_unverified() is False and names.allows_unverified(True) is True
    monkeypatch.setenv("OTBENCH_UNVERIFIED", "yes")
    with pytest.raises(OtbenchError, match="OTBENCH_UNVERIFIED: expected 1 or 0, got 'yes'"):
        names.allows_unverified()


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(OtbenchError, match="unknown data set 'mnits'; known are grid,.* mnist,.*, folder:PATH, or the"):
        load("mnits")
