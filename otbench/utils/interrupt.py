"""Being asked to stop: SIGTERM and SIGINT let training write a checkpoint before it ends."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from otbench.errors import WorkFailed

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Interrupted(WorkFailed):
    """Training was asked to stop, and did; the exit status is that of a process which the signal ended."""

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.status = 128 + number


class Stop:
    """Whether a signal has asked to stop. Inside `held` it is only noted, once; else, and the second time, it ends the
    work at once with Interrupted.
    """

    def __init__(self) -> None:
        self.asked: int | None = None
        self.holding = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """The handler of the signal."""
        again, self.asked = self.asked is not None, number
        if again or not self.holding:
            raise Interrupted("stopped; the same command goes on from the last checkpoint", number)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let a first signal wait until the work inside looks at `asked`."""
        self.holding = True
        try:
            yield
        finally:
            self.holding = False


@contextmanager
def stoppable() -> Iterator[Stop]:
    """Take SIGTERM and SIGINT while the block lasts; outside the main thread, where nobody can, do nothing."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.signal(number, stop) for number in SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
