"""The smoke run end to end."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest
import yaml

from otbench.config.run import KINDS
from otbench.config.search_spaces import SEARCHED
from otbench.metrics import METRICS
from otbench.models import find
from otbench.ratings.answers import merge
from otbench.ratings.key import read_key
from otbench.registry import THEORIES, models_of
from tests.conftest import ROOT
from tests.report.pages import everything
from tests.workflow import LAST, copy, jobs, snakemake

SMOKE, ONE_EACH = ("--configfile", "config/smoke.yaml"), ("--configfile", "config/smoke.yaml", "one-each.yaml")


def run(root: Path, where: Path, *words: str) -> Path:
    copy(root, where)
    (where / "one-each.yaml").write_text(yaml.safe_dump({"studies": one_each()}))
    done = snakemake(where, *words)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return where


def one_each() -> dict[str, dict]:
    """Studies without the models whose class has a name before theirs: the same code with other options."""
    studies = {}
    for study, section in yaml.safe_load((ROOT / "config" / "smoke.yaml").read_text())["studies"].items():
        known, left = set(), []
        for name in section["models"]:
            if find(name, KINDS[study]) in known:
                left.append(name)
            known.add(find(name, KINDS[study]))
        studies[study] = {"leave_out": [{"models": left, "datasets": section["datasets"]}]}
    return studies


@pytest.fixture(scope="module")
def smoked(root, tmp_path_factory) -> Path:
    """The smoke run with one model of every class, done."""
    return run(root, tmp_path_factory.mktemp("smoke"), *ONE_EACH)


@pytest.mark.slow
def test_smoke_run_has_every_class_of_models_and_every_metric(smoked):
    from otbench.models import models

    folder = smoked / "results" / "smoke"
    table = pd.read_parquet(folder / "metrics.parquet")
    for kind in set(KINDS.values()):
        rows = table[table["study"].isin([study for study in KINDS if KINDS[study] == kind])]
        assert {find(name, kind) for name in rows["model"]} == set(models(kind).values())
    complete(folder, table)


@pytest.mark.release
def test_the_whole_smoke_run_has_every_model(root, tmp_path):
    folder = run(root, tmp_path, *SMOKE) / "results" / "smoke"
    table = pd.read_parquet(folder / "metrics.parquet")
    for kind in set(KINDS.values()):
        rows = table[table["study"].isin([study for study in KINDS if KINDS[study] == kind])]
        assert set(rows["model"]) == set(models_of(kind))
    complete(folder, table)


def complete(folder: Path, table: pd.DataFrame) -> None:
    """Assert that every part of the run is there."""
    assert set(table["status"]) <= {"ok"} and set(table["study"]) == set(KINDS)
    for kind in set(KINDS.values()):
        rows = table[table["study"].isin([study for study in KINDS if KINDS[study] == kind])]
        measured = {name for name, one in METRICS.items() if kind in one.kinds and not one.on_request}
        measured -= {"energy"}  # a GPU's
        assert measured <= set(rows["metric"]), f"not measured: {measured - set(rows['metric'])}"
    page = everything(folder / "report.html")
    for name in THEORIES:
        assert (folder / "theory" / f"{name}.npz").exists() and f'id="theory-{name}"' in page
    for name in ("report.html", "metrics.csv", "run.json", "scatter.npz", "gallery.npz", "curves.npz", "latent.npz"):
        assert (folder / name).stat().st_size > 0
    searched = pd.read_csv(folder / "search.csv")
    assert set(searched["model"]) == set(SEARCHED) and set(searched["space"]) == {"wide", "narrow", "again"}
    assert list((folder / "figures").glob("*.png")) and list((folder / "tables").glob("*.tex"))
    assert list((folder / "sheets").rglob("*.png"))
    page = re.sub(r"<a [^>]*>|http://www.w3.org\S*", "", page)
    assert not re.search(r"https?://", page), "it needs no network; pictures in base64 may hold any four letters"


@pytest.mark.slow
def test_answers_of_raters_are_an_input_of_the_report_alone(smoked, tmp_path):
    folder = smoked / "results" / "smoke"
    session = folder / "ratings" / "digits"
    for name in ("rate.html", "sheet.pdf", "form.csv"):
        assert (session / name).stat().st_size > 0
    key = json.loads((session / "key.json").read_text())
    for rater, fooled in (("Ann", "otvae"), ("Bo", "vae")):
        answers = [
            {
                "item": one["item"],
                "answer": "real" if one["kind"] != "model" or one["model"] == fooled else "generated",
                "milliseconds": 900,
            }
            for one in key["items"]
        ]
        said = {"format": "otbench-ratings-1", "session": key["session"], "rater": rater, "answers": answers}
        said |= {"started": "2026-01-01T00:00:00Z", "finished": "2026-01-01T00:05:00Z"}
        path = tmp_path / f"{rater}.json"
        path.write_text(json.dumps(said))
        merge([path], read_key(session), session)
    assert set(jobs(snakemake(smoked, "-n", *ONE_EACH))) - {"total"} == LAST
    done = snakemake(smoked, *ONE_EACH)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    table = pd.read_csv(folder / "metrics.csv").query("metric == 'excellence'")
    rates = table.groupby("model")["value"].mean()
    assert rates["otvae"] == rates["vae"] == 0.5 and rates["noise"] == 0, "each rater was fooled by one model"
    assert table["protocol"].str.contains("raters=2").all() and (table["status"] == "ok").all()
    assert len(table[table["model"] == "otvae"]) == 2 * 2, "two seeds at two snapshots"
    page = everything(folder / "report.html")
    assert "Ann" in page and "Krippendorff" in page
