"""Tuned options: ranges that models have, draws that can be repeated, files that are read or refused in a sentence."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from otbench.config.search_spaces import RANGES, Between, Range
from otbench.config.tuning import FIXED, OWN_IMAGES, OWN_POINTS, draw_options, read_tuned, tuning_ranges
from otbench.errors import OtbenchError
from otbench.models import configure, find
from otbench.registry import models_of
from otbench.runs.check import checked, read

#: controls that train nothing
IDLE = {"real", "memoriser", "collapsed", "noise", "untrained", "blur"}
PAIRS = [(kind, model) for kind in ("points", "images") for model in models_of(kind)]
GOOD = {
    "study": "images",
    "dataset": "digits",
    "steps": 10,
    "samples": 100,
    "seed": 1000,
    "selected_by": ["fid_validation"],
    "models": {
        "vae": {
            "set": {"rate": 2e-3, "latent": 8},
            "trial": 3,
            "draws": 4,
            "ok": 4,
            "scores": {"fid_validation": 9.5},
            "base": {"fid_validation": None},
        }
    },
}
STUDY = {
    "datasets": ["digits", "mnist"],
    "models": ["vae", "ns-gan"],
    "steps": 10,
    "overrides": [{"models": ["vae", "ns-gan"], "set": {"width": 16, "rate": 1e-3}}],
}


def ranges_of(model: str, kind: str) -> dict[str, Range]:
    return tuning_ranges(model, kind, find(model, kind).Config.model_fields)


def written(folder: Path, name: str = "tuned.yaml", **change: object) -> str:
    path = folder / name
    path.write_text(yaml.safe_dump(GOOD | change))
    return str(path)


def config(tuned: object, **change: object) -> dict:
    return {"run": "r", "seeds": [0], "studies": {"images": {**STUDY, "tuned": tuned, **change}}}


@pytest.mark.parametrize(("kind", "own"), [("points", OWN_POINTS), ("images", OWN_IMAGES)])
def test_ranges_name_models_and_options_that_there_are(kind, own):
    for model, ranges in own.items():
        assert set(ranges) <= set(find(model, kind).Config.model_fields), model
    for model, options in FIXED[kind].items():
        assert set(options) <= set(find(model, kind).Config.model_fields), model


def test_the_models_of_lucic_et_al_have_their_wide_ranges():
    for model, wide in RANGES["wide"].items():
        ranges = ranges_of(model, "images")
        assert {name: span for name, span in ranges.items() if name in wide and name not in ("rate", "beta1")} == {
            name: span for name, span in wide.items() if name not in ("rate", "beta1")
        }


@pytest.mark.parametrize(("kind", "model"), PAIRS)
def test_all_that_train_have_ranges_and_every_draw_is_a_config_of_the_model(kind, model):
    ranges = ranges_of(model, kind)
    assert bool(ranges) == (model not in IDLE)
    for draw in range(40):
        options = draw_options(ranges, model, draw, 1000)
        configure(model, options, kind)
        assert set(options) == (set(ranges) if draw else set())
        for name, span in ranges.items() if draw else ():
            inside = (
                span.low <= options[name] < span.high if isinstance(span, Between) else options[name] in span.values
            )
            assert inside, name


@pytest.mark.parametrize("name", ["config", "all"])
def test_every_trainable_model_of_a_run_has_ranges_that_suit_its_base(root, name):
    run = read(root / "config" / f"{name}.yaml")
    assert run.pairs
    for dataset, model in run.pairs:
        kind = run.kind(dataset)
        ranges = ranges_of(model, kind)
        assert bool(ranges) == (model not in IDLE), model
        for draw in range(10):
            configure(model, run.section(dataset).base(model, dataset) | draw_options(ranges, model, draw, 1000), kind)


def test_a_draw_depends_on_model_number_and_seed_and_on_nothing_else():
    ranges = ranges_of("vae", "images")
    few, many = ([draw_options(ranges, "vae", draw, 1000) for draw in range(n)] for n in (3, 9))
    assert few == many[:3] and few[0] == {}
    assert len({str(options) for options in many}) == 9
    assert draw_options(ranges, "vae", 1, 1001) != many[1] != draw_options(ranges, "ae", 1, 1000)


def test_the_page_has_the_ranges(root):
    """Every row of the page's tables of ranges, against the code; and no range of the code without a row."""
    text = (root / "docs" / "tuning.md").read_text(encoding="utf-8")
    said: dict[str, dict[str, dict[str, str]]] = {"images": {}, "points": {}}
    for kind, head in (("images", "| models of images |"), ("points", "| models in the plane |")):
        group: list[str] = []
        for line in text.partition(head)[2].partition("\n\n")[0].splitlines()[2:]:
            names, option, span = (cell.strip() for cell in line.strip("|").split("|"))
            named = re.findall(r"`([\w-]+)`", names)
            group = [*group, *named] if names.startswith("the same") else named
            for model in group:
                said[kind].setdefault(model, {})[option.strip("`")] = span
    shared = {"images": {}, "points": {}}
    for line in text.partition("| range in the plane |")[2].partition("\n\n")[0].splitlines()[2:]:
        option, images, points = (cell.strip() for cell in line.strip("|").split("|"))
        for kind, span in (("images", images), ("points", points)):
            shared[kind] |= {option.strip("`"): span} if span else {}
    for kind, model in PAIRS:
        fields = find(model, kind).Config.model_fields
        expected = {name: span for name, span in shared[kind].items() if name in fields} | said[kind].get(model, {})
        expected = {name: span for name, span in expected.items() if name not in FIXED[kind].get(model, ())}
        found = ranges_of(model, kind)
        assert set(expected) == set(found), model
        for name, span in found.items():
            if isinstance(span, Between):
                low, high = (float(end) for end in expected[name].removesuffix(", log").split(" to "))
                assert (low, high, expected[name].endswith("log")) == (span.low, span.high, span.log), (model, name)
            else:
                values = [{"true": True, "false": False}.get(word, word) for word in expected[name].split(", ")]
                assert [value if isinstance(value, bool) else float(value) for value in values] == [*span.values]


def test_a_file_is_read(tmp_path):
    tuned = read_tuned(Path(written(tmp_path)))
    assert tuned.models["vae"].set == {"rate": 2e-3, "latent": 8} and tuned.model_dump(mode="json") == GOOD


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "cannot read"),
        ("- a", "expected a mapping of keys to values"),
        ("a: [", "is not valid YAML"),
        (yaml.safe_dump({**GOOD, "stdy": 1}), "key 'stdy': there is no such key"),
        (yaml.safe_dump({k: v for k, v in GOOD.items() if k != "models"}), "key 'models': this key is missing"),
        (yaml.safe_dump(GOOD | {"models": {"vae": {"set": {}}}}), "key 'models.vae.trial': this key is missing"),
        (yaml.safe_dump(GOOD | {"steps": 0}), "key 'steps"),
        (yaml.safe_dump(GOOD | {"dataset": "../digits"}), "key 'dataset'"),
    ],
)
def test_a_wrong_file_gets_a_sentence(tmp_path, text, said):
    path = tmp_path / "tuned.yaml"
    if text is not None:
        path.write_text(text)
    for call in (lambda: read_tuned(path), lambda: checked(config([str(path)]))):
        with pytest.raises(OtbenchError) as caught:
            call()
        assert said in str(caught.value) and "tuned.yaml" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ([{"study": "stacked"}], "expected what was tuned for this study on digits, got study stacked on digits"),
        ([{}, {"steps": 20}], "studies.images.tuned': holds a data set twice"),
        ([{"dataset": "nosuch"}], "tuned: unknown data set 'nosuch'; known are"),
        ([{"models": {"veegen": GOOD["models"]["vae"]}}], "tuned: unknown model 'veegen'; known are"),
        ([{"models": {"vae": GOOD["models"]["vae"] | {"set": {"rat": 1}}}}], "model vae, option 'rat'"),
        ([{"models": {"vae": GOOD["models"]["vae"] | {"set": {"rate": -1}}}}], "model vae, option 'rate'"),
    ],
)
def test_files_that_do_not_suit_the_study_are_refused(tmp_path, changes, said):
    files = [written(tmp_path, f"{at}.yaml", **change) for at, change in enumerate(changes)]
    with pytest.raises(OtbenchError) as caught:
        checked(config(files))
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_tuned_options_stand_over_the_base_where_they_were_tuned(tmp_path):
    section = checked(config([written(tmp_path)])).sections["images"]
    assert section.options("vae", "digits") == {"width": 16, "rate": 2e-3, "latent": 8}
    assert section.base("vae", "digits") == section.options("vae", "mnist") == section.options("vae")
    assert section.options("vae", "mnist") == section.options("ns-gan", "digits") == {"width": 16, "rate": 1e-3}
    assert section.tuning_of("vae", "digits").trial == 3
    assert section.tuning_of("ns-gan", "digits") is section.tuning_of("vae", "mnist") is None


def test_one_file_needs_no_list_and_null_switches_tuning_off(tmp_path):
    name = written(tmp_path)
    assert checked(config(name)).sections["images"].tuned == checked(config([name])).sections["images"].tuned
    for nothing in (None, "null", {}, []):
        assert checked(config(nothing)).sections["images"].tuned == {}


def test_data_sets_and_models_that_the_study_has_not_are_passed_over(tmp_path):
    run = checked(config([written(tmp_path)], datasets=["mnist"], models=["ns-gan"], overrides=[]))
    assert run.section("mnist").options("ns-gan", "mnist") == {}


def test_a_config_keeps_what_its_files_hold(tmp_path):
    run = checked(config([written(tmp_path)]))
    (tmp_path / "tuned.yaml").unlink()
    again = checked(run.model_dump(mode="json"))
    assert again == run and again.section("digits").options("vae", "digits")["latent"] == 8


def test_a_name_is_looked_up_in_this_folder_and_then_beside_the_package(root, tmp_path, monkeypatch):
    monkeypatch.setattr("otbench.config.tuning.HOME", tmp_path)
    monkeypatch.chdir(root)
    (tmp_path / "tuned").mkdir()
    written(tmp_path / "tuned")
    assert "digits" in checked(config(["tuned/tuned.yaml"])).sections["images"].tuned
    (tmp_path / "here" / "tuned").mkdir(parents=True)
    written(tmp_path / "here" / "tuned", dataset="mnist")
    monkeypatch.chdir(tmp_path / "here")
    assert "mnist" in checked(config(["tuned/tuned.yaml"])).sections["images"].tuned
