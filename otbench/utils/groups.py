"""Lists in parts of one size."""

from __future__ import annotations

from typing import TypeVar

T = TypeVar("T")


def in_groups(values: list[T], size: int) -> list[list[T]]:
    """Split a list into neighbouring parts.

    Args:
        values: The list.
        size: Length of every part but the last, which may be shorter.

    Returns:
        The parts in order; none of an empty list.
    """
    return [values[start : start + size] for start in range(0, len(values), size)]
