"""Files that appear whole or not at all, on disks that are full or may not be written to."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save

from otbench.errors import OtbenchError, WorkFailed
from otbench.utils.files import atomic_write, read_json, read_npz, write_json, write_text
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
