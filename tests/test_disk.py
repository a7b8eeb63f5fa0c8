"""Disks that are full or read-only, folders without permission: a message, nothing half-written, and the same command finishes later."""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml
from test_fetch import CONTENT, a_source
from test_training import CPU, a_run, blobs
from test_workflow import TINY

from pga.cli import main
from pga.collect import COLUMNS
from pga.params.scale import load_scale
from pga.trainloop import train

ROOT = Path(__file__).resolve().parents[1]
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


@pytest.fixture(scope="module")
def inputs(open_folder: Path) -> Path:
    """What the commands read."""
    folder = open_folder / "inputs"
    folder.mkdir()
    train(a_run(steps=4, snapshots=2), blobs(), "data", "code", CPU, folder / "run", folder / "scratch")
    (folder / "mirror").mkdir()
    (folder / "mirror" / "file.bin").write_bytes(CONTENT)
    source = a_source("http://127.0.0.1:9/", mirror=["file.bin"])
    (folder / "sources.yaml").write_text(yaml.safe_dump({"sources": {"toy": source.model_dump(mode="json")}}))
    images = folder / "images"
    images.mkdir()
    from PIL import Image

    for number in range(40):
        Image.fromarray(np.full((32, 32, 3), number, np.uint8)).save(images / f"{number:02}.png")
    (folder / "datasets.yaml").write_text(
        yaml.safe_dump({"datasets": {"digits": {"kind": "digits"}, "own": {"kind": "folder", "path": str(images), "size": 64}}})
    )
    (folder / "tiny.yaml").write_text(TINY.replace("steps: [300", "steps: [4").replace("warmup_steps: [200", "warmup_steps: [2"))
    assert main(COMMANDS["prepare"].format(inputs=folder, out=folder).split()) == 0
    scale = load_scale(ROOT / "params/quick.yaml")
    rows = [
        f"{dataset},{model},{seed},{sampling},{scale.evaluation.metric},1.5,,9,train,classifier,1.0"
        for dataset, model, sampling in scale.measurements()
        for seed in scale.seeds
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
}


def run(name: str, inputs: Path, out: Path) -> int:
    """Run a command of the table here."""
    return main(COMMANDS[name].format(inputs=inputs, out=out).split())


def forked(act: Callable[[], int], said: Path, user: int | None = None) -> tuple[int, str]:
    """Exit status and stderr of `act` in a process of its own, with the rights of `user`; a traceback is status 99."""
    child = os.fork()
    if child == 0:
        status = 99
        try:
            descriptor = os.open(said, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o666)
            os.dup2(descriptor, 2)
            sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115
            if user is not None:
                os.setgroups([]), os.setgid(user), os.setuid(user)
            status = act()
        except BaseException:
            traceback.print_exc()
        finally:
            with contextlib.suppress(OSError):
                sys.stderr.flush()
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), said.read_text()


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
        for room in (0, 4096, *(needed * k // 6 // 4096 * 4096 for k in (1, 3, 5))):
            out = small / f"room{room}"
            filler = small / "filler"
            with filler.open("wb") as file:
                free = os.statvfs(small)
                os.posix_fallocate(file.fileno(), 0, free.f_bavail * free.f_frsize - room)
            status, said = forked(lambda out=out: run(name, inputs, out), place / "said")
            assert status in (0, 1), said
            if status == 1:
                failures += 1
                assert "No space left on device" in said or "requested and" in said, said
                for path, content in visible(out).items():
                    assert path in whole and (content == whole[path] or path.endswith("labels.npz")), path
            filler.unlink()
            assert forked(lambda out=out: run(name, inputs, out), place / "said")[0] == 0
            assert without_wall_times(visible(out)) == without_wall_times(whole)
            assert not list(out.rglob(".*.part*"))
    assert failures >= 2


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
        status, said = forked(lambda: run(name, inputs, small), place / "said", None if how == "read-only" else NOBODY)
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
        status, said = forked(lambda: main(line.split()), place / "said", NOBODY)
    finally:
        (inputs / file).chmod(0o755)
    assert status == 1, said
    assert file.split("/")[-1] in said and "Permission denied" in said
    assert not list((place / "out").rglob("*"))
