"""The papers of what a run used: every description names papers that have an entry, and a run gets its own."""

from __future__ import annotations

import re

import pytest

from otbench.cli.listing import theory
from otbench.data import load
from otbench.errors import OtbenchError
from otbench.metrics import METRICS
from otbench.models import models
from otbench.runs.cite import MENTION, bibtex, descriptions, entries, keys_of
from tests.conftest import otbench


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        (
            "Gulrajani et al. 2017, algorithm 1; networks of Miyato et al. 2018, table 3",
            ["gulrajani2017", "miyato2018"],
        ),
        ("An et al. 2020 (ECCV), table 1; losses chosen here", ["an2020aeotgan"]),
        ("An et al. 2020 (ICLR), algorithm 2; Lei et al. 2020 (Engineering), table 2", ["an2020aeot", "lei2020"]),
        ("Liu, Gu and Samaras 2019 (ICCV); An et al. 2020 (AE-OT-GAN), table of CelebA", ["liu2019", "an2020aeotgan"]),
        ("section 2 (after Genevay, Peyré and Cuturi 2017)", ["genevay2017"]),
        ("Li and Malik 2018, algorithm 1; Li and Malik 2018", ["li2018"]),
        ("Liu, Luo, Wang and Tang 2015 (CelebA, aligned and cropped)", ["liu2015"]),
        ("control", []),
    ],
)
def test_the_papers_that_a_description_names(text, keys):
    assert keys_of(text) == keys


def test_a_paper_without_entry_is_an_error():
    with pytest.raises(LookupError, match="Nobody et al. 1999"):
        keys_of("Nobody et al. 1999")


def test_every_paper_that_the_package_names_has_an_entry():
    texts = [one.paper for kind in ("points", "images") for one in models(kind).values()]
    texts += [metric.paper for metric in METRICS.values()] + [row["paper"] for row in theory()]
    texts += [load(name).source for name in ("grid", "grid-pyomt", "digits")]
    assert sum(map(len, map(keys_of, texts))) > 60
    # a year that is not part of a mention that was understood would be a paper that is missed
    for text in texts:
        left = MENTION.sub("", text)
        assert not re.search(r"\b(19|20)\d\d\b", left), left


def test_entries_are_bibtex_with_title_and_year_of_the_key():
    assert len(entries()) > 30
    for key, text in entries().items():
        assert text.count("{") == text.count("}"), key
        fields = dict(re.findall(r"^  (\w+) = \{(.*)\},?$", text, re.M))
        assert {"title", "year"} <= set(fields) and fields["year"] in key, key
        if "eprint" in fields:
            assert re.fullmatch(r"\d{4}\.\d{4,5}", fields["eprint"]), key


def test_a_run_is_cited_for_what_it_used(root):
    text = bibtex(root / "results" / "reference")
    used = descriptions(root / "results" / "reference")
    assert "model real" not in used and "model pacgan2" in used
    found = re.findall(r"^@\w+\{(\w+),", text, re.M)
    assert found[0] == "otbench" and found[1:] == sorted(found[1:])
    assert {"lin2018", "goodfellow2014", "an2020aeot", "sajjadi2018"} <= set(found)
    assert not {"krizhevsky2009", "karras2018", "an2020aeotgan"} & set(found)
    (above,) = re.findall(r"^% (.*)\n@inproceedings\{lin2018,", text, re.M)
    assert "model pacgan2" in above and "data set grid" in above and "model ae-ot" not in above


def test_a_folder_without_a_run_is_a_sentence(tmp_path):
    with pytest.raises(OtbenchError, match="expected a folder with metrics.parquet and run.json"):
        bibtex(tmp_path)


def test_the_verb(root, tmp_path):
    out = tmp_path / "papers.bib"
    done = otbench("cite", root / "results" / "reference", "--out", out)
    assert done.returncode == 0, done.stderr
    assert out.read_text() == bibtex(root / "results" / "reference")
    assert done.stdout == f"{out.read_text().count(chr(10) + '@') + 1} entries in {out}\n"
