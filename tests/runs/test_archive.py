"""What travels of a run between machines, and what is refused."""

from __future__ import annotations

import hashlib
import io
import json
import lzma
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest

from otbench.config.run import Run
from otbench.data.samples import read_samples, write_samples
from otbench.errors import OtbenchError
from otbench.runs import archive
from otbench.runs.parcel import record_path
from otbench.runs.unpack import unpack
from otbench.utils import temporary
from otbench.utils.files import write_json
from tests.workflow import small

#: so few steps that a seed is trained within the minute between checkpoints on a slow machine too
STUDY = {"datasets": ["grid-pyomt"], "models": ["gan", "real"], "steps": 500, "samples": 200, "snapshots": [0.5, 1.0]}
KIB = 2**10
ROOM = {"part_size": 16, "parts": 7}


def run_in(where: Path) -> Run:
    return Run(**small(**STUDY), results=str(where / "results"))


def noise(size: int, seed: int = 0) -> bytes:
    """Bytes that do not compress."""
    return np.random.default_rng(seed).bytes(size)


@pytest.fixture
def made(tmp_path, monkeypatch) -> Run:
    """A run half done: `real` is measured, `gan` has a checkpoint for each seed, the second larger."""
    monkeypatch.chdir(tmp_path)
    run = run_in(tmp_path)
    contents = {
        "config.json": b"{}",
        "data/grid-pyomt.npz": b"data",
        "logs/fit.log": b"log",
        "report.html": b"page",
        "fit/grid-pyomt/real/fit.json": b"{}",
        "fit/grid-pyomt/real/losses.csv": b"stage,step,seed,loss,value\n",
        "fit/grid-pyomt/real/.lock": b"",
        "fit/grid-pyomt/gan/.resume-0/0.pt": noise(200 * KIB),
        "fit/grid-pyomt/gan/.resume-0/1.pt": noise(300 * KIB, 1),
    }
    for name, content in contents.items():
        path = run.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    points = np.random.default_rng(0).normal(size=(6000, 2)).astype(np.float32)
    path = run.folder / "samples" / "grid-pyomt" / "real.npz"
    write_samples(path, points, np.repeat([0, 1], 3000), info={"cells": [{"seed": s, "snapshot": 1.0} for s in (0, 1)]})
    table = run.folder / "metrics" / "grid-pyomt" / "real.csv"
    table.parent.mkdir(parents=True)
    table.write_text("seed\n0\n1\n")
    record = record_path(str(run.folder / "fit/grid-pyomt/real/weights.safetensors"), "metadata")
    record.parent.mkdir(parents=True)
    record.write_text("{}")
    return run


def inside(folder: Path) -> dict[str, tarfile.TarInfo]:
    """The members of the tar file that the parts are, one after another."""
    content = b"".join(path.read_bytes() for path in sorted(folder.glob("part-*.tar.xz")))
    with tarfile.open(fileobj=io.BytesIO(lzma.decompress(content))) as tar:
        return {member.name: member for member in tar}


def test_what_is_needed_travels_and_nothing_else(made, tmp_path):
    said = archive.pack(made, tmp_path / "out", **ROOM, told={"cells": {"done": 2}})
    assert set(inside(tmp_path / "out")) == {
        "small/config.json",
        "small/fit/grid-pyomt/real/fit.json",
        "small/.snakemake/fit/grid-pyomt/real/weights.safetensors",
        "small/fit/grid-pyomt/real/losses.csv",
        "small/metrics/grid-pyomt/real.csv",
        "small/samples/grid-pyomt/real.npz",
        "small/fit/grid-pyomt/gan/.resume-0/0.pt",
        "small/fit/grid-pyomt/gan/.resume-0/1.pt",
    }
    assert (said["run"], said["cells"], said["left_out"], said["thinned"]) == ("small", {"done": 2}, [], False)
    assert json.loads((tmp_path / "out" / "manifest.json").read_text()) == said


def test_a_run_unpacked_is_the_run_packed(made, tmp_path):
    archive.pack(made, tmp_path / "out", **ROOM)
    there = run_in(tmp_path / "there")
    assert unpack(there, tmp_path / "out") == 8
    for name in inside(tmp_path / "out"):
        name = name.removeprefix("small/")
        if not name.startswith(".snakemake"):
            one, other = made.folder / name, there.folder / name
            assert one.read_bytes() == other.read_bytes()
            assert abs(one.stat().st_mtime - other.stat().st_mtime) < 1e-5, (
                "the order of changes decides what is redone"
            )
    known = record_path(str(there.folder / "fit/grid-pyomt/real/weights.safetensors"), "metadata")
    assert known.read_text() == "{}"
    assert not list(there.folder.glob(".slice-*"))


def test_what_a_killed_unpacking_left_in_the_run_goes(made, tmp_path, monkeypatch):
    archive.pack(made, tmp_path / "out", **ROOM)
    there = run_in(tmp_path / "there")
    with monkeypatch.context() as patch:
        patch.setattr(temporary, "start_of", lambda pid: "an earlier process of this number")
        left = there.folder / f"{temporary.temporary_prefix('.slice')}abc" / "small"
    left.mkdir(parents=True)
    (left / "config.json").write_text("{}")
    assert unpack(there, tmp_path / "out") == 8
    assert not [path for path in there.folder.iterdir() if path.name.startswith(".")]


def test_files_that_are_there_stay(made, tmp_path):
    archive.pack(made, tmp_path / "out", **ROOM)
    table = made.folder / "metrics" / "grid-pyomt" / "real.csv"
    table.write_text("seed\n7\n")
    (made.folder / "fit/grid-pyomt/gan/.resume-0/1.pt").unlink()
    assert unpack(made, tmp_path / "out") == 1
    assert table.read_text() == "seed\n7\n"


def test_no_part_is_larger_than_asked_for_and_the_largest_checkpoint_is_left_out_first(made, tmp_path):
    said = archive.pack(made, tmp_path / "out", part_size=0.1, parts=4)
    sizes = [(tmp_path / "out" / part["name"]).stat().st_size for part in said["parts"]]
    most = int(0.1 * 2**20)
    assert len(sizes) == 3 and sizes[:2] == [most, most] and 0 < sizes[2] < most
    assert said["left_out"] == ["fit/grid-pyomt/gan/.resume-0/1.pt"]
    assert "small/fit/grid-pyomt/gan/.resume-0/0.pt" in inside(tmp_path / "out")
    said = archive.pack(made, tmp_path / "out", part_size=0.1, parts=1)
    assert len(said["left_out"]) == 2
    assert [path.name for path in tmp_path.glob("out/part-*")] == [part["name"] for part in said["parts"]]


def test_finished_cells_that_do_not_fit_are_refused_and_what_was_packed_stays(made, tmp_path):
    archive.pack(made, tmp_path / "out", **ROOM)
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    (made.folder / "search").mkdir()
    (made.folder / "search" / "x.csv").write_bytes(noise(300 * KIB))
    with pytest.raises(OtbenchError, match=r"take 0\.3 MiB packed, and 2 parts of 0\.1 MiB hold 0\.2; .* Nothing was"):
        archive.pack(made, tmp_path / "out", part_size=0.1, parts=2)
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


def test_what_is_half_written_or_of_no_use_any_more_stays(made, tmp_path):
    late = made.folder / "fit/grid-pyomt/gan/fit.json"
    late.write_text("{}")
    os.utime(late, (2e9, 2e9))
    marked = record_path(str(made.folder / "metrics/grid-pyomt/real.csv"), "incomplete")
    marked.parent.mkdir()
    marked.touch()
    archive.pack(made, tmp_path / "out", **ROOM)
    names = inside(tmp_path / "out")
    assert not any("resume" in name for name in names), "the fit is newer than its checkpoints"
    assert "small/metrics/grid-pyomt/real.csv" not in names, "Snakemake says that it was being written"


def test_samples_are_thinned_to_what_figures_show_where_all_of_them_do_not_fit(made, tmp_path, monkeypatch):
    path, features = made.folder / "samples/grid-pyomt/real.npz", made.folder / "features/digits/classifier.npz"
    features.parent.mkdir(parents=True)
    features.write_bytes(noise(200 * KIB))
    before = read_samples(path)
    said = archive.pack(made, tmp_path / "out", part_size=0.05, parts=2)
    assert said["thinned"] and "small/features/digits/classifier.npz" not in inside(tmp_path / "out")
    there = run_in(tmp_path / "there")
    unpack(there, tmp_path / "out")
    thin = read_samples(there.folder / "samples/grid-pyomt/real.npz")
    np.testing.assert_array_equal(thin.samples, np.concatenate([before.samples[:2500], before.samples[3000:5500]]))
    np.testing.assert_array_equal(thin.seed, np.repeat([0, 1], 2500))
    assert thin.info == before.info | {"thinned": archive.measure_version()}, "it says what it is"
    assert len(read_samples(path).samples) == 6000 and archive.partial(made) == [], "those here stay whole"
    monkeypatch.setattr("otbench.runs.unpack.measure_version", lambda: "another")
    later = run_in(tmp_path / "later")
    unpack(later, tmp_path / "out")
    assert (later.folder / "config.json").exists()
    assert not (later.folder / "samples").exists(), "a new way of measuring must not measure a part of the samples"


def test_that_samples_are_thinned_is_not_lost_when_they_are_packed_again(made, tmp_path, monkeypatch):
    archive.pack(made, tmp_path / "first", part_size=0.05, parts=2)
    second = run_in(tmp_path / "second")
    unpack(second, tmp_path / "first")
    said = archive.pack(second, tmp_path / "next", **ROOM)
    samples = Path("samples/grid-pyomt/real.npz")
    assert said["thinned"] and archive.partial(second) == [second.folder / samples]
    third = run_in(tmp_path / "third")
    unpack(third, tmp_path / "next")
    assert (third.folder / samples).read_bytes() == (second.folder / samples).read_bytes()
    monkeypatch.setattr("otbench.runs.unpack.measure_version", lambda: "another")
    later = run_in(tmp_path / "later")
    unpack(later, tmp_path / "next")
    assert not (later.folder / samples).exists() and (later.folder / "metrics/grid-pyomt/real.csv").exists()


def test_samples_of_which_figures_show_all_are_not_said_to_be_thinned(made, tmp_path):
    path = made.folder / "samples/grid-pyomt/real.npz"
    points = np.random.default_rng(0).normal(size=(4000, 2)).astype(np.float32)
    write_samples(path, points, np.repeat([0, 1], 2000), info={"cells": []})
    assert archive._thinned(path) == path.read_bytes()


def test_a_file_that_is_no_samples_file_is_not_taken_for_thinned(made):
    for name, content in (("text", b"x"), ("empty", b"")):
        (made.folder / "samples/grid-pyomt" / f"{name}.npz").write_bytes(content)
    with open(made.folder / "samples/grid-pyomt/array.npz", "wb") as file:
        np.save(file, np.zeros(3))
    assert archive.partial(made) == []


# ---------------------------------------------------------------------- one parcel in place of another


def content_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("fails_at", ["the second part", "the manifest"])
def test_what_fails_while_a_parcel_is_written_leaves_the_one_before_whole(fails_at, made, tmp_path, monkeypatch):
    out = tmp_path / "out"
    archive.pack(made, out, part_size=0.3, parts=7)
    before = content_of(out)
    (made.folder / "fit/grid-pyomt/gan/.resume-0/2.pt").write_bytes(noise(400 * KIB, 2))
    (made.folder / "config.json").write_bytes(noise(10 * KIB, 3))
    replace, second = os.replace, "part-01-" if fails_at == "the second part" else "manifest.json"

    def fail(source: Path, target: Path) -> None:
        if Path(target).parent == out and Path(target).name.startswith(second):
            assert all((out / name).read_bytes() == content for name, content in before.items())
            assert len(list(out.glob("part-00-*"))) == 2, "the new one stands beside the old one"
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(KeyboardInterrupt):
        archive.pack(made, out, part_size=0.3, parts=7)
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    assert content_of(out) == before
    there = run_in(tmp_path / "there")
    assert unpack(there, out) == 8 and (there.folder / "config.json").read_bytes() == b"{}"


def test_what_a_killed_slice_left_is_deleted_by_the_next(made, tmp_path):
    out = tmp_path / "out"
    said = archive.pack(made, out, **ROOM)
    for name in ("part-00-0123456789ab.tar.xz", "part-07.tar.xz", ".part-00-0123456789ab.tar-x1_y2.xz"):
        (out / name).write_bytes(b"x")
    (out / "note.txt").write_text("mine")
    assert unpack(run_in(tmp_path / "there"), out) == 8, "the manifest says what counts"
    again = archive.pack(made, out, **ROOM)
    assert again == said, "equal content has equal names"
    assert set(content_of(out)) == {"manifest.json", "note.txt", *(part["name"] for part in said["parts"])}


def test_parts_are_in_the_order_of_their_names_however_many_they_are():
    names = [part["name"] for part in archive._named([bytes([number]) for number in range(120)])]
    assert names == sorted(names) and names[7].startswith("part-007-")
    assert archive._named([b"x", b"y"])[1]["name"].startswith("part-01-")


def test_samples_that_are_not_measured_yet_are_left_out_as_checkpoints_are(made, tmp_path):
    os.utime(made.folder / "metrics/grid-pyomt/real.csv", (1, 1))
    assert archive.pack(made, tmp_path / "out", part_size=0.01, parts=1)["left_out"][0] == "samples/grid-pyomt/real.npz"


# ---------------------------------------------------------------------- what is refused


def forged(folder: Path, *members: tarfile.TarInfo) -> None:
    """A part with these members in place of what was packed, and a manifest that vouches for it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for member in members:
            tar.addfile(member, io.BytesIO(bytes(member.size)))
    content = lzma.compress(buffer.getvalue())
    said = json.loads((folder / "manifest.json").read_text())
    said["parts"] = archive._named([content])
    (folder / said["parts"][0]["name"]).write_bytes(content)
    write_json(folder / "manifest.json", said)


def part_of(folder: Path) -> Path:
    """The one part that the manifest names."""
    [part] = json.loads((folder / "manifest.json").read_text())["parts"]
    return folder / part["name"]


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.type, found.linkname = kind, link
    return found


GOOD = member("small/config.json")
REFUSED = {
    "a path that leads out": [GOOD, member("../x")],
    "one that leads out from inside": [GOOD, member("small/metrics/../../../x")],
    "an absolute path": [GOOD, member("/tmp/x")],
    "a symbolic link": [GOOD, member("small/metrics/x", tarfile.SYMTYPE, "/etc/passwd")],
    "a hard link": [GOOD, member("small/metrics/x", tarfile.LNKTYPE, "small/config.json")],
    "a device": [GOOD, member("small/metrics/x", tarfile.CHRTYPE)],
    "another run's file": [GOOD, member("other/config.json")],
    "what does not travel": [GOOD, member("small/data/grid.npz")],
    "a record that leads out": [GOOD, member("small/.snakemake/../x")],
    # fault 10
    "a very deep path": [GOOD, member("small/metrics/" + "a/" * 2000 + "x")],
    "a very long name": [GOOD, member("small/metrics/" + "a" * 300)],
    "a file and a folder of one name": [GOOD, member("small/metrics/a"), member("small/metrics/a/b")],
    "a folder and a file of one name": [GOOD, member("small/metrics/a/b"), member("small/metrics/a")],
    "a file twice": [GOOD, GOOD],
}

MOST = "expected at most 1024 bytes, 255 between slashes"
EXPECTED = {
    "a very deep path": f"a path of 4015 characters that begins 'small/metrics/a/a.*{MOST}",
    "a very long name": f"a path of 314 characters that begins 'small/metrics/aaa.*{MOST}",
    "a file and a folder of one name": "'metrics/a' as a file and as a folder; expected one of them",
    "a folder and a file of one name": "'metrics/a' as a file and as a folder; expected one of them",
    "a file twice": "'config.json' twice; expected every file once",
}
"""What the message says, where it is not that the file is none of the run's."""


@pytest.mark.parametrize("what", REFUSED)
def test_what_does_not_belong_to_the_run_is_refused(what, made, tmp_path):
    archive.pack(made, tmp_path / "out", **ROOM)
    forged(tmp_path / "out", *REFUSED[what])
    there = run_in(tmp_path / "there")
    expected = EXPECTED.get(what, "expected files of run small alone")
    with pytest.raises(OtbenchError, match=rf"{expected}\. Nothing was unpacked$"):
        unpack(there, tmp_path / "out")
    assert not (tmp_path / "there").exists()


def cut(folder: Path) -> None:
    """The manifest vouches for a part that is none."""
    forged(folder, GOOD)
    said = json.loads((folder / "manifest.json").read_text())
    content = part_of(folder).read_bytes()[:60]
    part_of(folder).write_bytes(content)
    said["parts"][0]["sha256"] = hashlib.sha256(content).hexdigest()
    write_json(folder / "manifest.json", said)


def changed(folder: Path, **change: object) -> None:
    write_json(folder / "manifest.json", json.loads((folder / "manifest.json").read_text()) | change)


DAMAGE = {
    "a byte changed": (
        lambda folder: part_of(folder).write_bytes(noise(100)),
        r"part-00-\w{12}\.tar\.xz is damaged: its content does not have the checksum in manifest\.json$",
    ),
    "a part gone": (lambda folder: part_of(folder).unlink(), r"cannot read .*part-00-\w{12}\.tar\.xz: No such file"),
    "no manifest": (lambda folder: (folder / "manifest.json").unlink(), "holds parts, but no manifest.json; expected"),
    "no JSON": (lambda folder: (folder / "manifest.json").write_text("{"), "manifest.json is not valid JSON"),
    "another format": (lambda folder: changed(folder, format=1), "expected what `otbench slice` writes"),
    "another name": (
        lambda folder: changed(folder, parts=[{"name": "part-00.tar.xz", "sha256": "0"}]),
        "expected what `otbench slice` writes",
    ),
    "a path": (
        lambda folder: changed(folder, parts=[{"name": "../part-00-0123456789ab.tar.xz", "sha256": "0"}]),
        "expected what `otbench slice` writes",
    ),
    "another run": (
        lambda folder: changed(folder, run="other"),
        "holds run other, expected small: one folder for",
    ),
    "no archive": (cut, "its parts are no tar file, compressed with xz"),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_what_is_damaged_or_foreign_is_refused_in_one_sentence(what, made, tmp_path):
    archive.pack(made, tmp_path / "out", **ROOM)
    damage, sentence = DAMAGE[what]
    damage(tmp_path / "out")
    there = run_in(tmp_path / "there")
    with pytest.raises(OtbenchError, match=sentence) as caught:
        unpack(there, tmp_path / "out")
    assert not (tmp_path / "there").exists() and "\n" not in str(caught.value)


def test_an_empty_folder_is_a_beginning(made, tmp_path):
    assert unpack(made, tmp_path / "none") == 0
    (tmp_path / "empty").mkdir()
    assert unpack(made, tmp_path / "empty") == 0
