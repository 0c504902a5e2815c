"""Equal tuning: which draw wins, what is made again, and a tiny tune whose file a config takes."""

from __future__ import annotations

import json
import math

import pandas as pd
import pytest

from otbench.cli import tune as verb
from otbench.config.tuning import SELECT, Tuned, read_tuned
from otbench.errors import OtbenchError
from otbench.runs import tune as module
from otbench.runs.check import checked
from otbench.runs.tune import SEED, Tuning, choose, tune, write_tuned
from otbench.studies.search import COLUMNS, write_search

NAN = math.nan
#: of 200 samples of ring-pyomt a perfect sampler has these
PERFECT = {"high_quality": 0.9889, "reverse_kl": 0.0175}


def trials(rows: list[dict[str, float]], options: list[dict] | None = None, early: float = 0.0) -> pd.DataFrame:
    """The table of a search: one row of `rows` a trial, and a snapshot before the end that scores `early`."""
    options = options or [{"rate": 0.001 * (1 + at)} for at in range(len(rows))]
    common = {"dataset": "d", "model": "m", "space": "tuning", "seed": SEED, "protocol": "p", "status": "ok"}
    return pd.DataFrame(
        [
            common
            | {"trial": at, "snapshot": mark, "metric": name, "value": value if mark == 1.0 else early, "seconds": 1.0}
            | {"options": json.dumps(options[at], sort_keys=True)}
            for at, row in enumerate(rows)
            for name, value in row.items()
            for mark in (0.5, 1.0)
        ],
        columns=COLUMNS,
    )


def images(*values: float) -> pd.DataFrame:
    return trials([{"fid_validation": value, "fid": 100 - value} for value in values])


def points(*values: tuple[float, float]) -> pd.DataFrame:
    return trials([dict(zip(SELECT["points"], value, strict=True)) for value in values])


@pytest.fixture(autouse=True)
def perfect(monkeypatch):
    """What a perfect sampler scores, without data."""
    monkeypatch.setattr(module, "_ideal", lambda names, samples, data: pd.Series(PERFECT)[names])


def winner(table: pd.DataFrame, kind: str):
    return choose(table, kind, 200, "unused")


def test_validation_images_select_and_test_images_do_not():
    won = winner(images(30.0, 12.3456, 20.0), "images")
    assert (won.trial, won.draws, won.ok) == (1, 3, 3)
    assert won.set == {"rate": 0.002} and won.scores == {"fid_validation": 12.35} and won.base["fid_validation"] == 30


def test_draws_without_a_value_never_win():
    won = winner(images(NAN, 30.0, NAN, 20.0), "images")
    assert (won.trial, won.draws, won.ok) == (3, 4, 2) and won.base == {"fid_validation": None}
    won = winner(points((0.9889, NAN), (0.5, 0.9)), "points")
    assert (won.trial, won.ok) == (1, 1), "a draw needs every metric that selects"


def test_the_base_stays_where_nothing_could_be_measured():
    won = winner(images(NAN, NAN), "images")
    assert (won.trial, won.draws, won.ok, won.set) == (0, 2, 0, {})
    assert won.scores == won.base == {"fid_validation": None}


def test_of_equal_draws_the_first_wins():
    assert winner(images(9.0, 5.0, 5.0), "images").trial == 1
    assert winner(images(5.0, 5.0), "images").set == {}


def test_quality_above_a_perfect_samplers_is_no_merit():
    narrow, honest, poor = (1.0, 0.0175), (0.985, 0.0175), (0.6, 0.0175)
    assert winner(points(poor, narrow, honest), "points").trial == 2
    assert winner(points(poor, narrow), "points").trial == 1, "but it is nearer than a poor one"
    assert winner(points((0.98, 0.0), (0.98, 0.018)), "points").trial == 1, "nor are counts that are too even"


def test_both_metrics_of_points_count_alike():
    # of ranks (1, 3), (2, 1) and (3, 2) the second has the least mean
    assert winner(points((0.98, 0.9), (0.9, 0.1), (0.5, 0.5)), "points").trial == 1


def test_the_snapshot_at_the_end_selects():
    table = images(30.0, 20.0)
    table.loc[(table["trial"] == 0) & (table["snapshot"] == 0.5), "value"] = 1.0
    assert winner(table, "images").trial == 1


def test_only_options_that_differ_from_the_base_are_kept():
    options = [{"rate": 0.001, "width": 8}, {"rate": 0.002, "width": 8, "latent": 16}]
    table = trials([{"fid_validation": value} for value in (2.0, 1.0)], options)
    assert winner(table, "images").set == {"rate": 0.002, "latent": 16}


SMALL = {"width": 8, "maxout": 4, "batch": 16}


def run_of(**change: object):
    study = {"datasets": ["ring-pyomt"], "models": ["gan", "real"], "steps": 5, "samples": 200}
    study["overrides"] = [{"models": ["gan"], "set": SMALL}]
    return checked({"run": "r", "seeds": [0], "studies": {"mode-collapse": study | change}})


def images_of(**change: object):
    study = {"datasets": ["digits"], "models": ["vae", "ae-gmm", "untrained", "blur"], "steps": 5, "samples": 100}
    return checked({"run": "r", "seeds": [0], "studies": {"images": study | change}, "device": "cpu"})


def test_models_that_train_are_tuned_unless_they_are_left_out(tmp_path):
    assert Tuning(images_of(), "digits", 2, tmp_path).models == ["vae", "ae-gmm"]
    left = images_of(leave_out=[{"models": ["vae"], "datasets": ["digits"]}])
    assert Tuning(left, "digits", 2, tmp_path).models == ["ae-gmm"]


def test_a_draw_takes_the_data_and_the_network_that_the_run_has(tmp_path):
    run = images_of(folders={"mine": "/pictures@64"}, datasets=["mine"], features=["inception", "classifier"])
    run = run.model_copy(update={"data_root": "/root", "unverified": True})
    tuning = Tuning(run, "mine", 2, tmp_path)
    assert tuning.source == [
        *("folder:/pictures@64", "--name", "mine", "--out", str(tmp_path / "data" / "mine.npz")),
        *("--root", "/root", "--unverified"),
    ]
    assert tuning.extractor == "inception" and tuning.weights == []
    named = images_of(features=["inception"], inception_weights="w.pth")
    words = Tuning(named, "digits", 2, tmp_path).words("vae", 1)
    assert words[words.index("--weights") + 1] == "w.pth" and words[words.index("--trials") + 1] == "1:2"
    named = images_of(features=["classifier", "inception"], inception_weights="w.pth")
    assert "--weights" not in Tuning(named, "digits", 2, tmp_path).words("vae", 1)


def test_a_table_counts_while_its_draw_is_the_same(tmp_path, monkeypatch):
    tuning = Tuning(run_of(), "ring-pyomt", 2, tmp_path)
    path = tuning.table("gan", 1)
    path.parent.mkdir(parents=True)
    assert not tuning.made("gan", 1)
    path.write_text("no table")
    assert not tuning.made("gan", 1)
    table = points((0.5, 0.5)).assign(options=json.dumps(tuning.options("gan", 1), sort_keys=True))
    write_search(table, path)
    assert tuning.made("gan", 1)
    monkeypatch.setattr(module, "draw_options", lambda *words: {"rate": 0.5})
    assert tuning.table("gan", 1) == path and not tuning.made("gan", 1), "the ranges changed"
    others = [run_of(steps=6), run_of(samples=300), run_of(overrides=[{"models": ["gan"], "set": {"width": 9}}])]
    assert len({path, *(Tuning(run, "ring-pyomt", 2, tmp_path).table("gan", 1) for run in others)}) == 4


def test_a_draw_that_could_not_be_made_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_call", lambda words: "" if words[0] == "data" else "no memory")
    lines: list[str] = []
    with pytest.raises(OtbenchError, match="2 draws could not be made, the first draw 0 of gan"):
        tune(Tuning(run_of(), "ring-pyomt", 2, tmp_path), 1, lines.append)
    assert lines[1] == "1/2 gan, draw 0: no memory"
    monkeypatch.setattr(module, "_call", lambda words: "no network")
    with pytest.raises(OtbenchError, match=r"ring-pyomt\.npz could not be made: no network"):
        tune(Tuning(run_of(), "ring-pyomt", 2, tmp_path), 1, lines.append)


def test_the_verb_lays_its_config_over_the_default(root, tmp_path, monkeypatch):
    monkeypatch.chdir(root)
    seen: list[Tuning] = []
    monkeypatch.setattr(module, "tune", lambda tuning, cores, tell: seen.append(tuning) or tune_of(tuning))
    monkeypatch.setattr("otbench.cli.tune.typer.echo", lambda text: None)
    (tmp_path / "own.yaml").write_text("{run: own, studies: {images: {steps: 7}}}")
    verb.tune(tmp_path / "own.yaml", "digits", tmp_path / "out.yaml", 2, 1, tmp_path / "work")
    assert seen[0].run.section("digits").steps == 7 and "vae" in seen[0].models
    assert read_tuned(tmp_path / "out.yaml").models == {}
    with pytest.raises(OtbenchError, match="has no data set 'mnits', expected one of grid, ring, digits"):
        verb.tune(tmp_path / "own.yaml", "mnits", tmp_path / "out.yaml", 2, 1, tmp_path / "work")


def tune_of(tuning: Tuning) -> Tuned:
    """What a tune that found nothing gives."""
    kept = {"steps": 7, "samples": 500, "seed": SEED, "selected_by": SELECT["images"], "models": {}}
    return Tuned(study="images", dataset=tuning.dataset, **kept)


def test_a_tiny_tune_writes_a_file_that_the_config_takes(tmp_path):
    tuning, lines = Tuning(run_of(), "ring-pyomt", 2, tmp_path / "work"), []
    won = tune(tuning, 1, lines.append)
    assert lines[0] == "ring-pyomt: 1 models x 2 draws, 0 of 2 are there" and lines[-1].startswith("2/2 gan, draw 1")
    assert (won.study, won.steps, won.samples, won.seed) == ("mode-collapse", 5, 200, SEED)
    model = won.models["gan"]
    assert list(won.models) == ["gan"] and model.draws == 2 and set(model.set) <= {"rate", "beta1"}
    path = tmp_path / "tuned" / "file.yaml"
    write_tuned(won, path, "otbench tune x.yaml")
    assert path.read_text().startswith("# Written by `otbench tune x.yaml`; do not edit") and read_tuned(path) == won
    section = run_of(tuned=[str(path)]).section("ring-pyomt")
    assert section.options("gan", "ring-pyomt") == SMALL | model.set and section.options("gan") == SMALL
    lines.clear()
    assert tune(tuning, 1, lines.append) == won
    assert lines == ["ring-pyomt: 1 models x 2 draws, 2 of 2 are there"], "nothing is made again"
