"""A real Slurm on this machine alone, with a pretended node of two GPUs: what a cluster does to a workflow, without a cluster."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from signal import SIGTERM

from filelock import FileLock

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol", "scancel", "sinfo", "setpriv", "unshare")
"""From Debian's packages munge, slurmctld, slurmd, slurm-client and util-linux."""
PLACE = Path("/etc/slurm")
"""Where Slurm's commands look. SLURM_CONF alone does not do: what Snakemake starts within a job drops it from the environment."""
PATIENCE_S = 60.0
TIED = ("setpriv", "--pdeathsig", "KILL", "unshare", "--pid", "--fork", "--kill-child", "--mount-proc")
"""Before a command: it and all that it starts end, by the kernel, when this process does, however it ends."""

# Four processors, so that jobs without a GPU have room beside two with; GPUs are any device files. Memory is watched by slurmd itself.
# A requeued job waits as long as a credential lives, by default two minutes.
CONFIGURATION = """
ClusterName=pretended
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
SlurmctldPort={controller_port}
SlurmdPort={node_port}
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket,cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=batch_sched_delay=0,sched_interval=2
SlurmdParameters=config_overrides
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
JobAcctGatherParams=OverMemoryKill
KillWait=10
MinJobAge=3600
GresTypes=gpu
Prolog={folder}/prolog
Epilog={folder}/epilog
PrologFlags=Alloc
NodeName={host} NodeAddr=127.0.0.1 CPUs=4 RealMemory=16000 Gres=gpu:a100:2
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP
PartitionName=other Nodes={host} MaxTime=INFINITE State=UP
"""

NOTE = """#!/bin/sh
echo {event} $(date +%s.%N) $SLURM_JOB_ID ${{SLURM_JOB_GPUS:-none}} >> {folder}/events
"""


@dataclass(frozen=True)
class Slurm:
    """A running Slurm.

    Attributes:
        folder: its configuration, logs and state.
        environment: by which its commands find it.
        started: its programs.
    """

    folder: Path
    environment: dict[str, str]
    started: list[subprocess.Popen[bytes]]

    def start(self, *command: str) -> None:
        """Start one of its programs, which ends with this process."""
        words = [*(TIED if command[0] == "slurmd" else TIED[:3]), *command]
        with (self.folder / "output").open("ab") as output:
            self.started.append(subprocess.Popen(words, env=self.environment, stdout=output, stderr=output, start_new_session=True))

    def stop(self, program: str, signal: int = SIGTERM) -> None:
        """Stop one of them; a controller first writes down the jobs it knows, unless it is killed."""
        [process] = [process for process in self.started if program in process.args and process.poll() is None]
        process.send_signal(signal)
        process.wait()

    def call(self, *words: str) -> str:
        """What one of Slurm's commands prints."""
        return subprocess.run(words, env=self.environment, check=True, capture_output=True, text=True).stdout

    def jobs(self, state: str, rule: str) -> list[str]:
        """Ids of the jobs of a rule that are in a state, e.g. RUNNING."""
        listed = self.call("squeue", "--noheader", f"--states={state}", "--format=%i %k").splitlines()
        return [line.split()[0] for line in listed if re.search(rf"rule_{rule}\b|rule_{rule}_", line)]

    def allocations(self) -> list[tuple[str, str, float, float]]:
        """(job, devices, begin, end) of all that ended, in the order of their ends, as the node itself noted them."""
        begun: dict[str, float] = {}
        found = []
        for line in (self.folder / "events").read_text().splitlines():
            event, moment, job, devices = line.split()
            if event == "begin":
                begun[job] = float(moment)
            else:
                found.append((job, devices, begun.pop(job), float(moment)))
        return found


def missing() -> str | None:
    """Why Slurm cannot run here; None where it can."""
    absent = [program for program in PROGRAMS if shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin") is None]
    if absent:
        return f"not installed: {', '.join(absent)}"
    if os.geteuid() != 0:
        return "slurmd needs root"
    return "this machine belongs to a Slurm" if (PLACE / "slurm.conf").is_file() and not (PLACE / "slurm.conf").is_symlink() else None


def free_ports() -> list[int]:
    """Two ports that nobody listens on."""
    with socket.socket() as first, socket.socket() as second:
        first.bind(("", 0)), second.bind(("", 0))
        return [first.getsockname()[1], second.getsockname()[1]]


def configure(folder: Path, host: str) -> None:
    """Write slurm.conf, gres.conf, the key of munge, and what notes the begin and the end of every job."""
    controller, node = free_ports()
    for name in ("munge", "state", "spool"):
        (folder / name).mkdir(parents=True)
    (folder / "munge/key").write_bytes(os.urandom(1024))
    (folder / "munge/key").chmod(0o400)
    (folder / "slurm.conf").write_text(CONFIGURATION.format(folder=folder, host=host, controller_port=controller, node_port=node))
    (folder / "gres.conf").write_text("Name=gpu Type=a100 File=/dev/null\nName=gpu Type=a100 File=/dev/zero\n")
    (folder / "events").touch()
    PLACE.mkdir(exist_ok=True)
    for name in ("slurm.conf", "gres.conf"):
        (PLACE / name).unlink(missing_ok=True)  # a link that a killed test left
        (PLACE / name).symlink_to(folder / name)
    for name, event in (("prolog", "begin"), ("epilog", "end")):
        (folder / name).write_text(NOTE.format(event=event, folder=folder))
        (folder / name).chmod(0o755)


def daemons(folder: Path, host: str) -> Iterator[list[str]]:
    """Commands of the three programs, in the order of their start; none goes into the background."""
    files = {name: folder / "munge" / name for name in ("socket", "key", "pid", "seed", "log")}
    options = {"socket": "socket", "key-file": "key", "pid-file": "pid", "seed-file": "seed", "log-file": "log"}
    yield ["munged", "--foreground", "--force", *(f"--{option}={files[name]}" for option, name in options.items())]
    yield ["slurmctld", "-D", "-c"]
    yield ["slurmd", "-D", "-N", host]


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Slurm]:
    """Start Slurm with everything of its own in `folder`, and stop it. One at a time on a machine: others wait."""
    with FileLock(Path(tempfile.gettempdir()) / "pga-slurm.lock", timeout=900):
        yield from start(folder)


def start(folder: Path) -> Iterator[Slurm]:
    """Configure, start, yield once, stop."""
    host = socket.gethostname().split(".")[0]
    configure(folder, host)
    environment = {**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin"}
    slurm = Slurm(folder, environment, [])
    try:
        for command in daemons(folder, host):
            slurm.start(*command)
            if command[0] == "munged":
                wait_for(lambda: (folder / "munge/socket").exists(), folder)
        wait_for(lambda: "idle" in slurm.call("sinfo", "--noheader", "--format=%T"), folder)
        yield slurm
    finally:
        with contextlib.suppress(subprocess.CalledProcessError):
            slurm.call("scancel", "--user=root", "--full", "--signal=KILL")
        for process in reversed(slurm.started):
            process.terminate()
        for process in reversed(slurm.started):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=20)
            process.kill()
        for name in ("slurm.conf", "gres.conf"):
            (PLACE / name).unlink(missing_ok=True)


def wait_for(condition, folder: Path, patience_s: float = PATIENCE_S):
    """Look until `condition` holds, and return what it returned; what Slurm says is shown when it does not come."""
    deadline = time.monotonic() + patience_s
    while True:
        with contextlib.suppress(subprocess.CalledProcessError):
            if found := condition():
                return found
        if time.monotonic() > deadline:
            logs = "\n".join(path.read_text()[-2000:] for path in (folder / "output", folder / "slurmd.log") if path.exists())
            raise AssertionError(f"Slurm did not come to it within {patience_s:.0f} s:\n{logs}")
        time.sleep(0.2)
