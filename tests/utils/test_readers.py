"""Files that a user can hand in, of any bytes: each reader says in a sentence what it expected, or reads them."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otbench.cli.transport import read_array
from otbench.data import load
from otbench.data.images.decode import decoded
from otbench.data.samples import read_samples
from otbench.errors import OtbenchError
from otbench.features.classifier import load_classifier
from otbench.metrics.table import read_table
from otbench.runs.check import read
from otbench.runs.parcel import thinned_under
from otbench.theory.findings import read_findings
from otbench.training.summary import read_summary
from otbench.transport.map import load as load_map
from otbench.utils import arrays
from otbench.utils.arrays import read_npz
from otbench.utils.files import read_columns, read_json, read_object, read_parquet, read_yaml

DEEP = "[" * 100_000
WRONG = {"list": "[]", "null": "null", "text": '"x"', "number": "3", "nothing": "", "deep": DEEP, "utf-16": "\ufeff{}"}


@pytest.mark.parametrize("name", WRONG)
def test_a_fit_that_is_no_object_is_refused(name, tmp_path):
    """Fault 10: fit.json of [], null, "x"; nested JSON."""
    encoding = "utf-16" if name == "utf-16" else "utf-8"
    (tmp_path / "fit.json").write_text(WRONG[name], encoding=encoding)
    with pytest.raises(OtbenchError, match="fit.json") as caught:
        read_summary(tmp_path)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 500


def test_a_fit_whose_cells_are_none_is_refused(tmp_path):
    """Fault 10."""
    good = {
        "model": "gan",
        "options": {},
        "data": "",
        "dataset": "",
        "seeds": [0],
        "config_hash": "",
        "code_version": "",
    }
    for cells in ([1], [{}], {}, None, "x"):
        (tmp_path / "fit.json").write_text(json.dumps({**good, "cells": cells}))
        with pytest.raises(OtbenchError, match="fit.json: expected seeds and cells as lists"):
            read_summary(tmp_path)
    cell = {"seed": 0, "snapshot": 1.0, "status": "ok"}
    (tmp_path / "fit.json").write_text(json.dumps({**good, "cells": [cell]}))
    assert read_summary(tmp_path)["cells"] == [cell]


def test_an_object_lacks_its_keys_by_name(tmp_path):
    (tmp_path / "a.json").write_text('{"a": 1}')
    with pytest.raises(OtbenchError, match="a.json lacks b; expected a thing"):
        read_object(tmp_path / "a.json", ["a", "b"], "a thing")
    assert read_object(tmp_path / "a.json", ["a"]) == {"a": 1}


def test_an_archive_that_expands_beyond_memory_is_refused_before_it_is_read(tmp_path, monkeypatch):
    """Fault 10: a small .npz of many zeros."""
    path = tmp_path / "s.npz"
    np.savez_compressed(path, samples=np.zeros((2**18, 8)))
    assert path.stat().st_size < 2**16 and read_npz(path)["samples"].shape == (2**18, 8)
    monkeypatch.setattr("psutil.virtual_memory", lambda: type("M", (), {"available": 2**20})())
    with pytest.raises(OtbenchError, match=r"s.npz expands to 16 MiB, and 1 MiB of memory are left"):
        read_npz(path)
    with pytest.raises(OtbenchError, match="expands"):
        read_samples(path)


def bytes_of(*arrays: Any, **named: Any) -> bytes:
    out = io.BytesIO()
    np.savez(out, *arrays, **named)
    return out.getvalue()


def picture(ending: str) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16)).save(out, ending)
    return out.getvalue()


def parquet() -> bytes:
    import pandas

    out = io.BytesIO()
    pandas.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]}).to_parquet(out)
    return out.getvalue()


def weights() -> bytes:
    from safetensors.numpy import save

    return save({"a": np.zeros(4, np.float32)}, {"form": "[]"})


CONFIG = {"run": "r", "seeds": [0], "studies": {"mode-collapse": {"datasets": ["grid"], "models": ["gan"], "steps": 9}}}
POINTS = np.arange(80, dtype=np.float32).reshape(40, 2)
NPZ = bytes_of(name="n", train=POINTS, test=POINTS, samples=POINTS, target=POINTS, told="{}", info="{}")
#: reader -> name of its file, a good one's bytes, and how it is called
READERS: dict[str, tuple[str, bytes, Callable[[Path], Any]]] = {
    "json": ("f.json", b'{"a": [1, 2.5, null, "x"]}', read_json),
    "yaml": ("f.yaml", yaml.safe_dump(CONFIG).encode(), read_yaml),
    "config": ("f.yaml", yaml.safe_dump(CONFIG).encode(), read),
    "fit": ("fit.json", b'{"cells": [], "seeds": [], "options": {}}', lambda path: read_summary(path.parent)),
    "csv": ("f.csv", b"run,study\nr,s\n", read_table),
    "parquet": ("f.parquet", parquet(), read_parquet),
    "samples": ("f.npz", NPZ, read_samples),
    "data": ("f.npz", NPZ, lambda path: load(str(path))),
    "array": ("f.npz", NPZ, lambda path: read_array(path, "target")),
    "map": ("f.npz", NPZ, load_map),
    "findings": ("f.npz", NPZ, read_findings),
    "thinned": ("f.npz", NPZ, thinned_under),
    "safetensors": ("f.safetensors", weights(), load_classifier),
} | {
    ending: (f"f.{ending}", picture(ending), lambda path: decoded(path.read_bytes(), str(path)))
    for ending in ("png", "jpeg", "gif", "tiff", "bmp", "webp", "ppm")
}


def changed(content: bytes, changes: list[tuple[float, int, bytes]], cut: float) -> bytes:
    """Content with bytes changed and put in at some places, and its end cut off."""
    found = bytearray(content)
    for at, byte, more in changes:
        where = int(at * (len(found) - 1))
        found[where] = byte
        found[where:where] = more
    return bytes(found[: max(1, int(cut * len(found)))])


PIECES = [b"", b"[" * 3000, b"{" * 3000, b"nan", b"1e999", b"&a [*a]", b"\xff\xfe", b"\0", b'"', b"\r\n", b"9" * 5000]
CHANGES = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255), st.sampled_from(PIECES)), max_size=3)
CUT = st.one_of(st.just(1.0), st.floats(0, 1))


def check(reader: str, folder: Path, content: bytes) -> None:
    name, _, call = READERS[reader]
    (folder / name).write_bytes(content)
    try:
        call(folder / name)
    except OtbenchError as error:
        assert name in str(error) and len(str(error)) < 20_000


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(reader=st.sampled_from(sorted(READERS)), changes=CHANGES, cut=CUT)
def test_broken_files(tmp_path, reader, changes, cut):
    """Faults 10 and 29."""
    check(reader, tmp_path, changed(READERS[reader][1], changes, cut))


#: files a reader that `make test-faults` breaks; the long run is 200,000 (CONTRIBUTING.md)
CASES = int(os.environ.get("OTBENCH_FUZZ_CASES", "1500"))


@pytest.mark.faults
@pytest.mark.parametrize("reader", READERS)
@settings(max_examples=CASES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(changes=CHANGES, cut=CUT)
def test_many_broken_files(tmp_path, reader, changes, cut):
    check(reader, tmp_path, changed(READERS[reader][1], changes, cut))


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=6,
)
SUMMARY = ["model", "options", "data", "dataset", "seeds", "cells", "config_hash", "code_version"]


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(value=st.one_of(VALUES, st.fixed_dictionaries({key: VALUES for key in SUMMARY})))
def test_any_value_as_a_fit(tmp_path, value):
    """Fault 10."""
    check("fit", tmp_path, json.dumps(value).encode())


ARRAYS = st.sampled_from(
    [np.zeros(3), np.zeros((0, 2)), np.array("{}"), np.array("[" * 9000), np.array([b"x"]), np.array(1j), POINTS]
)
MEMBERS = ["name", "train", "test", "samples", "target", "heights", "weights", "info", "told", "seed", "snapshot"]


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    reader=st.sampled_from(["samples", "data", "array", "map", "findings", "thinned"]),
    arrays=st.dictionaries(st.sampled_from([*MEMBERS, "source_kind", "centres", "sigma", "classes"]), ARRAYS),
    extra=st.sampled_from([None, "../x.npy", "a/b.npy", "samples", "x" * 300]),
)
def test_any_arrays(tmp_path, reader, arrays, extra):
    """Faults 10 and 29."""
    content = io.BytesIO(bytes_of(**arrays))
    if extra is not None:
        with zipfile.ZipFile(content, "a") as archive:
            archive.writestr(extra, b"no array")
    check(reader, tmp_path, content.getvalue())


def test_the_memory_left_is_less_than_what_a_petabyte_takes():
    """Fault 6: samples of 1e13."""
    with pytest.raises(OtbenchError, match="it comes to 1,073,741,824 MiB, and .* MiB of memory are left"):
        arrays.check_memory(2**50, "it comes")
    arrays.check_memory(1, "it comes")


def test_a_table_that_a_spreadsheet_saved_again_is_read_or_named(tmp_path):
    """C20: a mark of UTF-8, ends of lines of Windows and quotes are read; semicolons and other columns are named."""
    path, text = tmp_path / "t.csv", 'model,value\n"a",1.5\n'
    for content in (text.encode(), b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode()):
        path.write_bytes(content)
        assert read_columns(path, ["model", "value"], {"model": "str"}).to_dict("list") == {
            "model": ["a"],
            "value": [1.5],
        }
    for content in (text.replace(",", ";").encode(), text.encode("utf-16"), "model,värde\n".encode("latin-1")):
        path.write_bytes(content)
        with pytest.raises(OtbenchError, match="t.csv: (expected the columns model, value, got|it is no table)"):
            read_columns(path, ["model", "value"], {"model": "str"})
