"""What a panel's answers come to, against numbers worked out by hand, and panels made with known rates."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from scipy.stats import binom
from typer.testing import CliRunner

from otbench.cli.app import app
from otbench.errors import OtbenchError
from otbench.ratings.analysis import analyse, excellence_rows, proxies_of, rating_summary, tidy_rows
from otbench.ratings.answers import Answer, merge
from otbench.ratings.intervals import wilson
from otbench.ratings.key import Item, Key
from otbench.ratings.sheet import Session
from otbench.utils.files import read_json, write_json

OTHER = "0" * 12


def key_of(cells: list[tuple], real: int = 0, checks: int = 0, repeats: int = 0) -> Key:
    """A key whose items stand in order: cells (model, seed, snapshot, images), real, checks, repeats of the first."""
    items = [
        Item(item=1, kind="model", model=model, seed=seed, snapshot=snapshot, index=index)
        for model, seed, snapshot, images in cells
        for index in range(images)
    ]
    items += [Item(item=1, kind="real", index=index) for index in range(real)]
    items += [Item(item=1, kind="check", index=100 + index) for index in range(checks)]
    items += [items[at].model_copy(update={"of": at + 1}) for at in range(repeats)]
    items = [one.model_copy(update={"item": at}) for at, one in enumerate(items, 1)]
    return Key(session="a" * 12, dataset="digits", title="digits", seed=0, items=items)


def answers_of(key: Key, said: dict[str, str], session: str = "") -> list[Answer]:
    """A letter an item and rater: r, g, or a dot for none; answer k takes k seconds."""
    words = {"r": "real", "g": "generated"}
    return [
        Answer(session or key.session, rater, at, words[letter], 1000 * at)
        for rater, letters in said.items()
        for at, letter in enumerate(letters, 1)
        if letter != "."
    ]


@pytest.fixture
def small() -> Key:
    """otvae: seeds 0 and 1, two images each, at 0.3 and 1; vae: one image; two real, two checks, two repeats."""
    cells = [("otvae", seed, snapshot, 2) for snapshot in (0.3, 1.0) for seed in (0, 1)]
    return key_of([*cells, ("vae", 0, 1.0, 1)], real=2, checks=2, repeats=2)


#       otvae 0.3   otvae 1     vae  real  checks repeats
SAID = {
    "ann": "rg" "gg" "rr" "rg" "g" "rr" "rr" "rg",
    "bob": "gg" "gg" "rr" "rr" "r" "rg" "gr" "rg",
    "cy ": "rr" "g." "r." ".." "." ".." ".." "..",
}  # fmt: skip
SAID = {rater.strip(): letters for rater, letters in SAID.items()}


def test_rates_by_hand(small: Key) -> None:
    """Repeats and checks count for no rate; a rater who left some out counts where he answered."""
    told = analyse(small, answers_of(small, SAID))
    rates = {(one["model"], one["snapshot"]): one for one in told["rates"]}
    early, late, vae = rates["otvae", 0.3], rates["otvae", 1.0], rates["vae", 1.0]
    assert (early["rate"], early["answers"], early["raters"], early["images"], early["seeds"]) == (3 / 11, 11, 3, 4, 2)
    assert (late["rate"], late["answers"], late["raters"]) == (8 / 9, 9, 3)
    assert (vae["rate"], vae["answers"], vae["raters"], vae["bootstrap"]) == (0.5, 2, 2, None)
    assert tuple(early["wilson"]) == wilson(3, 11)
    assert told["real"]["rate"] == 0.75 and told["real"]["answers"] == 4
    assert (told["raters"], told["answers"], told["stale"], told["session"]) == (3, 34, 0, "a" * 12)
    assert early["bootstrap"][0] <= early["wilson"][0] and early["bootstrap"][1] >= early["wilson"][1]


def test_rates_of_cells_by_hand(small: Key) -> None:
    rows = {
        (one["model"], one["seed"], one["snapshot"]): one for one in excellence_rows(small, answers_of(small, SAID))
    }
    assert {key: (one["rate"], one["answers"]) for key, one in rows.items()} == {
        ("otvae", 0, 0.3): (3 / 6, 6),
        ("otvae", 1, 0.3): (0.0, 5),
        ("otvae", 0, 1.0): (1.0, 5),
        ("otvae", 1, 1.0): (0.75, 4),
        ("vae", 0, 1.0): (0.5, 2),
    }


def test_raters_by_hand(small: Key) -> None:
    """Bob calls one of two checks real, below the threshold: he is flagged, and rates are given without him too.

    ann repeats r, g as r, g; bob g, g as r, g: of two, one alike, kappa 0 (one answer throughout the first time).
    """
    told = analyse(small, answers_of(small, SAID))
    ann, bob, cy = told["by_rater"]
    assert [one["rater"] for one in told["by_rater"]] == ["ann", "bob", "cy"]
    assert (ann["attention"], ann["checks"], ann["flagged"]) == (1.0, 2, False)
    assert (bob["attention"], bob["checks"], bob["flagged"]) == (0.5, 2, True)
    assert (cy["attention"], cy["checks"], cy["flagged"], cy["consistency"], cy["kappa"]) == (
        None,
        0,
        False,
        None,
        None,
    )
    assert (ann["consistency"], ann["kappa"], ann["repeats"]) == (1.0, 1.0, 2)
    assert (bob["consistency"], bob["kappa"], bob["repeats"]) == (0.5, 0.0, 2)
    assert [one["median_seconds"] for one in told["by_rater"]] == [8.0, 8.0, 2.5]
    assert told["flagged"] == ["bob"]
    early = next(one for one in told["rates"] if (one["model"], one["snapshot"]) == ("otvae", 0.3))
    assert early["attentive"] == {"rate": 3 / 7, "answers": 7}


def test_agreement_is_over_what_all_answered(small: Key) -> None:
    """cy answered four counted images: ann r g g r, bob g g g r, cy r r g r."""
    told = analyse(small, answers_of(small, SAID))["agreement"]
    assert (told["items"], told["raters"]) == (4, 3)
    share = 6 / 12  # of answers that say real: 2, 1, 0 and 3 of 3
    alike = np.mean([1 / 3, 1 / 3, 1, 1])
    chance = share**2 + (1 - share) ** 2
    assert told["fleiss_kappa"] == pytest.approx((alike - chance) / (1 - chance))


def test_answers_to_an_earlier_session_are_counted_and_left_out(small: Key) -> None:
    own, old = answers_of(small, SAID), answers_of(small, {"dan": "r" * 15}, OTHER)
    told = analyse(small, own + old)
    assert told["stale"] == 15
    assert told == analyse(small, own) | {"stale": 15}


def test_equal_answers_in_any_order_give_equal_text(small: Key) -> None:
    answers = answers_of(small, SAID)
    texts = [json.dumps(analyse(small, order), allow_nan=False) for order in (answers, answers[::-1], answers)]
    assert len(set(texts)) == 1


def test_correlation_with_the_proxy_by_hand() -> None:
    """Rates 0, 1/4, 1 against proxies 0, 0.5, 1: Pearson 0.9608, Spearman 1; a model without a proxy is left out."""
    key = key_of([("a", 0, 1.0, 4), ("b", 0, 1.0, 4), ("c", 0, 1.0, 4), ("d", 0, 1.0, 4)])
    answers = answers_of(key, {"ann": "gggg" "rggg" "rrrr" "rrgg"})  # fmt: skip
    told = analyse(key, answers, {("a", 1.0): 0.0, ("b", 1.0): 0.5, ("c", 1.0): 1.0})
    assert [one["proxy"] for one in told["rates"]] == [0.0, 0.5, 1.0, None]
    rates = np.array([0, 0.25, 1]) - 5 / 12
    assert told["proxy"]["n"] == 3 and told["proxy"]["spearman"] == pytest.approx(1)
    assert told["proxy"]["pearson"] == pytest.approx((rates @ [-0.5, 0, 0.5]) / math.sqrt((rates @ rates) * 0.5))
    assert analyse(key, answers)["proxy"] == {"n": 0, "pearson": None, "spearman": None}


def test_a_simulated_panel_is_covered_as_often_as_said() -> None:
    """120 sessions of two models with known rates, six raters and thirty images each, through the whole analysis."""
    key, random = key_of([("bad", 0, 1.0, 30), ("good", 0, 1.0, 30)]), np.random.default_rng(4)
    spread, bases, at = (0.5, 0.8), {"bad": -1.0, "good": 1.0}, np.polynomial.hermite_e.hermegauss(60)
    true = {model: at[1] @ expit(base + math.hypot(*spread) * at[0]) / at[1].sum() for model, base in bases.items()}
    hits = []
    for _ in range(120):
        raters, images = random.normal(size=6), random.normal(size=60)
        answers = []
        for rater, of_rater in enumerate(raters):
            for one, of_image in zip(key.items, images, strict=True):
                chance = expit(bases[one.model] + spread[0] * of_rater + spread[1] * of_image)
                word = "real" if random.random() < chance else "generated"
                answers.append(Answer(key.session, f"r{rater}", one.item, word))
        for one in analyse(key, answers)["rates"]:
            hits.append(one["bootstrap"][0] <= true[one["model"]] <= one["bootstrap"][1])
    least, most = binom.ppf([0.001, 0.999], len(hits), 0.95) / len(hits)
    assert least <= np.mean(hits) <= most


def table_of(rows: list[tuple]) -> pd.DataFrame:
    names = ["dataset", "model", "seed", "snapshot", "metric", "value", "status", "protocol"]
    return pd.DataFrame(rows, columns=names)


def test_proxies_are_those_of_the_sessions_seeds(small: Key) -> None:
    """Mean over seeds 0 and 1; another seed, data set, status or protocol does not count."""
    name, own = "excellence_proxy", "n_generated=500"
    rows = [("digits", "otvae", seed, 1.0, name, value, "ok", own) for seed, value in ((0, 0.2), (1, 0.4), (2, 0.9))]
    rows += [("digits", "vae", 0, 1.0, f"{name}@classifier", 0.7, "ok", own)]
    rows += [("mnist", "vae", 0, 1.0, name, 0.1, "ok", own), ("digits", "vae", 0, 1.0, name, 0.9, "ok", "other")]
    rows += [
        ("digits", "otvae", 0, 0.3, name, math.nan, "failed", own),
        ("digits", "otvae", 0, 0.3, "fid", 3.0, "ok", own),
    ]
    assert proxies_of(small, table_of(rows)) == {("otvae", 1.0): pytest.approx(0.3), ("vae", 1.0): 0.7}
    assert proxies_of(small, table_of([])) == {}


def rated(folder: Path, made: Session) -> None:
    """Ann calls all real; Bo calls OTVAE generated."""
    for rater, word in (("Ann", "real"), ("Bo", "generated")):
        answers = [
            {"item": one.item, "answer": word if one.model == "otvae" else "real", "milliseconds": 500}
            for one in made.key.items
        ]
        whole = {"format": "otbench-ratings-1", "session": made.key.session, "rater": rater, "answers": answers}
        write_json(folder.parent / f"{rater}.json", whole)
    merge([folder.parent / "Ann.json", folder.parent / "Bo.json"], made.key, folder)


def test_gathered_and_tidy_rows_of_a_folder(folder: Path, made: Session) -> None:
    table = table_of([("tiny", "otvae", 3, 1.0, "excellence_proxy", 0.25, "ok", "p")])
    assert rating_summary(folder, table) is None and tidy_rows(folder) == []
    assert rating_summary(folder / "nothing", table) is None and tidy_rows(folder / "nothing") == []
    rated(folder, made)
    told = rating_summary(folder, table)
    assert [(one["model"], one["snapshot"], one["rate"], one["proxy"]) for one in told["rates"]] == [
        ("otvae", 0.25, 0.5, None),
        ("otvae", 1.0, 0.5, 0.25),
        ("wgan-mlp", 1.0, 1.0, None),
    ]
    rows = tidy_rows(folder)
    assert [(row["model"], row["seed"], row["snapshot"], row["value"]) for row in rows] == [
        *(("otvae", seed, snapshot, 0.5) for seed in (3, 8) for snapshot in (0.25, 1.0)),
        *(("wgan-mlp", seed, 1.0, 1.0) for seed in (3, 8)),
    ]
    assert {row["metric"] for row in rows} == {"excellence"}
    assert {row["protocol"] for row in rows} == {f"rated=people;raters=2;n_generated=2;session={made.key.session}"}
    other = read_json(folder / "key.json") | {"session": "b" * 12}
    write_json(folder / "key.json", other)
    assert rating_summary(folder, table) is None and tidy_rows(folder) == []


def test_wrong_keys_and_answers_are_named(folder: Path, made: Session) -> None:
    rated(folder, made)
    text = (folder / "answers.csv").read_text()
    name = made.key.session
    for line, said in (
        (f"{name},Cy,99,real,", "item 99: the session has 22 items"),
        (f"{name},Ann,1,real,", "rater 'Ann' answers item 1 twice"),
        (f"{name},,1,real,", "line 46, rater: the rater's name has 0 characters"),
    ):
        (folder / "answers.csv").write_text(f"{text}{line}\n")
        with pytest.raises(OtbenchError, match=said):
            rating_summary(folder, table_of([]))
    whole = read_json(folder / "key.json")
    repeat = next(one for one in whole["items"] if one["of"] is not None)
    for change, said in (
        ({"items": whole["items"][1:]}, "item 1: its number is 2"),
        ({"items": [*whole["items"][: repeat["item"] - 1], repeat | {"of": repeat["item"]}]}, "no earlier showing"),
        ({"session": "x"}, "session: string should match"),
        ({"more": 1}, "more: there is no such key"),
    ):
        write_json(folder / "key.json", whole | change)
        with pytest.raises(OtbenchError, match=said):
            rating_summary(folder, table_of([]))


def test_the_verb_makes_imports_and_shows(files: dict[str, Path], tmp_path: Path) -> None:
    """From samples to rates by the command line alone; an earlier session's answers are told of."""
    run, folder = CliRunner(), tmp_path / "ratings"
    words = ["rate", "sheet", "--data", str(files["data"]), "--out", str(folder), "--per-cell", "3", "--real", "5"]
    words += ["--checks", "2", "--repeats", "2", "--along", "wgan-mlp"]
    words += [word for model in ("otvae", "wgan-mlp") for word in ("--samples", str(files[model]))]
    made = run.invoke(app, [*words, "--json"], catch_exceptions=False)
    told = json.loads(made.output)
    assert told["items"] == 3 * 2 + 3 * 4 + 5 + 2 + 2 and told["left_out"] == [] and told["stale"] == 0
    form = [row.split(",") for row in (folder / "form.csv").read_text().splitlines()]
    for row in form[1:]:
        row[1], row[3] = "Ann", "real" if int(row[2]) % 3 else "generated"
    typed = tmp_path / "typed.csv"
    typed.write_text("\n".join(map(",".join, form)))
    done = run.invoke(app, ["rate", "import", str(typed), "--into", str(folder)], catch_exceptions=False)
    assert f"{told['items']} answers of Ann added" in done.output
    shown = run.invoke(app, ["rate", "show", str(folder)], catch_exceptions=False).output
    assert "wgan-mlp at 0.25" in shown and "rater Ann: 27 answers" in shown and "held-out real images" in shown
    again = run.invoke(app, [*words, "--seed", "1"], catch_exceptions=False).output
    assert "27 answers to an earlier session stay in answers.csv" in again
    assert json.loads(run.invoke(app, ["rate", "show", str(folder), "--json"]).output)["stale"] == 27
