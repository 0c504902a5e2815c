"""Imports at once, and imports that are interrupted at any moment: no rater is lost."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from otbench.errors import OtbenchError, WorkFailed
from otbench.ratings import answers, journal
from otbench.ratings.answers import merge, stored
from otbench.ratings.sheet import Session
from tests.conftest import ROOT
from tests.disks import disk
from tests.ratings.test_answers import HEAD, lines, put, saved

FEW = 5
#: imports what the first word says with one import of the modules: each file in a process of its own, all at once
AT_ONCE = """
import os, sys
from pathlib import Path
from otbench.ratings.answers import merge
from otbench.ratings.key import read_key
folder, files = Path(sys.argv[1]), sorted(Path(sys.argv[2]).iterdir())
gate, opened = os.pipe()
children = []
for file in files:
    child = os.fork()
    if child == 0:
        os.close(opened)
        status = 1
        try:
            os.read(gate, 1)
            merge([file], read_key(folder), folder, partial=True)
            status = 0
        finally:
            os._exit(status)
    children.append(child)
os.close(opened)
sys.exit(sum(os.waitpid(child, 0)[1] != 0 for child in children))
"""
WITHOUT_FLOCK = """
import errno, fcntl
def flock(*_):
    raise OSError(errno.ENOSYS, "Function not implemented")
fcntl.flock = flock
"""
#: one import that is killed once it has written so many bytes of the journal, or before it writes answers.csv
KILLED = """
import os, signal, sys
from pathlib import Path
from otbench.ratings import answers, journal
from otbench.ratings.key import read_key
def kill(*_):
    os.kill(os.getpid(), signal.SIGKILL)
write, left = os.write, int(sys.argv[3])
def cut(file, data):
    if not data.startswith(b'{"session"'):
        return write(file, data)
    write(file, data[:left])
    kill()
if left < 0:
    answers.write_text = kill
else:
    journal.os.write = cut
answers.merge([Path(sys.argv[2])], read_key(sys.argv[1]), Path(sys.argv[1]), True)
"""


def python(code: str, *words: object) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", code, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)})


def few(made: Session, rater: str) -> dict:
    """A rater's file with few answers."""
    return saved(made, rater, answers=saved(made)["answers"][:FEW])


def raters(folder: Path) -> list[str]:
    return sorted({one.rater for one in stored(folder)})


@pytest.mark.parametrize(("before", "count"), [("", 50), (WITHOUT_FLOCK, 20)], ids=["flock", "soft"])
def test_imports_at_once_keep_every_rater(before: str, count: int, made: Session, folder: Path, tmp_path: Path) -> None:
    """Twice as many answers as in the files would be as wrong as fewer."""
    where = tmp_path / "files"
    where.mkdir()
    names = [f"rater {number:02}" for number in range(count)]
    for name in names:
        put(where / f"{name}.json", few(made, name))
    done = python(before + AT_ONCE, folder, where)
    assert done.returncode == 0, done.stderr
    assert raters(folder) == names and len(stored(folder)) == count * FEW
    entries = journal.read_journal(folder).entries
    assert sorted(one.rater for one in entries) == names
    assert {len(one.answers) for one in entries} == {FEW}


def test_a_journal_cut_anywhere_in_its_last_line_keeps_the_others_and_takes_that_one_again(
    made: Session, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    first = [put(tmp_path / f"{name}.json", few(made, name)) for name in ("Ann", "Bo")]
    last = put(tmp_path / "Cy.json", few(made, "Cy"))
    log, table = folder / journal.NAME, folder / "answers.csv"
    merge(first, made.key, folder, partial=True)
    before, shown = log.read_bytes(), table.read_bytes()
    merge([last], made.key, folder, partial=True)
    after, wanted = log.read_bytes(), table.read_bytes()
    assert after.startswith(before) and len(after) - len(before) > 200
    for size in range(len(before), len(after) + 1):
        log.write_bytes(after[:size])
        table.write_bytes(shown)  # the import was interrupted before it wrote this
        found = journal.read_journal(folder)
        complete = size == len(after)
        assert [one.rater for one in found.entries] == ["Ann", "Bo", "Cy"][: 2 + complete]
        assert found.size == (size if complete else len(before))
        assert [one.item for one in merge([last], made.key, folder, partial=True)] == [1, 2, 3, 4, 5]
        assert log.read_bytes() == after and table.read_bytes() == wanted
        cut = len(before) < size < len(after)
        assert ("was cut short" in capsys.readouterr().err) == cut


def test_a_kill_while_it_writes_loses_no_earlier_rater(made: Session, folder: Path, tmp_path: Path) -> None:
    merge([put(tmp_path / "Ann.json", few(made, "Ann"))], made.key, folder, partial=True)
    names = {0: "Bo", 1: "Cy", 100: "Di", -1: "Ed"}
    for left, name in names.items():
        path = put(tmp_path / f"{name}.json", few(made, name))
        size = (folder / journal.NAME).stat().st_size
        before = raters(folder)
        assert python(KILLED, folder, path, left).returncode == -9
        assert raters(folder) == before
        grown = (folder / journal.NAME).stat().st_size - size
        assert grown == left if left >= 0 else grown > 100
        assert len(merge([path], made.key, folder, partial=True)) == FEW
        assert raters(folder) == sorted([*before, name])
    assert len(stored(folder)) == FEW * 5 == sum(len(one.answers) for one in journal.read_journal(folder).entries)


def test_what_a_killed_import_wrote_is_there_after_the_next_one(
    made: Session, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    lost = put(tmp_path / "Ann.json", few(made, "Ann"))
    assert python(KILLED, folder, lost, -1).returncode == -9
    assert not (folder / "answers.csv").exists()
    other = put(tmp_path / "other.json", few(made, "ann") | {"answers": few(made, "")["answers"][:2]})
    with pytest.raises(OtbenchError, match=r"the answers of 'ann' are in .*answers\.jsonl already"):
        merge([other], made.key, folder, partial=True)
    added = merge([put(tmp_path / "Bo.json", few(made, "Bo"))], made.key, folder, partial=True)
    assert {one.rater for one in added} == {"Bo"} and raters(folder) == ["Ann", "Bo"]
    assert "answers.csv has the answers of Ann again" in capsys.readouterr().err
    with pytest.raises(OtbenchError, match=r"the answers of 'Ann' are in .*answers\.csv already"):
        merge([lost], made.key, folder, partial=True)


def test_answers_without_a_journal_are_taken_up(made: Session, folder: Path, tmp_path: Path) -> None:
    """Those of an earlier release and of earlier sessions too; afterwards answers.csv can be made from the journal."""
    old = "\n".join([*lines(made, "Zoé Z", "0" * 12), *lines(made, "Bo")[1:]]) + "\n"
    put(folder / "answers.csv", old)
    path = put(tmp_path / "Ann.json", saved(made))
    merge([path], made.key, folder)
    table = (folder / "answers.csv").read_bytes()
    entries = journal.read_journal(folder).entries
    assert sorted(one.rater for one in entries) == ["Ann", "Bo", "Zoé Z"]
    assert {one.session for one in entries} == {"0" * 12, made.key.session}
    (folder / "answers.csv").unlink()
    assert len(merge([path], made.key, folder)) == len(made.key.items)
    assert (folder / "answers.csv").read_bytes() == table


def test_a_rater_is_taken_out_of_both(made: Session, folder: Path, tmp_path: Path) -> None:
    for name in ("Ann", "Bo"):
        merge([put(tmp_path / f"{name}.json", few(made, name))], made.key, folder, partial=True)
    for name in (journal.NAME, "answers.csv"):
        kept = [line for line in (folder / name).read_text().splitlines(keepends=True) if "Ann" not in line]
        (folder / name).write_text("".join(kept))
    merge([put(tmp_path / "Cy.json", few(made, "Cy"))], made.key, folder, partial=True)
    assert raters(folder) == ["Bo", "Cy"] == [one.rater for one in journal.read_journal(folder).entries]


def test_a_damaged_line_is_named_and_nothing_changes(made: Session, folder: Path, tmp_path: Path) -> None:
    for name in ("Ann", "Bo", "Cy"):
        merge([put(tmp_path / f"{name}.json", few(made, name))], made.key, folder, partial=True)
    log, table = folder / journal.NAME, (folder / "answers.csv").read_bytes()
    good = log.read_bytes().splitlines(keepends=True)
    path = put(tmp_path / "Di.json", few(made, "Di"))
    wrong = good[1].replace(b'"real"', b'"generated"', 1)
    for content, said in (
        ([good[0], wrong, good[2]], "line 2: it is damaged"),
        ([good[0], good[1][:40], b"\n", good[2]], "line 2: it is damaged"),
        ([*good, good[0]], "line 4: an earlier line has answers of 'Ann' too"),
    ):
        log.write_bytes(b"".join(content))
        with pytest.raises(OtbenchError, match=re.escape(f"{log}, {said}")):
            merge([path], made.key, folder, partial=True)
        assert log.read_bytes() == b"".join(content) and (folder / "answers.csv").read_bytes() == table
    log.write_bytes(good[0] + good[2])  # as the sentence says
    merge([path], made.key, folder, partial=True)
    assert raters(folder) == ["Ann", "Bo", "Cy", "Di"]
    log.write_bytes(good[0] + wrong)  # the last line: it is dropped, and taken from answers.csv
    merge([put(tmp_path / "Ed.json", few(made, "Ed"))], made.key, folder, partial=True)
    found = {one.rater: one for one in journal.read_journal(folder).entries}
    assert set(found) == {"Ann", "Bo", "Cy", "Di", "Ed"} and {row[1] for row in found["Bo"].answers} == {"real"}


def test_answers_that_differ_from_the_journal_are_refused(made: Session, folder: Path, tmp_path: Path) -> None:
    merge([put(tmp_path / "Ann.json", few(made, "Ann"))], made.key, folder, partial=True)
    put(folder / "answers.csv", (folder / "answers.csv").read_text().replace(",real,", ",generated,", 1))
    before = (folder / "answers.csv").read_text()
    with pytest.raises(OtbenchError, match=r"answers.csv and .*answers.jsonl hold different answers of 'Ann'"):
        merge([put(tmp_path / "Bo.json", few(made, "Bo"))], made.key, folder, partial=True)
    assert (folder / "answers.csv").read_text() == before


def test_a_full_disk_loses_nothing(made: Session, folder: Path, tmp_path: Path) -> None:
    """Where the journal has no room nothing changes; where answers.csv has none the journal keeps what is new."""
    path = put(tmp_path / "Ann.json", few(made, "Ann"))
    others = [put(tmp_path / f"{number}.json", saved(made, f"rater {number}")) for number in range(600)]
    with disk(tmp_path / "small", "256k") as small:
        shutil.copy(folder / "key.json", small)
        merge([path], made.key, small, partial=True)
        log, table = (small / journal.NAME).read_bytes(), (small / "answers.csv").read_bytes()
        with pytest.raises(WorkFailed, match=r"cannot write .*answers\.jsonl: No space left on device; it is as"):
            merge(others, made.key, small)
        assert (small / journal.NAME).read_bytes() == log and (small / "answers.csv").read_bytes() == table
        with pytest.raises(WorkFailed, match=r"answers\.csv: No space left .* before; .*answers\.jsonl keeps"):
            merge(others[:300], made.key, small)
        assert (small / "answers.csv").read_bytes() == table
        subprocess.run(["mount", "-o", "remount,size=2m", small], check=True)
        assert len(merge(others[:1], made.key, small)) == len(made.key.items)
        assert len(raters(small)) == 301 and len(stored(small)) == FEW + 300 * len(made.key.items)


def test_the_journal_is_lines_of_json_that_anybody_can_read(made: Session, folder: Path, tmp_path: Path) -> None:
    merge([put(tmp_path / "Bo.csv", "\n".join(lines(made)))], made.key, folder)
    (line,) = (folder / journal.NAME).read_text().splitlines()
    value = json.loads(line)
    assert value.keys() == {"session", "rater", "answers", "sha256"} and value["rater"] == "Bo"
    assert value["answers"][:2] == [[1, "generated", 1], [2, "generated", 2]]
    assert HEAD in (folder / "answers.csv").read_text() and answers.stored(folder)[0].milliseconds == 1
