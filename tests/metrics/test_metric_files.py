"""Samples files and the tidy table: round trips, bad cells, bad files."""

import dataclasses
import json
import math
import re

import numpy as np
import pandas as pd
import pytest

from otbench.data.samples import read_samples, write_samples
from otbench.errors import OtbenchError
from otbench.metrics import METRICS, cheap, measure
from otbench.metrics.table import COLUMNS, check_table, measure_file, read_table, write_table


@pytest.fixture
def points(grid, generator):
    return grid.truth.sample(200, generator)


def run_info(cells, **more):
    return {"model": "ae-ot", "dataset": "grid", "device": "cpu", "code_version": "0.1.0", "config_hash": "0042"} | {
        "cells": cells,
        **more,
    }


def test_samples_round_trip(tmp_path, points):
    path, info = tmp_path / "gan.npz", run_info([{"seed": 3, "snapshot": 0.1}, {"seed": 3, "snapshot": 1.0}])
    snapshot = np.repeat([0.1, 1.0], 100)
    write_samples(path, points, 3, snapshot, info)
    file = read_samples(path)
    np.testing.assert_array_equal(file.samples, points)
    assert file.samples.dtype == np.float32 and file.seed.dtype == np.int64 and file.snapshot.dtype == np.float64
    assert file.info == info and set(file.seed) == {3}
    assert [(cell.seed, cell.snapshot, len(cell.samples)) for cell in file.cells()] == [(3, 0.1, 100), (3, 1.0, 100)]
    with np.load(path) as arrays:
        assert sorted(arrays.files) == ["info", "samples", "seed", "snapshot"]
    first = path.read_bytes()
    write_samples(path, points, 3, snapshot, info)
    assert path.read_bytes() == first, "the same samples make the same file"


def test_a_users_own_samples_need_nothing_else(tmp_path, grid, points):
    np.savez(tmp_path / "mine.npz", samples=points.astype(np.float64))
    np.save(tmp_path / "mine.npy", points)
    tables = [measure_file(grid, tmp_path / name, "r") for name in ("mine.npz", "mine.npy")]
    pd.testing.assert_frame_equal(*tables)
    assert set(tables[0].model) == {"mine"} and set(tables[0].seed) == {0} and set(tables[0].snapshot) == {1.0}
    expected = measure(grid, points)
    assert tables[0].metric.tolist() == [score.metric for score in expected]
    assert tables[0].value.tolist() == [score.value for score in expected]
    assert tables[0].seconds.isna().all() and (tables[0].status == "ok").all()
    assert measure_file(grid, tmp_path / "mine.npy", "r", model="theirs").model.unique() == ["theirs"]


def save(path, **arrays):
    np.savez(path, **arrays)


SAMPLES = np.zeros((40, 2), np.float32)
BAD = {
    "no array `samples`": lambda path: save(path, points=SAMPLES),
    r"samples have shape \(40,\)": lambda path: save(path, samples=np.zeros(40)),
    "samples are <U1, expected real numbers": lambda path: save(path, samples=np.full((40, 2), "a")),
    "seed has shape": lambda path: save(path, samples=SAMPLES, seed=np.zeros(3, int)),
    "seed is float64, expected whole numbers": lambda path: save(path, samples=SAMPLES, seed=1.5),
    # a seed below the least was named by the largest; beyond int64 too
    f"seed holds -{2**53}, expected whole numbers from -{2**53 - 1} to {2**53 - 1}": lambda path: save(
        path, samples=SAMPLES, seed=np.array([-(2**53), *range(39)])
    ),
    f"seed holds {2**64 - 1}, expected": lambda path: save(path, samples=SAMPLES, seed=np.uint64(2**64 - 1)),
    "snapshot is not a number above 0": lambda path: save(path, samples=SAMPLES, snapshot=np.linspace(0, 1, 40)),
    "1 of 40 samples hold NaN": lambda path: save(path, samples=np.where(np.arange(80).reshape(40, 2), 0.0, np.nan)),
    "40 of 40 samples hold NaN or infinite": lambda path: save(path, samples=np.full((40, 2), 1e300)),
    "holds Python objects": lambda path: save(path, samples=np.array([[None, 1]], object)),
    "is no NumPy file": lambda path: path.write_text("a,b\n1,2\n"),
    "damaged, truncated or not an .npz": lambda path: path.write_bytes(b""),
    "info is not valid JSON": lambda path: save(path, samples=SAMPLES, info="{"),
    "info is not one JSON object": lambda path: save(path, samples=SAMPLES, info="[]"),
    "cells in info is int": lambda path: save(path, samples=SAMPLES, info='{"cells": 3}'),
    "expected numbers for seed, snapshot": lambda path: save(path, samples=SAMPLES, info='{"cells": [{"seed": 0}]}'),
    "cell 1: snapshot is 2": lambda path: save(path, samples=SAMPLES, info='{"cells": [{"seed": 0, "snapshot": 2}]}'),
    "status is 'fine'": lambda path: save(
        path, samples=SAMPLES, info='{"cells": [{"seed": 0, "snapshot": 1, "status": "fine"}]}'
    ),
    "certificate holds something": lambda path: save(
        path, samples=SAMPLES, info='{"cells": [{"seed": 0, "snapshot": 1, "certificate": {"cost": "low"}}]}'
    ),
    "lists a cell twice": lambda path: save(
        path, samples=SAMPLES, info=json.dumps({"cells": [{"seed": 0, "snapshot": 1}] * 2})
    ),
}


@pytest.mark.parametrize("sentence", BAD)
def test_a_bad_samples_file_is_refused_by_name(tmp_path, sentence):
    path = tmp_path / "bad.npz"
    BAD[sentence](path)
    with pytest.raises(OtbenchError, match=sentence) as caught:
        read_samples(path).cells()
    assert "bad.npz" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("suffix", [".npz", ".npy"])
def test_a_truncated_samples_file_is_refused(tmp_path, points, keep, suffix):
    path = tmp_path / f"cut{suffix}"
    np.save(path, points) if suffix == ".npy" else write_samples(path, points)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(keep * len(whole))])
    with pytest.raises(OtbenchError, match="cut"):
        read_samples(path)


def test_missing_file_wrong_shape_and_wrong_data_set(tmp_path, grid, points):
    with pytest.raises(OtbenchError, match="there is no such file"):
        read_samples(tmp_path / "none.npz")
    path = tmp_path / "s.npz"
    write_samples(path, np.zeros((40, 3)))
    with pytest.raises(OtbenchError, match=r"shape \(40, 3\), expected \(N, 2\) as in data set grid"):
        measure_file(grid, path, "r")
    write_samples(path, np.zeros((40, 1, 2, 2), np.uint8))
    with pytest.raises(OtbenchError, match="as in data set grid"):
        measure_file(grid, path, "r")
    write_samples(path, points, info=run_info([], dataset="ring"))
    with pytest.raises(OtbenchError, match="holds samples of data set ring, expected grid"):
        measure_file(grid, path, "r")
    write_samples(path, points, info=run_info([{"seed": 1, "snapshot": 1.0}]))
    with pytest.raises(OtbenchError, match="samples of seed 0, snapshot 1, which the cells in info do not list"):
        measure_file(grid, path, "r")
    write_samples(path, points[:5])
    with pytest.raises(OtbenchError, match="s.npz, seed 0, snapshot 1: samples: expected at least 20 rows, got 5"):
        measure_file(grid, path, "r")
    write_samples(path, points[:0])
    with pytest.raises(OtbenchError, match="holds no samples"):
        measure_file(grid, path, "r")


def test_a_part_of_the_samples_is_not_measured_as_if_it_were_all(tmp_path, grid, points):
    write_samples(tmp_path / "s.npz", points, np.zeros(len(points), int), info={"thinned": "1"})
    with pytest.raises(OtbenchError, match="holds a part of the samples that were measured, as `otbench slice` packs"):
        measure_file(grid, tmp_path / "s.npz", "run")


def test_write_samples_refuses_what_cannot_be_read(tmp_path):
    with pytest.raises(OtbenchError, match="snapshot is not a number above 0"):
        write_samples(tmp_path / "s.npz", SAMPLES, snapshot=0.0)
    assert list(tmp_path.iterdir()) == []


IMAGES = np.arange(40 * 16, dtype=np.uint8).reshape(40, 1, 4, 4)


def test_reconstructions_round_trip_by_seed(tmp_path):
    path = tmp_path / "ae.npz"
    write_samples(path, IMAGES, reconstructions={7: IMAGES[:10], 2: IMAGES[10:14]})
    found = read_samples(path).reconstructions
    assert list(found) == [2, 7]
    np.testing.assert_array_equal(found[2], IMAGES[10:14])
    np.testing.assert_array_equal(found[7], IMAGES[:10])
    write_samples(path, IMAGES, reconstructions={})
    assert read_samples(path).reconstructions == {}


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({"reconstructions": IMAGES}, "no array `reconstruction_seed`, expected reconstructions and their seeds"),
        ({"reconstruction_seed": np.zeros(3, int)}, "no array `reconstructions`"),
        (
            {"reconstructions": IMAGES[:, :, :3], "reconstruction_seed": np.zeros(40, int)},
            r"\(40, 1, 3, 4\), exp",
        ),
        ({"reconstructions": IMAGES / 255, "reconstruction_seed": np.zeros(40, int)}, "reconstructions are float64"),
        ({"reconstructions": IMAGES, "reconstruction_seed": np.zeros(3, int)}, r"seed is int64 \(3,\), expected whole"),
        ({"reconstructions": IMAGES, "reconstruction_seed": np.zeros(40)}, r"seed is float64 \(40,\), expected whole"),
        ({"reconstructions": IMAGES, "reconstruction_seed": np.full(40, -(2**60))}, f"seed holds -{2**60}, expected"),
    ],
)
def test_bad_reconstructions_are_refused_by_name(tmp_path, arrays, sentence):
    path = tmp_path / "bad.npz"
    save(path, samples=IMAGES, **arrays)
    with pytest.raises(OtbenchError, match=sentence) as caught:
        read_samples(path)
    assert "bad.npz" in str(caught.value)


def test_reconstructions_of_points_and_of_several_shapes_are_not_written(tmp_path):
    with pytest.raises(OtbenchError, match="expected images like the samples"):
        write_samples(tmp_path / "s.npz", SAMPLES, reconstructions={0: SAMPLES})
    with pytest.raises(OtbenchError, match="differ in shape"):
        write_samples(tmp_path / "s.npz", IMAGES, reconstructions={0: IMAGES, 1: IMAGES[:, :, 1:]})
    assert list(tmp_path.iterdir()) == []


CERTIFICATE = {"max_cell_error": 1e-10, "map_cost": 0.25, "dual_gap": None}


@pytest.fixture
def run_table(tmp_path, grid, points):
    """Seed 0 is well, seed 1 has diverged after half its budget, seed 2 is said to be ok but holds a NaN at the end."""
    cells = [
        {"seed": seed, "snapshot": snapshot, "status": status, "seconds": 10 * snapshot, "message": "", **more}
        for seed, snapshot, status, more in [
            (0, 0.5, "ok", {}),
            (0, 1.0, "ok", {"certificate": CERTIFICATE}),
            (1, 0.5, "ok", {}),
            (1, 1.0, "diverged", {"certificate": {"cost": 3.0}}),
            (2, 0.5, "ok", {}),
            (2, 1.0, "ok", {}),
        ]
    ]
    well = [cell for cell in cells if cell["status"] == "ok"]
    samples = np.tile(points, (len(well), 1))
    samples[-1, 0] = np.nan
    seed, snapshot = (np.repeat([cell[name] for cell in well], len(points)) for name in ("seed", "snapshot"))
    path = tmp_path / "ae-ot.npz"
    write_samples(path, samples, seed, snapshot, run_info(cells))
    return measure_file(grid, path, "default")


def test_measured_run_in_the_tables_columns(run_table, grid, points):
    assert list(run_table.columns) == COLUMNS
    assert [str(run_table[name].dtype) for name in ("seed", "snapshot", "value", "seconds")] == ["int64"] + [
        "float64"
    ] * 3
    for column, value in {"run": "default", "study": "mode-collapse", "dataset": "grid", "model": "ae-ot"}.items():
        assert set(run_table[column]) == {value}
    assert set(run_table.device) == {"cpu"} and set(run_table.config_hash) == {"0042"}
    early = run_table[run_table.snapshot == 0.5]
    assert early.groupby("seed").metric.apply(list).tolist() == [cheap("points")] * 3
    assert (early.seconds == 5).all() and (early.status == "ok").all()
    whole = run_table[(run_table.snapshot == 1) & (run_table.seed == 0) & (run_table.protocol != "certificate")]
    assert whole.value.tolist() == [score.value for score in measure(grid, points)]


def test_a_cell_that_failed_keeps_all_its_rows(run_table):
    last = run_table[(run_table.snapshot == 1) & (run_table.protocol != "certificate")]
    assert last.groupby("seed").metric.apply(list).map(len).tolist() == [14, 14, 14]
    assert last.groupby("seed").status.unique().map(list).tolist() == [["ok"], ["diverged"], ["failed"]]
    assert last[last.status != "ok"].value.isna().all()
    assert last.groupby("metric").protocol.nunique().eq(1).all(), "under the protocol it should have had"


def test_the_log_says_why_a_cell_failed(run_table, caplog):
    messages = [record.message for when in ("setup", "call") for record in caplog.get_records(when)]
    assert len(messages) == 1
    assert "ae-ot.npz, seed 2, snapshot 1: samples: 1 of 200 rows hold NaN" in messages[0]


def test_certificate_numbers_are_rows(run_table):
    rows = run_table[run_table.protocol == "certificate"]
    status = {(row.seed, row.metric): row.status for row in rows.itertuples()}
    assert status == {
        (0, "map_max_cell_error"): "ok",
        (0, "map_cost"): "ok",
        (0, "map_dual_gap"): "failed",
        (1, "map_cost"): "diverged",
    }
    assert rows[rows.status == "ok"].set_index("metric").value.to_dict() == {
        "map_max_cell_error": 1e-10,
        "map_cost": 0.25,
    }
    assert rows[rows.status != "ok"].value.isna().all()


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_table_round_trip_to_the_last_bit(run_table, tmp_path, suffix):
    run_table.loc[0, "value"] = math.inf  # a reverse KL may be
    run_table.loc[1, "value"] = 0.1 + 0.2
    path = tmp_path / f"table{suffix}"
    write_table(run_table, path)
    back = read_table(path)
    pd.testing.assert_frame_equal(back, run_table, check_exact=True)
    assert back.config_hash[0] == "0042" and list(tmp_path.glob(".table*")) == []


def spoil(frame, **values):
    frame = frame.copy()
    for column, value in values.items():
        frame[column] = frame[column].astype(object)
        frame.loc[frame.index[1], column] = value
    return frame


def test_a_bad_table_is_refused_with_one_sentence(run_table):
    for frame, sentence in [
        (run_table.drop(columns="seed"), "the table lacks seed, expected the columns run, study"),
        (run_table.assign(extra=1), "the table has extra too"),
        (run_table[COLUMNS[::-1]], "the table has another order"),
        (spoil(run_table, status="good"), "row 2: status is good, expected one of ok, diverged"),
        (spoil(run_table, value=math.nan), "row 2: value is nan, expected a number where status is ok"),
        (spoil(run_table, status="failed"), "row 2: value is .*, expected a number where status is ok"),
        (spoil(run_table, seed="x"), "column seed holds something that is no number"),
        (spoil(run_table, snapshot=1.5), "row 2: snapshot is 1.5, expected above 0 and up to 1"),
        (pd.concat([run_table, run_table]), "metric is modes, expected every value once for a cell and protocol"),
    ]:
        with pytest.raises(OtbenchError, match=sentence):
            check_table(frame, "metrics.csv")


def test_unreadable_tables(tmp_path, run_table):
    with pytest.raises(OtbenchError, match="cannot read .*none.csv"):
        read_table(tmp_path / "none.csv")
    for name, content, said in [
        ("empty.csv", b"", ": it is no table"),
        ("cut.parquet", b"PAR1...", " is not a parquet table"),
        ("ragged.csv", b"a,b\n1,2\n1,2,3\n", ": it is no table"),
    ]:
        (tmp_path / name).write_bytes(content)
        with pytest.raises(OtbenchError, match=f"{name}{said}"):
            read_table(tmp_path / name)
    with pytest.raises(OtbenchError, match="ends in .csv or .parquet"):
        write_table(run_table, tmp_path / "table.txt")


def test_a_set_without_modes_has_no_rows_before_the_last_snapshot(tmp_path, modeless):
    path = tmp_path / "gan.npz"
    write_samples(path, np.tile(modeless.train[:50], (2, 1)), 0, np.repeat([0.5, 1.0], 50))
    table = measure_file(modeless, path, "r")
    assert set(table.snapshot) == {1.0} and len(table) == 7


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OtbenchError("prd: too few"), r"prd_f8 \(.*\): prd: too few"),
        (np.linalg.LinAlgError("singular"), r"prd_f8 \(.*\): LinAlgError: singular"),
        (ZeroDivisionError(), r"prd_f8 \(.*\): ZeroDivisionError: no message"),
    ],
)
def test_a_metric_that_refuses_fails_its_row_alone(error, said, tmp_path, grid, points, monkeypatch, caplog):
    """Fault 18: it discarded its cell."""

    def refuse(view):
        raise error

    cells = [{"seed": seed, "snapshot": 1.0, "status": "ok", "seconds": 1.0} for seed in (0, 1)]
    write_samples(tmp_path / "gan.npz", np.tile(points, (2, 1)), np.repeat([0, 1], 200), 1.0, run_info(cells))
    before = measure_file(grid, tmp_path / "gan.npz", "r")
    monkeypatch.setitem(METRICS, "prd_f8", dataclasses.replace(METRICS["prd_f8"], of_points=refuse))
    table = measure_file(grid, tmp_path / "gan.npz", "r")
    failed = table["metric"] == "prd_f8"
    assert failed.sum() == 2 and set(table[failed]["status"]) == {"failed"} and table[failed]["value"].isna().all()
    pd.testing.assert_frame_equal(table[~failed], before[~failed])
    assert (table["protocol"] == before["protocol"]).all()
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == 2 and re.search(f"gan.npz, seed 1, snapshot 1: {said}$", messages[1])
    # a user's own samples: what was asked for cannot be had
    np.save(tmp_path / "mine.npy", points)
    with pytest.raises(type(error)):
        measure_file(grid, tmp_path / "mine.npy", "r")
