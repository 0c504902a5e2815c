"""Files that appear whole or not at all."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from otbench.errors import OtbenchError, WorkFailed
from otbench.utils.temporary import remove_stale, temporary_prefix

if TYPE_CHECKING:
    import pandas


@contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """Write a file whole or not at all: a temporary file is moved onto `path` when the block ends without an error.

    What interrupted writes left in the folder is removed, see `remove_stale`.

    Args:
        path: Where the file goes; its folder is made where it does not exist.

    Yields:
        Temporary path beside `path`.

    Raises:
        OtbenchError: The folder cannot be written to.
        WorkFailed: The disk is full or fails meanwhile; what stood at `path` then still stands there.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_stale(path.parent)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=temporary_prefix(f".{path.stem}"), suffix=path.suffix)
        os.close(handle)
    except OSError as error:
        raise OtbenchError(f"cannot write {path}: {error.strerror or error}") from error
    temporary = Path(name)
    try:
        yield temporary
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)
        os.replace(temporary, path)
        sync_folder(path.parent)
    except OSError as error:
        if error.filename not in (None, name):  # another file's trouble
            raise
        raise WorkFailed(f"cannot write {path}: {error.strerror or error}; it is as it was before") from error
    finally:
        temporary.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Have a folder's entries reach the disk, where the system can.

    Args:
        folder: The folder.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError:  # some network file systems know no such thing
        pass
    finally:
        os.close(handle)


def write_text(path: str | Path, text: str) -> None:
    """Write text to a file, whole or not at all.

    Args:
        path: Where the text goes.
        text: The text, written in UTF-8.
    """
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | Path, value: Any) -> None:
    """Write a value to a file as indented JSON, whole or not at all.

    Args:
        path: Where the value goes, .json.
        value: Any value that JSON can hold, its numbers finite.
    """
    write_text(path, json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n")


def read_text(path: str | Path) -> str:
    """Text of a file in UTF-8, with or without a byte-order mark.

    Args:
        path: Where the text lies.

    Returns:
        The text, without the mark.

    Raises:
        OtbenchError: The file is missing or not in UTF-8.
    """
    try:
        return Path(path).read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise OtbenchError(f"cannot read {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise OtbenchError(f"{path} is no text in UTF-8 (byte {error.start})") from error


def parse_json(text: str, where: str | Path) -> Any:
    """JSON value in a text.

    Args:
        text: The text.
        where: Name of the text, which begins an error's message.

    Returns:
        The value.

    Raises:
        OtbenchError: The text is no JSON, or nested too deeply.
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise OtbenchError(f"{where} is nested too deeply to be read as JSON") from error
    except ValueError as error:
        raise OtbenchError(f"{where} is not valid JSON ({error})") from error


def read_json(path: str | Path) -> Any:
    """JSON value in a file.

    Args:
        path: Where the value lies, .json.

    Returns:
        The value.

    Raises:
        OtbenchError: The file is missing or not JSON.
    """
    return parse_json(read_text(path), path)


def read_object(path: str | Path, keys: Iterable[str] = (), what: str = "a JSON object") -> dict[str, Any]:
    """JSON object in a file.

    Args:
        path: Where the object lies, .json.
        keys: Keys that it must have.
        what: What is expected there, for messages.

    Returns:
        The object.

    Raises:
        OtbenchError: The file is missing, holds another value, or lacks a key.
    """
    value = read_json(path)
    if not isinstance(value, dict):
        raise OtbenchError(f"{path}: expected {what}, got {_kind(value)}")
    if lacking := [key for key in keys if key not in value]:
        raise OtbenchError(f"{path} lacks {', '.join(lacking)}; expected {what}")
    return value


def _kind(value: Any) -> str:
    names = {list: "a list", str: "a text", bool: "true or false", int: "a number", float: "a number"}
    return names.get(type(value), "null")


def read_yaml(path: str | Path) -> Any:
    """Value that a YAML file describes.

    Args:
        path: Where the value lies, .yaml.

    Returns:
        The value.

    Raises:
        OtbenchError: The file is missing, no text or no YAML.
    """
    import yaml

    text = read_text(path)
    try:
        return yaml.safe_load(text)
    except RecursionError as error:
        raise OtbenchError(f"{path} is nested too deeply to be read as YAML") from error
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date or a number that is none
        raise OtbenchError(f"{path} is not valid YAML ({' '.join(str(error).split())})") from error


def read_columns(path: str | Path, columns: list[str], types: dict[str, Any], what: str = "table") -> pandas.DataFrame:
    """CSV table with given columns in the given order.

    Args:
        path: Where the table lies, .csv.
        columns: Columns that it must have, in order.
        types: Types of the columns, as pandas takes them.
        what: What the table is called in messages.

    Returns:
        The table.

    Raises:
        OtbenchError: The file is missing, damaged or another table.
    """
    import pandas

    try:
        table = pandas.read_csv(path, dtype=types)
    except OSError as error:
        raise OtbenchError(f"cannot read {path}: {error.strerror or error}") from error
    except ValueError as error:  # pandas' own errors are of this kind too
        raise OtbenchError(f"{path}: it is no {what} ({error})") from error
    if list(table.columns) != columns:
        raise OtbenchError(f"{path}: expected the columns {', '.join(columns)}, got {', '.join(map(str, table))}")
    return table


def read_parquet(path: str | Path) -> pandas.DataFrame:
    """Table in a parquet file.

    Args:
        path: Where the table lies, .parquet.

    Returns:
        The table.

    Raises:
        OtbenchError: The file is missing, damaged or no table.
    """
    import pandas

    try:
        table = pandas.read_parquet(path, page_checksum_verification=True)
        for name in table.select_dtypes("str"):
            table[name].to_numpy(object)  # texts are decoded when they are looked at: what cannot be is seen here
        return table
    except Exception as error:  # pyarrow and pandas raise many kinds where a byte of what describes columns is changed
        if isinstance(error, OSError) and error.strerror:
            raise OtbenchError(f"cannot read {path}: {error.strerror}") from error
        raise OtbenchError(f"{path} is not a parquet table ({' '.join(str(error).split())})") from error
