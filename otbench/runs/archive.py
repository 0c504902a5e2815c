"""Files of a run that travel to another machine, as parts of a compressed tar file: pack."""

from __future__ import annotations

import hashlib
import io
import lzma
import os
import tarfile
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from otbench.config.run import Run
from otbench.data.samples import THINNED
from otbench.errors import OtbenchError
from otbench.fingerprints import measure_version
from otbench.provenance import code_version
from otbench.runs.parcel import (
    FIT,
    FOLDERS,
    FORMAT,
    MANIFEST,
    PARTS,
    RECORDS,
    WEIGHTS,
    check_folder,
    record_path,
    thinned_under,
)
from otbench.utils.files import atomic_write, read_object, write_json
from otbench.utils.progress import Bar

#: temporary files of a slice that was killed while it wrote a part
HALF = ".part-*.xz"
MIB = 2**20
#: bytes of small files that are compressed together
TOGETHER = 4 * MIB
#: weights hardly compress: a file larger than the room divided by this share is not tried
SHARE = 0.6


def pack(run: Run, out: Path, part_size: float, parts: int, told: dict[str, Any] | None = None) -> dict[str, Any]:
    """Write what is needed to go on with a run into `out`.

    What models that are under way have so far goes as far as there is room, the smallest first.

    Args:
        run: The run.
        out: Folder of the parts and manifest.json.
        part_size: Most MiB of a part.
        parts: Most parts.
        told: Further entries of the manifest, such as `complete`.

    Returns:
        Content of manifest.json, with `told` and the files left out (`left_out`).

    Raises:
        OtbenchError: The finished cells do not fit, or `out` holds another run; nothing is written then.
    """
    check_folder(run, out)
    size = int(part_size * MIB)
    limit = size * parts
    needed, spare = _chosen(run)
    thin = sum((run.folder / name).stat().st_size for name in needed) > limit
    if thin:
        needed = [name for name in needed if not _made_again(name)]
    streams = _streams(run, needed, thin)
    end = lzma.compress(bytes(1024))
    left = limit - sum(map(len, streams)) - len(end)
    if left < 0:
        raise OtbenchError(
            f"the finished cells of run {run.run} take {(limit - left) / MIB:,.1f} MiB packed, and {parts} parts of"
            f" {part_size:g} MiB hold {limit / MIB:,.1f}; expected more room (--part-size, --parts). Nothing was packed"
        )
    spare = sorted(spare, key=lambda name: (run.folder / name).stat().st_size)
    while spare and (run.folder / spare[0]).stat().st_size * SHARE < left:
        stream = _compressed(run, [spare[0]], False)
        if len(stream) > left:
            break
        streams.append(stream)
        left -= len(stream)
        spare = spare[1:]
    content = b"".join([*streams, end])
    chunks = [content[start : start + size] for start in range(0, len(content), size)]
    manifest = {
        "format": FORMAT,
        "run": run.run,
        "code_version": code_version(),
        "measure_version": measure_version(),
        "thinned": thin or bool(partial(run)),
        "left_out": spare,
        **(told or {}),
        "parts": _named(chunks),
    }
    _write(out, manifest, chunks)
    return manifest


def _named(chunks: list[bytes]) -> list[dict[str, Any]]:
    """Name, size and checksum of the parts; the names are in order, and equal ones have equal content."""
    sums = [hashlib.sha256(chunk).hexdigest() for chunk in chunks]
    wide = max(2, len(str(len(chunks) - 1)))
    return [
        {"name": f"part-{number:0{wide}d}-{checksum[:12]}.tar.xz", "bytes": len(chunk), "sha256": checksum}
        for number, (chunk, checksum) in enumerate(zip(chunks, sums, strict=True))
    ]


def _write(out: Path, said: dict[str, Any], chunks: list[bytes]) -> None:
    """Write the parts beside those of the parcel before, then the manifest in place of its, and delete the others."""
    try:
        for part, chunk in zip(said["parts"], chunks, strict=True):
            with atomic_write(out / part["name"]) as path:
                path.write_bytes(chunk)
        write_json(out / MANIFEST, said)
    finally:
        manifest = out / MANIFEST
        named = {part["name"] for part in read_object(manifest)["parts"]} if manifest.exists() else set()
        for other in (*out.glob(PARTS), *out.glob(HALF)):
            if other.name not in named:
                other.unlink()


def _chosen(run: Run) -> tuple[list[str], list[str]]:
    """The files that travel, as paths in the run's folder: those needed, and what models under way have so far."""
    needed, spare = ["config.json"] * (run.folder / "config.json").exists(), []
    for path in sorted(path for name in FOLDERS for path in (run.folder / name).rglob("*")):
        name = path.relative_to(run.folder).as_posix()
        if path.is_symlink() or not path.is_file() or (record_path(str(path), "incomplete")).exists():
            continue
        if _resumes(name):
            done = path.parent.parent / FIT[0]  # a checkpoint older than its fit is of no use any more
            if not path.name.startswith(".") and not _newer(done, path):
                spare.append(name)
        elif any(part.startswith(".") for part in name.split("/")):
            continue
        elif path.name == WEIGHTS or (name.startswith("samples/") and not _newer(table(run, path), path)):
            spare.append(name)
        elif not name.startswith("fit/") or path.name in FIT:
            needed.append(name)
    return needed, spare


def _resumes(name: str) -> bool:
    return name.startswith("fit/") and name.split("/")[-2].startswith(".resume-")


def _newer(path: Path, than: Path) -> bool:
    return path.exists() and path.stat().st_mtime >= than.stat().st_mtime


def table(run: Run, samples: Path) -> Path:
    """Path of the metrics that were measured on a file of samples.

    Args:
        run: The run.
        samples: Where the samples lie, .npz.

    Returns:
        Path of the table, .csv.
    """
    return run.folder / "metrics" / samples.parent.name / f"{samples.stem}.csv"


def partial(run: Run) -> list[Path]:
    """Samples files of a run that hold a part of the samples that were drawn and measured.

    Args:
        run: The run.

    Returns:
        Paths, sorted.
    """
    return [path for path in sorted((run.folder / "samples").glob("*/*.npz")) if thinned_under(path) is not None]


def _made_again(name: str) -> bool:
    """Whether a file holds features of real images, which are large and made again from the extractor."""
    return name.startswith("features/") and name.endswith(".npz")


def _streams(run: Run, names: list[str], thin: bool) -> list[bytes]:
    """The files compressed, small ones together."""
    groups: list[list[str]] = []
    filled = TOGETHER
    for name in names:
        size = (run.folder / name).stat().st_size
        if filled + size > TOGETHER:
            groups.append([])
            filled = 0
        groups[-1].append(name)
        filled += size
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool, Bar("packing", len(groups)) as bar:
        streams = []
        for stream in pool.map(lambda group: _compressed(run, group, thin), groups):
            streams.append(stream)
            bar.update(len(streams))
    return streams


def _compressed(run: Run, names: list[str], thin: bool) -> bytes:
    """Files of a run with Snakemake's records of them, as a part of a tar file, compressed."""
    buffer = io.BytesIO()
    for name in names:
        path = run.folder / name
        content = _thinned(path) if thin and name.startswith("samples/") else path.read_bytes()
        _add(buffer, f"{run.run}/{name}", content, path.stat().st_mtime)
        # those of weights stay when these are deleted: without them Snakemake compares no parameters
        records = [name, f"{name.removesuffix(FIT[0])}{WEIGHTS}"] if path.name == FIT[0] else [name]
        for record in records:
            file = record_path(str(run.folder / record), "metadata")
            if file.exists():
                _add(buffer, f"{run.run}/{RECORDS}/{record}", file.read_bytes(), file.stat().st_mtime)
    return lzma.compress(buffer.getvalue(), preset=1)


def _add(buffer: io.BytesIO, name: str, content: bytes, changed: float) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mtime = len(content), changed
    buffer.write(member.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict"))
    buffer.write(content + bytes(-len(content) % tarfile.BLOCKSIZE))


def _thinned(path: Path) -> bytes:
    """Samples of the figures alone, the first of every seed and snapshot; the info says so."""
    from otbench.data.samples import read_samples, write_samples
    from otbench.runs.arrays import IMAGES, POINTS

    file = read_samples(path)
    most = IMAGES if file.samples.ndim == 4 else POINTS
    cells = np.unique(np.stack([file.seed, file.snapshot], axis=1), axis=0)
    rows = [np.flatnonzero((file.seed == seed) & (file.snapshot == mark))[:most] for seed, mark in cells]
    chosen = np.sort(np.concatenate([np.empty(0, int), *rows]))
    again = {seed: images[:most] for seed, images in file.reconstructions.items()}
    before = len(file.samples) + sum(map(len, file.reconstructions.values()))
    if len(chosen) + sum(map(len, again.values())) == before:
        return path.read_bytes()
    info = {**(file.info or {}), THINNED: measure_version()}
    with tempfile.TemporaryDirectory() as folder:
        thin = Path(folder) / path.name
        write_samples(thin, file.samples[chosen], file.seed[chosen], file.snapshot[chosen], info, again)
        return thin.read_bytes()
