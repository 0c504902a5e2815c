"""What a config may hold at its extremes: every number, name and path, each refused in a sentence or kept as it is."""

from __future__ import annotations

import types
import typing
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from otbench.config.parts import Rating, Search, Spread, Theory
from otbench.config.run import Run
from otbench.config.study import StudyConfig
from otbench.errors import OtbenchError
from otbench.runs.check import check_reference, checked, read
from otbench.utils.bounds import NAME_MOST, SEED_MOST, WHOLE_MOST, check_snapshots, snapshot_text
from otbench.utils.paths import folder_and_side

POINTS = {"datasets": ["grid"], "models": ["gan"], "steps": 10}
IMAGES = {"datasets": ["digits"], "models": ["wgan"], "steps": 10}
PARTS = {
    "search": {"datasets": ["digits"], "models": ["wgan"], "trials": {"wide": 1}, "steps": 10},
    "spread": {"datasets": ["digits"], "models": ["wgan"]},
    "rating": {"datasets": ["digits"], "models": ["wgan"]},
}
EXTREMES: list[Any] = [float("nan"), float("inf"), -float("inf"), "1e400", "nan", -1, 10**20, 1e30, 5e-324, -0.5, True]


def base() -> dict[str, Any]:
    images = {**IMAGES, **{name: dict(part) for name, part in PARTS.items()}}
    studies = {"mode-collapse": dict(POINTS), "images": images}
    return {"run": "r", "studies": studies, "seeds": [0], "theory": {"folding": {"set": {}}}}


def kinds(hint: Any) -> set[type]:
    """The plain types in an annotation, those inside lists and mappings too."""
    hint = getattr(hint, "__value__", hint)
    if typing.get_origin(hint) is typing.Annotated:
        return kinds(typing.get_args(hint)[0])
    inner = typing.get_args(hint)
    if typing.get_origin(hint) in (typing.Union, types.UnionType, list, dict):
        return set().union(*map(kinds, inner))
    return {hint} if isinstance(hint, type) else set()


def numeric(part: type[BaseModel]) -> list[str]:
    """The fields of a part that hold numbers, alone or in a list or mapping."""
    return [name for name, field in part.model_fields.items() if kinds(field.annotation) & {int, float}]


PLACES: dict[type[BaseModel], tuple[str, ...]] = {
    Run: (),
    StudyConfig: ("studies", "mode-collapse"),
    Search: ("studies", "images", "search"),
    Spread: ("studies", "images", "spread"),
    Rating: ("studies", "images", "rating"),
    Theory: ("theory", "folding"),
}
FIELDS = [(part, name) for part in PLACES for name in numeric(part)]


def with_value(part: type[BaseModel], name: str, value: Any) -> dict[str, Any]:
    """The config with one field of one part set."""
    values = base()
    inner = values
    for key in PLACES[part]:
        inner = inner[key]
    annotation = str(part.model_fields[name].annotation)
    inner[name] = {"wide": value} if "dict" in annotation else [value] if name in ("seeds", "snapshots") else value
    return values


def test_every_part_has_its_numbers_among_the_fields():
    names = {(part.__name__, name) for part, name in FIELDS}
    assert {("Run", "seeds"), ("Run", "time_limit"), ("Run", "together"), ("StudyConfig", "snapshots")} <= names
    assert {("StudyConfig", "steps"), ("Search", "trials"), ("Spread", "draws"), ("Rating", "repeats")} <= names


#: the least time above zero is a time
CASES = [(*one, value) for one in FIELDS for value in EXTREMES if (one[1], value) != ("time_limit", 5e-324)]


@pytest.mark.parametrize(("part", "name", "value"), CASES, ids=lambda one: getattr(one, "__name__", repr(one)))
def test_a_number_at_its_extremes_is_refused_by_its_key(part, name, value):
    """Faults 5 and 6."""
    with pytest.raises(OtbenchError) as caught:
        checked(with_value(part, name, value), options=False)
    assert name in str(caught.value) and "\n" not in str(caught.value) and len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    ("name", "value"),
    [("seeds", SEED_MOST), ("together", WHOLE_MOST), ("seeds_per_job", WHOLE_MOST), ("time_limit", 2.0**31 - 1)],
)
def test_the_largest_values_are_taken(name, value):
    """Fault 6."""
    run = checked(with_value(Run, name, value), options=False)
    assert getattr(run, name) == ([value] if name == "seeds" else value)


def test_options_are_finite_and_shallow():
    """Fault 5; C1 and C3: numbers and words of the command line come as texts."""
    deep: Any = 1.0
    for _ in range(30):
        deep = [deep]
    cyclic: list[Any] = []
    cyclic.append(cyclic)
    for value in (float("inf"), float("nan"), ".inf", "1e400", [float("inf")], {"a": float("nan")}, deep, cyclic):
        values = base()
        values["studies"]["images"]["overrides"] = [{"models": ["wgan"], "set": {"rate": value}}]
        with pytest.raises(OtbenchError, match="overrides.0.set"):
            checked(values, options=False)
    values["studies"]["images"]["overrides"] = [{"models": ["wgan"], "set": {"rate": "1e-4", "a": "True", "b": "None"}}]
    assert checked(values, options=False).sections["images"].options("wgan") == {"rate": 1e-4, "a": True, "b": None}


@pytest.mark.parametrize(
    "marks", [[1e-12], [0.3333331, 0.3333334], [0.9999999], [1e-9, 1.2e-9], [float("nan")], [0.5000001, 0.5]]
)
def test_snapshots_that_files_cannot_tell_apart_are_refused(marks):
    """Faults 6 and 29."""
    with pytest.raises(OtbenchError, match="snapshots"):
        checked(with_value(StudyConfig, "steps", 10) | {"studies": {"mode-collapse": {**POINTS, "snapshots": marks}}})
    with pytest.raises(ValueError):
        check_snapshots(marks)


def test_snapshots_that_differ_in_six_digits_are_taken():
    check_snapshots([1e-9, 0.333333, 0.333334, 1.0])
    assert len({snapshot_text(mark) for mark in (1e-9, 0.333333, 0.333334, 1.0)}) == 4


def test_names_fit_into_file_names():
    """Fault 10: a run name of 300 characters; fault 29: one of digits alone, which YAML reads as a number."""
    with pytest.raises(OtbenchError, match=f"key 'run'.*at most {NAME_MOST} characters"):
        checked(base() | {"run": "a" * 300})
    assert checked(base() | {"run": 20261130}, options=False).run == "20261130"
    assert checked(base() | yaml.safe_load("run: 2026-11-30"), options=False).run == "2026-11-30"
    with pytest.raises(OtbenchError, match="key 'seeds_per_job'|seeds_per_job 60: the folder of a job is named"):
        checked(base() | {"seeds": list(range(10**9, 10**9 + 60)), "seeds_per_job": 60})


@pytest.mark.parametrize("value", ["Paper", "10.5", None, [1], True, 0], ids=repr)
def test_steps_are_named_by_their_key(value):
    """Fault 29: it said steps.constrained-int."""
    with pytest.raises(OtbenchError, match="key 'studies.mode-collapse.steps': expected a whole number from 1 to"):
        checked(with_value(StudyConfig, "steps", value))


def test_numbers_and_words_of_the_command_line():
    """C1 and C3: `steps: 1e3`, --config 'seeds=[0,1]' 'studies={images: null}' come as texts."""
    values = base()
    values["studies"] = {"mode-collapse": {**POINTS, "steps": "1e3", "seeds": "null"}, "images": "null"}
    values |= {"seeds": ["0", "1"], "theory": {"folding": "None"}, "capture": "True", "time_limit": "None"}
    run = checked(values, options=False)
    assert run.sections["mode-collapse"].steps == 1000 and list(run.sections) == ["mode-collapse"]
    assert run.seeds == [0, 1] and run.theories == {} and run.capture is True and run.time_limit is None


@pytest.mark.parametrize(
    "text",
    [
        "run: no",
        "run: off",
        "studies: {images: {datasets: [digits], models: [vae], steps: 1, folders: {no: x}}}",
        "studies: {images: {datasets: [digits], models: [on], steps: 1}}",
    ],
)
def test_words_that_yaml_reads_as_booleans_get_a_sentence(text):
    """C4."""
    with pytest.raises(OtbenchError, match="YAML reads it as (true|false); expected a name, in quotes"):
        checked({**base(), **yaml.safe_load(text)}, options=False)


def test_home_is_expanded_once_in_every_path(tmp_path, monkeypatch):
    """Fault 22 and C16."""
    monkeypatch.setenv("HOME", str(tmp_path))
    images = {
        **IMAGES,
        "datasets": ["digits", "mine"],
        "folders": {"mine": "~/pics@16"},
        "inception_weights": "~/w.pth",
    }
    paths = {"results": "~/runs", "published": "~/p.csv", "reference": "~/ref", "data_root": "~/data", "allow": "~"}
    theory = {"folding": {"set": {"mesh": "~/cow.obj"}}}
    run = checked({"run": "r", "seeds": [0], "studies": {"images": images}, "theory": theory, **paths}, options=False)
    assert run.results == f"{tmp_path}/runs" and run.folder == tmp_path / "runs" / "r"
    assert {run.published, run.reference, run.data_root} == {f"{tmp_path}/{n}" for n in ("p.csv", "ref", "data")}
    assert run.sections["images"].folders == {"mine": f"{tmp_path}/pics@16"}
    assert run.sections["images"].inception_weights == f"{tmp_path}/w.pth"
    assert run.theories["folding"].set == {"mesh": f"{tmp_path}/cow.obj"} and run.allow == [str(tmp_path)]
    with pytest.raises(OtbenchError, match="key 'results': .*there is no home folder ~nobody-of-this-name"):
        checked({**base(), "results": "~nobody-of-this-name/x"})


@pytest.mark.parametrize("key", ["results", "published", "reference", "data_root"])
@pytest.mark.parametrize("path", ["a" * 300, "/".join(["a" * 100] * 20), "a\0b"], ids=["name", "path", "nul"])
def test_a_path_that_no_file_system_takes_is_refused(key, path):
    """Fault 10."""
    with pytest.raises(OtbenchError, match=f"key '{key}'") as caught:
        checked({**base(), key: path})
    assert len(str(caught.value)) < 2500


@pytest.mark.parametrize(
    ("text", "path", "side"),
    [
        ("pics", "pics", None),
        ("pics@16", "pics", 16),
        ("pics@/../../img", "pics@/../../img", None),
        ("/set@v1/imgs", "/set@v1/imgs", None),
        ("/set@2/a@3@64", "/set@2/a@3", 64),
        ("@16", "@16", None),
    ],
)
def test_a_folder_is_parsed_in_one_way_by_guard_and_loader(text, path, side, monkeypatch, tmp_path):
    """Fault 24."""
    from otbench.data.images.folder import _parsed

    monkeypatch.chdir(tmp_path)
    assert folder_and_side(text) == (path, side)
    images = {**IMAGES, "datasets": ["digits", "mine"], "folders": {"mine": text}}
    run = checked({"run": "r", "seeds": [0], "studies": {"images": images}}, options=False)
    assert run.paths["studies.images.folders.mine"] == path and _parsed(text)[0] == Path(path).absolute()
    inside = not path.startswith("/") and ".." not in path
    assert ("studies.images.folders.mine" not in run.outside) == inside
    allowed = run.model_copy(update={"allow": ["/set@v1", "/set@2"]})
    assert ("studies.images.folders.mine" in allowed.outside) == (".." in path)


def test_a_wrong_reference_is_refused_and_an_absent_default_is_not(tmp_path, monkeypatch):
    """Fault 27."""
    monkeypatch.chdir(tmp_path)
    check_reference(checked(base(), options=False))
    run = checked(base() | {"reference": "results/nosuch"}, options=False)
    with pytest.raises(OtbenchError, match="key 'reference': there is no metrics.parquet in results/nosuch"):
        check_reference(run)
    (tmp_path / "results" / "nosuch").mkdir(parents=True)
    (tmp_path / "results" / "nosuch" / "metrics.parquet").touch()
    check_reference(run)


TEXT = yaml.safe_dump(base())
ENCODED = {
    "utf-16": (TEXT.encode("utf-16"), "is no text in UTF-8"),
    "latin-1": ("run: caf\xe9".encode("latin-1"), "is no text in UTF-8"),
    "deep": (b"[" * 5000, "nested too deeply to be read as YAML"),
    "cyclic": (b"&a [*a]", "expected a mapping"),
    "cyclic set": (TEXT.replace("set: {}", "set: &a {b: *a}").encode(), "theory.folding.set"),
    "date": (b"run: 2026-99-99", "is not valid YAML"),
    "null byte": (b"run: \0", "is not valid YAML"),
    "empty": (b"", "expected a mapping"),
    "laughs": (
        b"a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a]\nrun: [*b,*b,*b]\n",
        "key 'run': Input should be a valid string",
    ),
}


@pytest.mark.parametrize("name", ENCODED)
def test_a_config_file_of_any_bytes_gets_a_sentence(name, tmp_path):
    """Fault 10, C19."""
    (tmp_path / "c.yaml").write_bytes(ENCODED[name][0])
    with pytest.raises(OtbenchError, match=ENCODED[name][1]) as caught:
        read(tmp_path / "c.yaml")
    assert "c.yaml" in str(caught.value) and "\n" not in str(caught.value)


def test_a_mark_of_utf_8_and_ends_of_lines_of_windows_are_read(tmp_path):
    """C5."""
    (tmp_path / "c.yaml").write_bytes(b"\xef\xbb\xbf" + TEXT.replace("\n", "\r\n").encode())
    assert read(tmp_path / "c.yaml") == checked(base())
