"""The chapter on a latent plane: the paragraphs follow the facts, the tables hold the values, the figures draw."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from otbench.report.theory import chapters, latent_geometry
from otbench.report.theory.latent_geometry import said, tables
from otbench.theory.findings import Findings
from otbench.theory.latent_geometry.distances import DISTANCES
from tests.report.theory.branches import check_branches

PAIRS = ("straight", "graph", "smoothed", "energy", "bvp", "bvp_straight")


@pytest.fixture
def found() -> Findings:
    generator = np.random.default_rng(0)
    facts = {"seeds": 2, "train": 1200, "test": 40, "k": 5, "class_a": "0", "class_c": "1", "pairs": 2, "shown": 2}
    facts |= {
        "triples": 5000,
        "empty_beyond": 0.31,
        "empty_part": 0.42,
        "away_straight": 0.25,
        "has_example": True,
        "example_seed": 1,
    }
    wrong = {"latent": 300, "decoded": 200, "image": 90, "deterministic": 120, "stochastic": 70}
    facts |= {f"wrong_{name}": count for name, count in wrong.items()}
    for name in DISTANCES:
        facts |= {f"example_ab_{name}": 1.5, f"example_bc_{name}": 2.5, f"all_classes_{name}": 0.8, f"knn_{name}": 0.7}
    for name, ratio in (("deterministic", 1.1), ("stochastic", 1.3)):
        facts |= {f"magnification_codes_{name}": 2.0, f"away_{name}": 0.125, f"graph_over_geodesic_{name}": 1.021}
        facts |= {f"straight_over_geodesic_{name}": ratio, f"straight_over_geodesic_most_{name}": 2 * ratio}
        facts |= {f"solved_{name}": 2, f"solved_from_straight_{name}": 1, f"longer_from_straight_{name}": 0}
        facts |= {f"disagreement_{name}": 0.004, f"unevenness_{name}": 0.01, f"largest_step_{name}": 1.2}
    facts |= {"magnification_empty_deterministic": 1.0, "magnification_empty_stochastic": 400.0}
    facts |= {f"example_stochastic_over_{name}": 0.04 for name in ("latent", "decoded")}
    facts |= {f"example_stochastic_over_{name}_error": 0.01 for name in ("latent", "decoded")}
    facts |= {"knn_stochastic_over_latent": 0.05, "knn_stochastic_over_latent_error": 0.01}
    rows = [
        {"seed": seed, "distance": name, "example": 0.9 + 0.02 * seed, "all_classes": 0.8, "knn_1": 0.6, "knn_5": 0.7}
        for seed in (0, 1)
        for name in DISTANCES
    ]
    paths = [{"pair": 1, "metric": name} | dict.fromkeys(PAIRS, 4.25) for name in ("deterministic", "stochastic")]
    paths[1]["bvp_straight"] = float("nan")
    arrays = {"low": np.zeros(2), "high": np.ones(2), "shape": np.array([1, 4, 4])}
    arrays |= {"codes": generator.uniform(size=(30, 2)), "labels": np.arange(30) % 3}
    arrays |= {"example": generator.uniform(size=(3, 16))}
    for name in ("straight", "deterministic", "stochastic"):
        arrays[f"map_{name}"] = generator.normal(size=(8, 8))
        arrays[f"curve_{name}"] = generator.uniform(size=(2, 11, 2))
        arrays[f"frames_{name}"] = generator.uniform(size=(10, 16))
        arrays[f"steps_{name}"] = generator.uniform(size=9)
    return Findings(
        "latent-geometry", facts, {"distances": pd.DataFrame(rows), "paths": pd.DataFrame(paths)}, arrays, {}
    )


def changed(found: Findings, **facts: float) -> str:
    return " ".join(said(replace(found, facts=found.facts | facts)))


def test_the_paragraphs_follow_the_facts(found):
    text = " ".join(said(found))
    assert "trained on 1,200 images" in text and "0.5 times that at the codes" in text and "200 times" in text
    assert "only the stochastic metric makes empty regions long" in text
    assert "10.0 % and 30.0 % longer" in text and "solved in 4 of 4 cases, with lengths" in text
    assert "started from the straight line, in 2. Shortest paths" in text
    assert (
        "300 by the Euclidean distance of the latent plane" in text
        and "wrong least often, as the text says. Over" in text
    )
    assert "+5.0 points with a standard error of 1.0 over 2 seeds, so geodesics help" in text


def test_the_paragraphs_do_not_say_what_the_facts_contradict(found):
    assert "does not make empty regions longer" in changed(found, magnification_empty_stochastic=0.5)
    assert "longer than the deterministic one does" in changed(found, magnification_empty_deterministic=10.0)
    assert "makes no more of them" in changed(found, wrong_decoded=70)
    assert "does not show here" in changed(found, wrong_latent=10)
    assert "over decoded images is not above" in changed(found, example_stochastic_over_decoded_error=0.03)
    assert "do better still" in changed(found, wrong_image=60)
    assert "so no gain is shown" in changed(found, knn_stochastic_over_latent=0.01)
    assert "so geodesics do harm" in changed(found, knn_stochastic_over_latent=-0.05)
    assert "one seed" in changed(found, knn_stochastic_over_latent_error=float("nan"))
    assert "1 of them ending in a longer geodesic" in changed(found, longer_from_straight_stochastic=1)
    unsolved = dict.fromkeys(("disagreement_deterministic", "disagreement_stochastic"), float("nan"))
    text = changed(found, solved_deterministic=0, solved_stochastic=0, **unsolved)
    assert "solved in 0 of 4 cases; started" in text and "nan" not in text


def test_the_tables_hold_the_values(found):
    distances, paths = tables(found)
    assert [row.label for row in distances.rows] == list(DISTANCES.values())
    assert [cell.text for cell in distances.rows[0].cells[:2]] == ["91.0", "1.0"]
    assert [cell.text for cell in paths.rows[0].cells] == ["4.250"] * 6
    assert paths.rows[1].label == "pair 1, stochastic"
    assert paths.rows[1].cells[5].text != "nan"


def test_the_figures_draw(found, tmp_path):
    (chapter,) = chapters({"latent-geometry": found}, tmp_path)
    assert len(chapter.figures) == 4 and all(drawn.path.stat().st_size > 1000 for drawn in chapter.figures)
    without = replace(found, facts=found.facts | {"has_example": False})
    (chapter,) = chapters({"latent-geometry": without}, tmp_path / "none")
    assert len(chapter.figures) == 3


def test_every_branch_of_the_template_is_rendered(found):
    check_branches(latent_geometry, found)
