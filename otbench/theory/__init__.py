"""Studies of the theory: each computes one of the texts' arguments, beside an answer that is known.

A study is a module with `TITLE`, `SOURCE` (where the texts argue it), `DATA` (whether it needs a data set of images),
`Options` (what it computes and how much of it; the defaults are for a first look on two cores) and
`compute(options, data, seed, device) -> Findings`. Its counterpart in `otbench.report.theory` says and draws what was
found.
"""

from __future__ import annotations

import time
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from otbench.errors import OtbenchError
from otbench.registry import ON_CPU, THEORIES
from otbench.utils.validation import dotted, first_fault

if TYPE_CHECKING:
    from pydantic import BaseModel

    from otbench.data.base import DataSet
    from otbench.theory.findings import Findings


def module(name: str) -> ModuleType:
    """Module of a study of the theory.

    Args:
        name: Name of the study, one of `registry.THEORIES`.

    Returns:
        Module with TITLE, SOURCE, DATA, Options and compute.

    Raises:
        OtbenchError: Where no study has this name.
    """
    if name not in THEORIES:
        raise OtbenchError(f"no study of the theory is called '{name}', expected one of {', '.join(THEORIES)}")
    return import_module(f"otbench.theory.{name.replace('-', '_')}")


def configure(name: str, options: dict[str, Any]) -> BaseModel:
    """Validated options of a study; errors name the offending option.

    Args:
        name: Name of the study.
        options: Values by option; the defaults hold for the rest.

    Returns:
        Instance of the study's Options.

    Raises:
        OtbenchError: Where there is no such study or option, or a value is invalid.
    """
    from pydantic import ValidationError

    schema = module(name).Options
    try:
        return schema(**options)
    except ValidationError as error:
        place, message = first_fault(error, lambda _: schema.model_fields, "option")
        raise OtbenchError(f"theory {name}, option '{dotted(place)}': {message}") from error


def compute(
    name: str, options: dict[str, Any] | None = None, data: DataSet | None = None, seed: int = 0, device: str = "cpu"
) -> Findings:
    """Run of a study, with its provenance in `info`.

    Args:
        name: Name of the study.
        options: Values by option; None: the defaults.
        data: Data set of images; needed only by studies whose DATA is true, others do not see it.
        seed: Seed of all draws.
        device: Where to compute; studies in `registry.ON_CPU` run on the CPU in any case.

    Returns:
        Findings, whose info holds asked (the options that were given), theory_version, data and mesh (digests),
        options, dataset, seed, device, seconds, code_version, versions and machine.

    Raises:
        OtbenchError: Where options are invalid, or where a study of images is given none.
    """
    from otbench.fingerprints import theory_version
    from otbench.provenance import code_version, machine, versions
    from otbench.theory.findings import Findings
    from otbench.utils.records import file_digest

    study, chosen = module(name), configure(name, options or {})
    if study.DATA and (data is None or data.kind != "images"):
        given = "none" if data is None else f"the points of {data.name}"
        raise OtbenchError(f"theory {name}: it is about images and needs a data set of them, got {given}")
    device = "cpu" if name in ON_CPU else device
    began = time.perf_counter()
    findings = study.compute(chosen, data if study.DATA else None, seed, device)
    mesh = getattr(chosen, "mesh", None)
    info = {
        "asked": options or {},
        "theory_version": theory_version(name),
        "data": data.digest() if study.DATA and data else "",
        "mesh": file_digest(Path(mesh)) if mesh else "",
        "options": chosen.model_dump(mode="json"),
        "dataset": data.title if study.DATA and data else "",
        "seed": seed,
        "device": device,
        "seconds": time.perf_counter() - began,
        "code_version": code_version(),
        "versions": versions(),
        "machine": machine(),
    }
    return Findings(name, findings.facts, findings.tables, findings.arrays, info)
