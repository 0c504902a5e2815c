"""Progress of long work: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn


class Bar:
    """Display of stage, loss and time left of one piece of work; use it as a context manager."""

    def __init__(self, title: str, total: int, every: float = 15.0) -> None:
        self.title, self.total, self.every = title, max(total, 1), every
        self.started = self.told = time.monotonic()
        self.first: int | None = None
        self.bar: Progress | None = None
        if sys.stderr.isatty():
            columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:,}/{task.total:,}"))
            columns += (TextColumn("{task.fields[note]}"), TimeRemainingColumn())
            self.bar = Progress(*columns, console=Console(stderr=True))
            self.task = self.bar.add_task(title, total=self.total, note="")

    def __enter__(self) -> Bar:
        if self.bar:
            self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar:
            self.bar.stop()

    def update(self, done: int, note: str = "") -> None:
        """Show progress.

        Args:
            done: How much of the total is done.
            note: Stage and losses.
        """
        if self.bar:
            self.bar.update(self.task, completed=done, note=note)
            return
        now = time.monotonic()
        if self.first is None:
            self.first, self.started = done, now
        if now - self.told < self.every:
            return
        self.told = now
        rate = (done - self.first) / max(now - self.started, 1e-9)
        left = f", {(self.total - done) / rate:,.0f} s left" if rate > 0 else ""
        print(f"{self.title}: {done:,}/{self.total:,} {note}{left}", file=sys.stderr, flush=True)
