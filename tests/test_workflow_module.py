"""The workflow as another's module, with and without a prefix, with its hooks and Snakemake's report."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pandas as pd
import pytest
import yaml

from otbench.utils import locks
from tests.workflow import copy, jobs, small, snakemake

pytestmark = pytest.mark.release

HOST = """configfile: "own.yaml"


module bench:
    snakefile:
        "../clone/workflow/Snakefile"
    config:
        config
{more}

use rule * from bench as bench_*


rule mine:
    default_target: True
    input:
        rules.bench_all.input,
    output:
        "mine.txt",
    log:
        "mine.log",
    shell:
        "echo done > {{output}} 2> {{log}}"
"""


@pytest.fixture
def host(root: Path, tmp_path: Path):
    """Makes another workflow that has this one as a module, in a folder of its own."""

    def make(more: str = "", **change: object) -> Path:
        copy(root, tmp_path / "clone")
        here = tmp_path / "here"
        here.mkdir()
        (here / "own.yaml").write_text(yaml.safe_dump(small(**change)))
        (here / "Snakefile").write_text(HOST.format(more=more))
        return here

    return make


def test_a_module_without_prefix_has_lock_and_report_of_what_there_is(host, tmp_path):
    here = host()
    folder = here / "results" / "small"
    locks.acquire(folder)
    try:
        refused = snakemake(here, code=tmp_path / "clone")
    finally:
        locks.release(folder)
    text = refused.stdout + refused.stderr
    assert refused.returncode == 1 and "results/small is in use by" in text, text[-1500:]
    assert not (here / "mine.txt").exists()
    done = snakemake(here, "--keep-going", broken="fit noise", code=tmp_path / "clone")
    text = done.stdout + done.stderr
    assert done.returncode == 1 and "2 of 4 cells are ok, 2 missing" in text, text[-2000:]
    assert (folder / "report.html").exists() and not (here / "mine.txt").exists()


def test_a_module_with_a_prefix_puts_the_run_below_it(host, tmp_path):
    here = host('    prefix:\n        "bench"', models=["real"])
    done = snakemake(here, code=tmp_path / "clone")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    folder = here / "bench" / "results" / "small"
    assert (folder / "report.html").exists() and (here / "mine.txt").exists() and not (here / "results").exists()
    assert set(pd.read_csv(folder / "metrics.csv")["status"]) == {"ok"}
    assert jobs(snakemake(here, "-n", code=tmp_path / "clone")) == {}
    # Snakemake's own report: the page, and tables and figures under their names
    done = snakemake(here, "--report", "report.zip", code=tmp_path / "clone")
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-2000:]
    with zipfile.ZipFile(here / "report.zip") as archive:
        names = [Path(name).name for name in archive.namelist()]
        pages = [name for name in archive.namelist() if name.endswith((".html", ".js"))]
        text = "".join(archive.read(name).decode(errors="replace") for name in pages)
    # Snakemake's page and the benchmark's
    assert names.count("report.html") == 2, names
    assert "ring-pyomt_scatter.png" in names and "ring-pyomt_headline.csv" in names
    assert all(f'"{category}"' in text for category in ("Report", "Tables", "Figures"))


def test_the_catalogues_test_config_is_a_run(root, tmp_path):
    copy(root, tmp_path)
    shutil.copytree(root / ".test", tmp_path / ".test")
    config = tmp_path / ".test" / "config" / "config.yaml"
    # no target is named: the default one is taken through the Snakefile that includes the workflow
    counted = jobs(snakemake(tmp_path, "-n", "--directory", ".test", "--configfile", str(config)))
    assert counted["fit"] == 2 and counted["render"] == 1
    usage = yaml.safe_load((root / ".snakemake-workflow-catalog.yml").read_text())["usage"]
    assert usage["report"] is True and "mandatory-flags" in usage
