"""Raters' files: read, refused with a sentence, merged whole or not at all."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otbench.errors import OtbenchError
from otbench.ratings.answers import Answer, merge, rater_name, read_answers, stored
from otbench.ratings.sheet import Session

HEAD = "session,rater,item,answer,milliseconds"


def saved(made: Session, rater: str = "Ann", **change: object) -> dict:
    """What the page saves where everything is called real."""
    answers = [{"item": one.item, "answer": "real", "milliseconds": 800 + one.item} for one in made.key.items]
    whole = {"format": "otbench-ratings-1", "session": made.key.session, "rater": rater, "answers": answers}
    return whole | {"started": "2025-01-01T10:00:00.000Z", "finished": None} | change


def put(path: Path, value: object) -> Path:
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return path


def lines(made: Session, rater: str = "Bo", session: str = "") -> list[str]:
    own = session or made.key.session
    return [HEAD, *(f"{own},{rater},{one.item},generated,{one.item}" for one in made.key.items)]


def test_files_of_both_kinds_become_one_sorted_table(made: Session, folder: Path, tmp_path: Path) -> None:
    paths = [put(tmp_path / "b.csv", "\ufeff" + "\r\n".join(lines(made))), put(tmp_path / "a.json", saved(made))]
    added = merge(paths, made.key, folder)
    count = len(made.key.items)
    assert len(added) == 2 * count
    text = (folder / "answers.csv").read_text()
    name = made.key.session
    assert text.splitlines()[:3] == [HEAD, f"{name},Ann,1,real,801", f"{name},Ann,2,real,802"]
    assert text.splitlines()[1 + count] == f"{name},Bo,1,generated,1"
    assert stored(folder) == sorted(added, key=lambda one: one.order)
    merge([put(tmp_path / "c.json", saved(made, 'Zoé, "Z"'))], made.key, folder)
    assert len(stored(folder)) == 3 * count and stored(folder)[-1].rater == 'Zoé, "Z"'


def test_a_typed_form_needs_its_name_once_and_no_times(made: Session, folder: Path) -> None:
    """Excel's semicolons, answers by letter, the rater's name in the first line alone."""
    rows = [row.split(",") for row in (folder / "form.csv").read_text().splitlines()]
    rows[1][1] = "Cy"
    for row in rows[1:]:
        row[3] = "R" if int(row[2]) % 2 else "g"
    found = merge([put(folder.parent / "typed.csv", "\n".join(";".join(row) for row in rows))], made.key, folder)
    assert {one.rater for one in found} == {"Cy"}
    assert [one.answer for one in found[:2]] == ["real", "generated"]
    assert all(one.milliseconds is None for one in stored(folder))


def test_earlier_sessions_answers_stay(made: Session, folder: Path, tmp_path: Path) -> None:
    put(folder / "answers.csv", "\n".join(lines(made, "Ann", "0" * 12)) + "\n")
    merge([put(tmp_path / "a.json", saved(made))], made.key, folder)
    assert {one.session for one in stored(folder)} == {"0" * 12, made.key.session}


def wrong_json(made: Session) -> dict[str, tuple[object, str]]:
    whole, last = saved(made), len(made.key.items)
    answers = whole["answers"]

    def changed(**fields: object) -> dict:
        return saved(made, answers=[answers[0] | fields, *answers[1:]])

    text = json.dumps(whole)
    return {
        "truncated": (text[:-30], "it is cut short or no JSON"),
        "format": (saved(made, format="otbench-ratings-2"), "format: input should be 'otbench-ratings-1'"),
        "foreign": (saved(made, session="0" * 12), f"it answers session {'0' * 12}, expected {made.key.session}"),
        "session": (saved(made, session="x"), "session: "),
        "incomplete": (saved(made, answers=answers[:-1]), f"1 of {last} items are not answered, item {last} first"),
        "twice": (saved(made, answers=[*answers, answers[4]]), "item 5: it is answered twice"),
        "beyond": (
            saved(made, answers=[*answers, answers[0] | {"item": last + 1}]),
            f"item {last + 1}: the session has",
        ),
        "word": (changed(answer="yes"), "answers 1 answer: input should be 'real' or 'generated'"),
        "zero": (changed(item=0), "answers 1 item: input should be greater than or equal to 1"),
        "true": (changed(item=True), "answers 1 item: input should be a valid integer"),
        "text": (changed(item="1"), "answers 1 item: input should be a valid integer"),
        "fraction": (changed(milliseconds=1.5), "answers 1 milliseconds: input should be a valid integer"),
        "negative": (changed(milliseconds=-1), "answers 1 milliseconds: input should be greater"),
        "nan": (text.replace("801", "NaN"), "it holds NaN, which is no JSON number"),
        "key twice": (text.replace('"rater"', '"session": 1, "rater"', 1), "the key 'session' stands there twice"),
        "extra": (saved(made, model="otvae"), "model: there is no such key"),
        "list": ([1], "the whole: input should be a valid dictionary"),
        "empty list": (saved(made, answers=[]), "it holds no answers"),
        "deep": ("[" * 100_000, "it is nested too deeply"),
        "name": (saved(made, "=1+1"), "starts with =, which spreadsheets take for a formula"),
        "no name": (saved(made, "  "), "the rater's name has 0 characters"),
        "long name": (saved(made, "n" * 61), "the rater's name has 61 characters, expected 1 to 60"),
        "control": (saved(made, "a\u0000b"), "characters that cannot be printed"),
        "surrogate": (saved(made, "a\ud800"), "characters that cannot be printed"),
        "started": (saved(made, started="<script>"), "started: "),
    }


def wrong_csv(made: Session) -> dict[str, tuple[object, str]]:
    good, own = lines(made), made.key.session
    return {
        "head": ("\n".join(good[1:]), "line 1: expected the columns session,rater,item,answer,milliseconds"),
        "cut": ("\n".join(good)[:-14], "expected 5 fields, got"),
        "cut rows": ("\n".join(good[:-2]), "2 of 22 items are not answered"),
        "item": ("\n".join([*good[:3], f"{own},Bo,x,real,1"]), "line 4, item: expected a whole number"),
        "answer": (
            "\n".join([*good[:3], f"{own},Bo,3,maybe,1"]),
            "line 4, answer: expected real or generated, got 'maybe'",
        ),
        "foreign": ("\n".join(lines(made, session="f" * 12)), "it answers session ffffffffffff"),
        "two raters": (
            "\n".join([*good, f"{own},Al,1,real,1"]),
            "answers of 'Al' and of 'Bo', expected a file a rater",
        ),
        "formula": ("\n".join(lines(made, "@SUM(A1)")), "line 2, rater: the rater's name starts with @"),
        "nameless": ("\n".join(lines(made, "")), "line 2, rater: the rater's name has 0 characters"),
        "quote": (HEAD + '\n"' + good[1], "it is no CSV"),
        "empty": ("", "line 1: expected the columns"),
        "no answers": (HEAD, "it holds no answers"),
    }


WRONG = ["truncated", "format", "foreign", "session", "incomplete", "twice", "beyond", "word", "zero", "true", "text"]
WRONG += ["fraction", "negative", "nan", "key twice", "extra", "list", "empty list", "deep", "name", "no name"]
WRONG += ["long name", "control", "surrogate", "started"]
WRONG_CSV = ["head", "cut", "cut rows", "item", "answer", "foreign", "two raters", "formula", "nameless", "quote"]
WRONG_CSV += ["empty", "no answers"]


@pytest.mark.parametrize("case", [f"json:{name}" for name in WRONG] + [f"csv:{name}" for name in WRONG_CSV])
def test_a_wrong_file_gets_a_sentence_and_changes_nothing(
    case: str, made: Session, folder: Path, tmp_path: Path
) -> None:
    """Nothing changes even where a good file comes first."""
    kind, name = case.split(":")
    value, said = {"json": wrong_json, "csv": wrong_csv}[kind](made)[name]
    path, good = put(tmp_path / f"wrong.{kind}", value), put(tmp_path / "good.json", saved(made, "Good"))
    put(folder / "answers.csv", "\n".join(lines(made, "Old")) + "\n")
    before = (folder / "answers.csv").read_bytes()
    with pytest.raises(OtbenchError, match=re.escape(said)) as error:
        merge([good, path], made.key, folder)
    assert "\n" not in str(error.value) and str(path) in str(error.value)
    assert (folder / "answers.csv").read_bytes() == before


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "large.json").write_bytes(b" " * 4_000_001)
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe")
    for name, said in (
        ("large.json", "larger than"),
        ("bytes.csv", "no text"),
        ("none.csv", "No such file"),
        ("", "cannot"),
    ):
        with pytest.raises(OtbenchError, match=said):
            read_answers(tmp_path / name)


def test_a_rater_counts_once(made: Session, folder: Path, tmp_path: Path) -> None:
    first, again = put(tmp_path / "1.json", saved(made, "Ann  Lee")), put(tmp_path / "2.json", saved(made, " ann lee"))
    with pytest.raises(OtbenchError, match=r"2.json: the answers of 'ann lee' are in .*1.json too"):
        merge([first, again], made.key, folder)
    assert not (folder / "answers.csv").exists()
    merge([first], made.key, folder)
    with pytest.raises(OtbenchError, match="answers.csv already"):
        merge([again], made.key, folder)


def test_partial_answers_are_taken_where_asked_for(made: Session, folder: Path, tmp_path: Path) -> None:
    path = put(tmp_path / "a.json", saved(made, answers=saved(made)["answers"][:5]))
    assert [one.item for one in merge([path], made.key, folder, partial=True)] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("text", ["é" * 60, "e\u0301" * 60, "  a  b  ", "李雷", 'O\'Neil; "x", <b>', "a=b"])
def test_names_are_kept_as_text(text: str) -> None:
    name = rater_name(text)
    assert name == rater_name(name) and name == name.strip() and len(name) <= 60


FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@given(
    data=st.binary(max_size=400)
    | st.text(max_size=200).map(lambda text: (HEAD + "\n" + text).encode("utf-8", "replace"))
)
@FUZZ
def test_any_bytes_are_answers_or_an_error(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "any"
    path.write_bytes(data)
    check(path)


FIELDS = ["format", "session", "rater", "started", "finished", "answers", "item", "answer", "milliseconds"]
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
LEAVES |= st.sampled_from(["otbench-ratings-1", "0" * 12, "real", 1, 2])
NAMES = st.sampled_from(FIELDS) | st.text(max_size=3)
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=5))
ANSWERS = st.lists(
    st.fixed_dictionaries({"item": LEAVES, "answer": LEAVES}, optional={"milliseconds": LEAVES}), max_size=4
)
NEAR = st.fixed_dictionaries(
    {"format": st.just("otbench-ratings-1"), "session": st.just("0" * 12), "rater": LEAVES, "answers": ANSWERS},
    optional={"started": LEAVES, "extra": LEAVES},
)


@given(value=VALUES | NEAR)
@FUZZ
def test_any_json_is_answers_or_an_error(value: object, tmp_path: Path) -> None:
    check(put(tmp_path / "any.json", json.dumps(value)))


@given(
    rows=st.lists(
        st.tuples(
            *[st.sampled_from(["0" * 12, "", "x"]), st.text(max_size=5), st.sampled_from(["1", "2", "0", "-1", "1e3"])],
            *[st.sampled_from(["real", "g", "", "no"]), st.sampled_from(["", "5", "x"])],
        ),
        max_size=4,
    )
)
@FUZZ
def test_any_table_is_answers_or_an_error(rows: list[tuple[str, ...]], tmp_path: Path) -> None:
    check(
        put(
            tmp_path / "any.csv",
            "\n".join([HEAD, *(",".join(row) for row in rows)]).encode("utf-8", "replace").decode(),
        )
    )


def check(path: Path) -> None:
    """Answers come out whole and can be written and read again; else there is one sentence."""
    try:
        found = read_answers(path)
    except OtbenchError as error:
        assert str(path) in str(error)
        return
    assert len({one.rater for one in found}) == 1
    for one in found:
        assert isinstance(one, Answer) and one.item >= 1 and one.answer in ("real", "generated")
        assert rater_name(one.rater) == one.rater and one.rater[0] not in "=+-@"
