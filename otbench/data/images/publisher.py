"""Reading publishers' files as they are, archives included: nothing is unpacked on disk, no pickle is opened."""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from pathlib import Path, PurePosixPath

from otbench.data.images.download import digest_of
from otbench.errors import OtbenchError


class Checksums:
    """Which files were read that are not the publisher's; `unverified` lets them in, and `note` tells on them."""

    def __init__(self, unverified: bool = False) -> None:
        self.unverified, self.differing = unverified, []

    def check(self, path: Path, content: bytes | None, digest: str) -> None:
        """Compare a file's digest with the publisher's.

        Args:
            path: Where the file lies.
            content: Content to compare; None compares the file itself.
            digest: The publisher's digest, as `md5:...`.

        Raises:
            OtbenchError: Where they differ and that is not let in.
        """
        with io.BytesIO(content) if content is not None else open(path, "rb") as file:
            actual = digest_of(file, digest.split(":")[0])
        if actual == digest:
            return
        if not self.unverified:
            raise OtbenchError(
                f"{path} is not the publisher's file: expected {digest}, found {actual}; "
                "replace it, or let it in with --unverified (OTBENCH_UNVERIFIED=1)"
            )
        self.differing.append(path.name)

    @property
    def note(self) -> str:
        """What to add to a data set's source: empty where every file was the publisher's."""
        if not self.differing:
            return ""
        verb = "differs" if len(self.differing) == 1 else "differ"
        return f"; unverified: {', '.join(self.differing)} {verb} from the publisher's"


def read(path: Path, size: int) -> bytes:
    """The content of a file, unpacked where it is a gzip file.

    Args:
        path: Where the file lies.
        size: Number of bytes of the content.

    Returns:
        The content.

    Raises:
        OtbenchError: Where the file cannot be read, or holds more or fewer bytes.
    """
    try:
        with open(path, "rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        with gzip.open(path) if packed else open(path, "rb") as file:
            content = file.read(size + 1)  # no further: a small gzip file can hold more than fits in memory
    except (OSError, EOFError, zlib.error) as error:
        raise OtbenchError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error
    return _sized(path, content, size)


def read_tar(path: Path, names: list[str], size: int) -> dict[str, bytes]:
    """The contents of regular files in a tar archive.

    Args:
        path: Where the archive lies.
        names: Names of the files in the archive.
        size: Number of bytes of each file.

    Returns:
        Contents by name.

    Raises:
        OtbenchError: Where the archive is cut short, or a file is missing, of another size, or a link.
    """
    contents: dict[str, bytes] = {}
    try:
        with tarfile.open(path, "r:*") as archive:
            for member in archive:
                name = PurePosixPath(member.name).as_posix()
                if name not in names or name in contents:
                    continue
                if not member.isreg():
                    raise OtbenchError(f"{path}: expected {name} to be a regular file in the archive")
                file = archive.extractfile(member)
                assert file is not None  # it is regular
                contents[name] = _sized(path / name, file.read(size + 1), size)
    except (OSError, EOFError, tarfile.TarError, zlib.error) as error:
        raise OtbenchError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error
    for name in names:
        if name not in contents:
            raise OtbenchError(f"{path}: there is no {name} in the archive")
    return contents


def _sized(path: Path, content: bytes, size: int) -> bytes:
    if len(content) != size:
        more = "more" if len(content) > size else f"{len(content):,}"
        raise OtbenchError(f"{path}: expected {size:,} bytes, found {more}")
    return content
