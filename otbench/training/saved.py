"""A fit on disk: its weights, checked and opened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from otbench.data.base import DataSet
from otbench.errors import OtbenchError
from otbench.models import configure, find
from otbench.models.base import Model
from otbench.training.summary import read_summary
from otbench.utils.bounds import snapshot_text
from otbench.utils.records import file_digest


def mark_of(summary: dict[str, Any]) -> str:
    """The mark of their fit that weights carry; one text, as safetensors writes several in any order.

    Args:
        summary: What fit.json holds.

    Returns:
        Text that names the digest of the config and the version of the code.
    """
    return f"config {summary['config_hash']}, code {summary['code_version']}"


def check_weights(path: Path, summary: dict[str, Any]) -> None:
    """Check that weights are those that fit.json was written with.

    Args:
        path: Where the weights lie, .safetensors.
        summary: What fit.json holds.

    Raises:
        OtbenchError: Where they cannot be read, or have another checksum.
    """
    checksum = file_digest(path)
    if checksum != summary.get("weights_sha256", checksum):
        raise OtbenchError(f"cannot read the weights in {path}: they are damaged, or of another fit; fit again")


def open_fit(folder: Path, data: DataSet, device: str = "cpu") -> tuple[dict[str, Any], Any]:
    """A fitted model's summary, and a function that makes the model of each cell.

    Args:
        folder: Where the fit lies.
        data: Data set that the model was fitted on.
        device: Device of the models.

    Returns:
        What fit.json holds, and a function (seed, snapshot) -> the model of that cell, ready to draw.

    Raises:
        OtbenchError: Where a file is missing, cut short, or belongs to other data.
    """
    summary = read_summary(folder)
    if summary.get("data") != data.digest():
        raise OtbenchError(
            f"{folder} was fitted on {summary.get('dataset')} with digest {summary.get('data')}, "
            f"but the data given are {data.name} with digest {data.digest()}"
        )
    model_class = find(summary["model"], data.kind)
    config = configure(summary["model"], summary["options"], data.kind)
    path = folder / "weights.safetensors"
    check_weights(path, summary)
    try:
        weights = safe_open(path, "pt", device=device)
    except (OSError, SafetensorError) as error:
        raise OtbenchError(f"cannot read the weights in {path}: {error}") from error
    if (weights.metadata() or {}).get("fit") != mark_of(summary):
        raise OtbenchError(f"{folder}: weights.safetensors and fit.json are of different fits; fit again")
    names = list(weights.keys())

    def load(seed: int, snapshot: float) -> Model:
        start = f"{seed}/{snapshot_text(snapshot)}/"
        model = model_class(config, data, [seed], device, training=False)
        model.load({n.removeprefix(start): weights.get_tensor(n).unsqueeze(0) for n in names if n.startswith(start)})
        return model

    return summary, load
