"""What the profiles' commands call, for tests: `qsub`, `qstat` and `kubectl` that run jobs on this machine.

python batch.py FOLDER qsub|qstat|kubectl WORD ...: a job is a folder FOLDER/<number> with what was asked for (`asked`)
and, once it has ended, its exit status (`status`). Job number BATCH_FAILS ends at once, and badly.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

RUNNER = """\
cd "$1" && folder=$2 && shift 2 || exit
"$@" > "$folder/log" 2>&1
echo $? > "$folder/part" && mv "$folder/part" "$folder/status"
"""


def install(bin: Path, folder: Path) -> None:
    """Put the commands into the folder `bin`; their jobs go to `folder`."""
    folder.mkdir()
    for name in ("qsub", "qstat", "kubectl"):
        path = bin / name
        path.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{__file__}" "{folder}" {name} "$@"\n')
        path.chmod(0o755)


def start(folder: Path, asked: object, where: str, command: list[str]) -> str:
    """Start a job in the background; returns its number."""
    number = str(1 + len(list(folder.iterdir())))
    job = folder / number
    job.mkdir()
    (job / "asked").write_text(json.dumps(asked))
    command = ["false"] if number == os.environ.get("BATCH_FAILS") else command
    words = ["sh", "-c", RUNNER, "sh", where, str(job), *command]
    nothing = subprocess.DEVNULL
    subprocess.Popen(words, stdin=nothing, stdout=nothing, stderr=nothing, start_new_session=True)
    return number


def status(folder: Path, number: str) -> int | None:
    """The exit status of a job that has ended."""
    path = folder / number / "status"
    return int(path.read_text()) if path.exists() else None


def qsub(folder: Path, words: list[str]) -> str:
    return start(folder, words, os.getcwd(), ["sh", words[-1]]) + ".server"


def qstat(folder: Path, words: list[str]) -> str:
    code = status(folder, words[-1].removesuffix(".server"))
    state = "R" if code is None else f"F\n    Exit_status = {code}"
    return f"Job Id: {words[-1]}\n    Job_Name = otbench\n    job_state = {state}"


def kubectl(folder: Path, words: list[str]) -> str:
    if words[0] == "create":
        import yaml

        job = yaml.safe_load(sys.stdin.read())
        container = job["spec"]["template"]["spec"]["containers"][0]
        return "job.batch/otbench-" + start(folder, job, container["workingDir"], container["command"])
    code = status(folder, words[1].removeprefix("job.batch/otbench-"))
    return "Job" if code is None else f"Job {'Failed' if code else 'Complete'}"


if __name__ == "__main__":
    print({"qsub": qsub, "qstat": qstat, "kubectl": kubectl}[sys.argv[2]](Path(sys.argv[1]), sys.argv[3:]))
