"""The chapter on blur follows its facts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from otbench.report.theory import blur, chapters
from otbench.report.theory.blur import said, tables
from otbench.theory.blur import MEASURES, summary
from otbench.theory.findings import Findings
from tests.report.theory.branches import check_branches


@pytest.fixture
def found() -> Findings:
    rng = np.random.default_rng(0)
    nan = float("nan")
    names = [("AE-OT", nan), ("AE + Gaussian", nan), ("AE + prior", nan), ("WAE-MMD", 1.0), ("WAE-MMD", 9.0)]
    names += [("VAE", 0.1), ("VAE", 1.0)]
    runs = [
        {"family": f, "weight": w, "seed": s, **dict(zip(MEASURES, rng.uniform(0.1, 1, len(MEASURES)), strict=True))}
        for f, w in names
        for s in (0, 1)
    ]
    keys = ("weight", *MEASURES, "frechet_se", "l2_se")
    facts = {f"{part}_{key}": 0.5 for part in ("ot", "gaussian", "prior", "wae", "vae") for key in keys}
    ends = ("weight", *MEASURES)
    facts |= {f"{p}_{end}_{key}": 0.5 for p in ("wae", "vae") for end in ("least", "most") for key in ends}
    facts |= {"features": "pixels", "held_out": 10, "train": 20, "frechet_floor": 0.1, "sharpness_real": 0.4}
    facts |= {"matched": 4, "dominated": 4, "dominating": 0, "wae_inner": True, "vae_inner": False}
    facts |= {"lead_l2": 0.1, "lead_l2_se": 0.01, "lead_frechet": 1.0, "lead_frechet_se": 0.1}
    facts |= {"ot_frechet": 0.2, "gaussian_frechet": 0.9, "ot_novelty": 0.8}
    sheet = pd.DataFrame({"sheet": ["held-out images", "AE, held-out images given back", "AE-OT"]})
    frames = {"settings": summary(pd.DataFrame(runs)), "runs": pd.DataFrame(runs), "sheet": sheet}
    arrays = {"sheet": rng.integers(0, 255, (3, 4, 1, 8, 8)).astype(np.uint8)}
    return Findings(
        "blur",
        facts,
        frames,
        arrays,
        {"options": {"latent": 3, "seeds": 2, "steps": 7, "batch": 8}, "dataset": "blobs"},
    )


def told(found: Findings, **facts: object) -> str:
    return " ".join(said(replace(found, facts=found.facts | facts)))


def test_the_paragraph_follows_the_facts(found):
    assert "off their frontier" in told(found)
    assert "None of the 4 settings" in told(found, dominated=2)
    assert "2 of 4 settings of WAE and VAE are better in both" in told(found, dominating=2, dominated=0)
    assert "the gain is the transport's" in told(found)
    assert "a Gaussian fitted to the same codes" in told(found, gaussian_frechet=0.3)
    assert "neither blurs" in told(found)
    assert "both blur" in told(found, wae_sharpness=0.1, vae_sharpness=0.1)
    assert "the VAE blurs and the WAE does not" in told(found, vae_sharpness=0.1)
    assert "no more than chance" in told(found, lead_l2=0.001) and "no more than chance" not in told(found)
    assert "interpolates" in told(found) and "interpolates" not in told(found, ot_novelty=1.1)


def test_the_table_holds_every_setting(found):
    (shown,) = tables(found)
    assert len(shown.rows) == 7 and shown.name == "theory_blur_settings"
    assert shown.rows[0].cells[0].raw[""] == pytest.approx(found.tables["settings"]["l2"][0])


def test_the_figures_are_drawn(found, tmp_path):
    (chapter,) = chapters({"blur": found}, tmp_path)
    assert [figure.name for figure in chapter.figures] == ["theory_blur_frontier", "theory_blur_samples"]
    assert all(figure.path.stat().st_size > 1000 for figure in chapter.figures)


def test_every_branch_of_the_template_is_rendered(found):
    check_branches(blur, found)
