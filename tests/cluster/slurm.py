"""A real Slurm of one node for tests, all of it in one folder: munged, slurmctld, slurmd, and a fake GPU."""

from __future__ import annotations

import getpass
import os
import re
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

DAEMONS = ("munged", "slurmctld", "slurmd")
TOOLS = ("sbatch", "srun", "squeue", "scancel", "scontrol", "sinfo")
#: Debian keeps the daemons where a user's path does not look
WHERE = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
#: a device that every Linux has, standing in for a GPU's
FAKE_GPU = "/dev/null"

# A job that is pre-empted waits until the credentials of its first life are void: 120 s, but for cred_expire. What jobs
# take is neither measured nor limited, which a container may not allow; the memory of the node is made up.
SLURM = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.sock,cred_expire=5
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
ReturnToService=2
EnforcePartLimits=ALL
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,sched_interval=2,bf_interval=1
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
GresTypes=gpu
MinJobAge=86400
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=64000 Gres=gpu:1 State=UNKNOWN
PartitionName=cpu Nodes={host} Default=YES MaxTime=INFINITE State=UP
PartitionName=gpu Nodes={host} MaxTime=INFINITE State=UP
PartitionName=urgent Nodes={host} MaxTime=INFINITE State=UP PriorityTier=10 PreemptMode=OFF
"""


def lacking() -> list[str]:
    """The commands of Slurm that this machine lacks; none where it can be started."""
    return [name for name in (*DAEMONS, *TOOLS) if shutil.which(name, path=WHERE) is None]


@dataclass
class Node:
    """A running Slurm of one node. `environment` lets any command of this machine speak to it."""

    folder: Path
    host: str
    environment: dict[str, str]
    daemons: list[subprocess.Popen] = field(default_factory=list)

    def __call__(self, *words: str) -> str:
        """What a command of Slurm prints; raises RuntimeError with its message where it fails."""
        done = subprocess.run(words, env=self.environment, capture_output=True, text=True, timeout=60)
        if done.returncode:
            raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip()}")
        return done.stdout.strip()

    def jobs(self) -> list[dict[str, str]]:
        """Every job so far, the ended ones too, in order: what `scontrol show job` tells of it, Comment always."""
        lines = [line for line in self("scontrol", "-o", "show", "job").splitlines() if line.startswith("JobId=")]
        return [{"Comment": ""} | dict(re.findall(r"(\w+)=(\S*)", line)) for line in lines]

    def state(self) -> str:
        """The state of the node, such as idle, mixed, draining, drained."""
        return self("sinfo", "--noheader", "--partition=cpu", "--format=%T")

    def logs(self) -> str:
        """The end of what the daemons said."""
        return "\n".join(f"{path.name}: {path.read_text()[-1500:]}" for path in sorted(self.folder.glob("*.log")))


@contextmanager
def one_node(folder: Path, cpus: int = 2) -> Iterator[Node]:
    """Slurm on 127.0.0.1 with partitions `cpu`, `gpu` and `urgent` (which takes the node from others), and one GPU.

    folder: empty, with a short path (that of a socket has 107 characters at most). Raises RuntimeError with the
    daemons' last words where no node comes up. All daemons and jobs are gone afterwards.
    """
    node = Node(folder, socket.gethostname().split(".")[0], _environment(folder))
    _configure(node, cpus)
    try:
        _start(node, "munged", "--foreground", "--force", *_munge(folder))
        _wait(node, (folder / "munge.sock").exists, "munged opened no socket")
        _start(node, "slurmctld", "-D", "-f", str(folder / "slurm.conf"))
        _start(node, "slurmd", "-D", "-N", node.host, "-f", str(folder / "slurm.conf"))
        _wait(node, lambda: _idle(node), "the node did not come up")
        yield node
    finally:
        _stop(node)


def _environment(folder: Path) -> dict[str, str]:
    """The environment of Slurm's commands: they find this cluster and no other.

    SLURM_CONF alone is not enough: Snakemake's job step takes every variable of that name away before it calls srun.
    """
    shims, config = folder / "bin", folder / "slurm.conf"
    shims.mkdir(parents=True)
    shim = shims / "srun"
    shim.write_text(f'#!/bin/sh\nSLURM_CONF="{config}" exec "{shutil.which("srun", path=WHERE)}" "$@"\n')
    shim.chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM_", "SBATCH_", "SRUN_"))}
    return {**kept, "SLURM_CONF": str(config), "PATH": f"{shims}{os.pathsep}{WHERE}"}


def _configure(node: Node, cpus: int) -> None:
    for name in ("state", "spool"):
        (node.folder / name).mkdir()
    filled = SLURM.format(folder=node.folder, host=node.host, user=getpass.getuser(), ports=free_ports(2), cpus=cpus)
    (node.folder / "slurm.conf").write_text(filled)
    (node.folder / "gres.conf").write_text(f"NodeName={node.host} Name=gpu File={FAKE_GPU}\n")
    (node.folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")
    key = node.folder / "munge.key"
    key.write_bytes(secrets.token_bytes(1024))
    key.chmod(0o400)


def _munge(folder: Path) -> list[str]:
    files = {"key-file": "munge.key", "socket": "munge.sock", "pid-file": "munge.pid", "seed-file": "munge.seed"}
    return [f"--{option}={folder / name}" for option, name in files.items()] + [f"--log-file={folder}/munged.log"]


def _start(node: Node, name: str, *words: str) -> None:
    with (node.folder / f"{name}.out.log").open("w") as said:
        command = [shutil.which(name, path=WHERE) or name, *words]
        node.daemons.append(subprocess.Popen(command, env=node.environment, stdout=said, stderr=said))


def _idle(node: Node) -> bool:
    try:
        return node.state() == "idle"
    except RuntimeError:
        return False


def _wait(node: Node, ready: Callable[[], bool], otherwise: str, seconds: float = 30) -> None:
    ends = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > ends or any(daemon.poll() is not None for daemon in node.daemons):
            raise RuntimeError(f"Slurm: {otherwise}\n{node.logs()}")
        time.sleep(0.2)


def _stop(node: Node) -> None:
    """End all jobs, then the daemons, the last one first; one that does not end is killed."""
    with suppress(RuntimeError, subprocess.TimeoutExpired):
        node("scancel", "--signal=KILL", "--full", f"--user={getpass.getuser()}")
        node("scancel", f"--user={getpass.getuser()}")
        _wait(node, lambda: "COMPLETING" not in node("squeue", "--noheader", "--format=%T"), "jobs did not end", 10)
    for daemon in reversed(node.daemons):
        daemon.terminate()
        try:
            daemon.wait(10)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()


def free_ports(count: int) -> list[int]:
    """Ports of this machine that nobody listens on now."""
    held = [socket.socket() for _ in range(count)]
    try:
        for one in held:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in held]
    finally:
        for one in held:
            one.close()
