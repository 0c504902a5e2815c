"""The sanity checks: their criteria on values worked out by hand, their laws, and a verdict that is known."""

import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT))
from benchmarks import sanity_checks as checks  # noqa: E402
from benchmarks import sanity_rules as rules  # noqa: E402

sys.path.remove(str(ROOT))

STEPS = np.linspace(-4, 4, 9)
BELL = np.array([0, 0.02, 0.3, 0.8, 1, 0.8, 0.3, 0.02, 0])
FALL = np.linspace(1, 0, 9)


@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    [
        (rules.bell, BELL, FALL),
        (rules.falls, FALL, FALL[::-1]),
        (rules.rises, FALL[::-1], BELL),
        (rules.flat, np.full(9, 0.3) + 0.04 * (STEPS > 0), np.full(9, 0.3) + 0.06 * (STEPS > 0)),
        (rules.settles, np.r_[np.zeros(4), np.full(5, 0.2)], np.r_[np.zeros(5), np.full(4, 0.2)]),
        (rules.at("middle", 1), BELL, FALL),
        (rules.at("last", 0), FALL, FALL[::-1]),
        (rules.at_step(-3, 0), BELL, FALL),
        (rules.falls_early(0.5), FALL, np.r_[np.ones(8), 0.0]),
        (rules.either(rules.bell, rules.falls), FALL, FALL[::-1]),
        (rules.least_where_same(0.0), 1 - BELL, BELL),
        (rules.grows(0.0), STEPS**2, np.abs(STEPS) * (STEPS > 0)),
        (rules.grows(-4.0), FALL[::-1], FALL),
    ],
)
def test_each_criterion_passes_what_it_is_there_for_and_fails_another(rule, good, bad):
    assert rule(STEPS, np.asarray(good)) and not rule(STEPS, np.asarray(bad))


def every():
    return [*checks.gaussians(), *checks.mixtures(), *checks.shapes()]


def test_all_fifteen_checks_are_there_and_draw_samples():
    assert len({check.title for check in every()}) == 15
    for check in every():
        real, generated = check.law(np.random.default_rng(0), float(check.steps[0]))
        assert real.ndim == generated.ndim == 2 and real.shape[1] == generated.shape[1]
        assert np.isfinite(real).all() and np.isfinite(generated).all()
        assert check.same is None or np.abs(check.steps - check.same).min() < 1e-9, check.title
    cube = next(check for check in every() if check.title.startswith("Hypercube"))
    real, generated = cube.law(np.random.default_rng(0), 2000.0)
    assert np.mean(generated < 1) == pytest.approx(0.2, abs=0.03), "a fifth of the volume is common"


def test_density_is_right_where_laws_are_the_same_and_apart_and_the_page_says_so(monkeypatch):
    """One dimension: six deviations apart nothing is in reach, and of one law density is 1."""
    values = {name: 1.0 for name in (*checks.FIDELITY, *checks.DIVERSITY)} | dict.fromkeys(checks.DISTANCE, 0.0)
    wanted = iter(np.abs(np.linspace(-1, 1, 9)))

    def measured(real, generated, seed, quick):
        gap = next(wanted)
        return {name: 1 - gap for name in values} | {"recall": 1.0} | {name: gap for name in checks.DISTANCE}

    monkeypatch.setattr(checks, "measured", measured)
    found = checks.verdicts(next(iter(checks.gaussians())), repeats=1)
    passed = {(row["metric"], row["criterion"]): row["passed"] for row in found}
    assert passed["density", "shape"] and passed["w2", "least"] and passed["w2", "growth"]
    assert not passed["recall", "shape"] and not passed["recall", "bounds, left"]
    text = checks.page(found)
    assert "| Gaussian mean difference | **pass** 4/4 |" in text and "fail 1/4" in text
    assert "| checks passed whole | 1 of 1 |" in text


def test_measured_metrics_of_one_law_and_of_two():
    draw = np.random.default_rng(1)
    real, same = draw.standard_normal((300, 2)), draw.standard_normal((400, 2))
    near, far = checks.measured(real, same, 0), checks.measured(real, same + 50, 0)
    assert set(near) == {*checks.FIDELITY, *checks.DIVERSITY, *checks.DISTANCE}
    for name in (*checks.FIDELITY, *checks.DIVERSITY):
        assert near[name] > 0.8 and far[name] < 0.05, name
    for name in checks.DISTANCE:
        assert near[name] < 0.5 and far[name] > 10, name
