"""Files of a run that came from another machine as parts of a compressed tar file: unpack."""

from __future__ import annotations

import hashlib
import io
import lzma
import os
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from otbench.config.run import Run
from otbench.errors import OtbenchError
from otbench.fingerprints import measure_version
from otbench.runs.parcel import FOLDERS, MANIFEST, RECORDS, check_folder, record_path, thinned_under
from otbench.utils.bounds import FILE_NAME_MOST, PATH_MOST
from otbench.utils.files import atomic_write
from otbench.utils.temporary import remove_stale, temporary_prefix

#: filter of extraction, from Python 3.11.4 on; members that are no file in the run's folder are refused before
SAFELY: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}


def unpack(run: Run, folder: Path) -> int:
    """Put what is packed in a folder into the run's folder; files that are there stay as they are.

    Args:
        run: The run.
        folder: Folder of parts.

    Returns:
        Number of files that were not there yet.

    Raises:
        OtbenchError: A part is missing or damaged, or holds anything that does not belong to this run; nothing is
            written then.
    """
    manifest = check_folder(run, folder)
    if manifest is None:
        return 0
    content = b"".join(_part(folder / part["name"], part["sha256"]) for part in manifest["parts"])
    try:
        names = [_checked(member, run, folder) for member in _members(content)]
        _check_places(names, folder)
    except (tarfile.TarError, lzma.LZMAError, EOFError, ValueError) as error:
        raise OtbenchError(f"{folder}: its parts are no tar file, compressed with xz ({error})") from error
    run.folder.mkdir(parents=True, exist_ok=True)
    # without this folder Snakemake takes the records for those of an old release, and looks through them all
    Path(RECORDS, "incomplete").mkdir(parents=True, exist_ok=True)
    written = 0
    remove_stale(run.folder)
    with tempfile.TemporaryDirectory(dir=run.folder, prefix=temporary_prefix(".slice")) as where:
        for name, member in zip(names, _members(content, where), strict=True):
            record = name.startswith(f"{RECORDS}/")
            record_file = record_path(str(run.folder / name.removeprefix(f"{RECORDS}/")), "metadata")
            target = record_file if record else run.folder / name
            if target.exists() or (name.startswith("samples/") and _outdated(Path(where) / member.name)):
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            if record:  # it may be on another disk than the results
                with atomic_write(target) as temporary:
                    temporary.write_bytes((Path(where) / member.name).read_bytes())
            else:
                os.replace(Path(where) / member.name, target)
            written += 1
    return written


def _outdated(samples: Path) -> bool:
    """Whether a samples file holds a part of the samples and a newer measuring would measure it again."""
    return thinned_under(samples) not in (None, measure_version())


def _part(path: Path, expected: str) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise OtbenchError(f"cannot read {path}: {error.strerror or error}") from error
    if hashlib.sha256(content).hexdigest() != expected:
        raise OtbenchError(f"{path} is damaged: its content does not have the checksum in {MANIFEST}")
    return content


def _members(content: bytes, where: str | None = None) -> Iterator[tarfile.TarInfo]:
    """Members of a compressed tar file, one after another; each is extracted into `where`, if that is given."""
    with lzma.open(io.BytesIO(content)) as file, tarfile.open(fileobj=file, mode="r|") as tar:
        for member in tar:
            if where is not None:
                tar.extract(member, where, **SAFELY)
            yield member


def _checked(member: tarfile.TarInfo, run: Run, folder: Path) -> str:
    """Path of a member in the run's folder; raises OtbenchError where it is none of what travels."""
    parts = PurePosixPath(member.name).parts
    inner = parts[2:] if parts[1:2] == (RECORDS,) else parts[1:]
    allowed = inner[:1] == ("config.json",) or (len(inner) > 1 and inner[0] in FOLDERS)
    if not (member.isreg() and parts[:1] == (run.run,) and allowed and ".." not in parts):
        kind = "a file" if member.isreg() else "a link or the like"
        raise OtbenchError(
            f"{folder} holds {kind} '{member.name}'; expected files of run {run.run} alone. Nothing was unpacked"
        )
    if len(os.fsencode(member.name)) > PATH_MOST or max(len(os.fsencode(part)) for part in parts) > FILE_NAME_MOST:
        raise OtbenchError(
            f"{folder} holds a file with a path of {len(member.name)} characters that begins '{member.name[:60]}';"
            f" expected at most {PATH_MOST} bytes, {FILE_NAME_MOST} between slashes. Nothing was unpacked"
        )
    return "/".join(parts[1:])


def _check_places(names: list[str], folder: Path) -> None:
    """Raise OtbenchError where a path is there twice, or as a file and as a folder."""
    files = set(names)
    if len(files) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise OtbenchError(f"{folder} holds '{twice}' twice; expected every file once. Nothing was unpacked")
    for name in names:
        for parent in PurePosixPath(name).parents:
            if str(parent) in files:
                raise OtbenchError(
                    f"{folder} holds '{parent}' as a file and as a folder; expected one of them. Nothing was unpacked"
                )
