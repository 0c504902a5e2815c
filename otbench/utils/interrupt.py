"""Stops by signals and time limits: SIGTERM and SIGINT let training write a checkpoint before it ends.

Work that never looks, such as a step that blocks, is ended by an alarm. A signal's handler runs between two
instructions of Python, so that a call into compiled code that does not return on a signal ends by SIGKILL alone.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from otbench.errors import WorkFailed

SIGNALS = (signal.SIGTERM, signal.SIGINT)
#: seconds that work gets to come to an end of its own after it was asked to stop; schedulers kill after 30
PATIENCE = 20.0


class Interrupted(WorkFailed):
    """Training was asked to stop, and did; the exit status is that of a process which the signal ended."""

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.status = 128 + number


class Stop:
    """Whether a signal has asked to stop. Inside `held` it is only noted, once; else, the second time, or where the
    work does not look at `asked` for PATIENCE seconds, it ends the work at once with Interrupted.
    """

    def __init__(self) -> None:
        self.asked: int | None = None
        self.holding = False
        self.armed = False
        self.late: Callable[[], Exception] | None = None

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """The handler of the signal."""
        again, self.asked = self.asked is not None, number
        if again or not self.holding:
            raise Interrupted("stopped; the same command goes on from the last checkpoint", number)
        self._ring_after(PATIENCE)

    def ring(self, number: int, frame: FrameType | None) -> None:
        """Handler of the alarm.

        Args:
            number: Number of the signal.
            frame: Frame that the signal interrupted.

        Raises:
            Interrupted: A signal has asked to stop before; else the exception of `limited` is raised where one is set.
        """
        if self.asked is not None:
            message = "stopped in a step that did not end; the same command goes on from the last checkpoint"
            raise Interrupted(message, self.asked)
        if self.late is not None:
            raise self.late()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let a first signal wait until the work inside looks at `asked`.

        Yields:
            Nothing.
        """
        self.holding = True
        try:
            yield
        finally:
            self.holding = False
            self._ring_after(0.0)

    @contextmanager
    def limited(self, seconds: float | None, late: Callable[[], Exception]) -> Iterator[None]:
        """End the work inside with an exception when its time is over.

        Args:
            seconds: Time of the work in seconds; None for no limit.
            late: Function that makes the exception.

        Yields:
            Nothing.
        """
        if seconds is not None and self.asked is None:
            self.late = late
            self._ring_after(max(seconds, 1e-3))
        try:
            yield
        finally:
            if self.asked is None:
                self._ring_after(0.0)
            self.late = None

    def _ring_after(self, seconds: float) -> None:
        """Set the alarm; 0 takes it back."""
        if self.armed:
            signal.setitimer(signal.ITIMER_REAL, seconds)


@contextmanager
def stoppable() -> Iterator[Stop]:
    """Take SIGTERM, SIGINT and the alarm while the block lasts; outside the main thread, where nobody can, do nothing.

    Yields:
        State of the signals.
    """
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.signal(number, stop) for number in SIGNALS}
    before[signal.SIGALRM] = signal.signal(signal.SIGALRM, stop.ring)
    left = signal.setitimer(signal.ITIMER_REAL, 0.0)
    stop.armed = True
    try:
        yield stop
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.setitimer(signal.ITIMER_REAL, *left)  # another's alarm goes on
