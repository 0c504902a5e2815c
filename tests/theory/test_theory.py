"""What the studies of the theory share: options, findings, what a wrong request gets, and the verb."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from otbench import theory
from otbench.errors import OtbenchError
from otbench.fingerprints import theory_version
from otbench.registry import OF_IMAGES, THEORIES
from otbench.report.tables.base import to_csv
from otbench.report.theory import parts
from otbench.runs.check import checked, read
from otbench.theory.findings import Findings, read_findings
from otbench.utils.records import file_digest
from tests.conftest import ROOT, otbench, smoke
from tests.theory.test_folding import TINY as TINY_FOLDING


def test_findings_come_back_as_they_were(tmp_path):
    table = pd.DataFrame({"loss": ["W1", "JS"], "value": [0.5, np.nan], "steps": [3, 4]})
    facts = {"gap": np.float64(0.25), "n": np.int64(7), "holds": True, "said": "é"}
    wrote = Findings("blur", facts, {"t": table}, {"a": np.arange(6.0).reshape(2, 3)}, {"seed": 1, "options": {"n": 2}})
    wrote.write(tmp_path / "f.npz")
    found = read_findings(tmp_path / "f.npz")
    assert found.name == "blur" and found.facts == {"gap": 0.25, "n": 7, "holds": True, "said": "é"}
    pd.testing.assert_frame_equal(found.tables["t"], table)
    assert found.arrays["a"].tolist() == [[0, 1, 2], [3, 4, 5]] and found.info == wrote.info


def test_another_file_is_refused(tmp_path):
    np.savez(tmp_path / "f.npz", a=np.ones(2))
    with pytest.raises(OtbenchError, match="it is not what `otbench theory` writes"):
        read_findings(tmp_path / "f.npz")
    with pytest.raises(OtbenchError, match="no such file"):
        read_findings(tmp_path / "none.npz")


@pytest.mark.parametrize("name", THEORIES)
def test_every_study_says_what_it_is_and_has_its_counterpart_in_the_report(name):
    module = theory.module(name)
    assert module.TITLE and module.SOURCE and module.DATA == (name in OF_IMAGES)
    assert all(field.description for field in module.Options.model_fields.values())
    with pytest.raises(OtbenchError, match=f"theory {name}, option 'nosuch': there is no such option; options are"):
        theory.configure(name, {"nosuch": 1})


def test_a_study_that_nobody_knows_and_one_without_its_images():
    with pytest.raises(OtbenchError, match="no study of the theory is called 'nosuch', expected one of parallel-lines"):
        theory.configure("nosuch", {})
    with pytest.raises(OtbenchError, match="it is about images and needs a data set of them, got none"):
        theory.compute("blur")


def test_the_version_of_a_study_follows_its_sources():
    versions = {name: theory_version(name) for name in THEORIES}
    assert len(set(versions.values())) > 1, "studies that import different parts have different versions"


@pytest.mark.parametrize("config", ["all", "smoke", "paper"])
def test_the_configs_ask_for_every_study_with_options_that_it_knows(config):
    from snakemake.utils import update_config

    run = read(ROOT / "config" / "config.yaml").model_dump(mode="json")
    import yaml

    update_config(run, yaml.safe_load((ROOT / "config" / f"{config}.yaml").read_text()))
    assert list(checked(run).theories) == list(THEORIES)


def test_the_verb_writes_what_it_prints(tmp_path):
    done = otbench("theory", "potentials", "--out", tmp_path / "p.npz", "--options", "{")
    assert done.returncode == 2 and "--options: expected JSON" in done.stderr and "Traceback" not in done.stderr
    options = json.dumps(smoke("potentials"))
    done = otbench("theory", "potentials", "--out", tmp_path / "p.npz", "--options", options, "--seed", "1")
    assert done.returncode == 0, done.stderr
    found = read_findings(tmp_path / "p.npz")
    assert json.loads(done.stdout)["facts"] == found.facts and found.info["seed"] == 1


def test_a_table_from_a_frame():
    frame = pd.DataFrame({"loss": ["W1", "JS"], "value": [0.51234, np.nan], "holds": [True, False], "why": ["a", "b"]})
    columns = [("value", "Value, px"), ("holds", "Holds"), ("why", "Why")]
    table = parts.table("theory_x", "X", "A caption.", frame, "loss", columns, head="Loss")
    assert [row.label for row in table.rows] == ["W1", "JS"] and table.row_head == "Loss"
    assert [cell.text for cell in table.rows[0].cells] == ["0.512", "yes", "a"]
    assert table.rows[1].cells[0].kind == "absent" and table.rows[1].cells[1].text == "no"
    assert to_csv(table).splitlines()[1] == "W1,,0.51234,yes,a"


def test_findings_say_what_was_asked_and_the_mesh_that_was_read(tmp_path):
    """Fault 17."""
    pytest.importorskip("rtree")
    mesh = tmp_path / "ball.stl"
    pytest.importorskip("trimesh").creation.icosphere(subdivisions=1).export(mesh)
    asked = TINY_FOLDING | {"solids": [], "mesh": str(mesh)}
    info = theory.compute("folding", asked, seed=3).info
    assert info["asked"] == asked and info["seed"] == 3 and info["data"] == ""
    assert info["theory_version"] == theory_version("folding") and info["mesh"] == file_digest(mesh)
