"""The wheel: it brings all that a run needs, and runs from an empty folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

from otbench import __version__
from tests.workflow import small


@pytest.fixture(scope="module")
def wheel(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this package, built from what the repository tracks."""
    sources, out = tmp_path_factory.mktemp("sources"), tmp_path_factory.mktemp("wheel")
    for name in ("otbench", "workflow", "profiles", "config"):
        shutil.copytree(root / name, sources / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(root / "results" / "reference", sources / "results" / "reference")
    for name in ("Snakefile", "pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(root / name, sources)
    build = "import setuptools.build_meta as b, sys; print(b.build_wheel(sys.argv[1]))"
    done = subprocess.run([sys.executable, "-c", build, out], cwd=sources, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    (file,) = out.glob("*.whl")
    return file


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packages with the wheel in it, as `pip install --no-deps --target` leaves it."""
    folder = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def test_name_and_content(wheel, root):
    assert wheel.name == f"otbench_generative-{__version__}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        entry = archive.read(f"otbench_generative-{__version__}.dist-info/entry_points.txt").decode()
    assert "otbench = otbench.cli:main" in entry
    tracked = [path for path in (root / "config").rglob("*") if path.is_file()]
    expected = {f"otbench/benchmark/{path.relative_to(root)}" for path in tracked}
    expected |= {f"otbench/benchmark/workflow/rules/{name}.smk" for name in ("common", "report", "samples", "theory")}
    expected |= {"otbench/benchmark/workflow/Snakefile", "otbench/benchmark/profiles/default/config.yaml"}
    expected |= {"otbench/benchmark/results/reference/metrics.parquet"}
    expected |= {f"otbench/report/page/{path.name}" for path in (root / "otbench/report/page").glob("*.css")}
    assert expected <= names
    assert not [name for name in names if "__pycache__" in name or name.startswith("tests")]


@pytest.mark.release
def test_a_run_in_an_empty_folder_ends_with_a_report(installed, tmp_path):
    here = tmp_path
    (here / "own.yaml").write_text(yaml.safe_dump(small(models=["real"])))
    env = {key: value for key, value in os.environ.items() if key not in ("OTBENCH_WARM", "OTBENCH_PARENT")}
    env |= {"PYTHONPATH": str(installed)}
    command = [sys.executable, "-P", "-m", "otbench", "run", "own.yaml", "--cores", "2"]
    done = subprocess.run(command, cwd=here, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-3000:]
    page = (here / "results" / "small" / "report.html").read_text(encoding="utf-8")
    assert "reference" in page and (here / "results" / "small" / "complete").exists()
    assert "jobs done" in done.stderr and "Complete log" in done.stderr and "rule fit" not in done.stderr
    (log,) = (here / ".snakemake" / "log").glob("*.log")
    assert "fit" in log.read_text() and f"{installed}/otbench/benchmark/config/published.csv" in log.read_text()
    again = subprocess.run(command, cwd=here, env=env, capture_output=True, text=True)
    assert again.returncode == 0 and "Nothing to be done" in again.stderr


def test_the_installed_package_lists_its_configs(installed, tmp_path):
    env = {**os.environ, "PYTHONPATH": str(installed)}
    command = [sys.executable, "-P", "-m", "otbench", "run", "tinny"]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 2 and "there is no config tinny; expected a .yaml file, or one of all" in done.stderr
