"""A run from any folder: which config a name means, and what Snakemake is called with."""

from __future__ import annotations

import pytest

from otbench.errors import OtbenchError
from otbench.runs.launch import PROFILE, find_config, words_for_snakemake
from otbench.utils.home import HOME


def test_a_name_is_a_config_that_the_benchmark_brings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_config("tiny") == find_config("tiny.yaml") == HOME / "config" / "tiny.yaml"


def test_a_file_in_this_folder_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny").mkdir()  # a folder is no config
    assert find_config("tiny") == HOME / "config" / "tiny.yaml"
    (tmp_path / "tiny.yaml").write_text("run: mine\n")
    assert str(find_config("tiny.yaml")) == "tiny.yaml"
    assert find_config("tiny") == HOME / "config" / "tiny.yaml"


def test_an_unknown_config_is_a_sentence_with_those_that_there_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OtbenchError, match=r"there is no config tinny; expected a \.yaml file, or one of all, .*tiny"):
        find_config("tinny")
    with pytest.raises(OtbenchError, match="there is no config published.csv"):
        find_config("published.csv")


START = ["--snakefile", str(HOME / "workflow" / "Snakefile"), "--cores", "2"]


@pytest.mark.parametrize(
    ("words", "rest"),
    [
        ([], ["--workflow-profile", str(PROFILE)]),
        (
            ["quick", "-n"],
            ["--workflow-profile", str(PROFILE), "--configfile", str(HOME / "config" / "quick.yaml"), "-n"],
        ),
        (["--config", "device=cpu"], ["--workflow-profile", str(PROFILE), "--config", "device=cpu"]),
        (["--workflow-profile=mine"], ["--workflow-profile=mine"]),
    ],
)
def test_the_words_of_snakemake(words, rest):
    assert words_for_snakemake(words, 2) == START + rest
