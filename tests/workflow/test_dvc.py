"""Sharing by DVC: clone, pull and build without training; damage, vanished remotes, full disks; what its commands say."""

from __future__ import annotations

import csv
import json
import os
import random
import re
import shutil
import subprocess
import sys
from collections import Counter
from functools import reduce
from pathlib import Path

import pytest
import yaml
from conftest import copy_project
from dag import jobs, run, trainings, write_only
from experiments import TINY

SHORTER = {"warmup_steps: [200,": "warmup_steps: [30,", "steps: [300,": "steps: [60,"}
FIGURE7 = "  figure7: {kind: interpolations, datasets: [digits], models: [lpga, vae]}\n"
SCALE = reduce(lambda text, change: text.replace(*change), SHORTER.items(), TINY) + FIGURE7
TARGETS = ["results/tiny/table1.csv", "results/tiny/figures/figure2.png", "results/tiny/figures/figure7.png"]
PAPERS = ("mnist", "mnist32", "cifar10", "celeba", "celeba140")
MEASURING = {"sample", "sample_otherwise", "reconstruct", "evaluate"}
COSTLY = {"fetch", "prepare", "prepare_labelled", "classifier", "reference", "train", *MEASURING}


NAMES = {f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


def call(project: Path, *words: str, check: bool = True, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a program of the environment in a project."""
    return run(project, *words, check=check, **NAMES, **more)


def clone(project: Path, target: Path) -> Path:
    call(project, "git", "clone", "-q", str(project), str(target))
    return target


def pull(project: Path, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    return call(project, sys.executable, "workflow/pull.py", *words, check=check)


def plan(project: Path, *targets: str) -> str:
    """What a dry run says."""
    done = call(project, "snakemake", "-n", "--cores", "1", *(targets or TARGETS))
    return done.stdout + done.stderr


def planned(project: Path, *targets: str) -> Counter[str]:
    return jobs(plan(project, *targets))


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project in which everything of a tiny experiment is made, committed, and pushed to the folder beside it."""
    project = copy_project(tmp_path_factory.mktemp("laboratory") / "project")
    write_only(project, "tiny", SCALE)
    (project / "dvc.yaml").write_text((project / "dvc.yaml").read_text().replace("quick", "tiny"))
    call(project, "git", "init", "-q")
    call(project, "dvc", "repro")
    call(project, "git", "add", "-A")
    call(project, "git", "commit", "-qm", "results")
    call(project, "dvc", "push")
    return project


@pytest.fixture
def copy(laboratory: Path) -> Path:
    """A clone beside the project, with the same remote."""
    target = laboratory.parent / "clone"
    yield clone(laboratory, target)
    shutil.rmtree(target)


@pytest.mark.slow
def test_a_clone_builds_every_artifact_without_training(laboratory: Path, copy: Path) -> None:
    call(copy, "dvc", "pull")
    files = sorted(path for folder in ("data", "results") for path in (copy / folder).rglob("*") if path.is_file())
    moments = random.Random(0).sample(range(len(files)), len(files))
    for path, moment in zip(files, moments, strict=True):
        os.utime(path, (1_600_000_000 + moment, 1_600_000_000 + moment))
    pull(copy, "--check")
    assert planned(copy) == {}
    for target in TARGETS:
        (copy / target).unlink()
    assert not COSTLY & set(planned(copy))
    call(copy, "snakemake", "--cores", "1", *TARGETS)
    for target in TARGETS:
        assert (copy / target).read_bytes() == (laboratory / target).read_bytes()

    params = copy / "params/tiny.yaml"
    params.write_text(params.read_text().replace("gamma: [0.015, paper]", "gamma: [0.02, paper]"))
    said = plan(copy)
    assert trainings(said) == ["lpga"]
    assert not set(jobs(said)) & {"fetch", "prepare_labelled", "classifier", "reference"}


@pytest.mark.slow
def test_what_figures_are_drawn_from_is_enough_for_them(laboratory: Path, copy: Path) -> None:
    figures = TARGETS[1:]
    refused = pull(copy, figures[0].replace("figure", "figur"), check=False)
    assert refused.returncode == 1 and "cannot be planned, as it says above; nothing was touched" in refused.stderr
    pull(copy, *figures)
    brought = {path.name for path in (copy / "results").rglob("*.*")}
    images = {f"{drawn}.{kind}" for drawn in ("samples", "interpolations") for kind in ("npy", "json")}
    assert brought <= {"README.md", "run.json", "metrics.json", *images}
    assert set(planned(copy, *figures)) == {"figure"}
    call(copy, "snakemake", "--cores", "1", *figures)
    for figure in figures:
        assert (copy / figure).read_bytes() == (laboratory / figure).read_bytes()


@pytest.mark.slow
def test_what_has_changed_since_the_results_were_made_counts_by_its_meaning(copy: Path) -> None:
    params, losses, claims = copy / "params/tiny.yaml", copy / "pga/method/losses.py", copy / "params/claims.yaml"
    losses.write_text(losses.read_text() + "\n# a change\n")
    assert "changed since dvc.lock was written: pga" in pull(copy).stderr
    assert planned(copy, "tiny") == {}

    params.write_text(params.read_text().replace("gamma: [0.015, paper]", "gamma: [0.02, paper]"))
    claims.write_text(claims.read_text() + "# read by the tables\n")
    os.utime(claims, (1_600_000_000, 1_600_000_000))  # older than the results
    pull(copy, "--check")
    assert trainings(plan(copy)) == ["lpga"]
    params.write_text(params.read_text().replace("gamma: [0.02, paper]", "gamma: [0.015, paper]"))
    rules = set(planned(copy, "tiny"))
    assert {"table1", "claims"} <= rules and not COSTLY & rules


@pytest.mark.slow
def test_nothing_is_touched_where_it_is_not_known_with_what_the_results_were_made_or_bytes_are_wrong(copy: Path) -> None:
    lock, losses = copy / "dvc.lock", copy / "pga/method/losses.py"
    pulled = call(copy, "dvc", "pull")
    assert "added" in pulled.stdout
    losses.write_text(losses.read_text() + "\n# a change\n")
    lock.write_text(lock.read_text() + "# another\n")
    refused = pull(copy, "--check", check=False)
    assert refused.returncode == 1
    assert "dvc.lock is not committed, and code or parameters have changed" in refused.stderr
    call(copy, "git", "commit", "-qam", "dvc.lock with other code than it is of")
    losses.write_text(losses.read_text() + "# one more\n")
    refused = pull(copy, "--check", check=False)
    assert refused.returncode == 1
    assert "with others of these than its results were made with: pga. Nothing was touched" in refused.stderr
    assert COSTLY & set(planned(copy))

    samples = copy / "results/tiny/digits/lpga/seed0/prior/samples.npy"
    content = samples.read_bytes()
    samples.chmod(0o644)
    samples.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    refused = pull(copy, "--check", check=False)
    assert refused.returncode == 1
    assert "not what dvc.lock says: results/tiny/digits/lpga/seed0/prior/samples.npy" in refused.stderr


@pytest.mark.slow
def test_a_shallow_clone_accuses_no_commit(laboratory: Path, tmp_path: Path) -> None:
    history = clone(laboratory, tmp_path / "history")
    losses = history / "pga/method/losses.py"
    losses.write_text(losses.read_text() + "\n# a change\n")
    call(history, "git", "commit", "-qam", "a comment")
    call(tmp_path, "git", "clone", "-q", "--depth", "1", history.as_uri(), "shallow")
    shallow = tmp_path / "shallow"
    call(shallow, "dvc", "remote", "modify", "--local", "store", "url", str(laboratory.parent / "pga-store"))
    refused = pull(shallow, check=False)
    assert refused.returncode == 1
    assert "this clone is shallow" in refused.stderr and "`git fetch --unshallow` brings the history" in refused.stderr
    call(shallow, "git", "fetch", "-q", "--unshallow")
    assert "changed since dvc.lock was written: pga" in pull(shallow, "--check").stderr


def test_without_a_lock_or_with_a_merge_in_it_nothing_is_pulled(laboratory: Path, copy: Path) -> None:
    lock = copy / "dvc.lock"
    lock.write_text("<<<<<<< HEAD\n" + lock.read_text() + ">>>>>>> theirs\n")
    refused = pull(copy, check=False)
    assert refused.returncode == 1 and "Traceback" not in refused.stderr
    assert "dvc.lock: not what DVC writes" in refused.stderr and "a merge that is not finished?" in refused.stderr
    lock.unlink()
    refused = pull(copy, check=False)
    assert refused.returncode == 1
    assert "there is no dvc.lock in this commit, so there is nothing to pull" in refused.stderr


@pytest.mark.slow
def test_what_is_damaged_in_the_remote_or_has_not_arrived_is_never_built_on(laboratory: Path, copy: Path) -> None:
    store = laboratory.parent / "pga-store/files/md5"
    outs = yaml.safe_load((laboratory / "dvc.lock").read_text())["stages"]["data@digits"]["outs"]
    [digest] = [out["md5"] for out in outs if out["path"] == "data/processed/digits.npy"]
    stored = store / digest[:2] / digest[2:]
    good = stored.read_bytes()
    stored.chmod(0o644)
    for left in (good[:-1] + bytes([good[-1] ^ 1]), None):  # None: as where a push was cut off
        if left is None:
            stored.unlink(missing_ok=True)
        else:
            stored.write_bytes(left)
        refused = pull(copy, check=False)
        assert refused.returncode == 1 and "nothing was touched" in refused.stderr
        assert not (copy / "data/processed/digits.npy").exists()

    push = ["make", "push", f"PGA_ENV={Path(sys.executable).parent}"]
    call(laboratory, "dvc", "remote", "add", "--local", "-f", "away", str(laboratory / "README.md/no-folder"))
    failed = call(laboratory, *push, "ARGS=-r away", check=False)
    assert failed.returncode != 0 and "the same command sends what is missing" in failed.stderr
    call(laboratory, *push)
    assert stored.read_bytes() == good
    pull(copy)
    assert planned(copy) == {}


def test_under_dvc_a_folder_of_results_that_is_a_link_is_refused_before_anything_is_made(project: Path, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    shutil.rmtree(project / "results", ignore_errors=True)
    (project / "results").symlink_to(tmp_path / "disk", target_is_directory=True)
    failed = call(project, "snakemake", "--cores", "1", "quick", check=False, DVC_STAGE="data@digits")
    assert failed.returncode != 0 and "results: a link out of the repository, which DVC does not follow" in failed.stdout + failed.stderr
    assert not (project / "data/processed").exists() and not list((tmp_path / "disk").iterdir())


@pytest.mark.slow
def test_what_dvc_says_of_a_changed_parameter_is_true_and_its_lock_honest_after_a_failure(laboratory: Path, copy: Path) -> None:
    pull(copy)
    params = copy / "params/tiny.yaml"
    params.write_text(params.read_text().replace("gamma: [0.015, paper]", "gamma: [0.02, paper]"))
    changed = json.loads(call(copy, "dvc", "params", "diff", "--json").stdout)
    gamma = changed["params/tiny.yaml"]["datasets.digits.runs.lpga.coefficients.gamma"]
    assert len(changed["params/tiny.yaml"]) == 1 and gamma == {"old": "[0.015, 'paper']", "new": "[0.02, 'paper']"}
    assert set(json.loads(call(copy, "dvc", "status", "--json").stdout)) == {"runs@digits", "artifacts"}

    good = params.read_text()
    params.write_text(good.replace("learning_rate: [0.1,", "learning_rate: [1000,"))  # diverges
    before = (copy / "dvc.lock").read_text()
    failed = call(copy, "dvc", "repro", check=False)
    assert failed.returncode != 0
    assert (copy / "dvc.lock").read_text() == before
    said = failed.stdout + failed.stderr
    assert "failed: logs/train/results/tiny/digits/lpga/seed0.log: digits/lpga, seed 0, stopped at step" in said
    [command] = re.findall(r"snakemake --cores 1 results/tiny/partial/.*", said)
    call(copy, *command.split())
    assert {path.name for path in (copy / "results/tiny/partial").glob("*.[cp][sn][vg]")} >= {"table1.csv", "figure2.png"}
    params.write_text(good)
    call(copy, "dvc", "repro", "--single-item", "runs@digits")
    assert set(json.loads(call(copy, "dvc", "status", "--json").stdout)) == {"artifacts"}
    call(copy, "dvc", "repro")
    metrics = json.loads(call(copy, "dvc", "metrics", "diff", "--json").stdout)
    assert {name.split(".")[0] for name in metrics["results/tiny/digits/summary.json"]} == {"lpga"}
    plots = json.loads(call(copy, "dvc", "plots", "diff", "HEAD", "--json").stdout)["data"]
    [bars] = plots["results/tiny/digits/summary.csv"]
    drawn = [(row["run"], row["classifier_fd"]) for row in bars["content"]["data"]["values"] if row["rev"] == "workspace"]
    assert drawn == [tuple(line) for line in csv.reader((copy / "results/tiny/digits/summary.csv").open())][1:] and len(drawn) == 2
    assert len(plots["results/tiny/figures/figure2.png"]) == 2  # of both revisions
    assert "dvc_plots" not in call(copy, "git", "status", "--short").stdout
    assert not re.search(r"(logs|\.pga|\.snakemake)/", (copy / "dvc.lock").read_text())


def test_every_stage_depends_on_all_of_the_code(root: Path) -> None:
    """What a preparation imports, too: a change of the resize must not leave data "up to date". Any experiment may extend another."""
    stages = yaml.safe_load((root / "dvc.yaml").read_text())["stages"]
    assert set(stages) == {"data", "runs", "artifacts"}
    deps = {name: set(stage.get("do", stage)["deps"]) for name, stage in stages.items()}
    assert all({"pga", "workflow/rules", "Snakefile"} <= found for found in deps.values()) and "params" in deps["runs"] & deps["artifacts"]


@pytest.mark.slow
def test_the_papers_experiment_becomes_stages_of_its_own(project: Path) -> None:
    call(project, "git", "init", "-q")
    environment = str(Path(sys.executable).parent)
    words = ("repro", "EXPERIMENT=paper", f"PGA_ENV={environment}", "ARGS=--dry")
    done = call(project, "make", *words, check=False)  # without data it ends early
    assert "Running stage 'paper/dvc.yaml:data@mnist':" in done.stdout
    listed = call(project, "dvc", "stage", "list", "--name-only", "paper/dvc.yaml").stdout.split()
    labelled = {f"labels@{name}" for name in ("mnist", "mnist32", "cifar10")}
    stages = {"artifacts", *(f"{stage}@{name}" for stage in ("data", "runs", "references") for name in PAPERS)} | labelled
    assert {name.split(":")[-1] for name in listed} == stages


@pytest.mark.slow
def test_experiments_that_share_data_sets_are_versioned_side_by_side(project: Path) -> None:
    call(project, "git", "init", "-q")
    names = sorted(path.stem for path in (project / "params").glob("*.yaml") if "results:" in path.read_text() and path.stem != "quick")
    for name in names:
        call(project, sys.executable, "workflow/dvc_stages.py", name)
    written = {name: yaml.safe_load((project / name / "dvc.yaml").read_text())["stages"] for name in names}
    outs: dict[str, list[str]] = {
        name: [
            next(iter(out)).replace("${item}", item)
            for stage in stages.values()
            for item in stage.get("foreach", [""])
            for out in stage.get("do", stage)["outs"]
        ]
        for name, stages in written.items()
    }
    of_data = Counter(out for name in names for out in outs[name] if out.startswith("data/"))
    assert set(of_data.values()) == {1} and "data/reference/mnist" in of_data and "data/processed/digits.npy" not in of_data
    assert "data/reference/celeba5k" not in of_data, "pixels need none"
    assert "${root}/equivalence.csv" in outs["precision"] and "${root}/equivalence.csv" not in outs["paper"]
    done = call(project, "dvc", "repro", "--dry", "quick_sweep/dvc.yaml", check=False)  # reads all; without data it ends early
    assert "Running stage 'data@digits':" in done.stdout, done.stderr
