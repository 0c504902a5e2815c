"""Files that appear whole or not at all, on disks that are full or may not be written to."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save

from otbench.errors import OtbenchError, WorkFailed
from otbench.utils import temporary
from otbench.utils.arrays import read_npz
from otbench.utils.files import atomic_write, read_json, write_json, write_text
from otbench.utils.temporary import make_temporary_folder, remove_stale, temporary_prefix
from tests.conftest import ROOT
from tests.disks import disk, read_only

LARGE = np.random.default_rng(0).random(50_000)
WRITERS = {
    "npz": lambda path: np.savez(open(path, "wb"), a=LARGE),
    "parquet": lambda path: pd.DataFrame({"a": LARGE}).to_parquet(path, index=False),
    "csv": lambda path: pd.DataFrame({"a": LARGE}).to_csv(path),
    "safetensors": lambda path: path.write_bytes(save({"a": torch.from_numpy(LARGE)})),
}


@pytest.mark.parametrize("kind", WRITERS)
def test_a_full_disk_gets_a_sentence_and_leaves_what_was_there(kind, tmp_path):
    with disk(tmp_path / "small", "64k") as folder:
        path = folder / f"file.{kind}"
        path.write_text("before")
        with pytest.raises(
            WorkFailed, match=f"cannot write .*file.{kind}: .*No space left on device.*as it was before"
        ):
            with atomic_write(path) as temporary:
                WRITERS[kind](temporary)
        assert path.read_text() == "before" and [p.name for p in folder.iterdir()] == [path.name]
        with atomic_write(folder / "tiny") as temporary:
            temporary.write_text("there is room again")


def test_a_read_only_folder_gets_a_sentence(tmp_path):
    with disk(tmp_path / "small", "64k") as folder:
        write_text(folder / "file", "before")
        read_only(folder)
        with pytest.raises(OtbenchError, match="cannot write .*file: Read-only file system"):
            write_text(folder / "file", "after")
        assert (folder / "file").read_text() == "before"


def test_an_error_of_the_work_is_its_own_and_leaves_nothing(tmp_path):
    for error in (ValueError("x"), FileNotFoundError(2, "none", "other")):
        with pytest.raises(type(error)), atomic_write(tmp_path / "file"):
            raise error
    assert not list(tmp_path.iterdir())


def test_json_and_arrays_come_back_and_damage_gets_a_sentence(tmp_path):
    write_json(tmp_path / "a.json", {"b": [1, None], "a": "é"})
    assert read_json(tmp_path / "a.json") == {"a": "é", "b": [1, None]}
    with pytest.raises(ValueError):
        write_json(tmp_path / "a.json", {"a": float("nan")})
    assert read_json(tmp_path / "a.json") == {"a": "é", "b": [1, None]}
    np.savez(tmp_path / "a.npz", a=LARGE)
    content = bytearray((tmp_path / "a.npz").read_bytes())
    content[5000] ^= 1
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(OtbenchError, match="damaged"):
        read_npz(tmp_path / "a.npz")
    (tmp_path / "a.json").write_text('{"a": ')
    with pytest.raises(OtbenchError, match="is not valid JSON"):
        read_json(tmp_path / "a.json")


# ---------------------------------------------------------------------- what interrupted processes left


WRITE = """
import sys, time
from pathlib import Path
from otbench.utils.files import atomic_write
with atomic_write(sys.argv[1]) as path:
    path.write_text("half")
    print("writing", flush=True)
    time.sleep(600)
"""
FOLDER = """
import sys, tempfile, time
from otbench.utils.temporary import make_temporary_folder
tempfile.tempdir = sys.argv[1]
(make_temporary_folder("otbench") / "inside").write_text("x")
print("made", flush=True)
time.sleep(600)
"""


@contextmanager
def killed(code: str, *words: str) -> Iterator[subprocess.Popen]:
    """A process that has said a word and is killed in the end."""
    where = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", code, *words], stdout=subprocess.PIPE, text=True, env=where
    ) as process:
        assert process.stdout.readline()
        try:
            yield process
        finally:
            process.kill()


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def age(path: Path, seconds: float) -> None:
    os.utime(path, (time.time() - seconds,) * 2)


def test_what_a_killed_write_left_goes_with_the_next_write_in_its_folder(tmp_path):
    with killed(WRITE, str(tmp_path / "table.csv")) as process:
        (left,) = names(tmp_path)
        assert re.fullmatch(rf"\.table-tmp-[0-9a-f]{{6}}-{process.pid}-[0-9a-f]{{6}}-\w{{8}}\.csv", left)
        age(tmp_path / left, 9000)
        write_text(tmp_path / "other", "1")
        assert names(tmp_path) == {left, "other"}, "its process runs"
    write_text(tmp_path / "other", "2")
    assert names(tmp_path) == {"other"} and (tmp_path / "other").read_text() == "2"


def test_what_another_host_writes_goes_an_hour_after_its_last_change(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(temporary, "host_name", lambda: "elsewhere")
        left = tmp_path / f"{temporary_prefix('.part-00')}abc.tar.xz"
        folder = tmp_path / f"{temporary_prefix('.slice')}abc"
    left.write_text("half")
    (folder / "inside").mkdir(parents=True)
    for path in (left, folder):
        age(path, temporary.STALE - 100)
    remove_stale(tmp_path)
    assert names(tmp_path) == {left.name, folder.name}
    for path in (left, folder):
        age(path, temporary.STALE + 100)
    remove_stale(tmp_path)
    assert not names(tmp_path)


def test_nothing_but_what_was_left_is_removed(tmp_path, monkeypatch):
    mine = temporary_prefix(".file")
    with monkeypatch.context() as patch:
        patch.setattr(temporary, "start_of", lambda pid: "an earlier process of this number")
        stale = temporary_prefix(".file")
    assert stale[:-7] == mine[:-7] and stale != mine
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "precious").write_text("1")
    (tmp_path / f"{stale}link").symlink_to(tmp_path / "target")
    (tmp_path / f"{stale}file.csv").write_text("half")
    kept = {f"{mine}abc.csv", f"{stale[1:]}abc", f"{stale}ABC", ".file-tmp-1", ".file-abcdefgh.csv", "target"}
    for name in kept - {"target"}:
        (tmp_path / name).write_text("1")
        age(tmp_path / name, 9000)
    remove_stale(tmp_path)
    assert names(tmp_path) == kept and (tmp_path / "target" / "precious").read_text() == "1"
    remove_stale(tmp_path / "nothing")


def test_a_write_within_a_write_is_not_left_behind(tmp_path):
    with atomic_write(tmp_path / "a") as first:
        first.write_text("1")
        write_text(tmp_path / "b", "2")
    assert (tmp_path / "a").read_text() == "1" and names(tmp_path) == {"a", "b"}


def test_names_of_any_length_and_script_can_be_written(tmp_path):
    for name in ("n" * 250, "é" * 120 + ".csv", "a b\nc.csv"):
        write_text(tmp_path / name, "1")
        assert (tmp_path / name).read_text() == "1"
    assert len(names(tmp_path)) == 3


def test_a_killed_process_temporary_folder_goes_with_the_next_one(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "otbench-abcdefgh").mkdir()
    with killed(FOLDER, str(tmp_path)):
        (theirs,) = tmp_path.glob("otbench-tmp-*")
        age(theirs, 9000)
        mine = make_temporary_folder("otbench")
        assert names(tmp_path) == {"otbench-abcdefgh", theirs.name, mine.name}
    make_temporary_folder("otbench")
    assert not theirs.exists() and mine.is_dir() and len(names(tmp_path)) == 3
