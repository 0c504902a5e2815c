"""The benchmark of measuring: every metric is in its table, ratios are those of the seconds, peers find our numbers."""

import csv
import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from otbench.metrics import neighbours
from otbench.metrics.registry import METRICS

FOLDER = Path(__file__).parent.parent.parent / "benchmarks"


def loaded(name):
    sys.path.insert(0, str(FOLDER))
    try:
        spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(FOLDER))
    return module


measuring, peers = loaded("measuring"), loaded("measuring_peers")


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("measuring")
    threads = torch.get_num_threads()
    measuring.main(["--tiny", "--device", "cpu", "--out", str(folder)])
    torch.set_num_threads(threads)
    return folder


@pytest.fixture(scope="module")
def rows(out):
    with open(out / "times.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_every_metric_of_images_is_there_once(rows):
    listed = [name for row in rows if row["part"] == "metrics" for name in row["what"].split(", ")]
    wanted = {
        name
        for name, metric in METRICS.items()
        if "images" in metric.kinds and metric.uses != "model" and not metric.on_request
    }
    names = [name for name in listed if name in METRICS]
    assert set(names) == wanted and len(names) == len(wanted)
    rest = {row["what"] for row in rows if row["part"] == "metrics"} - {", ".join(one) for one in groups_of(names)}
    assert rest == {measuring.EXTRACTION, measuring.REAL, measuring.TOGETHER}


def groups_of(names):
    return measuring.groups([name for name in METRICS if name in names])


def test_the_parts_add_up_to_the_whole(rows):
    """The whole starts from the images and does each part once; timing is loose where a part takes milliseconds."""
    seconds = {row["what"]: float(row["seconds"]) for row in rows if row["part"] == "metrics"}
    whole = seconds.pop(measuring.TOGETHER)
    parts = sum(value for what, value in seconds.items() if what != measuring.REAL)
    assert all(value > 0 for value in seconds.values())
    assert parts / 20 < whole < 20 * parts


def test_ratios_are_quotients_of_the_seconds(rows):
    compared = [row for row in rows if row["peer"]]
    assert {row["part"] for row in compared} == {"kmeans", "neighbours", "fidelity"}
    for row in compared:
        assert float(row["ratio"]) == pytest.approx(float(row["peer_seconds"]) / float(row["seconds"]), rel=1e-12)
    assert all(not row["ratio"] for row in rows if not row["peer"])


def test_peers_find_the_same_numbers(rows):
    for row in rows:
        if row["value"]:
            rel = {"fidelity": 1e-3, "kmeans": 1e-2, "neighbours": 1e-9}[
                row["part"]
            ]  # k-means: other seeds, as it were
            assert float(row["value"]) == pytest.approx(float(row["peer_value"]), rel=rel), row["what"]
    assert {row["part"] for row in rows if row["value"]} == {"kmeans", "neighbours", "fidelity"}


def test_the_table_names_machine_versions_and_every_row(out, rows):
    record, text = json.loads((out / "machine.json").read_text()), (out / "table.md").read_text()
    assert record["asked"]["samples"] == 120 and record["asked"]["device"] == "cpu" and record["threads"] == 1
    assert record["machine"]["cpu"] in text and all(version in text for version in record["versions"].values())
    for row in rows:
        line = next(line for line in text.splitlines() if line.startswith(f"| {row['what']} | {row['where']} | "))
        assert measuring.shown(float(row["seconds"])) in line
        assert not row["ratio"] or f"| {measuring.shown(float(row['ratio']))} |" in text


@pytest.mark.parametrize("way", [peers.by_scikit_learn, peers.as_in_prdc])
def test_the_peers_do_the_work(way):
    stream = np.random.default_rng(0)
    real, generated = stream.normal(size=(200, 20)), stream.normal(size=(180, 20)) * 1.2
    found = neighbours.statistics(real, generated)
    assert way(real, generated) == pytest.approx((neighbours.precision(found), neighbours.recall(found)), abs=1e-12)
    assert 0 < neighbours.precision(found) < 1


def test_pictures_differ_by_seed_and_class():
    first, label = measuring.pictures(50, 1)
    again, _ = measuring.pictures(50, 1)
    other, _ = measuring.pictures(50, 2)
    assert first.shape == (50, 1, 28, 28) and first.dtype == np.uint8 and np.array_equal(first, again)
    assert not np.array_equal(first, other) and set(label) <= set(range(10))
    means = [first[label == k].mean(axis=0) for k in np.unique(label)]
    assert min(np.abs(a - b).mean() for k, a in enumerate(means) for b in means[:k]) > 20
