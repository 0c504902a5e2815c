"""The bar of a run: what it knows of jobs, and what it says where there is no terminal."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest
from snakemake_interface_logger_plugins.common import LogEvent

from otbench.cli.bar import Jobs, LogHandler, duration


@pytest.mark.parametrize(("seconds", "text"), [(3.2, "3 s"), (89, "89 s"), (150, "2 min"), (5400, "1.5 h")])
def test_a_time_as_people_say_it(seconds, text):
    assert duration(seconds) == text


def test_the_time_left_is_the_rules_mean_times_what_is_left_over_what_runs():
    jobs = Jobs()
    jobs.plan({"fit": 4, "draw": 4, "all": 1, "total": 9})
    assert jobs.total == 8 and jobs.seconds_left(0) is None
    jobs.start(1, "fit", "fit gan", 0)
    assert jobs.end(1, 10) == "fit gan"
    assert jobs.seconds_left(10) is None  # half of the jobs are of a rule that nobody has timed
    jobs.start(2, "draw", "draw gan", 10)
    jobs.end(2, 12)
    jobs.start(3, "fit", "fit vae", 12)
    jobs.start(4, "fit", "fit wgan", 12)
    # 3 fits of 10 s and 3 draws of 2 s, of which two fits have run for 4 s; two at once
    assert jobs.seconds_left(16) == pytest.approx((3 * 10 + 3 * 2 - 2 * 4) / 2)


def test_a_failed_job_is_none_that_is_done():
    jobs = Jobs()
    jobs.plan({"fit": 2})
    jobs.start(1, "fit", "fit gan", 0)
    assert jobs.end(1, 3, ok=False) == "fit gan" and (jobs.done, jobs.failed, jobs.left["fit"]) == (0, 1, 1)
    assert jobs.end(7, 3) == ""


def record(level: int = logging.INFO, text: str | None = None, **values: object) -> logging.LogRecord:
    made = logging.LogRecord("snakemake", level, "", 0, text, None, None)
    made.__dict__.update(values)
    return made


@pytest.fixture
def handler() -> LogHandler:
    return LogHandler(SimpleNamespace(dryrun=False), None)


def test_a_run_without_a_terminal(handler, tmp_path, capsys):
    log = tmp_path / "gan.log"
    log.write_text("one\ntwo\nthree\nit broke\n")
    names = {"rule_name": "fit", "wildcards": {"dataset": "grid", "model": "gan"}, "log": [str(log)]}
    handler.emit(record(event=LogEvent.RUN_INFO, stats={"fit": 2, "all": 1, "total": 3}))
    handler.emit(record(event=LogEvent.JOB_INFO, jobid=1, **names))
    handler.emit(record(event=LogEvent.JOB_FINISHED, job_id=1))  # too early for a line
    handler.emit(record(event=LogEvent.JOB_INFO, jobid=2, **names))
    handler.emit(record(logging.ERROR, event=LogEvent.JOB_ERROR, jobid=2, **names))
    handler.emit(record(text="Select jobs to execute..."))
    handler.emit(record(text="Complete log(s): x.log"))
    handler.emit(record(logging.ERROR, "WorkflowError: no"))
    handler.close()
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        *("2 jobs to do", "failed: fit grid gan", f"  its log is {log}", "  | two", "  | three", "  | it broke"),
        *("Complete log(s): x.log", "WorkflowError: no"),
    ]


def test_the_last_job_is_always_told(handler, capsys):
    handler.emit(record(event=LogEvent.RUN_INFO, stats={"gather": 1}))
    handler.emit(record(event=LogEvent.JOB_INFO, jobid=1, rule_name="gather", wildcards={}, output=["a/b.csv"]))
    handler.emit(record(event=LogEvent.JOB_FINISHED, job_id=1))
    assert capsys.readouterr().err.splitlines()[-1] == "1 of 1 jobs done, about 0 s left: gather"


def test_the_end_says_where_the_report_is(handler, tmp_path, capsys):
    page = tmp_path / "report.html"
    handler.emit(record(event=LogEvent.RUN_INFO, stats={"render": 1}))
    handler.emit(record(event=LogEvent.JOB_INFO, jobid=1, rule_name="render", wildcards={}, output=[str(page), "x.md"]))
    page.write_text("")
    handler.close()
    assert capsys.readouterr().err.splitlines()[-1] == f"The report is {page}"


def test_a_dry_run_keeps_snakemakes_lines():
    assert LogHandler(SimpleNamespace(dryrun=False), None).writes_to_stream
    assert not LogHandler(SimpleNamespace(dryrun=True), None).writes_to_stream
