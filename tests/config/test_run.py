"""Configs: what is accepted, and the sentence that a wrong one gets."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from snakemake.utils import update_config

from otbench.config.run import Run
from otbench.config.study import KINDS, StudyConfig
from otbench.errors import OtbenchError
from otbench.fingerprints import fit_version
from otbench.models import find, models
from otbench.registry import model_files, models_of
from otbench.runs.check import checked, read

SECTION = {"datasets": ["grid"], "models": ["gan"], "steps": 10}
PICTURES = {"datasets": ["digits"], "models": ["wgan"], "steps": 10}
GOOD = {"run": "r", "studies": {"mode-collapse": SECTION}, "seeds": [0]}


def changed(change: dict) -> dict:
    """GOOD with this change of its only study."""
    return {**GOOD, "studies": {"mode-collapse": {**SECTION, **change}}}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"modles": ["gan"]}, "key 'modles': there is no such key; keys are run"),
        ({"seeds": [0, 0]}, "key 'seeds': holds a value twice"),
        ({"seeds": ["a"]}, "key 'seeds.0'"),
        ({"seeds": [-1]}, "key 'seeds.0'"),
        ({"seeds": ["-1"]}, "key 'seeds.0'"),
        ({"seeds": ["1", 1]}, "key 'seeds': holds a value twice"),
        ({"run": "../elsewhere"}, "key 'run'"),
        ({"device": "tpu"}, "key 'device'"),
        ({"studies": {}}, "key 'studies'"),
        ({"studies": {"images": None}}, "every study is null; a run needs at least one"),
        ({"studies": {"nosuch": SECTION}}, "key 'studies.nosuch"),
        ({"studies": {"images": SECTION}}, "study images: unknown data set 'grid'; known are"),
        ({"studies": {"images": {**PICTURES, "models": ["md-gan"]}}}, "study images: unknown model 'md-gan'"),
    ],
)
def test_a_wrong_config_gets_a_sentence_that_names_the_key(change, said):
    with pytest.raises(OtbenchError) as caught:
        checked({**GOOD, **change})
    assert said in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"modles": ["gan"]}, "key 'studies.mode-collapse.modles': there is no such key; keys are datasets"),
        ({"models": ["gan", "nosuch"]}, "study mode-collapse: unknown model 'nosuch'; known are ae-ot"),
        ({"datasets": ["mnits"]}, "study mode-collapse: unknown data set 'mnits'"),
        ({"datasets": []}, "key 'studies.mode-collapse.datasets'"),
        ({"datasets": ["grid", "grid"]}, "holds a name twice"),
        ({"folders": {"mine": "x"}}, "study mode-collapse compares points; folders hold images"),
        ({"steps": 0}, "key 'studies.mode-collapse.steps"),
        ({"steps": "all"}, "key 'studies.mode-collapse.steps"),
        ({"snapshots": [0.0]}, "key 'studies.mode-collapse.snapshots.0'"),
        ({"snapshots": [1.5]}, "key 'studies.mode-collapse.snapshots.0'"),
        ({"samples": 3}, "key 'studies.mode-collapse.samples'"),
        ({"overrides": [{"models": ["gna"], "set": {}}]}, "unknown model 'gna'"),
        ({"overrides": [{"models": ["gan"], "datasets": ["rong"], "set": {}}]}, "unknown data set 'rong'"),
        ({"overrides": [{"models": ["gan"], "set": {"rat": 1}}]}, "model gan, option 'rat'"),
        ({"overrides": [{"models": ["gan"], "set": {"rate": "x"}}]}, "model gan, option 'rate'"),
        ({"overrides": [{"models": ["gan"]}]}, "overrides.0.set': this key is missing"),
    ],
)
def test_a_wrong_study_gets_a_sentence_that_names_the_key(change, said):
    with pytest.raises(OtbenchError) as caught:
        checked(changed(change))
    assert said in str(caught.value) and "\n" not in str(caught.value)


SEARCH = {"datasets": ["digits"], "models": ["ns-gan", "vae"], "trials": {"wide": 5, "narrow": 2}, "steps": 10}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"models": ["ae-ot"]}, "no ranges to search are known of model 'ae-ot'; known are mm-gan"),
        ({"datasets": ["mnist"]}, "search on a data set it has not, 'mnist'; known are digits"),
        ({"trials": {}}, "search.trials'"),
        ({"trials": {"broad": 3}}, "search.trials.broad"),
        ({"trials": {"wide": 0}}, "search.trials.wide'"),
        ({"trials": {"narrow": 3}, "again": 2}, "again takes the best wide configuration"),
        ({"budget": 3}, "search.budget': there is no such key; keys are models, datasets, trials"),
        ({"set": {"nosuch": 1}}, "model ns-gan, option 'nosuch'"),
    ],
)
def test_a_wrong_search_gets_a_sentence(change, said):
    with pytest.raises(OtbenchError) as caught:
        checked({**GOOD, "studies": {"images": {**PICTURES, "search": {**SEARCH, **change}}}})
    assert said in str(caught.value) and "\n" not in str(caught.value)
    with pytest.raises(OtbenchError, match="compares points; a search is for images"):
        checked(changed({"search": {**SEARCH, "datasets": ["grid"]}}))


def test_a_search_is_cut_into_jobs():
    run = checked({**GOOD, "studies": {"images": {**PICTURES, "search": {**SEARCH, "at_once": 3}}}})
    parts = [("wide", "0-3"), ("wide", "3-5"), ("narrow", "0-2")]
    assert run.searches == [("digits", model, *part) for model in ("ns-gan", "vae") for part in parts]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"spread": {"models": ["nosuch"], "datasets": ["digits"]}}, "study images: spread: unknown model 'nosuch'"),
        ({"spread": {"models": ["wgan"], "datasets": ["grid"]}}, "study images: spread: unknown data set 'grid'"),
        ({"spread": {"models": ["wgan"], "datasets": ["digits"], "metrics": ["fud"]}}, "unknown metric 'fud'"),
        ({"spread": {"models": ["wgan"], "datasets": ["digits"], "draws": 1}}, "key 'studies.images.spread.draws'"),
        ({"spread": {"models": ["wgan"]}}, "key 'studies.images.spread.datasets': this key is missing"),
        ({"rating": {"models": ["wgan"], "datasets": ["digits"], "raters": 3}}, "keys are models, datasets, along"),
        ({"rating": {"models": ["wgan"], "datasets": ["digits"], "along": ["vea"]}}, "rating: unknown model 'vea'"),
        (
            {"rating": {"models": ["wgan"], "datasets": ["digits"], "per_cell": 0}},
            "key 'studies.images.rating.per_cell'",
        ),
    ],
)
def test_wrong_repeats_and_ratings_get_a_sentence(change, said):
    with pytest.raises(OtbenchError) as caught:
        checked({**GOOD, "studies": {"images": {**PICTURES, **change}}})
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_people_do_not_rate_points():
    with pytest.raises(OtbenchError, match="compares points; people rate images"):
        checked(changed({"rating": {"models": ["gan"], "datasets": ["grid"]}}))


def test_repeats_and_ratings_are_of_what_the_study_has():
    asked = {"models": ["vae", "wgan"], "datasets": ["digits", "mnist"]}
    run = checked({**GOOD, "studies": {"images": {**PICTURES, "spread": asked, "rating": asked}}})
    assert run.spreads == [("digits", "wgan")]
    assert run.rated == ["digits"] and run.section("digits").rated == ["wgan"]
    away = {"models": ["vae"], "datasets": ["digits"]}
    run = checked({**GOOD, "studies": {"images": {**PICTURES, "spread": away, "rating": away}}})
    assert run.spreads == [] and run.rated == []


def test_a_missing_key_is_named():
    with pytest.raises(OtbenchError, match="key 'seeds': this key is missing"):
        checked({k: v for k, v in GOOD.items() if k != "seeds"})


# the first example pays for imports
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(list(Run.model_fields)), st.none() | st.integers() | st.text() | st.lists(st.text())
    ),
    st.dictionaries(
        st.sampled_from(list(StudyConfig.model_fields)), st.none() | st.integers() | st.text() | st.lists(st.text())
    ),
)
def test_no_config_gets_a_traceback(change, inner):
    try:
        run = checked({**changed(inner), **change})
    except OtbenchError as error:
        assert "\n" not in str(error).strip() or "got" in str(error)
    else:
        assert run.section("grid").marks[-1] == 1.0


def test_later_overrides_win_and_may_be_for_one_data_set():
    overrides = [
        {"models": ["gan", "ali"], "set": {"rate": 1.0, "batch": 5}},
        {"models": ["gan"], "set": {"rate": 2.0}},
        {"models": ["ali"], "datasets": ["ring"], "set": {"batch": 7}},
    ]
    models = ["gan", "ali", "wgan"]
    section = checked(changed({"overrides": overrides, "datasets": ["grid", "ring"], "models": models})).section("grid")
    assert section.options("gan", "grid") == {"rate": 2.0, "batch": 5}
    assert section.options("ali", "grid") == {"rate": 1.0, "batch": 5} and section.options("wgan", "grid") == {}
    assert section.options("ali", "ring") == {"rate": 1.0, "batch": 7}


def test_a_name_in_two_studies_takes_the_options_of_each():
    own = {"models": ["wgan"], "set": {"clip": 0.02}}
    studies = {"mode-collapse": {**SECTION, "models": ["wgan"]}, "images": {**PICTURES, "overrides": [own]}}
    run = checked({**GOOD, "studies": studies})
    assert run.section("grid").options("wgan", "grid") == {}
    assert run.section("digits").options("wgan", "digits") == {"clip": 0.02}
    assert run.pairs == [("grid", "wgan"), ("digits", "wgan")]
    assert run.kind("digits") == "images" and run.study_of == {"grid": "mode-collapse", "digits": "images"}


def test_seeds_of_a_command_line_come_as_texts():
    assert checked({**GOOD, "seeds": ["0", "12"]}).seeds == [0, 12]


def test_a_study_may_have_seeds_of_its_own_and_be_left_out():
    run = checked({**GOOD, "studies": {"mode-collapse": {**SECTION, "seeds": [3, 4]}, "images": None}})
    assert run.seeds_of("grid") == [3, 4] and list(run.sections) == ["mode-collapse"]


#: configs that have every study and model, those that search, and those whose leave_out is the default's or their own
WHOLE, SEARCHING, INHERITS = (
    {"all", "paper", "smoke"},
    {"all", "paper", "smoke", "reference-search"},
    {"config", "all", "paper"},
)
SHIPPED = sorted(path.stem for path in (Path(__file__).parents[2] / "config").glob("*.yaml") if path.stem != "queue")


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_configs_are_valid_on_top_of_the_default(root, name):
    values = yaml.safe_load((root / "config" / "config.yaml").read_text())
    update_config(values, yaml.safe_load((root / "config" / f"{name}.yaml").read_text()))
    run = checked(values)
    search = run.sections["images"].search if "images" in run.sections else None
    narrow = {"all": {"width": 16}, "smoke": {"width": 4}}.get(name, {})
    assert search is None or search.set == narrow, "trials have narrow networks where digits are searched alone"
    assert (search is not None) == (name in SEARCHING)
    assert (set(run.sections) == set(KINDS)) == (name in WHOLE)
    for kind in set(KINDS.values()) if name in WHOLE else ():
        chosen = {m for study, section in run.sections.items() if KINDS[study] == kind for m in section.models}
        assert chosen == set(models_of(kind)), "every model is in every scale"
        trained = {model for dataset, model in run.pairs if run.kind(dataset) == kind}
        assert trained == chosen, "and is left out of one data set at most, not of all"
    assert name in INHERITS or not left_out(run), "a config says itself what its data sets do without"


def left_out(run: Run) -> set[tuple[str, str]]:
    """(data set, model) of what the studies of a run leave out."""
    every = {(dataset, m) for section in run.sections.values() for dataset in section.datasets for m in section.models}
    return every - set(run.pairs)


def test_the_default_is_a_choice_of_all(root):
    default, whole = (read(root / "config" / f"{name}.yaml") for name in ("config", "all"))
    assert set(default.sections) == {"mode-collapse", "images"} and default.theories.items() < whole.theories.items()
    # what takes longest of what followed the texts
    assert set(whole.theories) - set(default.theories) == {"polar-factorisation", "tearing"}
    for name, section in default.sections.items():
        other = whole.sections[name]
        assert set(section.models) < set(other.models) and section.datasets == other.datasets
        assert (section.steps, section.marks, section.samples) == (other.steps, other.marks, other.samples)
    # the rows of the argument: GANs and what mends them, VAEs, transport, and all controls
    points = {"gan", "pacgan2", "wgan-gp", "ae-ot", "ae-ot-10k"}
    images = {"ns-gan", "wgan-gp", "vae", "wae-mmd", "wae-gan", "ae", "ae-ot", "otvae", "ae-ot-gan", "glann"}
    controls = {model for kind in set(KINDS.values()) for model in models_of(kind) if find(model, kind).control}
    assert points <= set(default.sections["mode-collapse"].models)
    assert images <= set(default.sections["images"].models)
    assert controls <= {model for section in default.sections.values() for model in section.models}
    trained = {model for _, model in default.pairs}
    assert trained == {model for section in default.sections.values() for model in section.models}
    assert {model for dataset, model in left_out(default)} == set(default.sections["mode-collapse"].models) & {
        model for dataset, model in left_out(whole)
    }


def test_a_config_file_that_is_no_yaml_gets_a_sentence(tmp_path):
    path = Path(tmp_path / "c.yaml")
    with pytest.raises(OtbenchError, match="cannot read"):
        read(path)
    path.write_text("a: [")
    with pytest.raises(OtbenchError, match="is not valid YAML"):
        read(path)
    path.write_bytes(b"run: \xfc")
    with pytest.raises(OtbenchError, match=r"is no text in UTF-8 \(byte 5\)"):
        read(path)
    path.write_text("- a")
    with pytest.raises(OtbenchError, match="expected a mapping"):
        read(path)


def test_the_catalogue_knows_what_is_registered():
    assert set(model_files()) == set(models())
    assert all(models()[name].__module__.endswith(Path(file).stem) for name, file in model_files().items())


def test_a_models_version_covers_what_it_uses():
    assert fit_version("gan") == fit_version("pacgan2") != fit_version("ali") != fit_version("ae-ot")


def test_the_schema_on_disk_is_the_configs(root):
    text = (root / "workflow" / "schemas" / "config.schema.yaml").read_text()
    assert yaml.safe_load(text) == Run.model_json_schema(), (
        "renew it: python -m otbench.config.run > workflow/schemas/config.schema.yaml"
    )


@pytest.mark.parametrize("path", ["x; touch owned #", "$(id)", "my results", "-x", "{output}", "a\nb", ""])
@pytest.mark.parametrize("key", ["results", "reference", "published"])
def test_a_path_that_a_shell_would_read_otherwise_is_refused(key, path):
    with pytest.raises(OtbenchError, match=f"key '{key}': expected a path of letters, digits"):
        checked({**GOOD, key: path})


def test_a_path_may_have_letters_of_any_language_and_the_usual_signs():
    assert checked({**GOOD, "results": "/läufe/2026-11_a+b@c=1%/x.y:z"}).results == "/läufe/2026-11_a+b@c=1%/x.y:z"


def test_the_paths_that_lead_out_of_the_folder_are_known_by_their_keys(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pictures = {**PICTURES, "datasets": ["digits", "mine", "here"], "inception_weights": "/w/inception.pth"}
    pictures["folders"] = {"mine": "/pictures/mine@64", "here": "pictures"}
    theory = {"folding": {"set": {"mesh": "/meshes/cow.obj"}}}
    run = checked({**GOOD, "studies": {"images": pictures}, "data_root": "../data", "theory": theory})
    assert run.outside == {
        "data_root": str(tmp_path.parent / "data"),
        "studies.images.folders.mine": "/pictures/mine",
        "studies.images.inception_weights": "/w/inception.pth",
        "theory.folding.set.mesh": "/meshes/cow.obj",
    }
    assert set(run.model_copy(update={"allow": ["/pictures", "/w", "/meshes"]}).outside) == {"data_root"}


@pytest.mark.parametrize(
    ("theory", "said"),
    [
        ({"nosuch": {}}, "no such study of the theory: 'nosuch'; known are parallel-lines"),
        ({"blur": {}}, "theory blur: it is about images; no such data set ''"),
        ({"blur": {"dataset": "grid"}}, "theory blur: it is about images; no such data set 'grid'"),
        ({"folding": {"dataset": "digits"}}, "theory folding is not about images"),
        ({"folding": {"st": {}}}, "there is no such key; keys are dataset, set, seed"),
        ({"folding": {"seed": -1}}, "key 'theory.folding.seed'"),
    ],
)
def test_a_wrong_study_of_the_theory_gets_a_sentence(theory, said):
    with pytest.raises(OtbenchError) as caught:
        checked({**GOOD, "theory": theory})
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_studies_of_the_theory_come_in_the_order_of_the_report():
    run = checked({**GOOD, "theory": {"scaling": {}, "blur": None, "parallel-lines": {"seed": 3}}})
    assert list(run.theories) == ["parallel-lines", "scaling"] and run.theories["parallel-lines"].seed == 3
    assert checked({**GOOD, "theory": None}).theories == checked(GOOD).theories == {}
