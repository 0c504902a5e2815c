"""Whether what is on disk is what a run's config asks for; what is not is stale.

Every file of a run says what it was made with: `fit.json` and the `info` of samples what the fit was asked for (budget,
options, snapshots, precision), the digest of its data and of its code; the tables of metrics, of repeated measurements
and of searches have a record of the same beside them (`utils.records`). Here that is compared with the config, whatever
times the files have and whatever Snakemake remembers of them. What is stale is not gathered, and is made again.

Needs neither PyTorch nor pandas: the workflow asks before every run.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from otbench.config.run import Run
from otbench.errors import OtbenchError
from otbench.fingerprints import fit_version, measure_version, study_version
from otbench.provenance import digest
from otbench.runs.layout import layout
from otbench.utils.files import read_json
from otbench.utils.records import file_digest, read_record

NO_RECORD = "nothing says what it was made with"
#: keys of a config that say where a run lies, which a copy of its folder changes
PLACES = ("results", "allow")
#: bytes of a data set's file that is small enough to be read before every run
SMALL = 8 * 2**20
#: what a budget, an option or a snapshot is called in a message
ASKED = ("steps", "options", "snapshots", "precision")


def config_digest(run: Run) -> str:
    """Twelve hexadecimal digits that identify the config of a run, as run.json has them; not where its folder lies."""
    return _config_digest(run.model_dump(mode="json"))


def _config_digest(config: dict[str, Any]) -> str:
    return digest({key: value for key, value in config.items() if key not in PLACES})


# ---------------------------------------------------------------------- one file against the config


def fit_mismatch(run: Run, dataset: str, model: str, fitted: Any, data: str | None = None, code: bool = True) -> str:
    """In what a fit differs from what the run asks for; empty where in nothing.

    Args:
        fitted: What fit.json holds, the `info` of samples, or the part `fit` of a table's record.
        data: Digest of the data set as it is now; None where it is not known.
        code: Whether the code that fits the model counts.

    Returns:
        A phrase such as `fitted with steps 40, asked 60`.
    """
    if not isinstance(fitted, dict) or not isinstance(fitted.get("asked"), dict):
        return NO_RECORD
    section = run.section(dataset)
    asked = {"steps": section.steps, "options": section.options(model, dataset)}
    asked |= {"snapshots": section.marks, "precision": run.precision}
    for name, value in (("model", model), ("dataset", dataset)):
        if fitted.get(name) != value:
            return f"fitted with {name} {fitted.get(name)}, asked {value}"
    for name in ASKED:
        was, now = fitted["asked"].get(name), json.loads(json.dumps(asked[name]))
        if was != now:
            return f"fitted with {name} {_short(was)}, asked {_short(now)}"
    if data is not None and fitted.get("data") != data:
        return f"fitted on data {fitted.get('data')}, the data are {data}"
    version = fit_version(model, run.kind(dataset))
    if code and fitted.get("fit_version") != version:
        return f"fitted by code {fitted.get('fit_version')}, the code is {version}"
    return ""


def samples_mismatch(run: Run, dataset: str, model: str, info: Any, data: str | None = None, code: bool = True) -> str:
    """In what samples differ from what the run asks for: as their fit, or in their number; see `fit_mismatch`."""
    if found := fit_mismatch(run, dataset, model, info, data, code):
        return found
    drawn, n = (info.get("drawn") or {}).get("n"), run.section(dataset).samples
    return "" if drawn == n else f"drawn with {drawn} samples, asked {n}"


def metrics_mismatch(run: Run, dataset: str, model: str, data: str | None = None) -> str:
    """In what a model's table of metrics differs from what the run asks for; see `fit_mismatch`."""
    record = read_record(run.folder / "metrics" / dataset / f"{model}.csv")
    if record is None:
        return NO_RECORD
    expected = {"run": run.run, "study": run.study_of[dataset], "measure_version": measure_version()}
    return (
        samples_mismatch(run, dataset, model, record.get("samples"), data)
        or _different(record, expected, "measured")
        or _features_mismatch(run, dataset, record)
    )


def spread_mismatch(run: Run, dataset: str, model: str, data: str | None = None) -> str:
    """In what a model's repeated measurements differ from what the run asks for; see `fit_mismatch`."""
    record, section = read_record(run.folder / "spread" / dataset / f"{model}.csv"), run.section(dataset)
    if record is None or section.spread is None:
        return NO_RECORD
    expected = {"n": section.samples, "draws": section.spread.draws, "subsets": section.spread.subsets}
    expected |= {"metrics": section.spread.metrics, "measure_version": measure_version()}
    expected |= {"study_version": study_version("spread")}
    return (
        fit_mismatch(run, dataset, model, record.get("fit"), data)
        or _different(record, expected, "measured")
        or _features_mismatch(run, dataset, record)
    )


def search_mismatch(run: Run, job: tuple[str, str, str, str], data: str | None = None) -> str:
    """In what the trials of a search differ from what the run asks for; see `fit_mismatch`.

    Args:
        job: Data set, model, space and trials, as in `Run.searches`.
        data: Digest of the data set as it is now; None where it is not known.
    """
    dataset, model, space, trials = job
    record = read_record(layout(run).search(*job))
    search = run.section(dataset).search
    if record is None or search is None:
        return NO_RECORD
    expected = {"dataset": dataset, "model": model, "space": space, "trials": trials, "steps": search.steps}
    expected |= {"snapshots": search.snapshots, "samples": search.samples, "options": search.set, "seed": search.seed}
    expected |= {"fit_version": fit_version(model, run.kind(dataset)), "study_version": study_version("search")}
    expected |= {"measure_version": measure_version()} | ({"data": data} if data else {})
    return _different(record, expected, "searched") or _features_mismatch(run, dataset, record)


def _different(record: dict[str, Any], expected: dict[str, Any], verb: str) -> str:
    for name, value in expected.items():
        was, now = record.get(name), json.loads(json.dumps(value))
        if was != now:
            return f"{verb} with {name.replace('_', ' ')} {_short(was)}, asked {_short(now)}"
    return ""


def _features_mismatch(run: Run, dataset: str, record: dict[str, Any]) -> str:
    """In what the features that images were compared in differ from those of the run; points have none."""
    if run.kind(dataset) != "images":
        return ""
    was, asked = record.get("features") or {}, run.section(dataset).features
    if sorted(was) != sorted(asked):
        return f"measured with features {', '.join(sorted(was)) or 'none'}, asked {', '.join(sorted(asked))}"
    now = _dict(run.folder / "features" / dataset / "features.json").get("extractors")
    for name, one in now.items() if isinstance(now, dict) else ():
        if name in was and one.get("weights") != was[name]:
            return f"measured with features of {name} {was[name]}, the network is {one.get('weights')}"
    return ""


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return text if len(text) <= 60 else f"{text[:57]}..."


# ---------------------------------------------------------------------- the files of a run


def stale_files(run: Run, data: dict[str, str | None]) -> dict[Path, str]:
    """The files of a run that are there and were made with something else than its config asks for, with the reason.

    Args:
        data: Digest of every data set as it is now, where it is known.
    """
    return {path: reason for path, reason in _compared(run, data) if reason and path.exists()}


def _compared(run: Run, data: dict[str, str | None]) -> Iterator[tuple[Path, str]]:
    """Every file of the run's cells and studies that may be there, and in what it differs from what is asked."""
    folder = run.folder
    for dataset, model in run.pairs:
        known = data.get(dataset)
        for path, _ in _fits(run, dataset, model):
            yield path, fit_mismatch(run, dataset, model, _dict(path), known) if path.exists() else ""
        path = layout(run).samples(dataset, model)
        yield path, samples_mismatch(run, dataset, model, _info(path), known) if path.exists() else ""
        yield folder / "metrics" / dataset / f"{model}.csv", metrics_mismatch(run, dataset, model, known)
    for dataset, model in run.spreads:
        yield folder / "spread" / dataset / f"{model}.csv", spread_mismatch(run, dataset, model, data.get(dataset))
    for job in run.searches:
        yield layout(run).search(*job), search_mismatch(run, job, data.get(job[0]))
    for dataset in run.latents:
        path = layout(run).latent(dataset)
        info = _info(path) if path.exists() else None
        yield path, fit_mismatch(run, dataset, "ae-ot", info, data.get(dataset))


def _fits(run: Run, dataset: str, model: str) -> list[tuple[Path, list[int]]]:
    """Where the fits of a model are, of all seeds and of those that one job trains, and the seeds of each."""
    folder = run.folder / "fit" / dataset / model
    parts = [(folder / f"part-{one}" / "fit.json", list(map(int, one.split("-")))) for one in run.seed_groups(dataset)]
    return [(folder / "fit.json", run.seeds_of(dataset)), *parts]


def to_make(run: Run) -> dict[Path, str]:
    """The files of a run that the workflow is to make again, each with the reason.

    Beside stale files these lack seeds, or were gathered under another config. Reads fit.json, the `info` of samples,
    records of tables, and data sets that are small; larger ones are compared when they are gathered.
    """
    if not run.folder.is_dir():
        return {}
    found = stale_files(run, {dataset: _small_digest(run, dataset) for dataset in run.datasets})
    parts = (_lacking_seeds(run), _data(run), _features(run), _gathered(run))
    return {**found, **{path: reason for part in parts for path, reason in part if path not in found}}


def _lacking_seeds(run: Run) -> Iterator[tuple[Path, str]]:
    for dataset, model in run.pairs:
        samples = layout(run).samples(dataset, model)
        there = [(path, seeds, _dict(path).get("seeds")) for path, seeds in _fits(run, dataset, model)]
        cells = (_info(samples) or {}).get("cells", []) if samples.exists() else []
        there.append((samples, run.seeds_of(dataset), [cell["seed"] for cell in cells]))
        for path, seeds, present in there:
            lacking = [seed for seed in seeds if seed not in (present if isinstance(present, list) else [])]
            if lacking and path.exists():
                yield path, f"it lacks seed {', '.join(map(str, lacking))}"


def _data(run: Run) -> Iterator[tuple[Path, str]]:
    from otbench.data import read_name

    for dataset in run.datasets:
        path = run.folder / "data" / f"{dataset}.npz"
        if path.exists() and (name := read_name(path)) != dataset:
            yield path, f"it holds data set {name}"


def _features(run: Run) -> Iterator[tuple[Path, str]]:
    for dataset in run.datasets:
        path = run.folder / "features" / dataset / "features.json"
        if run.kind(dataset) == "images" and path.exists():
            there, asked = sorted(_dict(path).get("extractors") or {}), sorted(run.section(dataset).features)
            if there != asked:
                yield path, f"it has features {', '.join(there)}, asked {', '.join(asked)}"


def _gathered(run: Run) -> Iterator[tuple[Path, str]]:
    """What is made of all cells: the config of the run, the gathered table, and the sign that all cells are ok."""
    folder, expected = run.folder, config_digest(run)
    config, table, complete = folder / "config.json", folder / "metrics.parquet", folder / "complete"
    if config.exists() and _config_digest(_dict(config)) != expected:
        yield config, "it is another config"
    if table.exists() and (reason := gathered_mismatch(run, _dict(folder / "run.json"))):
        yield table, reason
    if complete.exists() and complete.read_text(encoding="utf-8", errors="replace").strip() != expected:
        yield complete, "it is of another config"
        yield folder / "report.html", "it may be of another config"


def gathered_mismatch(run: Run, info: dict[str, Any]) -> str:
    """In what a gathered table differs from what the run asks for.

    Args:
        info: What run.json holds.
    """
    if info.get("config_hash") != config_digest(run):
        return "gathered under another config"
    if info.get("table_sha256") != file_digest(run.folder / "metrics.parquet"):
        return "run.json is of another table"
    return "it lacks what was missing or stale" if info.get("stale") or info.get("lacking") else ""


def seeds_measured(run: Run, dataset: str, model: str) -> set[int]:
    """The seeds of the run whose metrics on disk are what the config asks for."""
    record = read_record(run.folder / "metrics" / dataset / f"{model}.csv")
    if record is None or metrics_mismatch(run, dataset, model):
        return set()
    cells = record["samples"].get("cells", [])
    return {cell["seed"] for cell in cells} & set(run.seeds_of(dataset))


# ---------------------------------------------------------------------- reading


def _dict(path: Path) -> dict[str, Any]:
    """The JSON object in a file; empty where it is missing, damaged or none."""
    try:
        value = read_json(path)
    except OtbenchError:
        return {}
    return value if isinstance(value, dict) else {}


def _info(path: Path) -> dict[str, Any] | None:
    from otbench.data.samples import read_info

    try:
        return read_info(path)
    except OtbenchError:
        return None


def _small_digest(run: Run, dataset: str) -> str | None:
    """The digest of a data set's file; None where there is none, or a large one."""
    path = run.folder / "data" / f"{dataset}.npz"
    try:
        status = path.stat()
    except OSError:
        return None
    return _digest(path, status.st_mtime_ns) if status.st_size <= SMALL else None


@cache
def _digest(path: Path, changed: int) -> str | None:
    from otbench.data import load

    try:
        return load(str(path)).digest()
    except OtbenchError:
        return None
