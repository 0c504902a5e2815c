"""The ledger: tests of agreement against scipy and closed forms, what is like and what is not, and the counts."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from otbench.report.agreement import agreement
from otbench.report.comparison import Comparison
from otbench.report.recipes.published import Published, read_published
from otbench.report.results import load_run
from otbench.report.summary import Summary
from otbench.report.tables.base import to_csv
from otbench.report.tables.ledger import AGREES, DIFFERS, MISSING, UNLIKE, counts, entries, ledger_table, said

Make = Callable[..., Path]
BASE = Published(
    "PacGAN",
    "Table 1",
    "grid",
    "gan",
    "modes",
    Decimal("17.3"),
    Decimal("0.8"),
    "se",
    10,
    2500,
    True,
    "the paper's set-up",
    "",
)


def decimal(number: float) -> Decimal:
    return Decimal(repr(float(number)))


def of(*values: float) -> Summary:
    return Summary(tuple(values), {"ok": len(values)})


def test_welch_from_a_papers_statistics_is_welch_on_its_trials() -> None:
    rng = np.random.default_rng(0)
    trials, own = rng.normal(17, 2.5, 10), rng.normal(19, 1.0, 5)
    record = replace(BASE, value=decimal(trials.mean()), error=decimal(stats.sem(trials)))
    found = agreement(record, of(*own))
    peer = stats.ttest_ind(own, trials, equal_var=False)
    assert found is not None and found.test == "Welch"
    assert found.statistic == pytest.approx(peer.statistic) and found.p == pytest.approx(peer.pvalue)
    as_sd = replace(record, error=decimal(trials.std(ddof=1)), error_kind="sd")
    again = agreement(as_sd, of(*own))
    assert again is not None and again.p == pytest.approx(peer.pvalue)
    assert again.trials_away == pytest.approx(abs(own.mean() - trials.mean()) / trials.std(ddof=1))


def test_one_seed_is_one_more_trial() -> None:
    found = agreement(BASE, of(20.0))
    sd = 0.8 * math.sqrt(10)
    t = (20 - 17.3) / (sd * math.sqrt(1 + 1 / 10))
    assert found is not None and found.statistic == pytest.approx(t)
    assert found.p == pytest.approx(2 * stats.t.sf(t, 9)) and found.trials_away == pytest.approx(2.7 / sd)


def test_one_more_trial_rejects_at_its_level() -> None:
    rng = np.random.default_rng(1)
    rejected = 0
    for _ in range(2000):
        trials, one = rng.normal(0, 1, 10), rng.normal()
        record = replace(BASE, value=decimal(trials.mean()), error=decimal(stats.sem(trials)))
        found = agreement(record, of(one))
        assert found is not None
        rejected += found.p < 0.05
    assert abs(rejected / 2000 - 0.05) < 0.015


def test_without_a_number_of_trials_it_is_a_z_test() -> None:
    own = of(19.0, 20.0, 21.0)
    found = agreement(replace(BASE, n_trials=None), own)
    z = 2.7 / math.sqrt(0.8**2 + own.error**2)
    assert found is not None and found.statistic == pytest.approx(z) and found.p == pytest.approx(2 * stats.norm.sf(z))
    assert agreement(replace(BASE, n_trials=None), of(20.0)) is None
    assert agreement(replace(BASE, n_trials=None, error_kind="sd"), own) is None


def test_figures_without_spread_agree_within_their_rounding() -> None:
    exact = replace(BASE, value=Decimal("25.0"), error=Decimal("0.0"))
    assert agreement(exact, of(25.04, 25.04)).p == 1.0  # type: ignore[union-attr]
    assert agreement(exact, of(24.9, 24.9)).p == 0.0  # type: ignore[union-attr]


def test_unknown_errors_and_no_seeds_give_no_test() -> None:
    own = of(19.0, 20.0)
    assert agreement(replace(BASE, error=None, error_kind="none"), own) is None
    assert agreement(replace(BASE, error_kind="unstated"), own) is None
    assert agreement(BASE, of()) is None


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory, make: Make) -> Path:
    """A run of two models at the papers' budget, with the metrics set to known values."""
    folder = make(tmp_path_factory.mktemp("full"), "full", ("grid",), ("gan", "veegan", "real"), (0, 1, 2), 400_000)
    table = pd.read_parquet(folder / "metrics.parquet")
    for name, values in {"modes": (17.0, 18.0, 19.0), "high_quality": (0.5, 0.52, 0.54)}.items():
        for seed, value in enumerate(values):
            table.loc[(table.metric == name) & (table.seed == seed) & (table.model == "gan"), "value"] = value
    table.to_parquet(folder / "metrics.parquet")
    return folder


def compared(folder: Path, records: list[Published], **about: object) -> list[Comparison]:
    return [Comparison(load_run(folder, scatter=False), None, tuple(records), **about)]  # type: ignore[arg-type]


def test_what_is_like_is_tested_and_counted(full: Path, published: Path) -> None:
    records = read_published(published)
    held = entries(compared(full, records))
    by = {(one.record.paper, one.record.dataset, one.record.model, one.record.metric): one for one in held}
    modes, quality = by["PacGAN", "grid", "gan", "modes"], by["PacGAN", "grid", "gan", "high_quality"]
    assert (modes.verdict, quality.verdict) == (AGREES, DIFFERS)
    raw = stats.ttest_ind_from_stats(18, 1, 3, 17.3, 0.8 * math.sqrt(10), 10, equal_var=False).pvalue
    assert modes.found["this run"].test.p == pytest.approx(raw)  # type: ignore[union-attr]
    assert modes.found["this run"].adjusted == pytest.approx(raw)  # the larger of two: Holm leaves it
    assert by["PacGAN", "grid", "gan", "reverse_kl"].verdict == UNLIKE  # uncertain
    assert by["VEEGAN", "grid", "gan", "modes"].verdict == UNLIKE  # another set-up
    assert by["PacGAN", "grid", "ali", "modes"].verdict == MISSING
    assert by["PacGAN", "ring", "gan", "modes"].verdict == MISSING
    number = counts(held)
    assert number["like"] == 2 and sum(number[one] for one in (AGREES, DIFFERS, UNLIKE, MISSING)) == len(records)
    assert said(held).startswith(
        f"{len(records)} published figures: 2 like, measured in this run (1 agree, 1 differ), "
    )


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"n_samples": 10_000}, "10,000 samples published, 2,500 measured"),
        ({"n_samples": None}, "number of samples not published"),
        ({"certain": False, "note": "read in slides"}, "published figure uncertain: read in slides"),
        ({"error_kind": "unstated"}, "error of unstated kind"),
        ({"error_kind": "none", "error": None}, "no error published"),
        ({"paper": "VEEGAN"}, "another set-up: the paper's set-up"),
    ],
)
def test_each_difference_makes_a_figure_unlike(full: Path, change: dict[str, object], reason: str) -> None:
    assert entries(compared(full, [BASE]))[0].verdict == AGREES
    (entry,) = entries(compared(full, [replace(BASE, **change)]))  # type: ignore[arg-type]
    assert entry.verdict == UNLIKE and entry.found["this run"].reasons == (reason,)


def test_a_small_budget_and_lost_seeds_make_a_figure_unlike(full: Path, tmp_path: Path) -> None:
    info = json.loads((full / "run.json").read_text())
    info["models"]["gan"] |= {"steps": 3000, "paper_steps": {"grid": 400_000}}
    (tmp_path / "run.json").write_text(json.dumps(info))
    pd.read_parquet(full / "metrics.parquet").to_parquet(tmp_path / "metrics.parquet")
    (entry,) = entries(compared(tmp_path, [BASE]))
    assert entry.found["this run"].reasons == ("3,000 of the paper's 400,000 steps",)
    (lost,) = entries(compared(full, [replace(BASE, model="veegan")]))  # seed 1 diverges
    assert lost.found["this run"].reasons == ("the mean leaves out 1 diverged",)


def test_the_table_has_a_row_a_figure_and_its_numbers(full: Path, published: Path) -> None:
    records = read_published(published)
    table = ledger_table(compared(full, records))
    assert table is not None and len(table.rows) == len(records)
    listed = list(csv.DictReader(to_csv(table).splitlines()))
    assert len({(row["published in"], row["published_setup"]) for row in listed}) == len(records)
    rows = {row["published in"]: row for row in listed}
    row = rows["PacGAN/Table 1/grid/gan/modes"]
    assert (row["published"], row["published_error"], row["kind"], row["kind_trials"]) == ("17.3", "0.8", "se", "10")
    assert float(row["this_run"]) == pytest.approx(18) and row["this_run_verdict"] == AGREES
    assert row["this_run_verdict_test"] == "Welch" and float(row["this_run_verdict_p_holm"]) > 0.05
    assert "Welch test, 3 seeds" in row["why"] and "inside its scatter" in row["why"]
    assert ledger_table(compared(full, [])) is None


def test_inception_figures_are_unlike_those_of_a_classifier(tmp_path: Path, make: Make) -> None:
    from otbench.report.recipes import recipe

    folder = make(tmp_path, "images", ("mnist",), ("wgan", "real"), (0, 1), 400_000)
    table = pd.read_parquet(folder / "metrics.parquet")
    told = "features=classifier-abc;n_real=10000;n_generated=10000;split=test"
    table.loc[table.metric == "w2", ["metric", "protocol"]] = ["fid", told]
    table.assign(study="images").to_parquet(folder / "metrics.parquet")
    record = replace(BASE, paper="Lucic et al.", table="FID table", dataset="mnist", model="wgan", metric="fid")
    record = replace(record, value=Decimal("6.7"), error=Decimal("0.4"), error_kind="sd", n_trials=50, n_samples=10_000)
    (entry,) = entries(compared(folder, [record], study=recipe("images")))
    (found,) = entry.found.values()
    assert found.metric == "fid@classifier" and found.test is None
    assert found.reasons == ("published on Inception features, measured on classifier features",)
