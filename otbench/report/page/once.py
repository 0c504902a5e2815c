"""Says each thing once a page: sentences of captions that stand further up are left out."""

from __future__ import annotations

import re

LEAST = 30
"""Letters that a sentence must have to be left out where it is repeated: shorter ones carry the grammar of others."""


class Once:
    """Remembers the sentences of one page."""

    def __init__(self) -> None:
        self.said: set[str] = set()

    def __call__(self, text: str) -> str:
        """The sentences of a text that this page has not said yet.

        Args:
            text: Text of a caption or note.

        Returns:
            The text without repetitions.
        """
        kept = []
        for sentence in re.split(r"(?<=\.) (?=[A-Z“†§‡±–(])", text):
            key = sentence.rstrip(".;: ").lower()
            if len(key) >= LEAST and key in self.said:
                continue
            self.said.add(key)
            kept.append(sentence)
        return " ".join(kept).strip()
