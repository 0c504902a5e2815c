"""The protocol of a figure as text."""

from __future__ import annotations


def protocol(**parts: object) -> str:
    """Protocol of a figure as text.

    Args:
        **parts: Values by key, in order.

    Returns:
        `key=value` pairs joined by semicolons, in the order given.
    """
    return ";".join(f"{key}={value}" for key, value in parts.items())
