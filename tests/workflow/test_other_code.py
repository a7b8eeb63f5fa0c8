"""Numbers of other code never reach a table: the ways in which they could, on the real workflow."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from functools import reduce
from pathlib import Path

import pytest
from dag import jobs, pga, snakemake, write_only
from experiments import TINY

from pga.runtime.files import read_record, sha256

SMALLER = {
    "steps: [300,": "steps: [20,",
    "warmup_steps: [200,": "warmup_steps: [10,",
    "      vae: {warmup_steps: [0, code], coefficients: {c: [0.05, inferred]}}\n": "",
    ", {title: VAE, model: vae}": "",
    "models: [lpga, vae]": "models: [lpga]",
}
EXPERIMENT = reduce(lambda text, change: text.replace(*change), SMALLER.items(), TINY)
RUN = "results/tiny/digits/lpga/seed0"
TABLE = "results/tiny/table1.csv"
LOSSES = "pga/method/losses.py"
SQUARE = "return 0.5 * z.square().mean()"
DISTANCE = "pga/metrics/frechet.py"
OVER_SEEDS = {"collect_shown": 1, "table1": 1}
"""Rule → jobs."""
MEANS = "np.square(mu - mu_reference)"
SLOW = """
import pathlib, sys, time
import pga.training.trainer

advance = pga.training.trainer.Trainer.advance

def slowly(trainer):
    pathlib.Path("started").touch()
    while not pathlib.Path("go").exists():
        time.sleep(0.05)
    advance(trainer)

pga.training.trainer.Trainer.advance = slowly
"""
"""Trainings wait in their first step."""
SLOW_TRAINING = f"{SLOW}\nfrom pga.cli import main\nsys.exit(main(sys.argv[1:]))\n"
SLOW_WORKFLOW = "import sys\nif 'train' in sys.orig_argv:" + SLOW.replace("\n", "\n    ")
"""A sitecustomize.py."""


def made(project: Path, *arguments: str) -> str:
    """What Snakemake says when it has ended well."""
    done = snakemake(project, *arguments)
    return done.stdout + done.stderr


def edit(project: Path, factor: str = "0.25 *") -> None:
    """Another loss."""
    replace(project / LOSSES, SQUARE, SQUARE.replace("0.5 *", factor))


def replace(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def wait_for(file: Path) -> None:
    deadline = time.monotonic() + 120
    while not file.exists():
        assert time.monotonic() < deadline, file
        time.sleep(0.1)


def is_trained(plan: str) -> bool:
    return f"output: {RUN}/model.safetensors" in plan


def is_measured(plan: str) -> bool:
    return f"output: {RUN}/prior/metrics.json" in plan


@pytest.fixture(scope="module")
def complete(shared_project: Path) -> Path:
    """A project with a finished table."""
    write_only(shared_project, "tiny", EXPERIMENT)
    snakemake(shared_project, TABLE)
    assert not is_trained(made(shared_project, "-n", TABLE))
    return shared_project


@pytest.fixture
def finished(complete: Path, tmp_path: Path) -> Path:
    """A copy of it, with the times of files and Snakemake's notes."""
    project = tmp_path / "project"
    shutil.copytree(complete, project, symlinks=True)
    return project


def test_without_snakemakes_notes_a_changed_loss_trains_again_and_the_old_run_is_refused(finished: Path) -> None:
    """Also what `dvc exp run --temp` and a fresh clone with results have: no notes, and times that say nothing."""
    edit(finished)
    shutil.rmtree(finished / ".snakemake")
    for number, file in enumerate(sorted((finished / "results").rglob("*.*")), 1):
        os.utime(file, (10**9 + number, 10**9 + number))
    assert is_trained(made(finished, "-n", TABLE))
    done = pga(finished, "table", "costs", "--params", "params/tiny.yaml", "--out-dir", "elsewhere")
    assert done.returncode == 1 and f"pga table: error: {RUN}" in done.stderr and "made by other code" in done.stderr, done.stderr
    before = sha256(finished / RUN / "model.safetensors")
    snakemake(finished, TABLE)
    assert sha256(finished / RUN / "model.safetensors") != before
    assert not is_trained(made(finished, "-n", TABLE))


def test_without_snakemakes_notes_a_changed_metric_measures_again_and_the_old_metrics_are_refused(finished: Path) -> None:
    """A seed is added as well, and taken away again: its results stay, and only what is over seeds is made again."""
    seeds = (finished / "params/tiny.yaml", "seeds: [0]", "seeds: [0, 1]")
    replace(*seeds)
    replace(finished / DISTANCE, MEANS, f"2 * {MEANS}")
    shutil.rmtree(finished / ".snakemake")
    plan = made(finished, "-n", TABLE)
    assert is_measured(plan) and not is_trained(plan) and jobs(plan) == {"train": 1, "sample": 1, "evaluate": 2, **OVER_SEEDS}
    done = pga(finished, "collect", "--params", "params/tiny.yaml", "--out", "elsewhere.csv")
    assert f"pga collect: error: {RUN}/prior/metrics.json: made by other code: what `pga evaluate` runs" in done.stderr, done.stderr
    before = read_record(finished / RUN / "prior/metrics.json")
    snakemake(finished, TABLE)
    now = read_record(finished / RUN / "prior/metrics.json")
    assert now["metrics"][0]["value"] > before["metrics"][0]["value"] and now["code"] != before["code"]
    replace(seeds[0], seeds[2], seeds[1])
    assert jobs(made(finished, "-n", TABLE)) == OVER_SEEDS


def test_results_of_one_commit_under_the_notes_of_another_are_made_again(finished: Path, tmp_path: Path) -> None:
    """`git checkout A; dvc checkout; git checkout B; dvc repro`."""
    shutil.copytree(finished / "results", tmp_path / "of A")
    edit(finished)
    snakemake(finished, TABLE)
    of_b = sha256(finished / RUN / "model.safetensors")
    shutil.copytree(tmp_path / "of A", finished / "results", dirs_exist_ok=True)
    snakemake(finished, TABLE)
    assert sha256(finished / RUN / "model.safetensors") == of_b


def test_a_job_refuses_other_code_than_the_plan_when_it_starts_and_when_it_writes(finished: Path) -> None:
    """A loss that is edited while the workflow runs, and put back."""
    planned = read_record(finished / RUN / "run.json")["code"]
    who = f"--params params/tiny.yaml --dataset digits --model lpga --seed 0 --out new --planned-code {planned}".split()
    code = (finished / LOSSES).read_text(encoding="utf-8")
    edit(finished)
    done = pga(finished, "train", *who)
    assert done.returncode == 1 and "start the workflow again" in done.stderr and not (finished / "new").exists()
    (finished / LOSSES).write_text(code, encoding="utf-8")
    (finished / "slow.py").write_text(SLOW_TRAINING, encoding="utf-8")
    command = [sys.executable, "slow.py", "train", *who]
    with subprocess.Popen(
        command, cwd=finished, env={**os.environ, "PYTHONPATH": str(finished)}, stderr=subprocess.PIPE, text=True
    ) as training:
        wait_for(finished / "started")
        edit(finished)
        (finished / "go").touch()
        message = training.communicate(timeout=120)[1]
    assert training.returncode == 1 and "was changed while it ran" in message, message
    assert not (finished / "new/run.json").exists()
    (finished / LOSSES).write_text(code, encoding="utf-8")
    done = pga(finished, "train", *who)
    assert done.returncode == 0, done.stderr
    assert read_record(finished / "new/run.json")["resumed_at_steps"] == [20]
    assert sha256(finished / "new/model.safetensors") == sha256(finished / RUN / "model.safetensors")


def test_a_training_that_outlives_its_workflow_is_taken_and_jobs_on_a_cluster_keep_to_the_plan(finished: Path) -> None:
    """A login process that dies; code that is edited while jobs wait in a queue."""
    before = sha256(finished / RUN / "model.safetensors")
    shutil.rmtree(finished / RUN)
    (finished / "sitecustomize.py").write_text(SLOW_WORKFLOW, encoding="utf-8")
    command = [sys.executable, "-m", "snakemake", "--cores", "2", f"{RUN}/model.safetensors"]
    environment = {**os.environ, "PYTHONPATH": str(finished)}
    login = subprocess.Popen(command, cwd=finished, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(finished / "started")
        code = (finished / LOSSES).read_text(encoding="utf-8")
        edit(finished)
        job = "train:root=results/tiny,dataset=digits,model=lpga,seed=0"
        remote = ["--mode", "remote", "--no-hooks", "--target-jobs", job, "--allowed-rules", "train"]
        done = snakemake(finished, *remote, check=False)
        log = (finished / "logs/train" / f"{RUN}.log").read_text(encoding="utf-8")
        assert done.returncode == 1 and "is not that of the plan: start the workflow again" in log, done.stderr
        (finished / LOSSES).write_text(code, encoding="utf-8")
    finally:
        login.kill()
        login.wait()
        (finished / "go").touch()
    wait_for(finished / RUN / "run.json")
    before_again = (finished / RUN / "model.safetensors").stat()
    assert "Nothing to be done" in made(finished, f"{RUN}/model.safetensors")
    assert (finished / RUN / "model.safetensors").stat() == before_again and sha256(finished / RUN / "model.safetensors") == before


def test_an_accepted_run_stays_with_and_without_snakemakes_notes_until_the_code_changes_again(finished: Path) -> None:
    before = {file: sha256(finished / RUN / file) for file in ("model.safetensors", "prior/samples.npy")}
    made_by = read_record(finished / RUN / "run.json")["code"]
    unchanged = (finished / LOSSES).read_text(encoding="utf-8")
    edit(finished, "1 / 2 *")
    replace(finished / DISTANCE, MEANS, "np.square(mu_reference - mu)")
    assert is_trained(made(finished, "-n", TABLE))
    done = pga(finished, "accept", "results/tiny", "--params", "params/tiny.yaml", "--because", "a half is a half")
    assert done.returncode == 0 and f"{RUN}/run.json: accepted" in done.stdout, done.stderr
    record = read_record(finished / RUN / "run.json")
    assert record["code"] == made_by != record["accepted"][0]["code"]
    snakemake(finished, TABLE)
    shown = pga(finished, "provenance", TABLE)
    assert shown.returncode == 0 and "a half is a half" in shown.stdout, shown.stdout + shown.stderr
    assert {file: sha256(finished / RUN / file) for file in before} == before
    assert read_record(finished / RUN / "prior/metrics.json")["accepted"], "or it was measured again"
    shutil.rmtree(finished / ".snakemake")
    plan = made(finished, "-n", TABLE)
    assert not is_trained(plan) and not is_measured(plan)
    (finished / LOSSES).write_text(unchanged, encoding="utf-8")
    edit(finished)
    assert is_trained(made(finished, "-n", TABLE))
    (finished / LOSSES).write_text(unchanged, encoding="utf-8")
    (finished / "params/tiny.yaml").write_text(EXPERIMENT.replace("[0.015, paper]", "[0.02, inferred]"), encoding="utf-8")
    assert is_trained(made(finished, "-n", TABLE)), "its record says that it has another coefficient"


def test_the_code_of_this_folder_runs_whatever_is_installed(finished: Path, tmp_path: Path) -> None:
    """PYTHONSAFEPATH, and a package of the same name from another clone."""
    other = tmp_path / "other"
    shutil.copytree(finished / "pga", other / "pga")
    (other / "pga/cli.py").write_text("raise SystemExit('another clone')\n")
    (finished / TABLE).unlink()
    done = snakemake(finished, TABLE, check=False, modules=str(other), PYTHONSAFEPATH="1")
    text = done.stdout + done.stderr
    assert (done.returncode == 0 and (finished / TABLE).exists()) or "is imported instead of the one in this folder" in text, text[-2000:]
