"""What made a cell: its commands, as they were typed, as Python called them, and as the workflow runs them."""

from __future__ import annotations

import json
import re
import shlex
import sys

import pytest
import yaml

from otbench.commands import command_line
from otbench.config.run import Run
from otbench.errors import OtbenchError
from otbench.runs.cells import cell, planned
from otbench.training.fit import fit
from otbench.training.trainer import Options
from tests.runs.test_reproduce import make_run
from tests.workflow import copy, snakemake


@pytest.mark.parametrize("program", ["/usr/bin/otbench", "/lib/otbench/__main__.py"])
def test_a_call_on_the_command_line_is_told_as_it_was_typed(program, monkeypatch):
    monkeypatch.setattr(sys, "argv", [program, "fit", "gan", "--data", "my data.npz", "--out", "../f"])
    assert command_line("fit", ["else"]) == "otbench fit gan --data 'my data.npz' --out ../f"
    assert command_line("draw", ["--n", "3"]) == "otbench draw --n 3", "called by another verb"


def test_a_fit_made_in_python_tells_the_command_that_makes_it_again(data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = fit(
        "gan", data, [3, 1], tmp_path / "f", 6, [0.5], {"width": 16, "maxout": 8}, Options(together=2), given="d.npz"
    )
    assert shlex.split(said["command"]) == [
        *("otbench", "fit", "gan", "--data", "d.npz", "--out", str(tmp_path / "f"), "--seeds", "3,1", "--steps", "6"),
        *("--snapshots", "0.5", "--options", '{"maxout": 8, "width": 16}', "--device", "cpu", "--together", "2"),
        *("--precision", "float32"),
    ]
    assert said["versions"]["torch"] and said["machine"]["cpu"] and len(said["config_hash"]) == 12


def test_the_commands_are_the_workflows(root, tmp_path):
    study = {"datasets": ["ring-pyomt"], "models": ["gan"], "steps": 10, "samples": 100, "snapshots": [0.5]}
    study["overrides"] = [{"models": ["gan"], "set": {"width": 16}}]
    images = {"datasets": ["digits"], "models": ["ae"], "steps": "paper", "inception_weights": "my weights.pt"}
    values = {"run": "own", "seeds": [0, 4], "device": "cpu", "capture": True, "precision": "bfloat16"}
    values["studies"] = {"mode-collapse": study, "images": images, "stacked": None}
    copy(root, tmp_path)
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(values))
    # on top of the default config, as a user's own is
    done = snakemake(tmp_path, "-n", "-p", "--configfile", "own.yaml")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    lines = [shlex.split(part) for part in re.findall(r"\b(otbench \w+ .*?) > ", done.stdout)]
    ran = {(words[1], frozenset(_options(words))) for words in lines if words[:1] == ["otbench"]}
    assert len(ran) > 6
    full = yaml.safe_load((tmp_path / "config" / "config.yaml").read_text())
    run = Run(**_merged(full, values))
    for dataset, model in (("ring-pyomt", "gan"), ("digits", "ae")):
        for verb, command in planned(run, dataset, model).items():
            assert (verb, frozenset(_options(shlex.split(command)))) in ran, command


def _options(words: list[str]) -> list[str]:
    """The words of a command, each option joined with its value: their order says nothing."""
    found: list[str] = []
    for word in words:
        if found and found[-1].startswith("--") and "=" not in found[-1] and not word.startswith("--"):
            found[-1] += f"={word}"
        else:
            found.append(word)
    return found


def _merged(base: dict, change: dict) -> dict:
    both = {k: _merged(base[k], v) for k, v in change.items() if isinstance(v, dict) and isinstance(base.get(k), dict)}
    return base | change | both


def test_a_cell_knows_what_made_it(tmp_path):
    run = make_run(tmp_path, {"mode-collapse": {"datasets": ["ring-pyomt"], "models": ["real"]}}, seeds=[0, 2])
    told = cell(run.folder, "ring-pyomt", "real", 2)
    assert told["seed"] == 2 and told["status"] == {1.0: "ok"} and told["device"].startswith("CPU")
    fitted = json.loads((run.folder / "fit" / "ring-pyomt" / "real" / "fit.json").read_text())
    for name in ("config_hash", "code_version", "versions", "machine", "started", "finished"):
        assert told[name] == fitted[name] and told[name]
    commands = told["commands"]
    assert commands["fit"] == fitted["command"] and f"--out {run.folder}/fit/ring-pyomt/real" in commands["fit"]
    assert commands["draw"].startswith(f"otbench draw --fit {run.folder}/fit/ring-pyomt/real --data ")
    assert "--n 100 --device cpu" in commands["draw"]
    assert commands["measure"].endswith(f"--out {run.folder}/metrics/ring-pyomt/real.csv")
    assert commands["reproduce"] == f"otbench reproduce {run.folder} ring-pyomt/real/2"


def test_a_cell_that_is_not_there_is_named(tmp_path):
    run = make_run(tmp_path, {"mode-collapse": {"datasets": ["ring-pyomt"], "models": ["real"]}}, seeds=[0, 2])
    for asked, said in [
        (("grid", "real", 0), "no cell grid/real/0, as its data sets are ring-pyomt"),
        (("ring-pyomt", "gan", 0), "its models on ring-pyomt are real"),
        (("ring-pyomt", "real", 1), "its seeds on ring-pyomt are 0, 2"),
    ]:
        with pytest.raises(OtbenchError, match=said):
            cell(run.folder, *asked)
    (run.folder / "samples" / "ring-pyomt" / "real.npz").unlink()
    with pytest.raises(OtbenchError, match=r"real\.npz: there is no such file"):
        cell(run.folder, "ring-pyomt", "real", 0)
    with pytest.raises(OtbenchError, match="cannot read .*config.json"):
        cell(tmp_path / "nowhere", "ring-pyomt", "real", 0)
