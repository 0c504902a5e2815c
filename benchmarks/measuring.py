"""Seconds that measuring images takes, metric by metric and in all, beside its peers in one run on one machine:
torch-fidelity's command line, scikit-learn's k-means, nearest neighbours by scikit-learn and as in prdc.

    python benchmarks/measuring.py --out results/benchmark-measuring     # all of it, on the GPU where there is one
    python benchmarks/measuring.py --part kmeans --samples 2000          # one part
    python benchmarks/measuring.py --tiny                                # does it run: under a minute

Writes machine.json, times.csv and table.md. The images are drawn by a formula, as many as MNIST has and of its shape,
the classifier is trained for a moment, and Inception's weights are random: no time depends on what images show. A time
is the least of some repeats, after one on few images that does not count (it loads libraries and starts the device);
that of a command line is one run of a process of its own. `ratio` is the peer's seconds over ours; where the peer finds
the same numbers, both are listed.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measuring_peers import as_in_prdc, by_scikit_learn, prd_by_scikit_learn, random_inception
from threadpoolctl import threadpool_limits

from otbench.data import DataSet, save
from otbench.features.base import Extracted
from otbench.features.store import make_features
from otbench.metrics import measure, neighbours, prd
from otbench.metrics.inception_score import splits
from otbench.metrics.kernel import subset_size
from otbench.metrics.reference import Features, RealFeatures, open_features
from otbench.metrics.registry import METRICS, applicable
from otbench.metrics.views import ImageView, PixelView
from otbench.provenance import code_version, machine, versions
from otbench.utils.devices import configure_torch
from otbench.utils.files import atomic_write, write_json

ROOT = Path(__file__).parent.parent
COLUMNS = ("part", "what", "where", "n", "seconds", "peer", "peer_seconds", "ratio", "value", "peer_value")
SHARED = (
    ("fid", "fid_train", "fid_validation"),
    ("prd_f8", "prd_f1_8"),
    ("precision", "recall", "density", "coverage"),
    ("memorised", "data_copying"),
    ("sharpness", "sharpness_min"),
)
"""Metrics that are one piece of work: moments, clusterings, neighbours, distances to training images, and pixels."""
EXTRACTION, REAL, TOGETHER = "features of the samples", "the real images' part, once a data set", "all metrics"
Row = dict[str, Any]
Work = Callable[[], Any]


def pictures(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """n grey images (n, 1, 28, 28) uint8 of ten classes, each a smooth pattern of its own under noise; their labels."""
    patterns = np.random.default_rng(0).integers(0, 200, (10, 7, 7)).astype(np.float32)
    stream = np.random.default_rng([1, seed])
    label = stream.integers(10, size=n)
    strength = stream.uniform(0.4, 1, (n, 1, 1)).astype(np.float32)
    smooth = np.kron((patterns[label] * strength), np.ones((4, 4), np.float32))
    noise = stream.integers(0, 56, smooth.shape, dtype=np.uint8)
    return (smooth.astype(np.uint8) + noise)[:, None], label


def data_set(train: int, n: int) -> DataSet:
    """Pictures with labels: `train` to train on, n that metrics refer to, and n held out."""
    sizes = {"train": train, "test": n, "validation": n}
    parts = {name: pictures(size, seed) for seed, (name, size) in enumerate(sizes.items())}
    labels = {name: label for name, (_, label) in parts.items()}
    images = {name: image for name, (image, _) in parts.items()}
    return DataSet("pictures", **images, labels=labels, classes=tuple("0123456789")).check()


def least(work: Work, repeats: int) -> tuple[float, Any]:
    """Seconds of the fastest of some repeats, and what the last gave."""
    found, best = None, float("inf")
    for _ in range(repeats):
        began = time.perf_counter()
        found = work()
        best = min(best, time.perf_counter() - began)
    return best, found


def groups(names: list[str]) -> list[tuple[str, ...]]:
    """The metrics, those that are one piece of work together."""
    found: list[tuple[str, ...]] = []
    for name in names:
        group = next((one for one in SHARED if name in one), (name,))
        group = tuple(one for one in group if one in names)
        if group not in found:
            found.append(group)
    return found


class Metrics:
    """What every metric of one set of generated images takes, in the features of a classifier."""

    def __init__(self, samples: int, train: int, steps: int, repeats: int, folder: Path, device: str) -> None:
        self.data, self.repeats, self.folder, self.device = data_set(train, samples), repeats, folder, device
        self.images, _ = pictures(samples, 9)
        self.back = (self.data.reference // 2 + 20).astype(np.uint8)
        make_features(self.data, folder, ["classifier"], steps=steps, device=device)
        self.measured(self.images[:50], device)  # libraries, the device

    def known(self) -> RealFeatures:
        """The real images' features as read, nothing derived of them, with the network in place."""
        return self.features().extractors["classifier"]

    def features(self) -> Features:
        found = open_features(self.folder, self.data, device=self.device)
        found.extractors["classifier"].extractor  # noqa: B018, its file is read here
        return found

    def measured(self, images: np.ndarray, where: str, features: Features | None = None) -> dict[str, float]:
        scores = measure(self.data, images, 0, None, features or self.features(), self.back, device=where)
        return {score.metric: score.value for score in scores}

    def rows(self) -> Iterator[tuple[str, float]]:
        """(what, seconds) on the device."""
        yield from self.on(self.device)

    def on(self, where: str) -> Iterator[tuple[str, float]]:
        """(what, seconds), the metrics' arithmetic on `where`, the network always on the device."""
        known = self.known()
        seconds, seen = least(lambda: known.extractor.extract(self.images), self.repeats)
        yield EXTRACTION, seconds
        yield REAL, least(lambda: self.derived(self.known(), where), 1)[0]
        self.derived(known, where)
        for group in groups(applicable(self.data, None, ["classifier"], True)):
            yield ", ".join(group), least(lambda group=group: self.scored(known, group, seen, where), self.repeats)[0]
        features = self.features()
        self.derived(features.extractors["classifier"], where)
        yield TOGETHER, least(lambda: self.measured(self.images, where, features), self.repeats)[0]

    def view(self, known: RealFeatures, where: str) -> ImageView:
        return ImageView(known, self.data, self.images, 0, self.back, where)

    def derived(self, known: RealFeatures, where: str) -> None:
        real = self.view(known, where).real
        for part in ("reference_statistics", "held_out_statistics", "train_statistics", "reference_distance"):
            getattr(real, part)

    def scored(self, known: RealFeatures, group: tuple[str, ...], seen: Extracted, where: str) -> list[float]:
        if METRICS[group[0]].uses == "pixels":
            pixels = PixelView(self.data, self.images)
            return [METRICS[name].of_images(pixels) for name in group]
        view = self.view(known, where)
        vars(view)["generated"] = seen
        return [METRICS[name].of_images(view) for name in group]


def metrics(chosen: argparse.Namespace) -> Iterator[Row]:
    """Every metric's seconds on the device; where that is a GPU, the CPU's beside them."""
    with tempfile.TemporaryDirectory() as folder:
        work = Metrics(chosen.samples, chosen.train, chosen.steps, chosen.repeats, Path(folder), chosen.device)
        beside = dict(work.on("cpu")) if chosen.device != "cpu" else {}
        for what, seconds in work.rows():
            peer = {"peer": "NumPy and scikit-learn on the CPU", "peer_seconds": beside[what]} if beside else {}
            peer = peer if what != EXTRACTION else {}
            yield {"what": what, "where": chosen.device, "n": chosen.samples, "seconds": seconds, **peer}


def feature_pair(chosen: argparse.Namespace) -> tuple[np.ndarray, np.ndarray]:
    """Rows (n, 64), real and generated, like a classifier's features."""
    centres = 1.5 * np.random.default_rng(1).normal(size=(10, 64))

    def rows(seed: int, scale: float) -> np.ndarray:
        stream = np.random.default_rng(seed)
        drawn = centres[stream.integers(10, size=chosen.samples)] + stream.normal(size=(chosen.samples, 64))
        return np.maximum(scale * drawn, 0)

    return rows(2, 1.0), rows(3, 1.05)


def kmeans(chosen: argparse.Namespace) -> Iterator[Row]:
    """PRD's ten clusterings: all at once by torch on the device, and one after another by scikit-learn."""
    pair, where = feature_pair(chosen), chosen.device
    prd.prd(*(side[:50] for side in pair), device=where)
    prd_by_scikit_learn(*(side[:50] for side in pair))
    seconds, ours = least(lambda: prd.f_pair(*prd.prd(*pair, device=where)), chosen.repeats)
    peer, theirs = least(lambda: prd_by_scikit_learn(*pair), chosen.repeats)
    yield {
        "what": f"{prd.RUNS} clusterings of 2 n rows in 64 columns, F8",
        "where": where,
        "n": chosen.samples,
        "seconds": seconds,
        "peer": "scikit-learn, MiniBatchKMeans",
        "peer_seconds": peer,
        "value": ours[0],
        "peer_value": theirs[0],
    }


def nearest(chosen: argparse.Namespace) -> Iterator[Row]:
    """Precision, recall, density and coverage on the device, against two ways with scikit-learn's distances."""
    pair = feature_pair(chosen)
    places = ["cpu"] if chosen.device == "cpu" else [chosen.device, "cpu"]
    peers = {"scikit-learn, NearestNeighbors": by_scikit_learn, "as in prdc": as_in_prdc}
    theirs = {}
    for name, work in peers.items():
        work(*(side[:50] for side in pair))
        theirs[name] = least(lambda work=work: work(*pair), chosen.repeats)
    for where in places:
        neighbours.statistics(*(side[:50] for side in pair), device=where)
        seconds, ours = least(lambda where=where: neighbours.statistics(*pair, device=where), chosen.repeats)
        for name, (peer, values) in theirs.items():
            found = {"value": neighbours.precision(ours), "peer_value": values[0]}
            what = "precision, recall" + (", density, coverage" if name == "as in prdc" else " (ours: all four)")
            common = {"what": f"{what} in 64 columns", "where": where, "n": chosen.samples, "seconds": seconds}
            yield common | {"peer": name, "peer_seconds": peer} | found


def ran(*words: Any) -> tuple[float, str]:
    """Seconds of a Python process of its own, and what it printed; raises CalledProcessError where it fails."""
    threads = str(torch.get_num_threads())
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": threads, "OTBENCH_THREADS": threads}
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *map(str, words)], check=True, stdout=subprocess.PIPE, text=True, env=environment
    )
    return time.perf_counter() - began, done.stdout


def fidelity(chosen: argparse.Namespace) -> Iterator[Row]:
    """FID, KID, Inception score, precision and recall: torch-fidelity's command line on two folders of PNG, and ours.

    Both see every image of both sides through the same network of random weights. Ours is two commands: features of the
    real images, which further samples need no more, and measuring, which finds every other metric besides.
    """
    from PIL import Image

    n = chosen.inception
    data = data_set(20, n)
    data = DataSet("pictures", data.train, data.test, validation=data.validation[:20]).check()
    images, _ = pictures(n, 9)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        weights = random_inception(folder / "weights.pth")
        for side, array in (("generated", images), ("real", data.test)):
            (folder / side).mkdir()
            for k, image in enumerate(array):
                Image.fromarray(image[0]).save(folder / side / f"{k:06d}.png")
        save(data, folder / "data.npz")
        np.savez(folder / "samples.npz", samples=images)
        place = ["--cpu"] if chosen.device == "cpu" else ["--gpu", "0"]
        call = "import sys; sys.argv[0] = 'fidelity'; from torch_fidelity.fidelity import main; main()"
        theirs, said = ran(
            *("-c", call, "--input1", folder / "generated", "--input2", folder / "real", *place),
            *("--isc", "--fid", "--kid", "--prc", "--json", "--silent", "--no-cache"),
            *("--feature-extractor", "inception-v3-compat", "--feature-extractor-weights-path", weights),
            *("--kid-subset-size", subset_size(n, n), "--isc-splits", splits(n)),
        )
        found = json.loads(said[said.index("{") :])
        shared = ("--weights", weights, "--device", chosen.device)
        first = ("-m", "otbench", "features", "--data", folder / "data.npz", "--extractor", "inception", *shared)
        real, _ = ran(*first, "--out", folder / "features")
        again = ("-m", "otbench", "measure", "--data", folder / "data.npz", "--samples", folder / "samples.npz")
        again = (*again, "--features", folder / "features", *shared)
        ours, said = ran(*again, "--out", folder / "table.csv", "--json")
    value = next(row["value"] for row in json.loads(said) if row["metric"] == "fid")
    peer = {"peer": "torch-fidelity, its command line", "peer_seconds": theirs, "value": value}
    peer["peer_value"] = found["frechet_inception_distance"]
    for what, seconds in (("features and measure, FID", real + ours), ("measure, a further model, FID", ours)):
        yield {"what": what, "where": chosen.device, "n": n, "seconds": seconds} | peer


PARTS: dict[str, Callable[[argparse.Namespace], Iterator[Row]]] = {
    "metrics": metrics,
    "kmeans": kmeans,
    "neighbours": nearest,
    "fidelity": fidelity,
}


def table(record: dict[str, Any], rows: list[Row]) -> str:
    """The rows as Markdown, under the machine and the versions."""
    used = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    place, device = record["machine"], record["machine"]["gpu"] or "no GPU"
    lines = [
        f"{place['cores']} cores of an {place['cpu']}, {device}; CPU threads used: {record['threads']}; {used}.",
        "",
    ]
    for part in PARTS:
        found = [row for row in rows if row["part"] == part]
        if not found:
            continue
        lines += [f"| {part} | where | n | s | peer | its s | its s / ours | value | its value |", "|" + "---|" * 9]
        for row in found:
            cells = [row["what"], row["where"], f"{row['n']:,}", shown(row["seconds"]), row.get("peer", "")]
            cells += [shown(row.get(name)) for name in ("peer_seconds", "ratio")]
            cells += ["" if row.get(name) is None else f"{row[name]:.6g}" for name in ("value", "peer_value")]
            lines.append("| " + " | ".join(cells) + " |")
        lines.append("")
    return "\n".join(lines)


def shown(number: float | None) -> str:
    """Three digits, or nothing."""
    return "" if number is None else f"{number:.3g}" if number < 1000 else f"{number:.0f}"


def write(out: Path, record: dict[str, Any], rows: list[Row]) -> str:
    """Write machine.json, times.csv and table.md into `out`, and return the table."""
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / "machine.json", record)
    with atomic_write(out / "times.csv") as path, open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    text = table(record, rows)
    with atomic_write(out / "table.md") as path:
        path.write_text(text)
    return text


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("results/benchmark-measuring"))
    parser.add_argument("--part", choices=PARTS, action="append")
    parser.add_argument("--samples", type=int, default=10_000, help="generated images, and real ones they are held to")
    parser.add_argument("--train", type=int, default=60_000, help="training images")
    parser.add_argument("--inception", type=int, help="images for torch-fidelity (10,000; on a CPU 500)")
    parser.add_argument("--steps", type=int, default=300, help="batches that the classifier is trained on")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1, help="CPU threads, ours and the peers'")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--tiny", action="store_true", help="little of everything: only to see that it runs")
    chosen = parser.parse_args(words)
    if chosen.tiny:
        chosen.samples, chosen.train, chosen.steps, chosen.repeats, chosen.inception = 120, 200, 5, 1, 20
    chosen.inception = chosen.inception or (500 if chosen.device == "cpu" else 10_000)
    return chosen


def main(words: list[str] | None = None) -> None:
    """Run the chosen parts, and write the results after each."""
    chosen, rows = arguments(words), []
    configure_torch(chosen.device)
    torch.set_num_threads(chosen.threads)
    threadpool_limits(chosen.threads)
    asked = {name: value for name, value in vars(chosen).items() if name not in ("out", "part")}
    record = {"machine": machine(), "threads": chosen.threads, "versions": versions(), "code_version": code_version()}
    for part in chosen.part or PARTS:
        for row in PARTS[part](chosen):
            row = {"part": part} | row
            if row.get("peer_seconds"):
                row["ratio"] = row["peer_seconds"] / row["seconds"]
            rows.append(row)
            print(f"{part}: {row['what']}: {row['seconds']:.3f} s", flush=True)
        text = write(chosen.out, record | {"asked": asked}, rows)
    print(text)


if __name__ == "__main__":
    main()
