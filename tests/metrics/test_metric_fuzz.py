"""Tables and samples files that somebody broke: a sentence or the right values, never a traceback."""

from __future__ import annotations

import io
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from otbench.data.samples import read_samples
from otbench.errors import OtbenchError
from otbench.metrics.table import COLUMNS, read_table, write_table

FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
ROW = dict(zip(COLUMNS, ("r", "s", "d", "m", 0, 1.0, "fid", 2.5, "p", "ok", 1.0, "CPU", "1", "a"), strict=True))
TABLE = pd.DataFrame([ROW, ROW | {"seed": 1, "value": np.nan, "status": "failed"}])


def samples_file() -> bytes:
    out = io.BytesIO()
    info = {"model": "m", "cells": [{"seed": 0, "snapshot": 1.0, "status": "ok", "seconds": 1.0}]}
    points = np.arange(80, dtype=np.float32).reshape(40, 2)
    np.savez(out, samples=points, seed=np.zeros(40, np.int64), info=np.array(json.dumps(info)))
    return out.getvalue()


@pytest.fixture(scope="module")
def table_files(tmp_path_factory) -> dict[str, bytes]:
    """A good table in both forms."""
    folder, found = tmp_path_factory.mktemp("tables"), {}
    for suffix in (".csv", ".parquet"):
        write_table(TABLE, folder / f"t{suffix}")
        found[suffix] = (folder / f"t{suffix}").read_bytes()
    return found


def broken(content: bytes, cut: float, at: float, byte: int, insert: bytes) -> bytes:
    """Content with one byte changed, some put in, and its end cut off."""
    found = bytearray(content)
    where = int(at * (len(found) - 1))
    found[where] = byte
    found[where:where] = insert
    return bytes(found[: max(1, int(cut * len(found)))])


BREAKS = {
    "cut": st.one_of(st.just(1.0), st.floats(0, 1)),
    "at": st.floats(0, 1),
    "byte": st.integers(0, 255),
    "insert": st.one_of(st.just(b""), st.binary(max_size=6), st.sampled_from([b",", b"\n", b'"', b"nan", b"1e999"])),
}


@FUZZ
@given(**BREAKS)
def test_a_broken_samples_file(tmp_path, cut, at, byte, insert):
    (tmp_path / "s.npz").write_bytes(broken(samples_file(), cut, at, byte, insert))
    try:
        file = read_samples(tmp_path / "s.npz")
    except OtbenchError as error:
        assert "s.npz" in str(error) and "\n" not in str(error)
        return
    # what was accepted is what was written: a zip file's checksums see the rest
    assert np.array_equal(file.samples, np.arange(80).reshape(40, 2)) and set(file.seed) == {0}
    assert [cell.status for cell in file.cells()] == ["ok"]


@FUZZ
@given(suffix=st.sampled_from([".csv", ".parquet"]), **BREAKS)
def test_a_broken_table(table_files, tmp_path, suffix, cut, at, byte, insert):
    path = tmp_path / f"t{suffix}"
    path.write_bytes(broken(table_files[suffix], cut, at, byte, insert))
    try:
        found = read_table(path)
    except OtbenchError as error:
        assert f"t{suffix}" in str(error)
        return
    assert list(found.columns) == COLUMNS
    assert ((found["status"] == "ok") == found["value"].notna()).all()
    assert found["snapshot"].between(0, 1, inclusive="right").all()
    assert found["status"].isin(["ok", "diverged", "failed", "missing"]).all()


CELLS = st.one_of(st.none(), st.integers(), st.floats(), st.text(max_size=8), st.booleans(), st.just("ok"), st.just(""))


@FUZZ
@given(rows=st.lists(st.dictionaries(st.sampled_from([*COLUMNS, "more"]), CELLS), max_size=4))
@example(rows=[{"seed": -(2**63) - 1}])  # a number that no column of integers holds
def test_any_csv_of_such_columns(tmp_path, rows):
    frame = pd.DataFrame([ROW | row for row in rows])
    frame.to_csv(tmp_path / "t.csv", index=False)
    try:
        found = read_table(tmp_path / "t.csv")
    except OtbenchError as error:
        assert "t.csv" in str(error)
        return
    assert len(found) == len(rows) and ((found["status"] == "ok") == found["value"].notna()).all()


@FUZZ
@given(
    samples=st.sampled_from([np.zeros((3, 2)), np.zeros((0, 2)), np.zeros(4), np.full((3, 2), np.nan), np.array("x")]),
    seed=st.sampled_from([0, -1, 2**62, 0.5, np.zeros(3, int), np.zeros(2, int), "a", np.array([1, 2, 2])]),
    snapshot=st.sampled_from([1.0, 0.0, -1, 2.0, np.nan, np.ones(3), np.zeros(3), "b", 1]),
    info=st.one_of(
        st.just("{"),
        st.recursive(
            st.one_of(st.none(), st.integers(), st.floats(allow_nan=False), st.text(max_size=3)),
            lambda inner: st.one_of(
                st.lists(inner, max_size=3),
                st.dictionaries(
                    st.sampled_from(["cells", "seed", "snapshot", "status", "seconds", "certificate"]), inner
                ),
            ),
            max_leaves=8,
        ).map(json.dumps),
    ),
)
def test_any_samples_file_of_such_arrays(tmp_path, samples, seed, snapshot, info):
    np.savez(tmp_path / "s.npz", samples=samples, seed=seed, snapshot=snapshot, info=np.array(info))
    try:
        file = read_samples(tmp_path / "s.npz")
        for cell in file.cells():
            assert 0 < cell.snapshot <= 1
    except OtbenchError as error:
        assert "s.npz" in str(error)
