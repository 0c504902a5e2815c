"""One cell again: the interval, the verdicts, and two cells of a small run that come out to the last bit."""

from __future__ import annotations

import json
import math
import shlex
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from typer.testing import CliRunner

from otbench.cli.app import app
from otbench.cli.reproduce import text
from otbench.config.run import Run
from otbench.data.samples import SampleFile
from otbench.errors import OtbenchError
from otbench.metrics.table import read_table, write_table
from otbench.runs import differences
from otbench.runs import reproduce as module
from otbench.runs.cells import planned
from otbench.utils.files import write_json
from otbench.utils.threads import one_thread


def call(*words: object):
    return CliRunner().invoke(app, [str(word) for word in words])


def make_run(tmp_path: Path, studies: dict[str, dict], seeds: list[int]) -> Run:
    """A run made by the verbs, by the commands that the workflow would run."""
    sections = {name: {"steps": 20, "samples": 100} | section for name, section in studies.items()}
    run = Run(run="small", results=str(tmp_path / "results"), seeds=seeds, device="cpu", studies=sections)
    write_json(run.folder / "config.json", run.model_dump(mode="json"))
    for dataset in run.datasets:
        path = run.folder / "data" / f"{dataset}.npz"
        assert call("data", dataset, "--out", path).exit_code == 0
        if run.kind(dataset) == "images":
            words = ("--data", path, "--out", run.folder / "features" / dataset, "--steps", 5)
            assert call("features", *words).exit_code == 0
    for dataset, model in run.pairs:
        for command in planned(run, dataset, model).values():
            with one_thread():
                done = call(*shlex.split(command)[1:])
            assert done.exit_code == 0, done.exception
    return run


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Run:
    """GANs in the plane and AE-OT on digits, two seeds each."""
    widths = {"models": ["gan"], "set": {"width": 16, "maxout": 8}}
    plane = {"datasets": ["grid"], "models": ["gan"], "snapshots": [0.5], "overrides": [widths]}
    pictures = {"datasets": ["digits"], "models": ["ae-ot"], "steps": 10}
    pictures["overrides"] = [{"models": ["ae-ot"], "set": {"width": 4}}]
    return make_run(tmp_path_factory.mktemp("run"), {"mode-collapse": plane, "images": pictures}, [0, 1])


# ---------------------------------------------------------------------------------------------------- comparisons


def test_the_interval_holds_a_further_value_as_often_as_it_says():
    draw = np.random.default_rng(0)
    values = draw.normal(3.0, 2.0, (20_000, 5))
    hits = 0
    for row in values[:2000]:
        low, high = differences.interval(row[:4])
        hits += low <= row[4] <= high
    assert hits / 2000 == pytest.approx(0.95, abs=0.015)


def test_the_interval_is_scipys():
    values = np.array([1.0, 4.0, 2.5])
    low, high = differences.interval(values)
    scale = values.std(ddof=1) * math.sqrt(1 + 1 / 3)
    assert (low, high) == pytest.approx(stats.t.interval(0.95, 2, loc=values.mean(), scale=scale), rel=1e-12)
    # two values: t of one degree of freedom is tan(0.475 pi), s is their distance over sqrt 2
    low, high = differences.interval(np.array([0.0, 2.0]))
    assert high - 1 == pytest.approx(math.tan(0.475 * math.pi) * math.sqrt(2) * math.sqrt(1.5), rel=1e-12)
    assert differences.interval(np.array([7.0, 7.0])) == (7.0, 7.0)
    assert differences.interval(np.array([1.0])) is None and differences.interval(np.array([1.0, np.inf])) is None


def tidy(values: dict[tuple[int, float, str], float], status: str = "ok", protocol: str = "p") -> pd.DataFrame:
    rows = [
        {"seed": s, "snapshot": t, "metric": m, "value": v, "protocol": protocol, "seconds": 2.0}
        | {"status": status if math.isfinite(v) or math.isinf(v) else "failed"}
        for (s, t, m), v in values.items()
    ]
    return pd.DataFrame(rows)


def test_each_value_gets_its_verdict():
    run = tidy({(seed, 1.0, name): seed + 1.0 for name in "abc" for seed in range(3)})
    lone = tidy({(0, 1.0, "d"): 5.0, (0, 1.0, "gone"): 1.0, (0, 1.0, "lost"): math.nan, (0, 1.0, "peak_memory"): 9.0})
    run = pd.concat([run, lone, tidy({(0, 1.0, "e"): math.inf, (1, 1.0, "e"): 3.0})], ignore_index=True)
    again = tidy(
        {(0, 1.0, "a"): 1.0, (0, 1.0, "b"): np.nextafter(1.0, 2), (0, 1.0, "c"): 7.0, (0, 1.0, "d"): 5.5}
        | {(0, 1.0, "lost"): math.nan, (0, 1.0, "e"): math.inf, (0, 1.0, "new"): 1.0, (0, 1.0, "peak_memory"): 1.0}
    )
    found = {row["metric"]: row for row in differences.compare(run, again, 0)}
    verdicts = {name: row["verdict"] for name, row in found.items()}
    assert verdicts == {
        **{"a": "equal", "b": "within", "c": "outside", "d": "differs", "lost": "equal", "e": "equal"},
        **{"gone": "absent", "new": "absent"},
    }
    half = stats.t.ppf(0.975, 2) * math.sqrt(4 / 3)
    assert (found["c"]["low"], found["c"]["high"]) == pytest.approx((2 - half, 2 + half)) and found["c"]["n"] == 3
    assert found["d"]["relative"] == pytest.approx(0.1) and found["b"]["relative"] == pytest.approx(2.2e-16, rel=0.1)
    assert found["c"]["relative"] == 6.0


def test_zero_has_two_signs_and_nan_is_itself():
    assert (
        differences.same_bits(math.nan, -math.nan)
        and differences.same_bits(0.0, 0.0)
        and not differences.same_bits(0.0, -0.0)
    )


@pytest.mark.parametrize(
    ("verdicts", "samples", "promised", "said", "good"),
    [
        (["equal"], True, True, "bitwise equal", True),
        (["equal"], True, False, "bitwise equal", True),
        (["equal"], False, True, "not bitwise equal, though it should be; every value is equal, but not the", False),
        (["equal"], False, False, "every value is equal, but not the samples", True),
        (["equal", "within"], False, True, "not bitwise equal, though it should be; every value is within", False),
        (["equal", "within"], False, False, "every value is within its interval", True),
        (["equal", "outside"], False, False, "not reproduced: 1 of 2 values are neither", False),
        (["differs"], False, False, "not reproduced: 1 of 1", False),
        (["within", "absent"], False, False, "not reproduced: 1 of 2", False),
    ],
)
def test_the_verdict_on_a_cell(verdicts, samples, promised, said, good):
    found = differences.judge([{"verdict": one} for one in verdicts], samples, promised)
    assert found[0].startswith(said) and found[1] is good


def test_what_differs_between_two_fits_is_told():
    one = {"code_version": "1+a", "device": "CPU, 1 thread", "config_hash": "h", "seeds": [0, 1, 2]}
    one |= {"versions": {"torch": "2", "snakemake": "8"}, "training": {"device": "cpu", "together": 0}}
    two = one | {"seeds": [1], "machine": {"cpu": "x"}}
    assert differences.differences(one, two) == [], "a processor that nobody wrote down cannot be compared"
    two = two | {"code_version": "1+b", "versions": {"torch": "3", "snakemake": "9"}}
    found = differences.differences(one | {"machine": {"cpu": "y"}}, two)
    assert found == [
        {"what": "code version", "run": "1+a", "here": "1+b"},
        {"what": "processor", "run": "y", "here": "x"},
        {"what": "torch", "run": "2", "here": "3"},
    ]
    grouped = one | {"training": {"device": "cuda", "together": 0}}
    assert differences.at_once(grouped) == 3 and differences.at_once(one) == 1
    assert differences.at_once(one | {"training": {"device": "cpu", "together": 2}}) == 2


def file(values, seed=(0, 0, 1), snapshot=(1.0, 0.5, 1.0), given=None, info=None):
    return SampleFile(Path("s"), np.asarray(values), np.array(seed), np.array(snapshot), info, given or {})


def test_of_samples_that_a_slice_thinned_the_first_are_compared():
    points = np.arange(12, dtype=np.float32).reshape(6, 2)
    marks = (0.5, 0.5, 0.5, 1.0, 1.0, 1.0)
    whole = file(points, (0,) * 6, marks, {0: points})
    first = [0, 1, 3, 4]
    thin = file(points[first], (0,) * 4, (0.5, 0.5, 1.0, 1.0), {0: points[:2]}, {"thinned": "1"})
    assert differences.same_samples(thin, whole, 0) == {"equal": True, "rows": 4, "different": 0}
    other = points.copy()
    other[4] += 1
    assert differences.same_samples(thin, file(other, (0,) * 6, marks, {0: points}), 0)["different"] == 1
    assert not differences.same_samples(thin, file(points, (0,) * 6, marks, {0: points + 1}), 0)["equal"]


def test_samples_are_compared_byte_by_byte():

    points = np.arange(6, dtype=np.float32).reshape(3, 2)
    one = file(points, given={0: points})
    alone = file(points[[1, 0]], (0, 0), (0.5, 1.0), {0: points})
    assert differences.same_samples(one, alone, 0) == {"equal": True, "rows": 2, "different": 0}
    changed = points[[1, 0]].copy()
    changed[0, 0] = np.nextafter(changed[0, 0], np.float32(9))
    assert differences.same_samples(one, file(changed, (0, 0), (0.5, 1.0), {0: points}), 0)["different"] == 1
    assert not differences.same_samples(one, file(points[[1, 0]], (0, 0), (0.5, 1.0), {0: points + 1}), 0)["equal"]
    assert not differences.same_samples(one, file(points[[1, 0]], (0, 0), (0.5, 1.0)), 0)["equal"]
    assert differences.same_samples(one, file(points[:1], (0,), (1.0,)), 0) == {
        "equal": False,
        "rows": 2,
        "different": None,
    }


# ------------------------------------------------------------------------------------------------- the work itself


@pytest.mark.parametrize("cell", ["grid/gan/1", "digits/ae-ot/1"])
def test_a_cell_comes_out_to_the_last_bit(cell, small, tmp_path):
    done = call("reproduce", small.folder, cell, "--json", "--out", tmp_path / "kept")
    assert done.exit_code == 0, done.exception
    told: dict[str, Any] = json.loads(done.stdout)
    assert told["verdict"] == "bitwise equal" and told["promised"] and told["differences"] == []
    assert {row["verdict"] for row in told["rows"]} == {"equal"} and told["samples"]["equal"]
    dataset, model, seed = cell.split("/")
    table = read_table(small.folder / "metrics" / dataset / f"{model}.csv")
    own = table[(table["seed"] == int(seed)) & (table["protocol"] != "cost")]
    assert len(told["rows"]) == len(own) > 14
    assert all(costs["seconds"] > 0 for costs in told["costs"])
    assert json.loads((tmp_path / "kept" / "reproduce.json").read_text()) == told
    kept = read_table(tmp_path / "kept" / "metrics.csv")
    assert set(kept["seed"]) == {int(seed)} and set(kept["snapshot"]) == set(table["snapshot"])


@pytest.mark.parametrize(
    ("together", "per_job", "groups"),
    [
        (1, None, [[5], [2], [7], [1], [3]]),
        (2, None, [[5, 2], [7, 1], [3]]),
        (2, 3, [[5, 2], [7], [1, 3]]),
        (9, None, [[5, 2, 7, 1, 3]]),
    ],
)
def test_the_seeds_that_were_trained_at_once_are_found(together, per_job, groups):
    fitted = {"seeds": [5, 2, 7, 1, 3], "training": {"device": "cpu", "together": together}}
    run = Run(
        run="r",
        seeds=fitted["seeds"],
        seeds_per_job=per_job,
        studies={"mode-collapse": {"datasets": ["grid"], "models": ["gan"], "steps": 1}},
    )
    for group in groups:
        for seed in group:
            assert module.beside(run, fitted, seed) == group


@pytest.fixture
def again(small, monkeypatch) -> Run:
    """The run, whose cells need not be trained again: a cell's own fit, samples and table stand for it."""

    def same(run, dataset, model, seed, device, out):
        table = read_table(run.folder / "kept.csv")
        fitted = json.loads((run.folder / "fit" / dataset / model / "fit.json").read_text())
        return fitted, module._samples(run, dataset, model), table[table["seed"] == seed]

    monkeypatch.setattr(module, "_again", same)
    path = small.folder / "metrics" / "grid" / "gan.csv"
    shutil.copy(path, small.folder / "kept.csv")
    yield small
    shutil.copy(small.folder / "kept.csv", path)


def change(run: Run, seed: int, by: float) -> tuple[float, float]:
    """Change a value of the run's table by hand; returns the interval that its seeds then make."""
    path = run.folder / "metrics" / "grid" / "gan.csv"
    table = read_table(path)
    chosen = (table["metric"] == "w2") & (table["snapshot"] == 1.0)
    table.loc[chosen & (table["seed"] == seed), "value"] *= by
    write_table(table, path)
    return differences.interval(table[chosen]["value"].to_numpy())


def test_a_value_changed_by_hand_is_found(again):
    low, high = change(again, 0, 1.01)
    told = module.reproduce(again.folder, "grid/gan/0")
    (row,) = [row for row in told["rows"] if row["verdict"] != "equal"]
    assert (row["metric"], row["low"], row["high"]) == ("w2", low, high) and low <= row["again"] <= high
    assert row["verdict"] == "within" and row["relative"] == pytest.approx(1 - 1 / 1.01)
    assert told["promised"] and not told["reproduced"], "the same machine and code owe the same bits"
    done = call("reproduce", again.folder, "grid/gan/0")
    assert done.exit_code == 1 and "not bitwise equal, though it should be" in str(done.exception)
    assert "within (off by 9.9e-03)" in done.stdout and "w2" in done.stdout


def test_a_value_outside_its_interval_is_told(again):
    path = again.folder / "metrics" / "grid" / "gan.csv"
    table = read_table(path)
    chosen = (table["metric"] == "w2") & (table["snapshot"] == 1.0)
    table.loc[chosen, "value"] = [100.0, 100.5]
    write_table(table, path)
    told = module.reproduce(again.folder, "grid/gan/0")
    (row,) = [row for row in told["rows"] if row["verdict"] != "equal"]
    assert row["verdict"] == "outside" and told["verdict"].startswith("not reproduced: 1 of ")
    assert "100" in text(told) and "outside (off by" in text(told)


def test_other_code_is_told_first_and_the_interval_is_enough(again):
    change(again, 0, 1.01)
    path = again.folder / "fit" / "grid" / "gan" / "fit.json"
    before = path.read_text()
    try:
        # what was fitted then had other code; what `_again` stands for is read once it has been put back
        then = json.loads(before) | {"code_version": "0.0.1+older"}
        plain = module._fitted
        module._fitted = lambda *cell: then
        told = module.reproduce(again.folder, "grid/gan/0")
    finally:
        module._fitted = plain
    assert told["reproduced"] and told["verdict"] == "every value is within its interval"
    lines = text(told).splitlines()
    assert lines[1].startswith("equal bits are not promised: code version 0.0.1+older -> ")


def test_wrong_requests_end_with_one_sentence(again, tmp_path):
    for words, said in [
        ((again.folder, "grid/gan"), "expected a cell as DATASET/MODEL/SEED, such as grid/gan/0, got 'grid/gan'"),
        ((again.folder, "grid/gan/x"), "got 'grid/gan/x'"),
        ((again.folder, "grid/gan/7"), "no cell grid/gan/7, as its seeds on grid are 0, 1"),
        ((tmp_path / "none", "grid/gan/0"), "cannot read"),
        ((again.folder, "grid/gan/0", "--out", again.folder / "fit"), "is in the run's own folder"),
    ]:
        done = call("reproduce", *words)
        assert isinstance(done.exception, OtbenchError) and done.exception.status == 2
        assert said in str(done.exception) and "\n" not in str(done.exception)


def test_a_cell_that_is_not_ok_or_has_lost_its_files_is_refused(again):
    path = again.folder / "metrics" / "grid" / "gan.csv"
    table = read_table(path)
    lost = table["seed"] == 1
    table.loc[lost, ["value", "status"]] = [math.nan, "diverged"]
    write_table(table, path)
    with pytest.raises(OtbenchError, match="cell grid/gan/1 is diverged, expected one that is ok"):
        module.reproduce(again.folder, "grid/gan/1")
    path.unlink()
    with pytest.raises(OtbenchError, match=r"cannot read .*gan\.csv"):
        module.reproduce(again.folder, "grid/gan/0")
    write_table(read_table(again.folder / "kept.csv"), again.folder / "metrics.parquet")
    try:
        assert module.reproduce(again.folder, "grid/gan/0")["verdict"] == "bitwise equal", "the gathered table will do"
    finally:
        (again.folder / "metrics.parquet").unlink()
