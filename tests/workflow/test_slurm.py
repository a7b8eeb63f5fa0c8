"""The workflow on a real Slurm with a pretended node of two GPUs, through DVC: placement, signals, requeues, kills, an outage, limits."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from functools import reduce
from itertools import combinations
from pathlib import Path
from signal import SIGKILL
from typing import NamedTuple

import pytest
import slurm_node
from conftest import copy_project
from dag import write_only
from experiments import TINY
from slurm_node import TIED, Slurm, wait_for
from warm import warm

ONLY_HERE = """
slurm-no-account: true
slurm-status-command: squeue
slurm-init-seconds-before-status-checks: 2
"""
"""What this Slurm needs beside workflow/profiles/slurm: it keeps no accounts."""
CHANGES = {
    "/tiny": "/quick",
    "steps: [300,": "steps: [12000,",
    "snapshots: 2": "snapshots: 5",
    "vae: {warmup_steps: [0, code], coefficients: {c: [0.05, inferred]}}": "twin: {model: lpga, coefficients: {gamma: [0.016, paper]}}",
    "model: vae": "model: twin",
    "[lpga, vae]": "[lpga, twin]",
    "device: cpu\n": "",
}
QUICK = reduce(lambda text, change: text.replace(*change), CHANGES.items(), TINY)
"""Two trainings that take equally long, and ask for a GPU each."""
LONG = TINY.replace("/tiny", "/long").replace("steps: [300,", "steps: [900000,")
KNOBS = """
default-resources: [slurm_partition=other]
set-resources: [train:gpu_model=a100]
group-components: [measure=4]
"""
"""What docs/cluster.md says that a laboratory may set."""
IMPATIENT = """
import sys

if any("snakemake" in word for word in sys.orig_argv):
    from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor

    grown = RemoteExecutor.next_seconds_between_status_checks
    RemoteExecutor.next_seconds_between_status_checks = property(lambda self: min(grown.fget(self), 2), grown.fset)
"""
"""A sitecustomize.py: Slurm is asked every two seconds; Snakemake's plugin waits ten seconds longer each time that nothing has ended."""


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    if (reason := slurm_node.missing()) is not None:
        pytest.skip(f"slurm: {reason}")
    with slurm_node.running(tmp_path_factory.mktemp("slurm") / "node") as slurm:
        (slurm.folder / "impatient").mkdir()
        (slurm.folder / "impatient/sitecustomize.py").write_text(IMPATIENT)
        yield slurm


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone with a copy of the profile for the cluster, as docs/cluster.md says, and an experiment whose trainings take too long."""
    project = copy_project(tmp_path_factory.mktemp("laboratory") / "project")
    profile = (project / "workflow/profiles/slurm/config.yaml").read_text()
    (project / "workflow/profiles/mine").mkdir()
    (project / "workflow/profiles/mine/config.yaml").write_text(profile + ONLY_HERE + KNOBS)
    write_only(project, "quick", QUICK)
    (project / "params/long.yaml").write_text(LONG)
    for words in (["init", "-q"], ["add", "-A"], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "all"]):
        subprocess.run(["git", *words], cwd=project, check=True)
    return project


def environment(project: Path, slurm: Slurm, **more: str) -> dict[str, str]:
    """By which the project's own code runs, its programs first on the path."""
    path = os.pathsep.join([str(Path(sys.executable).parent), slurm.environment["PATH"]])
    modules = os.pathsep.join([str(slurm.folder / "impatient"), str(project)])
    return {**slurm.environment, "PATH": path, "PYTHONPATH": modules, **more}


def nobody_shares_a_gpu(allocations: list[tuple[str, str, float, float]]) -> None:
    """Both GPUs were used, each by one job at a time."""
    on_gpus = [allocation for allocation in allocations if allocation[1] != "none"]
    assert {devices for _, devices, _, _ in on_gpus} == {"0", "1"}
    for (_, device, begin, end), (_, other, other_begin, other_end) in combinations(on_gpus, 2):
        assert device != other or end <= other_begin or other_end <= begin


class Limited(NamedTuple):
    """A call with one resource set too small, in a project of its own, which goes on beside the tests."""

    project: Path
    log: Path
    process: subprocess.Popen[bytes]

    def ended(self) -> tuple[set[str], str]:
        """What is advised when it has failed, and everything that was said."""
        status = self.process.wait(timeout=300)
        text = self.log.read_text()
        assert status > 0, text[-5000:]
        return {line for line in text.splitlines() if line.startswith("advice:")}, text


def limited(slurm: Slurm, laboratory: Path, project: Path, target: str, knob: str) -> Limited:
    """Begin such a call in a copy of the laboratory."""
    shutil.copytree(laboratory, project, symlinks=True)
    flags = ["--profile", "workflow/profiles/mine", "--retries", "0", "--set-resources", knob]
    command = [sys.executable, "-m", "snakemake", *flags, "--", target]
    log = project.with_name(f"{project.name}.log")
    with log.open("wb") as file:
        process = subprocess.Popen([*TIED, *command], cwd=project, env=environment(project, slurm), stdout=file, stderr=subprocess.STDOUT)
    return Limited(project, log, process)


@pytest.fixture(scope="module")
def limits(slurm: Slurm, laboratory: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Limited]]:
    """Two limited calls: Slurm looks at time limits of whole minutes twice a minute, so they begin before what computes meanwhile."""
    folder = tmp_path_factory.mktemp("limits")
    calls = {
        "time": ("results/long/digits/lpga/seed0/model.safetensors", "train:runtime=1"),
        "memory": ("data/processed/digits.npy", "prepare_labelled:mem_mb=60"),
    }
    begun = {name: limited(slurm, laboratory, folder / name, *call) for name, call in calls.items()}
    yield begun
    for call in begun.values():
        call.process.kill()
        call.process.wait()


def in_the_middle(slurm: Slurm, project: Path, model: str) -> str | None:
    """The job that trains a model, if it has kept a snapshot and has more than half of the way to go."""

    def is_early() -> bool:
        kept = {path.name for path in (project / ".pga/checkpoints").glob(f"digits-{model}-seed0-*/snapshot*")}
        return "snapshot001.safetensors" in kept and "snapshot003.safetensors" not in kept

    jobs = slurm.jobs("RUNNING", f"train_wildcards_results_quick_digits_{model}_0") if is_early() else []
    return jobs[0] if jobs and is_early() else None  # still: Slurm takes a moment to answer, and a folder is emptied file by file


def training_in(project: Path) -> int:
    """How many runs are being trained: later than Slurm calls their jobs running, when its controller has written them down."""
    found = 0
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended, or is nobody's business
            found += b"-m\0pga\0train\0" in (process / "cmdline").read_bytes() and (process / "cwd").readlink() == project
    return found


def full_logs(project: Path) -> set[Path]:
    """What Snakemake has written of all calls."""
    return set((project / ".snakemake/log").glob("*.snakemake.log"))


def submissions(logs: set[Path]) -> dict[str, str]:
    """Job → rule and wildcards of what was submitted."""
    said = "".join(log.read_text() for log in sorted(logs))
    return dict(re.findall(r"submitted with SLURM jobid (\d+) \(log: .*/slurm_logs/(\w+(?:/\w+)?)/\d+\.log\)", said))


def asked_for(slurm: Slurm, job: str) -> dict[str, str]:
    """What a job has asked Slurm for."""
    return dict(re.findall(r"\b(Partition|TresPerJob|TimeLimit|mem)=([^\s,]+)", slurm.call("scontrol", "show", "job", job)))


@pytest.mark.cluster
def test_stopped_requeued_killed_and_cut_off_from_the_controller_it_ends_with_the_same_bytes(
    slurm: Slurm, laboratory: Path, limits: dict[str, Limited], tmp_path: Path
) -> None:
    """One training is stopped, one requeued, then the login process is killed and its command given again, then the controller is away."""
    alone = tmp_path / "alone"  # the same without a cluster, and without anything in its way
    shutil.copytree(laboratory, alone, symlinks=True)
    around = environment(laboratory, slurm, SNAKEMAKE_PROFILE="workflow/profiles/mine")
    logs = [tmp_path / "killed", tmp_path / "again"]

    def repro(log: Path) -> subprocess.Popen[bytes]:
        with log.open("wb") as file:
            return subprocess.Popen(
                [*TIED, sys.executable, "-m", "dvc", "repro"], cwd=laboratory, stdout=file, stderr=subprocess.STDOUT, env=around
            )

    killed = repro(logs[0])
    for model, disturb in {"lpga": ("scancel", "--signal=TERM"), "twin": ("scontrol", "requeue")}.items():
        slurm.call(*disturb, wait_for(lambda model=model: in_the_middle(slurm, laboratory, model), slurm.folder, patience_s=300))
    train = [f"rule_train/results_quick_digits_{model}_0" for model in ("lpga", "twin")]

    def both_train(submitted: int) -> bool:
        return training_in(laboratory) == 2 and sum(name in train for name in submissions(full_logs(laboratory)).values()) == submitted

    wait_for(lambda: both_train(3), slurm.folder, patience_s=300)
    assert killed.poll() is None, logs[0].read_text()[-5000:]
    left = slurm.jobs("RUNNING", "train_wildcards_results_quick")
    killed.kill()
    killed.wait()
    of_the_first = full_logs(laboratory)

    again = repro(logs[1])
    wait_for(lambda: both_train(5), slurm.folder, patience_s=300)
    slurm.stop("slurmctld")
    time.sleep(30)
    slurm.start("slurmctld", "-D")
    assert again.wait(timeout=600) == 0, logs[1].read_text()[-5000:]
    said = logs[1].read_text()
    ended = re.search(r"^ending \d+ jobs that an earlier call left in Slurm's queue: ([\d ]+);", said, re.M)
    assert ended and sorted(left) == sorted(ended[1].split())
    assert any("Slurm does not answer; its jobs go on" in log.read_text() for log in full_logs(laboratory) - of_the_first)
    wait_for(lambda: subprocess.run(["pgrep", "-f", str(laboratory)], capture_output=True).returncode == 1, slurm.folder)  # nothing hangs

    compared = [
        f"results/quick/digits/{model}/seed0/{file}"
        for model in ("lpga", "twin")
        for file in ("model.safetensors", "snapshots.safetensors", "prior/samples.npy")
    ]
    command = [sys.executable, "-m", "snakemake", "--cores", "2", *compared]
    subprocess.run(command, cwd=alone, env=environment(alone, slurm, PYTHONPATH=warm(alone)), check=True, capture_output=True)
    for path in compared:
        assert (laboratory / path).read_bytes() == (alone / path).read_bytes(), path
    for model in ("lpga", "twin"):
        assert json.loads((laboratory / f"results/quick/digits/{model}/seed0/run.json").read_text())["resumed_at_steps"]

    submitted = submissions(of_the_first)
    assert Counter(name for name in submitted.values() if name in train) == {train[0]: 2, train[1]: 1}, "a requeued job is the same"
    first, second = (asked_for(slurm, job) for job, name in submitted.items() if name == train[0])
    assert first == {"Partition": "other", "TresPerJob": "gres:gpu:a100:1", "mem": "4000M", "TimeLimit": "12:00:00"}
    assert second == {**first, "mem": "8000M", "TimeLimit": "1-00:00:00"}, "a further attempt asks for more"
    later = submissions(full_logs(laboratory) - of_the_first)
    assert sorted(name for name in later.values() if name.startswith("rule_train")) == train
    mine = [allocation for allocation in slurm.allocations() if allocation[0] in {**submitted, **later}]
    assert {job for job, _, _, _ in mine} == {**submitted, **later}.keys()
    nobody_shares_a_gpu(mine)
    assert any(devices != "none" for job, devices, _, _ in mine if later.get(job, "").startswith("group_measure"))
    assert not list((laboratory / ".pga/checkpoints").glob("*/state.safetensors"))
    (laboratory / ".dvc/tmp/rwlock").unlink(missing_ok=True)  # of the killed process, whose number means another one outside its namespace
    status = subprocess.run([sys.executable, "-m", "dvc", "status"], cwd=laboratory, env=around, capture_output=True, text=True)
    assert "Data and pipelines are up to date" in status.stdout, status.stdout + status.stderr


@pytest.mark.cluster
def test_a_job_out_of_memory_names_the_knob(limits: dict[str, Limited]) -> None:
    advice, text = limits["memory"].ended()
    assert advice == {
        "advice: prepare_labelled needs more memory than it asked for; more: --set-resources prepare_labelled:mem_mb=16000"
    }, text


@pytest.mark.cluster
def test_a_run_past_its_time_limit_names_the_knob_and_keeps_its_state(limits: dict[str, Limited]) -> None:
    advice, text = limits["time"].ended()
    expected = "train ran past its time limit; more: --set-resources train:runtime=24h (a training continues from its checkpoint)"
    assert advice == {f"advice: {expected}"}, text
    project = limits["time"].project
    [folder] = (project / ".pga/checkpoints").glob("digits-lpga-seed0-*")
    assert (folder / "state.safetensors").exists()
    assert "stopped by SIGTERM" in (project / "logs/train/results/long/digits/lpga/seed0.log").read_text()


@pytest.mark.cluster
def test_a_job_that_slurm_has_forgotten_is_named_and_submitted_again(slurm: Slurm, limits: dict[str, Limited]) -> None:
    """A controller that was killed and has lost its state. The last test, because it forgets the jobs of the others, too."""
    project, log = limits["time"].project, slurm.folder / "forgotten.log"
    assert all(call.process.wait(timeout=300) for call in limits.values())
    command = ["snakemake", "--profile", "workflow/profiles/mine", "--", "results/long/digits/lpga/seed0/model.safetensors"]
    with log.open("wb") as file:
        call = subprocess.Popen(
            [*TIED, sys.executable, "-m", *command], cwd=project, env=environment(project, slurm), stdout=file, stderr=subprocess.STDOUT
        )
    try:
        wait_for(lambda: training_in(project) == 1, slurm.folder, patience_s=120)
        [job] = slurm.jobs("RUNNING", "train")
        slurm.stop("slurmctld", SIGKILL)
        slurm.start("slurmctld", "-D", "-c")
        wait_for(lambda: f"SLURM-job '{job}' is lost: Slurm no longer knows it" in log.read_text(), slurm.folder)
        wait_for(
            lambda: log.read_text().count("submitted with SLURM jobid") == 2 and training_in(project) == 1, slurm.folder, patience_s=120
        )
        assert call.poll() is None
    finally:
        call.kill()
        call.wait()
