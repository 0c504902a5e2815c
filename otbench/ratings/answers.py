"""Raters' files: reading them, checking them against the session, merging them into the journal and answers.csv.

Files come from outside: whatever is in them, reading ends with answers or with one sentence.
"""

from __future__ import annotations

import csv
import io
import json
import re
import sys
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn

from pydantic import Field, ValidationError, field_validator

from otbench.errors import OtbenchError, WorkFailed
from otbench.ratings.journal import Entry, append, read_journal
from otbench.ratings.key import SESSION, Key, Strict, reason
from otbench.ratings.sheet import FIELDS
from otbench.utils.files import write_text
from otbench.utils.locks import exclusive

FORMAT = "otbench-ratings-1"
LARGEST = 4_000_000
"""Bytes of the largest file that is read: some 50,000 answers."""
LONGEST = 10**9
"""Milliseconds of the longest answer, eleven days."""
NAME = 60
WORDS = {"real": "real", "r": "real", "generated": "generated", "g": "generated"}
WHEN = r"^[0-9T:.Z+-]{1,40}$"


class _Answer(Strict):
    item: int = Field(ge=1)
    answer: Literal["real", "generated"]
    milliseconds: int | None = Field(default=None, ge=0, le=LONGEST)


class _Saved(Strict):
    """The JSON that the page saves."""

    format: Literal["otbench-ratings-1"]
    session: str = Field(pattern=SESSION)
    rater: str
    started: str | None = Field(default=None, pattern=WHEN)
    finished: str | None = Field(default=None, pattern=WHEN)
    answers: list[_Answer]

    @field_validator("rater")
    @classmethod
    def _name(cls, value: str) -> str:
        try:
            return rater_name(value)
        except OtbenchError as error:
            raise ValueError(str(error)) from error


@dataclass(frozen=True)
class Answer:
    """One answer of one rater. milliseconds: from the image's appearance to the answer; None where nobody measured."""

    session: str
    rater: str
    item: int
    answer: str
    milliseconds: int | None = None

    @property
    def order(self) -> tuple[str, str, int]:
        """Key (session, rater, item) by which answers.csv is sorted."""
        return (self.session, self.rater, self.item)


def rater_name(text: str) -> str:
    """Name of a rater as it is kept: trimmed, single spaces, composed (NFC).

    Args:
        text: The name as it was typed.

    Returns:
        The name, of 1 to 60 characters.

    Raises:
        OtbenchError: Where it is empty, longer than 60 characters, not printable, or starts as a formula does in a
            spreadsheet (=, +, -, @).
    """
    name = " ".join(unicodedata.normalize("NFC", text).split())
    if not 1 <= len(name) <= NAME:
        raise OtbenchError(f"the rater's name has {len(name)} characters, expected 1 to {NAME}")
    if not name.isprintable():
        raise OtbenchError("the rater's name holds characters that cannot be printed")
    if name[0] in "=+-@":
        raise OtbenchError(f"the rater's name starts with {name[0]}, which spreadsheets take for a formula")
    return name


def read_answers(path: str | Path) -> list[Answer]:
    """Read the answers of one rater.

    Args:
        path: JSON file that the page saved, or CSV file: the page's, or a form typed up.

    Returns:
        The answers, in the order of the file.

    Raises:
        OtbenchError: Where it is not whole or not of this form, naming file and line or answer.
    """
    path = Path(path)
    text = _text(path)
    answers = _from_json(text, path) if text.lstrip()[:1] in ("{", "[") else _from_csv(text, path, typed=True)
    if not answers:
        raise OtbenchError(f"{path}: it holds no answers")
    names = sorted({answer.rater for answer in answers})
    if len(names) > 1:
        raise OtbenchError(f"{path}: it holds answers of {names[0]!r} and of {names[1]!r}, expected a file a rater")
    return answers


def _text(path: Path, largest: int | None = LARGEST) -> str:
    try:
        with path.open("rb") as file:
            data = file.read() if largest is None else file.read(largest + 1)
    except OSError as error:
        raise OtbenchError(f"cannot read {path}: {error.strerror or error}") from error
    if largest is not None and len(data) > largest:
        raise OtbenchError(f"{path}: it is larger than {largest:,} bytes, expected one rater's answers")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise OtbenchError(f"{path}: it is no text in UTF-8 (byte {error.start})") from error


def _from_json(text: str, path: Path) -> list[Answer]:
    try:
        value = json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
    except OtbenchError as error:
        raise OtbenchError(f"{path}: {error}") from error
    except (ValueError, RecursionError) as error:
        problem = (
            "it is nested too deeply" if isinstance(error, RecursionError) else f"it is cut short or no JSON ({error})"
        )
        raise OtbenchError(f"{path}: {problem}") from error
    try:
        saved = _Saved.model_validate(value)
    except (ValidationError, RecursionError) as error:
        raise OtbenchError(f"{path}: {reason(error)}; expected what the rating page saves ({FORMAT})") from error
    return [
        Answer(saved.session, saved.rater, answer.item, answer.answer, answer.milliseconds) for answer in saved.answers
    ]


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise OtbenchError(f"the key {twice[:40]!r} stands there twice")
    return record


def _no_number(word: str) -> NoReturn:
    raise OtbenchError(f"it holds {word}, which is no JSON number")


def _from_csv(text: str, path: Path, typed: bool) -> list[Answer]:
    """typed: the rater's name may stand in the first line alone, and lines without an answer are left out."""
    first = text.partition("\n")[0]
    separator = ";" if ";" in first and "," not in first else ","
    answers: list[Answer] = []
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    rater = ""
    try:
        if tuple(field.strip() for field in next(rows, [])) != FIELDS:
            raise OtbenchError(f"{path}, line 1: expected the columns {','.join(FIELDS)}, or JSON as the page saves it")
        for row in rows:
            where = f"{path}, line {rows.line_num}"
            if not any(field.strip() for field in row):
                continue
            if len(row) != len(FIELDS):
                raise OtbenchError(f"{where}: expected {len(FIELDS)} fields, got {len(row)}; the file may be cut short")
            row = [field.strip() for field in row]
            rater = row[1] or (rater if typed else "")
            if typed and not row[3]:
                continue
            answers.append(_row([row[0], rater, *row[2:]], where))
    except csv.Error as error:
        raise OtbenchError(f"{path}, line {rows.line_num}: it is no CSV ({error})") from error
    return answers


def _row(row: list[str], where: str) -> Answer:
    session, rater, item, answer, milliseconds = row
    if not re.fullmatch(SESSION, session):
        raise OtbenchError(f"{where}, session: expected twelve hexadecimal digits, got {session[:40]!r}")
    try:
        rater = rater_name(rater)
    except OtbenchError as error:
        raise OtbenchError(f"{where}, rater: {error}") from error
    if answer.lower() not in WORDS:
        raise OtbenchError(f"{where}, answer: expected real or generated, got {answer[:40]!r}")
    number = _count(item, where, "item")
    time = _count(milliseconds, where, "milliseconds") if milliseconds else None
    if number < 1:
        raise OtbenchError(f"{where}, item: expected a whole number from 1 up, got {item}")
    return Answer(session, rater, number, WORDS[answer.lower()], time)


def _count(text: str, where: str, name: str) -> int:
    if not re.fullmatch(r"[0-9]{1,10}", text) or int(text) > LONGEST:
        raise OtbenchError(f"{where}, {name}: expected a whole number up to {LONGEST:,}, got {text[:40]!r}")
    return int(text)


def check_answers(answers: list[Answer], key: Key, path: Path, partial: bool = False) -> list[Answer]:
    """Answers of one rater, checked against the session.

    Args:
        answers: The rater's answers.
        key: Key of the session.
        path: File of the answers, for errors.
        partial: Whether items may lack an answer.

    Returns:
        The answers.

    Raises:
        OtbenchError: Where they are of another session, about no item of it or twice about one, or, unless partial, not
            about all.
    """
    seen: set[int] = set()
    for answer in answers:
        if answer.session != key.session:
            raise OtbenchError(
                f"{path}: it answers session {answer.session}, expected {key.session}, the session in this folder"
            )
        if answer.item > len(key.items):
            raise OtbenchError(f"{path}, item {answer.item}: the session has {len(key.items)} items")
        if answer.item in seen:
            raise OtbenchError(f"{path}, item {answer.item}: it is answered twice")
        seen.add(answer.item)
    lacking = [item.item for item in key.items if item.item not in seen]
    if lacking and not partial:
        raise OtbenchError(
            f"{path}: {len(lacking)} of {len(key.items)} items are not answered, item {lacking[0]} first;"
            " let the rater go on, or import it with --partial"
        )
    return answers


def merge(paths: list[Path], key: Key, folder: Path, partial: bool = False) -> list[Answer]:
    """Add the answers in the files to the journal of `folder`, then to answers.csv.

    All files are checked before anything is written. Of imports at once, each waits for the other. Raters whom an
    interrupted import left in the journal alone are put into answers.csv too, and may be imported again.

    Args:
        paths: Raters' files, JSON or CSV.
        key: Key of the session.
        folder: Folder of the session.
        partial: Whether raters who did not finish are taken.

    Returns:
        The answers that were added.

    Raises:
        OtbenchError: Where a file is wrong, a rater's answers to this session are there already, or journal and
            answers.csv disagree.
        WorkFailed: Where the disk is full.
    """
    with exclusive(folder):
        target, journal, listed = Path(folder) / "answers.csv", read_journal(folder), _by_rater(stored(folder))
        logged = {(entry.session, entry.rater): _answers_of(entry) for entry in journal.entries}
        for name in listed.keys() & logged.keys():
            if listed[name] != logged[name]:
                raise OtbenchError(
                    f"{target} and {journal.path} hold different answers of {name[1]!r}; expected the same: delete"
                    " the rater's lines from the one that is wrong"
                )
        lost = {name: answers for name, answers in logged.items() if name not in listed}
        owners = {rater.casefold(): f"in {target} already" for session, rater in listed if session == key.session}
        owners |= {rater.casefold(): f"in {journal.path} already" for session, rater in lost if session == key.session}
        added = _read_new(paths, key, partial, owners, lost)
        every = listed | lost | added
        append(journal, [_entry(every[name]) for name in every if name not in logged])
        try:
            _write(target, every)
        except WorkFailed as error:
            raise WorkFailed(f"{error}; {journal.path} keeps the answers, and the next import adds them") from error
    again = ", ".join(sorted(name[1] for name in lost if name not in added))
    if again:
        text = f"{target} has the answers of {again} again, which {journal.path} kept"
        print(f"{text}; to take a rater out, delete the rater's lines from both", file=sys.stderr, flush=True)
    return [answer for answers in added.values() for answer in answers]


ByRater = dict[tuple[str, str], list[Answer]]
"""The answers of each session and rater, by item."""


def _read_new(paths: list[Path], key: Key, partial: bool, owners: dict[str, str], lost: ByRater) -> ByRater:
    """The answers in the files, checked.

    owners: where a rater's answers to this session are already, by the name in lower case. lost: those of which an
    interrupted import wrote the journal alone; the same answers may come again.
    """
    added: ByRater = {}
    for path in paths:
        ((name, answers),) = _by_rater(check_answers(read_answers(path), key, path, partial)).items()
        owner = owners.get(name[1].casefold())
        if owner is not None and (name in added or lost.get(name) != answers):
            raise OtbenchError(f"{path}: the answers of {name[1]!r} are {owner}; each rater counts once")
        owners[name[1].casefold()] = f"in {path} too"
        added[name] = answers
    return added


def _by_rater(answers: list[Answer]) -> ByRater:
    groups: ByRater = {}
    for answer in sorted(answers, key=lambda row: row.order):
        groups.setdefault((answer.session, answer.rater), []).append(answer)
    return groups


def _answers_of(entry: Entry) -> list[Answer]:
    return [Answer(entry.session, entry.rater, *rest) for rest in entry.answers]


def _entry(answers: list[Answer]) -> Entry:
    rows = [(answer.item, answer.answer, answer.milliseconds) for answer in answers]
    return Entry(session=answers[0].session, rater=answers[0].rater, answers=rows)


def _write(target: Path, by_rater: ByRater) -> None:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(FIELDS)
    for answer in sorted((answer for group in by_rater.values() for answer in group), key=lambda row: row.order):
        time = "" if answer.milliseconds is None else answer.milliseconds
        writer.writerow([answer.session, answer.rater, answer.item, answer.answer, time])
    write_text(target, out.getvalue())


def stored(folder: str | Path) -> list[Answer]:
    """Answers of all raters and sessions in answers.csv.

    Args:
        folder: Folder of the session.

    Returns:
        The answers; none where there is no such file.

    Raises:
        OtbenchError: Where the file is not as `merge` writes it.
    """
    path = Path(folder) / "answers.csv"
    if not path.is_file():
        return []
    answers = _from_csv(_text(path, None), path, typed=False)
    seen: set[tuple[str, str, int]] = set()
    for answer in answers:
        if answer.order in seen:
            raise OtbenchError(f"{path}: rater {answer.rater!r} answers item {answer.item} twice")
        seen.add(answer.order)
    return answers
