"""Fetching publishers' files: progress, resuming, and a checksum before a file takes its place."""

from __future__ import annotations

import gzip
import hashlib
import http.client
import os
import re
import urllib.error
import urllib.request
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from otbench.errors import OtbenchError, WorkFailed
from otbench.utils.locks import exclusive
from otbench.utils.progress import Bar

CHUNK = 1 << 18
#: seconds without an answer after which an address is given up, and connections tried at each address
TIMEOUT, TRIES = 30, 4


@dataclass(frozen=True)
class Remote:
    """A file that its publisher offers.

    name: its place below the data root. addresses: where it is offered, in the order in which they are tried. digest:
    algorithm and hexadecimal digest, as `md5:6bbc...`; of what is inside where `packed`, because the same content is
    offered in different gzip wrappers.
    """

    name: str
    addresses: tuple[str, ...]
    digest: str
    packed: bool = False


def digest_of(file: BinaryIO | gzip.GzipFile, algorithm: str) -> str:
    """The digest of what is left to read in a file.

    Args:
        file: File, open for reading bytes.
        algorithm: Name of the algorithm, as `md5`.

    Returns:
        `algorithm:` and the hexadecimal digest.
    """
    sums = hashlib.new(algorithm, usedforsecurity=False)
    while chunk := file.read(CHUNK):
        sums.update(chunk)
    return f"{algorithm}:{sums.hexdigest()}"


def fetch(remote: Remote, root: Path) -> Path:
    """The path of a publisher's file, downloaded where it is not there.

    An interrupted download is resumed from what it left behind (`.part`). The file takes its place only once its
    checksum is right.

    Args:
        remote: The publisher's file.
        root: Folder that the file lies below.

    Returns:
        Path of the file.

    Raises:
        OtbenchError: Where the folder cannot be made.
        WorkFailed: Where no address can be reached or none gives the file; it says what to put where.
    """
    path = root / remote.name
    if path.exists():
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OtbenchError(f"cannot write {path}: {error.strerror or error}") from error
    with exclusive(path.parent, leave=False):
        if path.exists():  # another process was faster
            return path
        failures = []
        for address in remote.addresses:
            try:
                _download(address, path, remote)
                return path
            except (OSError, http.client.HTTPException, WorkFailed) as error:
                failures.append(f"{address}: {_reason(error)}")
    raise WorkFailed(
        f"cannot download {path.name} ({'; '.join(failures)}); "
        f"put the file {path.name} (from {remote.addresses[0]}) at {path}"
    )


def _download(address: str, path: Path, remote: Remote) -> None:
    """Bring one address's file to `path`; a checksum that is wrong after resuming is given a second, fresh chance."""
    part = path.with_name(path.name + ".part")
    resumed = part.exists() and part.stat().st_size > 0
    _receive(address, part)
    digest = _digest(part, remote)
    if digest != remote.digest and resumed:
        part.unlink()
        _receive(address, part)
        digest = _digest(part, remote)
    if digest != remote.digest:
        part.unlink()
        raise WorkFailed(f"expected {remote.digest}, got {digest}")
    os.replace(part, path)


def _receive(address: str, part: Path) -> None:
    """Append what is still missing to `part`; goes on where a connection broke, as long as each try brings more."""
    for left in reversed(range(TRIES)):
        had = part.stat().st_size if part.exists() else 0
        try:
            return _append(address, part, had)
        except (http.client.HTTPException, OSError) as error:
            # an answer that refuses is final; a broken connection is not, once something came through
            refused = isinstance(error, urllib.error.HTTPError)
            if refused or not left or not part.exists() or part.stat().st_size <= had:
                raise


def _append(address: str, part: Path, had: int) -> None:
    headers = {"User-Agent": "otbench", "Accept-Encoding": "identity"} | ({"Range": f"bytes={had}-"} if had else {})
    try:
        answer = urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if had and error.code == 416:  # there are no bytes from here on: the checksum will say what that means
            return
        raise
    with answer, open(part, "r+b" if part.exists() else "wb") as file:
        start = had if answer.status == 206 and _starts_at(answer, had) else 0  # a server may send the whole file again
        file.seek(start)
        file.truncate()
        length = answer.headers.get("Content-Length")
        total = start + int(length) if length else 0
        done = start
        with Bar(f"downloading {part.stem}", total) as bar:
            while chunk := answer.read(CHUNK):
                file.write(chunk)
                done += len(chunk)
                bar.update(done, "bytes")
    if total and done < total:
        raise http.client.IncompleteRead(b"", total - done)


def _starts_at(answer: http.client.HTTPResponse, had: int) -> bool:
    match = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
    if not match or int(match[1]) != had:
        raise http.client.HTTPException(f"asked for bytes from {had}, got '{answer.headers.get('Content-Range')}'")
    return True


def _digest(path: Path, remote: Remote) -> str:
    algorithm = remote.digest.split(":")[0]
    try:
        with gzip.open(path) if remote.packed else open(path, "rb") as file:
            return digest_of(file, algorithm)
    except (OSError, EOFError, zlib.error) as error:
        return f"what is no gzip file ({error})"


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"HTTP {error.code}"
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    return str(getattr(reason, "strerror", None) or reason)
