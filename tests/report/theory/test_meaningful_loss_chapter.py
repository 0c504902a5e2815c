"""The chapter on losses that mean something follows its facts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from otbench.report.theory import chapters, meaningful_loss
from otbench.report.theory.meaningful_loss import said, tables
from otbench.theory.findings import Findings
from otbench.theory.meaningful_loss import MEASURES, correlations
from tests.report.theory.branches import check_branches


@pytest.fixture
def found() -> Findings:
    rng = np.random.default_rng(0)
    arrays = {name: rng.uniform(0.1, 0.6, (2, 3, 2, 5)) for name in MEASURES}
    arrays["w1"][0] = 3 + arrays["estimate"][0]
    arrays |= {"steps": np.arange(1, 6) * 10.0, "fractions": np.array([0.2, 1.0])}
    arrays["sheets"] = rng.integers(0, 255, (2, 3, 2, 3, 1, 8, 8)).astype(np.uint8)
    facts = {"w1_floor": 2.0, "frechet_floor": 0.2, "held_out": 10, "train": 20, "updates": 50, "trainings": 2}
    for short in ("w", "js"):
        for quality in ("w1", "frechet", "as_is", "scaled"):
            facts |= {f"{short}_{quality}_{part}": 0.3 for part in ("pooled", "least", "most", "changes")}
        facts |= {f"{short}_{part}": 0.2 for part in ("highest", "lowest", "last_estimate", "last_estimate_train")}
    facts |= {f"bound_{part}": 0.5 for part in ("least", "mean", "most")} | {"slope_least": 0.1, "slope_most": 0.2}
    info = {"options": {"clip": 0.01, "critic_steps": 5, "judge_steps": 7}, "dataset": "blobs"}
    return Findings("meaningful-loss", facts, {"correlations": correlations(arrays)}, arrays, info)


def told(found: Findings, **facts: object) -> str:
    return " ".join(said(replace(found, facts=found.facts | facts)))


def test_the_paragraph_follows_the_facts(found):
    assert "as the texts say" in told(found, w_w1_least=0.8, js_w1_most=0.1)
    assert "is not seen here" in told(found, w_w1_least=0.8, js_w1_most=0.9)
    assert "with 3 of the 3 generators" in told(found, w_w1_pooled=0.5)
    assert "is not seen at this size" in told(found)
    assert "a lower bound, as the dual says" in told(found)
    assert "close to its ceiling" in told(found, js_lowest=0.6) and "ceiling" not in told(found)
    assert "above 1 at times" in told(found, bound_most=1.2)


def test_the_paragraph_compares_with_the_networks_as_they_stand(found):
    assert "(7 updates" in told(found) and "As it stands in the game" in told(found)
    assert "means more when it is trained further first" in told(found, w_as_is_pooled=0.1, w_as_is_changes=0.1)
    assert "more meaning is not seen" in told(found, w_as_is_pooled=0.5)
    plain = replace(found, info={**found.info, "options": found.info["options"] | {"judge_steps": 0}})
    assert "not trained to their optimum" in told(plain) and "As it stands in the game" not in told(plain)


def test_correlations_are_per_training_and_over_all(found):
    frame = found.tables["correlations"]
    wasserstein = frame[frame["loss"] == "Wasserstein"]
    assert wasserstein["w1"].tolist() == pytest.approx([1.0] * 4)
    assert wasserstein["w1_changes"].dropna().tolist() == pytest.approx([1.0] * 3)
    (shown,) = tables(found)
    assert len(shown.rows) == 8
    assert shown.rows[0].cells[0].raw[""] == pytest.approx(1.0)
    assert not shown.rows[3].cells[1].raw
    assert shown.rows[0].cells[3].raw[""] == pytest.approx(wasserstein["as_is"].iloc[0])


def test_the_figures_are_drawn(found, tmp_path):
    (chapter,) = chapters({"meaningful-loss": found}, tmp_path)
    assert [f.name for f in chapter.figures] == ["theory_meaningful_loss_curves", "theory_meaningful_loss_samples"]
    assert all(figure.path.stat().st_size > 1000 for figure in chapter.figures)


def test_every_branch_of_the_template_is_rendered(found):
    check_branches(meaningful_loss, found)
