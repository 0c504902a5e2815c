"""Seconds of a training step: all seeds at once against one after another and against a plain PyTorch loop, in one run
on one machine; with the operations and bytes of a step, what the machine could do at most, and where the time goes.

    python benchmarks/training.py --out results/benchmark-training      # all cases, on the GPU where there is one
    python benchmarks/training.py --case gan --case vae --seconds 10    # some
    python benchmarks/training.py --tiny                                # does it run: under a minute

Writes machine.json, times.csv, roofline.csv, profile.csv and table.md, anew after each case. A time is the median over
chunks of steps after a chunk that does not count, and ends when the device has finished. The peer (training_peers.py)
trains the same networks one seed at a time. Images are random unless --data gives some; no step's time depends on them.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import Tensor
from training_figure import write
from training_peers import LOOPS
from training_roofline import Roofs, arithmetic, operations, profile, roofs, traffic

from otbench.data import DataSet, load
from otbench.errors import OtbenchError
from otbench.models import configure, find
from otbench.models.base import Model, Stage
from otbench.provenance import code_version, machine, versions
from otbench.training.feed import Feed
from otbench.training.trainer import Options, Trainer
from otbench.transport import solve
from otbench.utils.devices import configure_torch
from otbench.utils.files import atomic_write, write_json

PLAIN, ALONE, TOGETHER, CAPTURED = "plain loop", "one seed", "all at once", ", captured"
#: the papers' budgets, steps of `Stage.cost` 1 and seeds: what forecasts are for
FULL = {"points": (400_000, 10), "images": (15_625, 5)}
#: chunks that are measured at least
CHUNKS = 3
#: steps that nobody gets to: the clock ends the training
ENDLESS = 1_000_000_000
TIMES = ("case", "stage", "way", "precision", "seeds", "steps", "seconds", "least", "seed_steps_a_second")
TIMES += ("full_steps", "full_seeds", "note")
ROOFLINE = ("case", "stage", "way", "precision", "seeds", "flops", "bytes", "ops", "seconds", "bound")
PROFILE = ("case", "stage", "way", "precision", "seeds", "op", "calls", "microseconds", "share")
Row = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """A model on data of a kind, and the stages of its training that are timed; `tiny`: options of small networks."""

    kind: str
    stages: tuple[str, ...] = ("adversarial",)
    tiny: dict[str, int] = field(default_factory=dict)


PLANE, IMAGES = {"width": 16, "maxout": 8, "batch": 16}, {"width": 4, "batch": 8}
CASES = {
    "gan": Case("points", tiny=PLANE),
    "pacgan2": Case("points", tiny=PLANE),
    "ns-gan": Case("images", tiny=IMAGES),
    "wgan-gp": Case("images", tiny=IMAGES),
    "vae": Case("images", ("autoencoder",), IMAGES),
    "ae-ot": Case("images", ("autoencoder", "decoder"), IMAGES),
}


class Enough(Exception):
    """Ends a training whose steps have been timed."""


class Watch:
    """Times chunks of steps: `mark` at the end of each, the first of which does not count, until it returns True."""

    def __init__(self, now: Callable[[], float], seconds: float, chunk: int) -> None:
        self.now, self.seconds, self.chunk = now, seconds, chunk
        self.marks: list[float] = []

    def mark(self) -> bool:
        """Note the time; whether there are CHUNKS chunks and `seconds` have passed."""
        self.marks.append(self.now())
        return len(self.marks) > CHUNKS and self.marks[-1] - self.marks[0] >= self.seconds

    def found(self) -> Row:
        """Steps that were measured, and median and least seconds of a step."""
        lengths = [(b - a) / self.chunk for a, b in zip(self.marks, self.marks[1:], strict=False)]
        return {"steps": len(lengths) * self.chunk, "seconds": median(lengths), "least": min(lengths)}


class Timed(Trainer):
    """The suite's trainer on one stage, until its watch has seen enough chunks of it."""

    def __init__(self, model: Model, stage: Stage, options: Options, watch: Watch | None = None) -> None:
        super().__init__(model, ENDLESS, [1.0], options, None)
        self.stage, self.watch = stage, watch

    def plan(self) -> list[tuple[Stage, int]]:
        """That stage alone."""
        return [(self.stage, ENDLESS)]

    def _log(self, *told: Any) -> bool:
        if super()._log(*told):
            raise OtbenchError(f"a seed diverged in stage {self.stage.name}: a step of the others is no step of all")
        if self.watch.mark():
            raise Enough
        return False

    def work(self) -> Callable[[], Any]:
        """One step on one fixed batch, again and again, without the feed."""
        feed = Feed(self.stage.inputs, self.data, self.model.seeds, self.stage.name, self.model.device)
        batch = {name: values[0] for name, values in feed.chunk().items()}
        step = self._stepper(self.stage)
        for network in self.model.networks.values():
            network.train()
        return lambda: step(batch)


@contextmanager
def chunks_of(steps: int) -> Iterator[None]:
    """Let the trainer draw, and log, this many steps at a time while the block lasts."""
    before, Feed.CHUNK = Feed.CHUNK, steps
    try:
        yield
    finally:
        Feed.CHUNK = before


class Bench:
    """What is measured, and how; `rows` holds the results by file."""

    def __init__(self, chosen: argparse.Namespace) -> None:
        self.chosen, self.device = chosen, chosen.device
        self.gpu, self.tiny = chosen.device.startswith("cuda"), chosen.tiny
        self.precisions = list(dict.fromkeys(chosen.precision or ["float32"]))
        self.seconds = 0.0 if chosen.tiny else chosen.seconds
        self.rows: dict[str, list[Row]] = {"times": [], "roofline": [], "profile": []}
        self.sets: dict[str, DataSet] = {}
        self.prepare("float32")
        self.roofs: Roofs = roofs(self.device, self.precisions, self.now, self.tiny)

    def prepare(self, precision: str) -> None:
        """Set the process up as the suite does, with as many threads as were asked for."""
        configure_torch(self.device, precision=precision)
        if self.chosen.threads:
            torch.set_num_threads(self.chosen.threads)

    def now(self) -> float:
        """Seconds on the clock, once the device has finished."""
        if self.gpu:
            torch.cuda.synchronize()
        return time.process_time() if self.chosen.clock == "process" else time.perf_counter()

    def data(self, kind: str) -> DataSet:
        """The grid, or images: those of --data, else random ones of MNIST's shape."""
        if kind not in self.sets:
            self.sets[kind] = load("grid") if kind == "points" else self.images()
        return self.sets[kind]

    def images(self) -> DataSet:
        """Images of --data, or random ones."""
        if self.chosen.data:
            data = load(str(self.chosen.data))
            if data.kind != "images":
                raise OtbenchError(f"--data {self.chosen.data}: expected images, but {data.name} holds {data.kind}")
            return data
        values = np.random.default_rng(0).integers(0, 256, (500 if self.tiny else 60_000, 1, 28, 28), dtype=np.uint8)
        return DataSet("random images", values, values[:100])

    def seeds(self, kind: str) -> int:
        """How many train at once."""
        return self.chosen.seeds or (2 if self.tiny else FULL[kind][1])

    def chunk(self, kind: str) -> int:
        """Steps a chunk: the suite's on a GPU, fewer where steps take long."""
        return 5 if self.tiny else 50 if self.gpu or kind == "points" else 1

    def model(self, name: str, seeds: int, training: bool = True) -> Model:
        """The model of a case, its networks small in a tiny run."""
        case = CASES[name]
        config = configure(name, case.tiny if self.tiny else None, case.kind)
        return find(name, case.kind)(config, self.data(case.kind), list(range(seeds)), self.device, training)

    def trainer(self, name: str, stage: str, seeds: int, options: Options, watch: Watch | None = None) -> Timed:
        """A trainer of one stage of a case."""
        model = self.model(name, seeds)
        return Timed(model, next(s for s in model.stages() if s.name == stage), options, watch)

    def add(self, file: str, **values: Any) -> Row:
        """Keep a row of a file."""
        self.rows[file].append(values)
        return values

    # ------------------------------------------------------------------ one case

    def run(self, name: str) -> None:
        """Everything about a case."""
        for stage in CASES[name].stages:
            for precision in self.precisions:
                self.prepare(precision)
                self.ours(name, stage, precision)
            self.plain(name, stage)
        if name == "ae-ot":
            self.prepare("float32")
            self.transport()

    def ours(self, name: str, stage: str, precision: str) -> None:
        """The suite's trainer: one seed and all at once, captured too on a GPU; with the roofline and the profile."""
        everyone, flops = self.seeds(CASES[name].kind), 0
        for way, seeds in ((ALONE, 1), (TOGETHER, everyone)):
            options = Options(device=self.device, together=seeds, precision=precision)
            with chunks_of(2):
                work = self.trainer(name, stage, seeds, options).work()
            # counted on one seed, and as many times that for more: of the grouped convolutions that torch.func makes of
            # several seeds' the counter takes the backward pass for twice what it is
            flops = flops or operations(work)
            moved, ops = traffic(work)
            place = {"case": name, "stage": stage, "precision": precision, "seeds": seeds}
            bound = self.roofs.bound(flops * seeds / moved, precision)
            for captured in (False, True) if self.gpu else (False,):
                row = self.timed(place | {"way": way + CAPTURED * captured}, captured)
                counted = {"flops": flops * seeds, "bytes": moved, "ops": ops, "bound": bound}
                self.add("roofline", **place, way=row["way"], seconds=row["seconds"], **counted)
            if (way == TOGETHER) == self.gpu:
                for told in profile(work, self.device, 20 if self.chunk(CASES[name].kind) > 1 else 3):
                    self.add("profile", **place, way=way, **told)

    def timed(self, place: Row, captured: bool) -> Row:
        """The seconds of the trainer's step."""
        name, stage = place["case"], place["stage"]
        chunk = self.chunk(CASES[name].kind)
        watch = Watch(self.now, self.seconds, chunk)
        options = Options(self.device, place["seeds"], captured, place["precision"])
        trainer = self.trainer(name, stage, place["seeds"], options, watch)
        # the trainer's own bar would count towards steps that nobody wants
        with chunks_of(chunk), redirect_stderr(io.StringIO()):
            try:
                trainer.run()
            except Enough:
                pass
        return self.told(trainer.model, place, watch)

    def plain(self, name: str, stage: str) -> None:
        """The peer, with PyTorch's own choice of arithmetic: convolutions of a GPU in TF32, products in float32."""
        case = CASES[name]
        model = self.model(name, 1, training=False)
        data: Tensor = torch.from_numpy(model.data.train).to(model.device)
        loop, watch = LOOPS[name, stage](model, data), Watch(self.now, self.seconds, self.chunk(case.kind))
        with arithmetic(False, True):
            more = True
            while more:
                for _ in range(watch.chunk):
                    loop.step()
                more = not watch.mark()
        self.told(model, {"case": name, "stage": stage, "way": PLAIN, "precision": "float32", "seeds": 1}, watch)

    def told(self, model: Model, place: Row, watch: Watch) -> Row:
        """Keep and print a time; full_steps: steps of the stage in the papers' budget."""
        budget, seeds = FULL[CASES[place["case"]].kind]
        steps = {s.name: n for s, n in Trainer(model, budget, [1.0], Options(self.device), None).plan()}
        full = {"full_steps": steps[place["stage"]], "full_seeds": seeds}
        found = watch.found()
        row = self.add("times", **place, **found, seed_steps_a_second=place["seeds"] / found["seconds"], **full)
        each = 1e3 * row["seconds"] / row["seeds"]
        named = f"{row['case']} {row['stage']}, {row['precision']}, {row['way']} ({row['seeds']})"
        print(f"{named}: {each:.4g} ms a step and seed", flush=True)
        return row

    def transport(self) -> None:
        """The transport of AE-OT: seconds to a mean relative cell error of 5 %, of codes of a mixture of Gaussians."""
        from transport import mixture

        n = self.chosen.codes or (200 if self.tiny else 60_000 if self.gpu else 2000)
        codes = mixture(n, 8 if self.tiny else 64)
        device = "cuda" if self.gpu else "cpu"
        solve(codes[:100], tolerance=0.5, device=device)  # what is compiled at first use
        began = self.now()
        found = solve(codes, tolerance=0.05, device=device)
        seconds = self.now() - began
        note = f"{n:,} codes of dimension {codes.shape[1]}, mean relative cell error {found.info['error']:.3f}"
        place = {"case": "ae-ot", "stage": "transport", "way": ALONE, "precision": "float32", "seeds": 1}
        took = {"steps": 1, "seconds": seconds, "least": seconds, "seed_steps_a_second": 1 / seconds}
        took |= {"full_steps": 1, "full_seeds": FULL["images"][1]}
        self.add("times", **place, **took, note=note)
        print(f"ae-ot transport, {note}: {seconds:.3g} s", flush=True)

    # ------------------------------------------------------------------ files

    def store(self) -> None:
        """Write all files of what there is so far."""
        out: Path = self.chosen.out
        record = machine() | {"versions": versions(), "code_version": code_version(), "device": self.device}
        record |= {"threads": torch.get_num_threads(), "clock": self.chosen.clock, "tiny": self.tiny}
        record |= {"images": str(self.chosen.data or "random"), "command": sys.argv}
        record |= {"peak": self.roofs.peak, "bandwidth": self.roofs.bandwidth}
        write_json(out / "machine.json", record)
        for name, columns in (("times", TIMES), ("roofline", ROOFLINE), ("profile", PROFILE)):
            with atomic_write(out / f"{name}.csv") as path, open(path, "w", newline="") as file:
                writer = csv.DictWriter(file, columns)
                writer.writeheader()
                writer.writerows(self.rows[name])


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    """The command line, checked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("results/benchmark-training"))
    parser.add_argument("--case", choices=CASES, action="append", help="default: all")
    parser.add_argument("--seeds", type=int, help="seeds at once; default: 10 in the plane, 5 of images")
    parser.add_argument("--precision", choices=("float32", "tf32", "bfloat16"), action="append")
    parser.add_argument("--seconds", type=float, default=3.0, help="time of each row; at least three chunks of steps")
    parser.add_argument("--codes", type=int, help="codes of the transport; default: 60,000 on a GPU, else 2,000")
    parser.add_argument("--data", type=Path, help="images, as `otbench data mnist --out FILE.npz` writes them")
    parser.add_argument("--threads", type=int, help="CPU threads; default: 1, as the suite trains")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--clock", choices=("wall", "process"), default="wall", help="process: CPU time, where busy")
    parser.add_argument("--tiny", action="store_true", help="tiny networks, a few steps: only to see that it runs")
    chosen = parser.parse_args(words)
    if chosen.clock == "process" and (chosen.device != "cpu" or (chosen.threads or 1) > 1):
        parser.error("--clock process needs --device cpu and one thread: else CPU time is not what passes")
    if chosen.device == "cpu" and "tf32" in (chosen.precision or []):
        parser.error("--precision tf32 is arithmetic of a GPU; on a CPU choose float32 or bfloat16")
    return chosen


def main(words: list[str] | None = None) -> None:
    """Run the chosen cases and write the results."""
    chosen = arguments(words)
    bench = Bench(chosen)
    for name in chosen.case or CASES:
        bench.run(name)
        bench.store()
        text = write(chosen.out)
    print(text)


if __name__ == "__main__":
    try:
        main()
    except OtbenchError as error:
        sys.exit(str(error))
