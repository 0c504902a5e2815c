"""A logger of Snakemake that shows a run as one bar: jobs done, time left, what is running."""

from __future__ import annotations

import logging
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent, logger_plugin_module_prefix
from snakemake_interface_logger_plugins.registry import LoggerPluginRegistry

NAME = "otbench"
#: seconds between two lines where there is no terminal
EVERY = 15.0
#: lines of a failed job's log that are shown
LAST_LINES = 3
#: beginnings of lines that are told although they are no warnings
QUIET_BUT_TOLD = ("Nothing to be done", "Complete log")
#: the file that a run is for
PAGE = "/report.html"
#: rules that do not count: what asks for all others
NO_WORK = ("all", "total")


def register() -> str:
    """Make the logger known to Snakemake.

    Returns:
        Its name, for `--logger`.
    """
    LoggerPluginRegistry().register_plugin(f"{logger_plugin_module_prefix}{NAME}", sys.modules[__name__])
    return NAME


def duration(seconds: float) -> str:
    """A time as people say it.

    Args:
        seconds: The time, in seconds.

    Returns:
        Such as `40 s`, `12 min` or `3.5 h`.
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"


class Jobs:
    """What is known of a run's jobs: how many of each rule, which are running, how long those took that are done."""

    def __init__(self) -> None:
        self.left: Counter[str] = Counter()
        self.running: dict[int, tuple[str, str, float]] = {}
        self.took: dict[str, list[float]] = defaultdict(list)
        self.total = self.done = self.failed = 0

    def plan(self, stats: dict[str, Any]) -> None:
        """Take the jobs that Snakemake is going to run.

        Args:
            stats: Number of jobs by rule, and `total`.
        """
        self.left = Counter({rule: int(n) for rule, n in stats.items() if rule not in NO_WORK})
        self.total = sum(self.left.values())

    def start(self, job: int, rule: str, title: str, now: float) -> None:
        """Note that a job starts.

        Args:
            job: The job's number.
            rule: Its rule.
            title: What it works on, for people.
            now: The time, in seconds.
        """
        if rule not in NO_WORK:
            self.running[job] = (rule, title, now)

    def end(self, job: int, now: float, ok: bool = True) -> str:
        """Note that a job has ended.

        Args:
            job: The job's number.
            now: The time, in seconds.
            ok: Whether it succeeded.

        Returns:
            What it worked on; empty where nobody saw it start.
        """
        if job not in self.running:
            return ""
        rule, title, started = self.running.pop(job)
        self.took[rule].append(now - started)
        self.left[rule] -= 1
        self.done += ok
        self.failed += not ok
        return title

    def seconds_left(self, now: float) -> float | None:
        """Estimate of the time left: each job as long as those of its rule took so far, as many at once as are running.

        Args:
            now: The time, in seconds.

        Returns:
            Seconds; None as long as a rule with a third of the jobs or more has none done.
        """
        times = [time for rule in self.took.values() for time in rule]
        unknown = sum(n for rule, n in self.left.items() if rule not in self.took)
        if not times or 3 * unknown >= self.total:
            return None
        mean = sum(times) / len(times)
        means = {rule: sum(self.took[rule]) / len(self.took[rule]) if rule in self.took else mean for rule in self.left}
        left = sum(n * means[rule] for rule, n in self.left.items())
        spent = sum(min(now - started, means[rule]) for rule, _, started in self.running.values())
        return max(left - spent, 0.0) / max(len(self.running), 1)


class LogHandler(LogHandlerBase):
    """Shows a run on the standard error: a bar on a terminal, a line now and then elsewhere."""

    def __post_init__(self) -> None:
        self.jobs, self.told = Jobs(), time.monotonic()
        self.console = Console(stderr=True, highlight=False)
        self.progress: Progress | None = None
        self.page = ""

    @property
    def writes_to_stream(self) -> bool:
        """Whether nothing else is shown: the bar takes the place of Snakemake's lines, but not of a dry run's."""
        return not self.common_settings.dryrun

    @property
    def writes_to_file(self) -> bool:
        """Whether it writes a file; Snakemake itself keeps the full log."""
        return False

    @property
    def has_filter(self) -> bool:
        """Whether it chooses by itself what to show."""
        return True

    @property
    def has_formatter(self) -> bool:
        """Whether it words by itself what it shows."""
        return True

    @property
    def needs_rulegraph(self) -> bool:
        """Whether it needs the graph of the rules."""
        return False

    def emit(self, record: logging.LogRecord) -> None:
        """Show what a record of Snakemake's log says.

        Args:
            record: The record.
        """
        event, now = getattr(record, "event", None), time.monotonic()
        if event == LogEvent.RUN_INFO:
            self.jobs.plan(getattr(record, "stats", {}))
            self._open()
        elif event == LogEvent.JOB_INFO:
            self.page = next((str(o) for o in getattr(record, "output", []) if str(o).endswith(PAGE)), self.page)
            self.jobs.start(record.jobid, record.rule_name, _title(record), now)  # type: ignore[attr-defined]
            self._show(now)
        elif event == LogEvent.JOB_FINISHED:
            title = self.jobs.end(record.job_id, now)  # type: ignore[attr-defined]
            self._show(now, title)
        elif event == LogEvent.JOB_ERROR:
            self.jobs.end(record.jobid, now, ok=False)  # type: ignore[attr-defined]
            self._failed(record)
        elif event is None or event == LogEvent.ERROR:
            self._say(record)

    def close(self) -> None:
        """Leave the bar as it is, say where the report is, and give the terminal back."""
        if self.progress:
            self.progress.stop()
            self.progress = None
        if self.page and Path(self.page).is_file():
            self._print(f"The report is {self.page}")
        self.page = ""
        super().close()

    def _open(self) -> None:
        if not self.jobs.total:
            return
        if self.console.is_terminal and self.progress is None:
            columns = (BarColumn(30), TextColumn("{task.completed}/{task.total} jobs"))
            columns += (TextColumn("{task.fields[left]}"), TextColumn("{task.fields[note]}"))
            self.progress = Progress(*columns, console=self.console)
            self.task = self.progress.add_task("", total=self.jobs.total, left="", note="")
            self.progress.start()
        elif self.progress is None:
            self._print(f"{self.jobs.total} jobs to do")

    def _show(self, now: float, finished: str = "") -> None:
        left = self.jobs.seconds_left(now)
        about = f"about {duration(left)} left" if left is not None else "time left not yet known"
        done, running = self.jobs.done + self.jobs.failed, [title for _, title, _ in self.jobs.running.values()]
        if self.progress:
            note = ", ".join(running[:2]) + (f" and {len(running) - 2} more" if len(running) > 2 else "")
            self.progress.update(self.task, completed=done, left=about, note=note)
        elif finished and (now - self.told >= EVERY or done == self.jobs.total):
            self.told = now
            self._print(f"{done} of {self.jobs.total} jobs done, {about}: {finished}")

    def _failed(self, record: logging.LogRecord) -> None:
        self._print(f"failed: {_title(record)}")
        for path in getattr(record, "log", []) or []:
            self._print(f"  its log is {path}")
            file = Path(path)
            lines = file.read_text(encoding="utf-8", errors="replace").splitlines() if file.is_file() else []
            for line in lines[-LAST_LINES:]:
                self._print(f"  | {line}")

    def _say(self, record: logging.LogRecord) -> None:
        text = record.getMessage() if record.msg else ""
        quiet = record.levelno < logging.WARNING
        if text and (not quiet or text.startswith(QUIET_BUT_TOLD)):
            self._print(text)

    def _print(self, text: str) -> None:
        self.console.print(text, markup=False, soft_wrap=True)


def _title(record: logging.LogRecord) -> str:
    """What a job works on: its rule and the values of its wildcards."""
    values = getattr(record, "wildcards", None) or {}
    if not values and (output := getattr(record, "output", None)):
        rule = str(getattr(record, "rule_name", ""))
        return f"{rule} {Path(output[0]).stem}" if rule in ("fit", "fit_part", "draw", "measure") else rule
    return " ".join([str(getattr(record, "rule_name", "")), *map(str, values.values())])
