"""The workflow on a real Slurm with a pretended node of two GPUs, through DVC: placement, signals, requeues, limits."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import pytest
import slurm_node
from conftest import copy_project
from slurm_node import Slurm, wait_for
from test_workflow import TINY

ONLY_HERE = """
slurm-no-account: true
slurm-status-command: squeue
slurm-init-seconds-before-status-checks: 2
"""
"""What this Slurm needs beside workflow/profiles/slurm: it keeps no accounts."""
SCALE = TINY.replace("device: cpu\n", "").replace("seeds: [0, 1]", "seeds: [0]").replace("snapshots: 2", "snapshots: 8")
RUNS = ("lpga", "vpga")
BUNDLED = "group-components: [measure=6]\n"
"""Six short jobs in one of the queue, as docs/cluster.md says."""


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory):
    if (reason := slurm_node.missing()) is not None:
        pytest.skip(f"slurm: {reason}")
    with slurm_node.running(tmp_path_factory.mktemp("slurm") / "node") as slurm:
        yield slurm


def cluster(project: Path, more: str = "") -> Path:
    """Copy the profile for the project's cluster, as docs/cluster.md says, and commit everything."""
    profile = (project / "workflow/profiles/slurm/config.yaml").read_text() + ONLY_HERE + more
    (project / "workflow/profiles/mine").mkdir()
    (project / "workflow/profiles/mine/config.yaml").write_text(profile)
    for words in (["init", "-q"], ["add", "-A"], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "all"]):
        subprocess.run(["git", *words], cwd=project, check=True)
    return project


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone in which a laboratory has added a scale of its own to DVC."""
    project = copy_project(tmp_path_factory.mktemp("laboratory") / "project")
    (project / "params/tiny.yaml").write_text(SCALE.replace("steps: [300,", "steps: [6000,"))
    (project / "params/long.yaml").write_text(SCALE.replace("steps: [300,", "steps: [900000,").replace("/tiny", "/long"))
    (project / "dvc.yaml").write_text((project / "dvc.yaml").read_text().replace("quick", "tiny"))
    return cluster(project)


def environment(project: Path, base: dict[str, str], **more: str) -> dict[str, str]:
    """By which the project's own code runs, its programs first on the path."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{base['PATH']}"
    return {**base, "PATH": path, "PYTHONPATH": str(project), **more}


def nobody_shares_a_gpu(allocations: list[tuple[str, str, float, float]]) -> None:
    """Both GPUs were used, each by one job at a time."""
    on_gpus = [allocation for allocation in allocations if allocation[1] != "none"]
    assert {devices for _, devices, _, _ in on_gpus} == {"0", "1"}
    for (_, device, begin, end), (_, other, other_begin, other_end) in combinations(on_gpus, 2):
        assert device != other or end <= other_begin or other_end <= begin


@pytest.mark.cluster
def test_dvc_repro_on_a_cluster_with_a_run_stopped_and_one_requeued(slurm: Slurm, laboratory: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone"  # the same without a cluster, and without anything in its way
    shutil.copytree(laboratory, alone, symlinks=True)
    log = tmp_path / "log"
    repro = subprocess.Popen(
        [sys.executable, "-m", "dvc", "repro"], cwd=laboratory, stdout=log.open("wb"), stderr=subprocess.STDOUT,
        env=environment(laboratory, slurm.environment, SNAKEMAKE_PROFILE="workflow/profiles/mine"),
    )  # fmt: skip

    def both_train() -> bool:
        assert repro.poll() is None, log.read_text()[-5000:]
        return len(list((laboratory / ".pga/checkpoints").glob("*/snapshot001.safetensors"))) == 2

    wait_for(both_train, slurm.folder, patience_s=400)
    jobs = {model: job for model in RUNS for job in slurm.jobs("RUNNING", f"train_wildcards_results_tiny_digits_{model}")}
    slurm.call("scancel", "--signal=TERM", jobs["lpga"])
    slurm.call("scontrol", "requeue", jobs["vpga"])
    assert repro.wait(timeout=900) == 0, log.read_text()[-5000:]

    subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "2", "tiny"], cwd=alone, env=environment(alone, dict(os.environ)),
        check=True, capture_output=True,
    )  # fmt: skip
    for model in RUNS:
        assert json.loads((laboratory / f"results/tiny/digits/{model}/seed0/run.json").read_text())["resumed_at_steps"]
        for file in ("model.safetensors", "snapshots.safetensors", "prior/samples.npy", "prior/metrics.json"):
            path = f"results/tiny/digits/{model}/seed0/{file}"
            assert (laboratory / path).read_bytes() == (alone / path).read_bytes(), path
    assert (laboratory / "results/tiny/table1.csv").read_bytes() == (alone / "results/tiny/table1.csv").read_bytes()

    nobody_shares_a_gpu(slurm.allocations())
    status = subprocess.run(
        [sys.executable, "-m", "dvc", "status"],
        cwd=laboratory, env=environment(laboratory, slurm.environment), capture_output=True, text=True,
    )  # fmt: skip
    assert "Data and pipelines are up to date" in status.stdout


def limited(slurm: Slurm, laboratory: Path, target: str, knob: str) -> tuple[set[str], str]:
    """What is advised at the end of a failed call with one resource set too small, and everything that was said."""
    command = [
        sys.executable,
        "-m",
        "snakemake",
        "--profile",
        "workflow/profiles/mine",
        "--retries",
        "0",
        "--force",
        "--set-resources",
        knob,
    ]
    done = subprocess.run(
        [*command, "--", target], cwd=laboratory, env=environment(laboratory, slurm.environment), capture_output=True, text=True
    )
    assert done.returncode != 0
    return {line for line in done.stderr.splitlines() if line.startswith("advice:")}, done.stdout + done.stderr


@pytest.mark.cluster
def test_a_job_out_of_memory_names_the_knob(slurm: Slurm, laboratory: Path) -> None:
    advice, text = limited(slurm, laboratory, "data/processed/digits.npy", "prepare_labelled:mem_mb=60")
    assert advice == {
        "advice: prepare_labelled needs more memory than it asked for; more: --set-resources prepare_labelled:mem_mb=16000"
    }, text


@pytest.mark.cluster
def test_a_run_past_its_time_limit_names_the_knob_and_keeps_its_state(slurm: Slurm, laboratory: Path) -> None:
    advice, text = limited(slurm, laboratory, "results/long/digits/lpga/seed0/model.safetensors", "train:runtime=1")
    expected = "train ran past its time limit; more: --set-resources train:runtime=24h (a training continues from its checkpoint)"
    assert advice == {f"advice: {expected}"}, text
    [folder] = (laboratory / ".pga/checkpoints").glob("digits-lpga-seed0-*")
    assert (folder / "state.safetensors").exists()
    assert "stopped by SIGTERM" in (laboratory / "logs/train/results/long/digits/lpga/seed0.log").read_text()


@pytest.mark.cluster
@pytest.mark.long
def test_the_quick_scale_by_dvc_on_a_cluster(slurm: Slurm, tmp_path: Path) -> None:
    """All of it as it is, but for its line `device: cpu`, so that every run asks for a GPU."""
    project = copy_project(tmp_path / "project")
    params = project / "params/quick.yaml"
    params.write_text(re.sub(r"^device: cpu.*\n", "", params.read_text(), flags=re.M))
    cluster(project, BUNDLED)
    seen, log = len(slurm.allocations()), tmp_path / "log"
    around = environment(project, slurm.environment, SNAKEMAKE_PROFILE="workflow/profiles/mine")
    with log.open("wb") as file:
        repro = subprocess.run([sys.executable, "-m", "dvc", "repro"], cwd=project, env=around, stdout=file, stderr=subprocess.STDOUT)
    assert repro.returncode == 0, log.read_text()[-5000:]
    nobody_shares_a_gpu(slurm.allocations()[seen:])
    trained = re.findall(r"^rule train:$", log.read_text(), re.M)
    submitted = re.findall(r"has been submitted with SLURM jobid (\d+)", log.read_text())
    assert len(trained) == len(list((project / "results/quick").glob("*/*/seed*/run.json"))) > 0
    assert set(submitted) == {job for job, _, _, _ in slurm.allocations()[seen:]}
    status = subprocess.run([sys.executable, "-m", "dvc", "status"], cwd=project, env=around, capture_output=True, text=True)
    assert "Data and pipelines are up to date" in status.stdout
