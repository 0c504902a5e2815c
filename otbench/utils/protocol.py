"""The protocol of a figure as text."""

from __future__ import annotations


def protocol(**parts: object) -> str:
    """The protocol as `key=value` pairs joined by semicolons, in the order given."""
    return ";".join(f"{key}={value}" for key, value in parts.items())
