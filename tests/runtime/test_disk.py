"""Disks that are full, over quota or read-only, folders without permission: a message, nothing half, the same command finishes later."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import hashlib
import os
import re
import resource
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml
from child import forked, refuse, skip_without_filters
from experiments import TINY
from PIL import Image
from stored import write_prepared
from test_fetch import CONTENT, a_source
from test_report import make as make_results
from test_training import CPU, a_run, blobs

from pga.artifacts.collect import COLUMNS
from pga.artifacts.figures import canvas
from pga.cli import main
from pga.evaluation.features.classifier import RECIPES
from pga.fingerprints.steps import training_code
from pga.params.experiment import load_experiment
from pga.training.loop import train

ROOT = Path(__file__).resolve().parents[2]
NOBODY = 65534


@pytest.fixture(scope="module")
def open_folder() -> Iterator[Path]:
    """A folder that everybody may enter, which pytest's are not."""
    with tempfile.TemporaryDirectory(prefix="pga") as place:
        Path(place).chmod(0o755)
        yield Path(place)


@pytest.fixture
def place(open_folder: Path, request: pytest.FixtureRequest) -> Path:
    """A folder of the test's own within it."""
    folder = open_folder / hashlib.sha256(request.node.name.encode()).hexdigest()[:12]
    folder.mkdir()
    return folder


@pytest.fixture(scope="module", autouse=True)
def cheap() -> Iterator[None]:
    """A classifier of one pass over the digits, figures of few pixels: what is written matters here, not what it is worth."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(RECIPES, (8, 1), dataclasses.replace(RECIPES[8, 1], epochs=1, accuracy=0.1))
        patch.setitem(canvas.STYLE, "figure.dpi", 50.0)
        yield


@pytest.fixture(scope="module")
def inputs(open_folder: Path, cheap: None) -> Path:
    """What the commands read."""
    folder = open_folder / "inputs"
    folder.mkdir()
    run = a_run(dataset="digits", steps=4, snapshots=2)
    train(run, blobs(), "data", training_code(run), CPU, folder / "run", folder / "scratch")
    (folder / "mirror").mkdir()
    (folder / "mirror" / "file.bin").write_bytes(CONTENT)
    source = a_source("http://127.0.0.1:9/", mirror=["file.bin"])
    (folder / "sources.yaml").write_text(yaml.safe_dump({"sources": {"toy": source.model_dump(mode="json")}}))
    images = folder / "images"
    images.mkdir()
    for number in range(40):
        Image.fromarray(np.full((32, 32, 3), number, np.uint8)).save(images / f"{number:02}.png")
    (folder / "datasets.yaml").write_text(
        yaml.safe_dump({"datasets": {"digits": {"kind": "digits"}, "own": {"kind": "folder", "path": str(images), "size": 64}}})
    )
    (folder / "tiny.yaml").write_text(TINY.replace("steps: [300", "steps: [4").replace("warmup_steps: [200", "warmup_steps: [2"))
    for name in ("prepare", "classifier", "reference"):
        assert main(COMMANDS[name].format(inputs=folder, out=folder).split()) == 0
    np.save(folder / "own.npy", np.random.default_rng(0).integers(0, 256, (100, 8, 8, 1), np.uint8))
    np.save(folder / "digits-test.npy", blobs(60))
    write_prepared(folder, "digits")
    (folder / "finished").mkdir()
    with contextlib.chdir(folder / "finished"):
        make_results(folder / "finished")
    experiment = load_experiment(ROOT / "params/quick.yaml")
    rows = [
        f"{dataset},{model},{seed},{sampling},{experiment.evaluation.metric},1.5,,9,train,100,classifier,,1.0"
        for dataset, model, sampling in experiment.measurements()
        for seed in experiment.seeds
    ]
    (folder / "metrics.csv").write_text("\n".join([",".join(COLUMNS), *rows]) + "\n")
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755)
    return folder


COMMANDS: dict[str, str] = {
    "fetch": "fetch toy --sources {inputs}/sources.yaml --out {out}/raw",
    "prepare": "prepare digits --datasets {inputs}/datasets.yaml --out {out}/processed",
    "prepare a folder": "prepare own --datasets {inputs}/datasets.yaml --out {out}/processed --processes 1",
    "sample": "sample --run {inputs}/run --n 3000 --batch-size 100 --out {out}/samples.npy",
    "train": "train --params {inputs}/tiny.yaml --dataset digits --model lpga --seed 0 --data {inputs}/processed --device cpu"
    " --checkpoint-every 0 --out {out}/run --scratch {out}/scratch",
    "table": "table notation --params params/quick.yaml --out-dir {out}/results",
    "classifier": "classifier digits --data {inputs}/processed --out {out}/classifier.safetensors",
    "reference": "reference digits --data {inputs}/processed --extractor classifier --weights {inputs}/classifier.safetensors"
    " --out {out}/reference.npz",
    "evaluate": "evaluate --samples {inputs}/own.npy --extractor classifier --weights {inputs}/classifier.safetensors"
    " --reference {inputs}/reference.npz --dataset digits --model own --seed 0 --out {out}/metrics.json",
    "reconstruct": "reconstruct --run {inputs}/run --data {inputs} --out-dir {out}/reconstruction",
    "interpolate": "interpolate --run {inputs}/run --data {inputs} --pairs 2 --batch-size 4 --out {out}/interpolations.npy",
    "neighbours": "neighbours digits --samples {inputs}/own.npy --data {inputs}/processed --extractor classifier"
    " --weights {inputs}/classifier.safetensors --out {out}/neighbours.npy",
    "curve": "curve --run {inputs}/run/snapshots.safetensors --n 100 --batch-size 100 --extractor classifier"
    " --weights {inputs}/classifier.safetensors --reference {inputs}/reference.npz --out {out}/curve.csv",
    "collect": "collect --params tiny.yaml --out {out}/metrics.csv",
    "table of runs": "table table1 --params tiny.yaml --metrics results/tiny/metrics.csv --out-dir {out}/results",
    "figure": "figure figure2 --params tiny.yaml --out-dir {out}/figures",
    "report": "report --params tiny.yaml --out {out}/report.html",
}
OF_RUNS = ("collect", "table of runs", "figure", "report")
"""Those that run in the folder of finished results."""


def run(name: str, inputs: Path, out: Path) -> int:
    """Run a command of the table where it belongs."""
    with contextlib.chdir(inputs / "finished" if name in OF_RUNS else ROOT):
        return main(COMMANDS[name].format(inputs=inputs, out=out).split())


@contextlib.contextmanager
def mounted(place: Path, options: str) -> Iterator[Path]:
    """A file system of its own at `place`, where the tests may mount one."""
    place.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", place], capture_output=True).returncode:
        pytest.skip("disk: no right to mount a small tmpfs")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


def visible(folder: Path) -> dict[str, bytes]:
    """Files under final names, without those that hold wall times."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
        and not path.name.startswith(".")
        and path.name not in ("run.json", "history.csv", "filler")
        and "scratch" not in path.parts
    }


def without_wall_times(files: dict[str, bytes]) -> dict[str, bytes]:
    return {name: content for name, content in files.items() if not name.endswith("labels.npz")}  # a .npz holds the time of its writing


@pytest.mark.parametrize("name", COMMANDS)
def test_a_full_disk_is_named_leaves_nothing_half_and_the_same_command_finishes(
    name: str, inputs: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("PGA_MIRROR", str(inputs / "mirror"))
    assert run(name, inputs, place / "whole") == 0
    whole = visible(place / "whole")
    assert whole
    needed = sum(map(len, whole.values()))
    with mounted(place / "small", "size=64m") as small:
        failures = 0
        for room in (0, *(needed * k // 6 // 4096 * 4096 for k in (1, 5))):
            out = small / f"room{room}"
            filler = small / "filler"
            with filler.open("wb") as file:
                free = os.statvfs(small)
                os.posix_fallocate(file.fileno(), 0, free.f_bavail * free.f_frsize - room)
            status, said = forked(lambda out=out: run(name, inputs, out))
            assert status in (0, 1), said
            if status == 1:
                failures += 1
                assert "No space left on device" in said or "requested and" in said, said
                for path, content in visible(out).items():
                    assert path in whole and (content == whole[path] or path.endswith("labels.npz")), path
            filler.unlink()
            assert forked(lambda out=out: run(name, inputs, out))[0] == 0
            assert without_wall_times(visible(out)) == without_wall_times(whole)
            assert not list(out.rglob(".*.part*"))
    assert failures >= 2


def largest_file() -> None:
    """Let no file of this process grow beyond a few bytes, as a limit of the system's for one user does."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, resource.RLIM_INFINITY))


LIMITS: dict[str, tuple[Callable[[], None], str]] = {
    "over quota": (lambda: refuse("fsync", errno.EDQUOT), "Disk quota exceeded"),
    "too large a file": (largest_file, "File too large|requested and"),
}


@pytest.mark.parametrize("how", LIMITS)
@pytest.mark.parametrize("name", COMMANDS)
def test_what_a_user_may_not_write_any_more_is_named_and_the_same_command_finishes(
    name: str, how: str, inputs: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    skip_without_filters()
    monkeypatch.setenv("PGA_MIRROR", str(inputs / "mirror"))
    limit, named = LIMITS[how]

    def limited() -> int:
        limit()
        return run(name, inputs, place / "out")

    status, said = forked(limited)
    assert status == 1 and re.search(named, said) and str(place / "out") in said, said
    assert visible(place / "out") == {}
    assert run(name, inputs, place / "out") == 0
    assert visible(place / "out") and not list((place / "out").rglob("*.part*"))


@pytest.mark.parametrize("how", ["read-only", "without permission"])
@pytest.mark.parametrize("name", COMMANDS)
def test_a_folder_that_may_not_be_written_is_named(name: str, how: str, inputs: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid() != 0:
        pytest.skip("disk: no right to give up rights")
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("PGA_MIRROR", str(inputs / "mirror"))
    with mounted(place / "small", "size=16m,mode=755") as small:
        if how == "read-only":
            subprocess.run(["mount", "-o", "remount,ro", small], check=True)
        status, said = forked(lambda: run(name, inputs, small), None if how == "read-only" else NOBODY)
        assert status == 1, said
        assert ("Read-only file system" if how == "read-only" else "Permission denied") in said and str(small) in said
        assert not list(small.iterdir())


READS = {
    "run/model.safetensors": "sample --run {inputs}/run --out {out}/samples.npy",
    "metrics.csv": "table table1 --params params/quick.yaml --metrics {inputs}/metrics.csv --out-dir {out}",
    "datasets.yaml": "prepare digits --datasets {inputs}/datasets.yaml --out {out}",
}


@pytest.mark.parametrize("file", READS)
def test_a_file_that_may_not_be_read_is_named(file: str, inputs: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid() != 0:
        pytest.skip("disk: no right to give up rights")
    monkeypatch.chdir(ROOT)
    place.chmod(0o777)
    (inputs / file).chmod(0o000)
    try:
        line = READS[file].format(inputs=inputs, out=place / "out")
        status, said = forked(lambda: main(line.split()), NOBODY)
    finally:
        (inputs / file).chmod(0o755)
    assert status == 1, said
    assert file.split("/")[-1] in said and "Permission denied" in said
    assert not list((place / "out").rglob("*"))
