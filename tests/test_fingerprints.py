"""The files behind each fingerprint: what makes a rule run again when it changes."""

from __future__ import annotations

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
        *("models/images/shared/base.py", "models/images/shared/latent.py", "transport"),
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
