"""Stale files of a run: those that are not what its config asks for.

Every file of a run says what it was made with: `fit.json` and the `info` of samples what the fit was asked for (budget,
options, snapshots, precision), the digest of its data and of its code; the tables of metrics, of repeated measurements
and of searches have a record of the same beside them (`utils.records`), and studies of the theory have it in their
`info`. This module compares it with the config,
whatever times the files have and whatever Snakemake remembers of them. Stale files are not gathered; they are made
again.

Needs neither PyTorch nor pandas, as the workflow calls it before every run.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from otbench.config.run import Run
from otbench.fingerprints import fit_version, measure_version, study_version, theory_version
from otbench.provenance import digest
from otbench.runs.layout import layout
from otbench.runs.on_disk import (
    read_dict,
    read_info_or_none,
    read_latent_info,
    read_theory_info,
    small_digest,
)
from otbench.utils.records import file_digest, read_record

NO_RECORD = "nothing says what it was made with"
#: keys of a config that say where a run lies, which a copy of its folder changes
PLACES = ("results", "allow")
#: keys of what a fit was asked for, as messages name them
ASKED = ("steps", "options", "snapshots", "precision")


def config_digest(run: Run) -> str:
    """Digest of a run's config without where its folder lies, as run.json has it.

    Args:
        run: The run.

    Returns:
        Twelve hexadecimal digits.
    """
    return _config_digest(run.model_dump(mode="json"))


#: keys of a study that came later: where they are empty the digest is that of a config without them
LATER = ("guests", "rulers", "weights")


def _config_digest(config: dict[str, Any]) -> str:
    told = {key: value for key, value in config.items() if key not in PLACES}
    studies = told.get("studies")
    if isinstance(studies, dict):
        told["studies"] = {name: _without_later(study) for name, study in studies.items()}
    return digest(told)


def _without_later(study: Any) -> Any:
    if not isinstance(study, dict):
        return study
    return {key: value for key, value in study.items() if value or key not in LATER}


# ---------------------------------------------------------------------- one file against the config


def fit_mismatch(run: Run, dataset: str, model: str, fitted: Any, data: str | None = None, code: bool = True) -> str:
    """Difference between a fit and what the run asks for.

    Args:
        run: The run.
        dataset: Name of the data set.
        model: Name of the model.
        fitted: Content of fit.json, the `info` of samples, or the part `fit` of a table's record.
        data: Digest of the data set as it is now; None where it is not known.
        code: Whether the code that fits the model counts.

    Returns:
        A phrase such as `fitted with steps 40, asked 60`; empty where nothing differs.
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
    """Difference between samples and what the run asks for: in their fit, or in their number.

    Args:
        run: The run.
        dataset: Name of the data set.
        model: Name of the model.
        info: The `info` of the samples.
        data: Digest of the data set as it is now; None where it is not known.
        code: Whether the code that fits the model counts.

    Returns:
        A phrase as of `fit_mismatch`; empty where nothing differs.
    """
    if (dataset, model) in run.guests:
        mismatch = _guest_mismatch(run, dataset, model, info, data)
    else:
        mismatch = fit_mismatch(run, dataset, model, info, data, code)
    if mismatch:
        return mismatch
    drawn, n = (info.get("drawn") or {}).get("n"), run.section(dataset).samples
    return "" if drawn == n else f"drawn with {drawn} samples, asked {n}"


def _guest_mismatch(run: Run, dataset: str, guest: str, info: Any, data: str | None) -> str:
    """Difference between somebody's samples and those that the run names."""
    if not isinstance(info, dict) or not isinstance(info.get("asked"), dict):
        return NO_RECORD
    expected = {"model": guest, "dataset": dataset} | ({"data": data} if data is not None else {})
    asked = {"guest": run.section(dataset).guests_on(dataset)[guest]}
    return _different(info, expected, "taken in") or _different(info["asked"], asked, "taken in")


def metrics_mismatch(run: Run, dataset: str, model: str, data: str | None = None) -> str:
    """Difference between a model's table of metrics and what the run asks for.

    Args:
        run: The run.
        dataset: Name of the data set.
        model: Name of the model.
        data: Digest of the data set as it is now; None where it is not known.

    Returns:
        A phrase as of `fit_mismatch`; empty where nothing differs.
    """
    record = read_record(layout(run).metrics(dataset, model))
    if record is None:
        return NO_RECORD
    expected = {"run": run.run, "study": run.study_of[dataset], "measure_version": measure_version()}
    rulers = sorted(run.section(dataset).rulers)
    expected |= {"rulers": rulers} if rulers or record.get("rulers") else {}
    return (
        samples_mismatch(run, dataset, model, record.get("samples"), data)
        or _different(record, expected, "measured")
        or _features_mismatch(run, dataset, record)
    )


def spread_mismatch(run: Run, dataset: str, model: str, data: str | None = None) -> str:
    """Difference between a model's repeated measurements and what the run asks for.

    Args:
        run: The run.
        dataset: Name of the data set.
        model: Name of the model.
        data: Digest of the data set as it is now; None where it is not known.

    Returns:
        A phrase as of `fit_mismatch`; empty where nothing differs.
    """
    record, section = read_record(layout(run).spread(dataset, model)), run.section(dataset)
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
    """Difference between the trials of a search and what the run asks for.

    Args:
        run: The run.
        job: Data set, model, space and trials, as in `Run.searches`.
        data: Digest of the data set as it is now; None where it is not known.

    Returns:
        A phrase as of `fit_mismatch`; empty where nothing differs.
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


def theory_mismatch(run: Run, name: str, info: dict[str, Any], data: str | None = None) -> str:
    """Difference between what a study of the theory was made with and what the run asks for.

    Args:
        run: The run.
        name: Name of the study.
        info: The `info` of its findings.
        data: Digest of the study's data set as it is now; None where it has none or that is not known.

    Returns:
        A phrase as of `fit_mismatch`; empty where nothing differs.
    """
    if "asked" not in info:
        return NO_RECORD
    part = run.theories[name]
    expected = {"asked": part.set, "seed": part.seed, "theory_version": theory_version(name)}
    expected |= {"data": data} if data else {}
    # a mesh that is gone is missed where it is read
    expected |= {"mesh": file_digest(Path(part.mesh))} if part.mesh and Path(part.mesh).is_file() else {}
    return _different(info, expected, "computed")


def _different(record: dict[str, Any], expected: dict[str, Any], verb: str) -> str:
    for name, value in expected.items():
        was, now = record.get(name), json.loads(json.dumps(value))
        if was != now:
            return f"{verb} with {name.replace('_', ' ')} {_short(was)}, asked {_short(now)}"
    return ""


def _features_mismatch(run: Run, dataset: str, record: dict[str, Any]) -> str:
    """Difference between the features that images were compared in and those of the run; points have none."""
    if run.kind(dataset) != "images":
        return ""
    was, asked = record.get("features") or {}, run.section(dataset).features
    if sorted(was) != sorted(asked):
        return f"measured with features {', '.join(sorted(was)) or 'none'}, asked {', '.join(sorted(asked))}"
    now = read_dict(layout(run).feature_info(dataset)).get("extractors")
    for name, extractor in now.items() if isinstance(now, dict) else ():
        if name in was and extractor.get("weights") != was[name]:
            return f"measured with features of {name} {was[name]}, the network is {extractor.get('weights')}"
    return ""


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return text if len(text) <= 60 else f"{text[:57]}..."


# ---------------------------------------------------------------------- the files of a run


def stale_files(run: Run, data: dict[str, str | None]) -> dict[Path, str]:
    """Files of a run that exist and were made with something else than its config asks for.

    Args:
        run: The run.
        data: Digest of every data set as it is now, where it is known.

    Returns:
        Reason by path.
    """
    return {path: reason for path, reason in _compared(run, data) if reason and path.exists()}


def _compared(run: Run, data: dict[str, str | None]) -> Iterator[tuple[Path, str]]:
    """Every file of the run's cells and studies that may exist, and how it differs from what is asked."""
    for dataset, model in run.pairs:
        data_digest = data.get(dataset)
        for path, _ in _fits(run, dataset, model):
            yield path, fit_mismatch(run, dataset, model, read_dict(path), data_digest) if path.exists() else ""
        path = layout(run).samples(dataset, model)
        yield path, samples_mismatch(run, dataset, model, read_info_or_none(path), data_digest) if path.exists() else ""
        yield layout(run).metrics(dataset, model), metrics_mismatch(run, dataset, model, data_digest)
    for dataset, guest in run.guests:
        path, data_digest = layout(run).samples(dataset, guest), data.get(dataset)
        info = read_info_or_none(path) if path.exists() else None
        yield path, samples_mismatch(run, dataset, guest, info, data_digest) if path.exists() else ""
        yield layout(run).metrics(dataset, guest), metrics_mismatch(run, dataset, guest, data_digest)
    for dataset, model in run.spreads:
        yield layout(run).spread(dataset, model), spread_mismatch(run, dataset, model, data.get(dataset))
    for job in run.searches:
        yield layout(run).search(*job), search_mismatch(run, job, data.get(job[0]))
    for dataset in run.latents:
        path = layout(run).latent(dataset)
        info = read_latent_info(path) if path.exists() else None
        yield path, fit_mismatch(run, dataset, "ae-ot", info, data.get(dataset))


def _fits(run: Run, dataset: str, model: str) -> list[tuple[Path, list[int]]]:
    """Paths of a model's fits, of all seeds and of those that one job trains, with the seeds of each."""
    folder = layout(run).fit(dataset, model)
    parts = [
        (folder / f"part-{group}" / "fit.json", list(map(int, group.split("-")))) for group in run.seed_groups(dataset)
    ]
    return [(folder / "fit.json", run.seeds_of(dataset)), *parts]


def to_make(run: Run) -> dict[Path, str]:
    """Files of a run that the workflow is to make again.

    Beside stale files these lack seeds, or were gathered under another config. Reads fit.json, the `info` of samples,
    records of tables, and data sets that are small; larger ones are compared when they are gathered.

    Args:
        run: The run.

    Returns:
        Reason by path.
    """
    if not run.folder.is_dir():
        return {}
    data = {dataset: small_digest(run, dataset) for dataset in run.datasets}
    reasons = stale_files(run, data)
    parts = (_lacking_seeds(run), _data(run), _features(run), _gathered(run), _theories(run, data))
    return {**reasons, **{path: reason for part in parts for path, reason in part if path not in reasons}}


def _lacking_seeds(run: Run) -> Iterator[tuple[Path, str]]:
    for dataset, model in run.pairs:
        samples = layout(run).samples(dataset, model)
        there = [(path, seeds, read_dict(path).get("seeds")) for path, seeds in _fits(run, dataset, model)]
        cells = (read_info_or_none(samples) or {}).get("cells", []) if samples.exists() else []
        there.append((samples, run.seeds_of(dataset), [cell["seed"] for cell in cells]))
        for path, seeds, present in there:
            lacking = [seed for seed in seeds if seed not in (present if isinstance(present, list) else [])]
            if lacking and path.exists():
                yield path, f"it lacks seed {', '.join(map(str, lacking))}"


def _data(run: Run) -> Iterator[tuple[Path, str]]:
    from otbench.data import read_name

    for dataset in run.datasets:
        path = layout(run).data(dataset)
        if path.exists() and (name := read_name(path)) != dataset:
            yield path, f"it holds data set {name}"


def _features(run: Run) -> Iterator[tuple[Path, str]]:
    for dataset in run.datasets:
        path = layout(run).feature_info(dataset)
        if run.kind(dataset) == "images" and path.exists():
            there, asked = sorted(read_dict(path).get("extractors") or {}), sorted(run.section(dataset).features)
            if there != asked:
                yield path, f"it has features {', '.join(there)}, asked {', '.join(asked)}"


def _theories(run: Run, data: dict[str, str | None]) -> Iterator[tuple[Path, str]]:
    for name, part in run.theories.items():
        path = layout(run).theory(name)
        if path.exists() and (
            reason := theory_mismatch(run, name, read_theory_info(path), data.get(part.dataset or ""))
        ):
            yield path, reason


def _gathered(run: Run) -> Iterator[tuple[Path, str]]:
    """Files that are made of all cells: the run's config, the gathered table, and the sign that all cells are ok."""
    at, expected = layout(run), config_digest(run)
    config, table, complete = at.config, at.table, at.complete
    if config.exists() and _config_digest(read_dict(config)) != expected:
        yield config, "it is another config"
    if table.exists() and (reason := gathered_mismatch(run, read_dict(at.summary))):
        yield table, reason
    if complete.exists() and complete.read_text(encoding="utf-8", errors="replace").strip() != expected:
        yield complete, "it is of another config"
        yield at.report, "it may be of another config"


def gathered_mismatch(run: Run, info: dict[str, Any]) -> str:
    """Difference between a gathered table and what the run asks for.

    Args:
        run: The run.
        info: Content of run.json.

    Returns:
        The reason; empty where nothing differs.
    """
    if info.get("config_hash") != config_digest(run):
        return "gathered under another config"
    if info.get("table_sha256") != file_digest(layout(run).table):
        return "run.json is of another table"
    return "it lacks what was missing or stale" if info.get("stale") or info.get("lacking") else ""


def seeds_measured(run: Run, dataset: str, model: str) -> set[int]:
    """Seeds of a model whose metrics on disk are what the config asks for.

    Args:
        run: The run.
        dataset: Name of the data set.
        model: Name of the model.

    Returns:
        Seeds of the run.
    """
    record = read_record(layout(run).metrics(dataset, model))
    if record is None or metrics_mismatch(run, dataset, model):
        return set()
    cells = record["samples"].get("cells", [])
    return {cell["seed"] for cell in cells} & set(run.seeds_measured(dataset, model))
