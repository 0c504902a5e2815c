"""The files behind each fingerprint: what makes a rule run again when it changes."""

from __future__ import annotations

import ast
import io
import tokenize

import pytest

from otbench import fingerprints, provenance
from otbench.registry import KINDS, ROOT, THEORIES, model_files

COMMON = {
    *("data/base.py", "nets/layers.py", "nets/replicas.py", "training", "utils/devices.py", "utils/rng.py"),
    *("models/__init__.py", "models/base.py", "models/inputs.py"),
}
OWN = {
    ("pacgan2", "points"): {"models/points/gan.py", "models/points/shared/plane.py", "nets/pacgan.py"},
    ("ae-ot-gan", "images"): {
        *("models/images/ae_ot.py", "models/images/ae_ot_gan.py", "models/images/autoencoder.py"),
        *("models/images/shared/base.py", "models/images/shared/latent.py", "models/solvers.py", "transport"),
        *("nets/image_layers.py", "nets/infogan.py", "nets/resnet.py", "nets/sndcgan.py", "nets/spectral.py"),
    },
}


@pytest.mark.parametrize(("model", "kind"), OWN)
def test_a_fit_depends_on_its_model_its_networks_and_the_training(model, kind):
    found = fingerprints.sources(model, kind) | set(fingerprints.TRAINING)
    assert found == COMMON | OWN[model, kind]


def test_every_fingerprint_names_files_that_are_there():
    for kind in KINDS:
        for model in model_files(kind):
            assert all((ROOT / path).exists() for path in fingerprints.sources(model, kind))
            assert "+" in fingerprints.fit_version(model, kind)
    versions = [fingerprints.theory_version(name) for name in THEORIES]
    whole = (fingerprints.measure_version, fingerprints.report_version, fingerprints.ratings_version)
    versions += [version() for version in (*whole, fingerprints.data_version, fingerprints.features_version)]
    versions += [fingerprints.study_version(name) for name in ("latent", "search", "spread")]
    assert len(set(versions)) == len(versions)


def test_a_name_that_is_not_there_is_a_fault():
    with pytest.raises(FileNotFoundError, match="nowhere.py: a digest of the sources names it"):
        provenance.code_version("models/nowhere.py")


def test_the_templates_of_a_page_count_as_sources(monkeypatch, tmp_path):
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "page.py").write_text("x = 1\n")
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "provenance.py"))
    before = provenance.code_version.__wrapped__("report")
    (tmp_path / "report" / "chapter.md.j2").write_text("words")
    assert provenance.code_version.__wrapped__("report") != before


BEFORE = """\"\"\"A module.\"\"\"

import os  # why

class A:
    \"\"\"A class.\"\"\"

    def f(self, x):
        \"\"\"A method.\"\"\"
        # a comment
        return {"key": x,
            "text": f"{x} # none"}
"""
AFTER = """\"\"\"Another
text.
\"\"\"
import os


class A:
    def f(self, x):
        \"\"\"A method.

        Args:
            x: A number.
        \"\"\"
        return {"key": x,  # the number
            "text": f"{x} # none"}
"""


def version_of(monkeypatch, folder, text):
    """The digest of a package of one file."""
    (folder / "models").mkdir(parents=True)
    (folder / "models" / "one.py").write_text(text)
    monkeypatch.setattr(provenance, "__file__", str(folder / "provenance.py"))
    return provenance.code_version.__wrapped__("models")


def test_comments_and_docstrings_change_no_fingerprint(monkeypatch, tmp_path):
    before, after = (version_of(monkeypatch, tmp_path / name, text) for name, text in (("a", BEFORE), ("b", AFTER)))
    assert before == after


CHANGES = (
    *(("return {", "return  {"), ('"key"', '"name"'), ("# none", "# some")),
    *(("import os", "import sys"), ("    # a", "    1\n    # a")),
)


@pytest.mark.parametrize("change", CHANGES)
def test_code_and_texts_that_are_printed_change_it(monkeypatch, tmp_path, change):
    texts = (BEFORE, BEFORE.replace(*change))
    before, after = (version_of(monkeypatch, tmp_path / str(i), text) for i, text in enumerate(texts))
    assert before != after


def _standard(text: str) -> list[str]:
    """Comments and strings that are statements, as the standard library finds them, in order."""
    lines = text.splitlines(keepends=True)
    found = [
        ((*token.start,), token.string)
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type == tokenize.COMMENT
    ]
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            column = len(lines[node.lineno - 1].encode()[: node.col_offset].decode())
            found.append(((node.lineno, column), ast.get_source_segment(text, node)))
    return [string for _, string in sorted(found)]


def test_remarks_are_those_that_the_standard_library_finds():
    files = sorted(ROOT.rglob("*.py"))
    assert len(files) > 300
    for path in files:
        text = path.read_text(encoding="utf-8")
        assert [text[start:end] for start, end in provenance._remarks(text)] == _standard(text), path
