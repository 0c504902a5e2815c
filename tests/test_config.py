"""Configs: what is accepted, and the sentence that a wrong one gets."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from otbench.catalogue import fit_version, model_files
from otbench.config import Run, checked, read
from otbench.errors import OtbenchError
from otbench.models import models

GOOD = {"run": "r", "datasets": ["grid"], "models": ["gan"], "seeds": [0], "steps": 10}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"modles": ["gan"]}, "key 'modles': there is no such key; keys are run"),
        ({"models": ["gan", "nosuch"]}, "key 'models': unknown model 'nosuch'; known are ae-ot"),
        ({"datasets": ["mnits"]}, "key 'datasets': unknown data set 'mnits'"),
        ({"datasets": []}, "key 'datasets'"),
        ({"seeds": [0, 0]}, "key 'seeds': holds a value twice"),
        ({"seeds": ["a"]}, "key 'seeds.0'"),
        ({"seeds": [-1]}, "key 'seeds.0'"),
        ({"steps": 0}, "key 'steps"),
        ({"steps": "all"}, "key 'steps"),
        ({"snapshots": [0.0]}, "key 'snapshots.0'"),
        ({"snapshots": [1.5]}, "key 'snapshots.0'"),
        ({"samples": 3}, "key 'samples'"),
        ({"run": "../elsewhere"}, "key 'run'"),
        ({"device": "tpu"}, "key 'device'"),
        ({"overrides": [{"models": ["gna"], "set": {}}]}, "key 'overrides.0.models': unknown model 'gna'"),
        ({"overrides": [{"models": ["gan"], "set": {"rat": 1}}]}, "model gan, option 'rat'"),
        ({"overrides": [{"models": ["gan"], "set": {"rate": "x"}}]}, "model gan, option 'rate'"),
        ({"overrides": [{"models": ["gan"]}]}, "key 'overrides.0.set': this key is missing"),
    ],
)
def test_a_wrong_config_gets_a_sentence_that_names_the_key(change, said):
    with pytest.raises(OtbenchError) as caught:
        checked({**GOOD, **change})
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_a_missing_key_is_named():
    with pytest.raises(OtbenchError, match="key 'seeds': this key is missing"):
        checked({k: v for k, v in GOOD.items() if k != "seeds"})


@given(
    st.dictionaries(
        st.sampled_from(list(Run.model_fields)), st.none() | st.integers() | st.text() | st.lists(st.text())
    )
)
def test_no_config_gets_a_traceback(change):
    try:
        run = checked({**GOOD, **change})
    except OtbenchError as error:
        assert "\n" not in str(error).strip() or "got" in str(error)
    else:
        assert run.marks[-1] == 1.0


def test_later_overrides_win():
    overrides = [
        {"models": ["gan", "ali"], "set": {"rate": 1.0, "batch": 5}},
        {"models": ["gan"], "set": {"rate": 2.0}},
    ]
    run = checked({**GOOD, "overrides": overrides})
    assert run.options("gan") == {"rate": 2.0, "batch": 5}
    assert run.options("ali") == {"rate": 1.0, "batch": 5} and run.options("wgan") == {}


@pytest.mark.parametrize("name", ["config", "paper", "smoke", "reference"])
def test_shipped_configs_are_valid_on_top_of_the_default(root, name):
    default = yaml.safe_load((root / "config" / "config.yaml").read_text())
    own = yaml.safe_load((root / "config" / f"{name}.yaml").read_text())
    run = checked({**default, **own})
    if name != "reference":
        assert set(run.models) == set(models()), "every model is in every scale"


def test_a_config_file_that_is_no_yaml_gets_a_sentence(tmp_path):
    path = Path(tmp_path / "c.yaml")
    with pytest.raises(OtbenchError, match="cannot read"):
        read(path)
    path.write_text("a: [")
    with pytest.raises(OtbenchError, match="is not valid YAML"):
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
        "renew it: python -m otbench.config > workflow/schemas/config.schema.yaml"
    )
