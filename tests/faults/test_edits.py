"""A run whose config and files are edited at random: its numbers are of the config shown, or it fails and says why."""

from __future__ import annotations

import json
import os
import random
import shutil
from pathlib import Path

import pandas as pd
import pytest
import yaml
from snakemake.utils import update_config

from otbench.config.run import Run
from otbench.data import load
from otbench.metrics.table import measure_file
from otbench.training.draw import draw
from otbench.training.fit import fit
from tests.workflow import set_up, small, snakemake

MODELS = ("real", "noise", "memoriser", "gan")
WIDTHS = ({"width": 4, "maxout": 2}, {"width": 8, "maxout": 2})
KEY = ["seed", "snapshot", "metric", "protocol"]


def config_of(state: dict) -> dict:
    """A config in the plane: the first state's, with the changes so far."""
    overrides = [{"models": ["gan"], "set": state["options"]}]
    study = {"models": state["models"], "steps": state["steps"], "samples": state["samples"], "overrides": overrides}
    return small(**study) | {"seeds": state["seeds"], "device": "cpu"}


def change_config(draw_: random.Random, state: dict) -> str:
    """Change one thing of the config; returns what."""
    name = draw_.choice(("steps", "seeds", "models", "options", "samples"))
    values = {
        "steps": lambda: draw_.choice((4, 6, 8)),
        "seeds": lambda: draw_.choice(([0], [0, 1], [1, 2])),
        "models": lambda: sorted(draw_.sample(MODELS, 2)),
        "options": lambda: draw_.choice(WIDTHS),
        "samples": lambda: draw_.choice((100, 120)),
    }
    state[name] = values[name]()
    return f"{name} {state[name]}"


def change_disk(draw_: random.Random, where: Path, other: Path) -> str:
    """Change what is on disk and not the config; returns what."""
    run = where / "results" / "small"
    files = sorted(path for path in run.rglob("*") if path.is_file() and "logs" not in path.parts)
    what = draw_.choice(("records", "touched", "copied", "foreign", "deleted", "touch"))
    if what == "records":
        shutil.rmtree(where / ".snakemake", ignore_errors=True)
    elif what == "touched":
        for path in files:
            os.utime(path)
    elif what == "copied":
        shutil.copytree(run, where / "copy", copy_function=shutil.copyfile)
        shutil.rmtree(run)
        (where / "copy").rename(run)
    elif what == "foreign":
        path = draw_.choice([path for path in sorted(other.rglob("*")) if path.is_file()])
        (run / path.relative_to(other)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, run / path.relative_to(other))
        what += f" {path.relative_to(other)}"
    elif what == "deleted":
        path = draw_.choice(files)
        path.unlink()
        what += f" {path.relative_to(run)}"
    else:
        snakemake(where, "--touch", "--configfile", "own.yaml")
    return what


def expected(run: Run, model: str, folder: Path) -> pd.DataFrame:
    """The table that a model has under a config, made outside the workflow."""
    section, data = run.section("ring-pyomt"), load("ring-pyomt")
    name = json.dumps([model, section.steps, section.options(model), run.seeds, section.samples], sort_keys=True)
    path = folder / f"{abs(hash(name))}"
    if not path.exists():
        fit(model, data, run.seeds, path, section.steps, section.marks, section.options(model))
    draw(path, data, section.samples, path / "s.npz")
    return measure_file(data, path / "s.npz", "small", model)


def check(where: Path, config: dict, kept: Path) -> None:
    """Every number of the gathered table is that of the config, and no cell is lacking."""
    merged = yaml.safe_load((where / "config" / "config.yaml").read_text())
    update_config(merged, config)  # as Snakemake does with the default config and the one that is named
    run = Run(**merged)
    table = pd.read_csv(where / "results" / "small" / "metrics.csv")
    assert json.loads((where / "results/small/run.json").read_text())["config"] == run.model_dump(mode="json")
    assert set(table["model"]) == set(run.sections["mode-collapse"].models) and set(table["status"]) == {"ok"}
    for model, rows in table[table["protocol"] != "cost"].groupby("model"):
        wanted = expected(run, model, kept)
        wanted = wanted[wanted["protocol"] != "cost"]
        pair = (frame.sort_values(KEY).reset_index(drop=True)[[*KEY, "value"]] for frame in (rows, wanted))
        pd.testing.assert_frame_equal(*pair, check_exact=True, check_dtype=False)


@pytest.mark.parametrize("edits", [pytest.param(3, marks=pytest.mark.slow), pytest.param(20, marks=pytest.mark.faults)])
def test_a_run_edited_at_random_shows_its_config_s_numbers_or_fails(edits, root, tmp_path):
    where, kept, draw_ = tmp_path / "run", tmp_path / "kept", random.Random(edits)
    set_up(root, where)
    state = {"models": ["gan", "real"], "steps": 4, "seeds": [0, 1], "options": WIDTHS[0], "samples": 100}
    others = {"steps": 5, "options": WIDTHS[1]}
    (where / "own.yaml").write_text(yaml.safe_dump(config_of(state | others)))
    assert snakemake(where, "--configfile", "own.yaml").returncode == 0
    (where / "results" / "small").rename(tmp_path / "other")
    edited = ["the first run"]
    for _ in range(edits + 1):
        (where / "own.yaml").write_text(yaml.safe_dump(config_of(state)))
        words = draw_.choice(([], ["--rerun-triggers", "mtime"], ["--rerun-incomplete"]))
        done = snakemake(where, "--configfile", "own.yaml", *words)
        text = done.stdout + done.stderr
        if done.returncode == 0:
            check(where, config_of(state), kept)
        else:
            sentence = "cells are not ok" in text or "was gathered under config" in text or "otbench: " in text
            assert done.returncode == 1 and sentence, f"{edited}: {text[-3000:]}"
        edited.append(change_config(draw_, state) if draw_.random() < 0.6 else "")
        if draw_.random() < 0.7:
            edited[-1] += f" {change_disk(draw_, where, tmp_path / 'other')}"
