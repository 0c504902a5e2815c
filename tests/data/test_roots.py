"""Names of data sets, and where their files are looked for."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from otbench.data import list_datasets, load, roots
from otbench.errors import OtbenchError
from otbench.registry import dataset_files, dataset_names


def test_names_and_makers_agree():
    assert list_datasets() == dataset_names("points") | dataset_names("images") and len(list_datasets()) == 14
    for kind in ("points", "images"):
        assert list(dataset_files(kind)) == list(dataset_names(kind))
        for name, module in dataset_files(kind).items():
            assert callable(import_module(f"otbench.data.{module}").load) and dataset_names(kind)[name].endswith(".")


def test_names_are_light():
    code = (
        "import sys; from otbench.registry import dataset_names; dataset_names('images');"
        " print({'torch', 'numpy', 'sklearn', 'PIL', 'pandas'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_the_data_root_is_the_argument_then_the_variable_then_a_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("OTBENCH_DATA", "/somewhere")
    assert roots.data_root("~/here") == tmp_path / "here" and roots.data_root() == Path("/somewhere")
    for nothing in (lambda: monkeypatch.setenv("OTBENCH_DATA", ""), lambda: monkeypatch.delenv("OTBENCH_DATA")):
        nothing()
        assert roots.data_root() == tmp_path / ".cache" / "otbench"


def test_unverified_files_are_let_in_by_argument_or_variable(monkeypatch):
    assert roots.allows_unverified() is False
    monkeypatch.setenv("OTBENCH_UNVERIFIED", "1")
    assert roots.allows_unverified() is True and roots.allows_unverified(False) is False
    monkeypatch.setenv("OTBENCH_UNVERIFIED", "0")
    assert roots.allows_unverified() is False and roots.allows_unverified(True) is True
    monkeypatch.setenv("OTBENCH_UNVERIFIED", "yes")
    with pytest.raises(OtbenchError, match="OTBENCH_UNVERIFIED: expected 1 or 0, got 'yes'"):
        roots.allows_unverified()


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(OtbenchError, match="unknown data set 'mnits'; known are grid,.* mnist,.*, folder:PATH, or the"):
        load("mnits")
