"""The search: ranges as Lucic et al. have them, trials that can be repeated, files that can be resumed."""

from __future__ import annotations

import json

import numpy as np
import pytest

from otbench.config.search_spaces import RANGES, SEARCHED, Between, options_of
from otbench.data.base import DataSet
from otbench.errors import OtbenchError
from otbench.features.store import make_features
from otbench.metrics.reference import open_features
from otbench.models import configure, find
from otbench.studies import search as module
from otbench.studies.search import COLUMNS, Budget, read_search, search

SMALL = Budget(steps=3, snapshots=(0.5, 1.0), samples=40, options={"width": 4, "latent": 3, "batch": 8})


@pytest.fixture(scope="module")
def quarters() -> DataSet:
    """Images of two kinds, bright above or below."""
    draw = np.random.default_rng(0)

    def split(n: int) -> tuple[np.ndarray, np.ndarray]:
        label = draw.integers(2, size=n)
        images = draw.integers(0, 60, (n, 1, 16, 16))
        images[label == 0, :, :8] += 150
        images[label == 1, :, 8:] += 150
        return images.astype(np.uint8), label.astype(np.int64)

    parts = {name: split(60) for name in ("train", "test", "validation")}
    labels = {name: label for name, (_, label) in parts.items()}
    images = {name: values for name, (values, _) in parts.items()}
    return DataSet("quarters", **images, title="q", source="test", labels=labels, classes=("a", "b")).check()


@pytest.fixture(scope="module")
def features(quarters, tmp_path_factory):
    folder = tmp_path_factory.mktemp("features")
    make_features(quarters, folder, ["classifier"], steps=20)
    return open_features(folder, quarters)


@pytest.mark.parametrize("space", RANGES)
@pytest.mark.parametrize("model", SEARCHED)
def test_every_draw_is_a_config_of_the_model_and_in_its_range(space, model):
    for trial in range(200):
        options = options_of(model, space, trial)
        configure(model, options, "images")
        if space == "wide" and trial == 0:
            assert options == {}, "the study's first trial has the defaults"
            continue
        assert set(options) == set(RANGES[space][model])
        for name, known in RANGES[space][model].items():
            if isinstance(known, Between):
                assert known.low <= options[name] < known.high, name
            else:
                assert options[name] in known.values, name


def test_a_logarithmic_range_is_uniform_in_the_logarithm():
    rates = np.log10([options_of("ns-gan", "wide", k)["rate"] for k in range(1, 4001)])
    assert rates.min() < -4.99 and rates.max() > -2.01
    # the mean of a uniform on [-5, -2], and its standard deviation 3 / 12^1/2
    assert rates.mean() == pytest.approx(-3.5, abs=4 * 0.866 / 4000**0.5)
    assert rates.std() == pytest.approx(0.866, rel=0.03)
    steps = [options_of("ns-gan", "wide", k)["critic_steps"] for k in range(1, 4001)]
    assert np.mean(np.array(steps) == 5) == pytest.approx(0.5, abs=4 * 0.5 / 4000**0.5)


def test_narrow_keeps_what_the_study_fixes():
    for trial in range(20):
        assert options_of("wgan-gp", "narrow", trial)["normalised"] is False
        assert options_of("began", "narrow", trial)["k_rate"] == 1e-3
        one = options_of("ns-gan", "narrow", trial)
        assert (one["beta1"], one["critic_steps"]) == (0.5, 1) and 1e-4 <= one["rate"] < 1e-3


def test_a_trial_is_the_same_whatever_the_number_of_trials():
    assert options_of("lsgan", "wide", 7) == options_of("lsgan", "wide", 7)
    assert options_of("lsgan", "wide", 7) != options_of("lsgan", "wide", 8) != options_of("lsgan", "narrow", 8)
    assert options_of("lsgan", "wide", 7, seed=1) != options_of("lsgan", "wide", 7)


def test_trials_are_trained_and_measured(quarters, features, tmp_path):
    table = search("ns-gan", quarters, features, "wide", range(2), SMALL, tmp_path / "s.csv")
    assert list(table.columns) == COLUMNS
    assert table.groupby(["trial", "snapshot", "metric"]).size().tolist() == [1] * 16
    assert set(table["metric"]) == {"fid", "fid_validation", "prd_f8", "prd_f1_8"} and (table["status"] == "ok").all()
    first, second = (json.loads(text) for text in table.drop_duplicates("trial")["options"])
    assert first == SMALL.options and second == SMALL.options | options_of("ns-gan", "wide", 1)
    last = table[table["metric"] == "fid"]
    assert last["value"].gt(0).all() and last["value"].nunique() >= 3
    back = read_search(tmp_path / "s.csv")
    assert back["value"].tolist() == table["value"].tolist()
    parts = [search("ns-gan", quarters, features, "wide", [k], SMALL, tmp_path / f"{k}.csv") for k in range(2)]
    assert [v for part in parts for v in part["value"]] == table["value"].tolist(), "in one job or in two"


def test_an_interrupted_search_goes_on(quarters, features, tmp_path, monkeypatch):
    plain, calls = module._trial, []

    def counted(*words):
        calls.append(words)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return plain(*words)

    monkeypatch.setattr(module, "_trial", counted)
    with pytest.raises(KeyboardInterrupt):
        search("vae", quarters, features, "narrow", range(3), SMALL, tmp_path / "s.csv")
    assert not (tmp_path / "s.csv").exists(), "nothing unfinished looks finished"
    table = search("vae", quarters, features, "narrow", range(3), SMALL, tmp_path / "s.csv")
    assert len(calls) == 4, "finished trials are not done again"
    assert set(table["trial"]) == {0, 1, 2} and [p.name for p in tmp_path.iterdir()] == ["s.csv"]


def test_a_trial_that_fails_is_counted(quarters, features, tmp_path, monkeypatch, capfd):
    def step(self, batch):
        raise RuntimeError("no luck")

    monkeypatch.setattr(find("vae", "images"), "step", step)
    table = search("vae", quarters, features, "wide", [0], SMALL, tmp_path / "s.csv")
    assert len(table) == 8 and (table["status"] == "failed").all() and table["value"].isna().all()
    assert "failed: RuntimeError: no luck" in capfd.readouterr().err


def test_a_trial_that_diverges_is_counted(quarters, features, tmp_path):
    wild = Budget(3, (1.0,), 40, SMALL.options | {"rate": 1e30})
    table = search("vae", quarters, features, "wide", [0], wild, tmp_path / "s.csv")
    assert len(table) == 4 and (table["status"] == "diverged").all() and table["value"].isna().all()


@pytest.mark.parametrize(
    ("model", "space", "trials", "said"),
    [
        ("ae-ot", "wide", [0], "model ae-ot has no ranges to search, expected one of mm-gan"),
        ("vae", "broad", [0], "no space is called 'broad', expected wide, narrow or tuning"),
        ("vae", "wide", [-1], "trials must be numbers from 0 up"),
    ],
)
def test_what_cannot_be_searched_gets_a_sentence(model, space, trials, said, quarters, features, tmp_path):
    with pytest.raises(OtbenchError, match=said):
        search(model, quarters, features, space, trials, SMALL, tmp_path / "s.csv")


def test_the_best_wide_trial_is_trained_again_with_other_seeds(quarters, features, tmp_path):
    found = [tmp_path / f"wide-{k}.csv" for k in range(2)]
    tables = [search("vae", quarters, features, "wide", [k], SMALL, path) for k, path in enumerate(found)]
    fid = [table[table["metric"] == "fid"]["value"].min() for table in tables]
    best = json.loads(tables[int(np.argmin(fid))]["options"].iloc[0])
    again = search("vae", quarters, features, "again", range(2), SMALL, tmp_path / "again.csv", found)
    assert set(again["options"]) == {json.dumps(best, sort_keys=True)} and set(again["space"]) == {"again"}
    assert again.drop_duplicates("trial")["seed"].tolist() == [1, 2], "the search had seed 0"
    values = again[(again["metric"] == "fid") & (again["snapshot"] == 1)]["value"]
    assert values.nunique() == 2 and not set(values) & {v for table in tables for v in table["value"]}
    with pytest.raises(OtbenchError, match="needs --found"):
        search("vae", quarters, features, "again", [0], SMALL, tmp_path / "no.csv")
    with pytest.raises(OtbenchError, match="holds trials of vae on quarters, expected those of ns-gan"):
        search("ns-gan", quarters, features, "again", [0], SMALL, tmp_path / "no.csv", found)


def test_the_best_trial_is_the_one_of_the_least_distance_on_inception():
    import pandas

    def row(trial, value, network, status="ok", metric="fid"):
        known = {"trial": trial, "value": value, "protocol": f"features={network};n=3", "status": status}
        return dict.fromkeys(COLUMNS, "") | known | {"metric": metric, "options": json.dumps({"rate": trial})}

    rows = [row(0, 1.0, "classifier"), row(1, 2.0, "classifier"), row(0, 9.0, "inception"), row(1, 8.0, "inception")]
    rows += [row(2, 0.1, "inception", "failed"), row(3, 0.1, "inception", metric="fid_validation")]
    assert module.best_options(pandas.DataFrame(rows)) == {"rate": 1}
    assert module.best_options(pandas.DataFrame(rows[:2])) == {"rate": 0}
    with pytest.raises(OtbenchError, match="no trial of the tables found a distance"):
        module.best_options(pandas.DataFrame(rows[-2:]))


def test_jobs_of_a_config_come_after_the_search_they_take_from():
    from otbench.config.parts import Search

    asked = Search(models=["vae"], datasets=["digits"], trials={"wide": 3}, steps=5, at_once=2, again=3)
    wide = [("digits", "vae", "wide", "0-2"), ("digits", "vae", "wide", "2-3")]
    assert asked.jobs == [*wide, ("digits", "vae", "again", "0-2"), ("digits", "vae", "again", "2-3")]
    assert asked.found("digits", "vae") == wide


def test_a_foreign_table_gets_a_sentence(tmp_path):
    (tmp_path / "s.csv").write_text("a,b\n1,2\n")
    with pytest.raises(OtbenchError, match="expected the columns dataset, model, space"):
        read_search(tmp_path / "s.csv")
    with pytest.raises(OtbenchError, match="cannot read"):
        read_search(tmp_path / "none.csv")
