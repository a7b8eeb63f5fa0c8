"""Which process computes on which GPU: real processes and real locks, on names of GPUs instead of GPUs; and what is said of a bad one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import torch

from pga.cli import main
from pga.runtime import devices, gpu_locks
from pga.runtime.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
CLAIM = """
import sys
from pathlib import Path
from pga.runtime.gpu_locks import claim

identities, places, folder = sys.argv[1].split(","), int(sys.argv[2]), Path(sys.argv[3])
print(identities[claim(identities, places, lambda number: identities[number] != "lost", folder)], flush=True)
sys.stdin.read()
"""


class Claimant:
    """A process that claims a GPU and keeps it until it is told to end."""

    def __init__(self, identities: str, places: int, folder: Path):
        words = [sys.executable, "-c", CLAIM, identities, str(places), str(folder)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self.process = subprocess.Popen(words, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, text=True, **pipes)

    def gpu(self) -> str:
        return self.process.stdout.readline().strip()

    def end(self) -> str:
        return self.process.communicate("")[1]


def test_as_many_processes_as_gpus_take_different_ones(tmp_path: Path) -> None:
    claimants = [Claimant("a,b,c,d", 1, tmp_path) for _ in range(4)]
    assert sorted(claimant.gpu() for claimant in claimants) == ["a", "b", "c", "d"]
    for claimant in claimants:
        claimant.end()


def test_several_processes_share_a_gpu_evenly_when_asked_to(tmp_path: Path) -> None:
    first = [Claimant("a,b", 2, tmp_path) for _ in range(2)]
    assert {claimant.gpu() for claimant in first} == {"a", "b"}  # an empty GPU comes before a shared one
    second = [Claimant("a,b", 2, tmp_path) for _ in range(2)]
    assert Counter(claimant.gpu() for claimant in second) == {"a": 1, "b": 1}
    for claimant in first + second:
        claimant.end()


def test_a_killed_process_leaves_its_gpu_to_the_next_which_waited_for_it(tmp_path: Path) -> None:
    holder = Claimant("a", 1, tmp_path)
    assert holder.gpu() == "a"
    waiting = Claimant("a", 1, tmp_path)
    assert "waiting for a GPU: all 1 are in use" in waiting.process.stderr.readline()
    holder.process.kill()
    assert waiting.gpu() == "a"
    waiting.end(), holder.process.communicate()


def test_a_schedulers_choice_is_the_same_gpu_under_another_number(tmp_path: Path) -> None:
    chosen = Claimant("b", 1, tmp_path)  # sees CUDA_VISIBLE_DEVICES=1, where b has the number 0
    assert chosen.gpu() == "b"
    others = [Claimant("a,b,c", 1, tmp_path) for _ in range(2)]
    assert {claimant.gpu() for claimant in others} == {"a", "c"}
    for claimant in [chosen, *others]:
        claimant.end()


def test_a_lost_gpu_is_left_out(tmp_path: Path) -> None:
    claimants = [Claimant("lost,b", 1, tmp_path)]
    assert claimants[0].gpu() == "b"
    claimants[0].end()
    nothing = Claimant("lost", 1, tmp_path)
    assert "none of the 1 GPUs answers" in nothing.end()
    assert nothing.process.returncode != 0


def test_jobs_with_different_folders_for_temporary_files_take_different_gpus(tmp_path: Path) -> None:
    script = "from pga.runtime import gpu_locks; print(gpu_locks.claim(['a-test', 'b-test']), flush=True); input()"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    jobs = [
        subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, env={**os.environ, "TMPDIR": str(tmp_path / name)}, text=True, **pipes)
        for name in ("one", "two")
    ]
    assert {job.stdout.readline().strip() for job in jobs} == {"0", "1"}
    for job in jobs:
        job.communicate("\n")


def test_another_users_folder_of_locks_is_refused(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("devices: no right to give a folder away")
    os.chown(tmp_path, 12345, 12345)
    with pytest.raises(UserError, match=f"{tmp_path}: locks on GPUs belong there, but it is another user's"):
        gpu_locks.claim(["a"], folder=tmp_path)


def test_the_device_is_the_first_line_of_a_log_with_a_warning_where_a_gpu_was_asked_for(tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("devices: there is a GPU here")
    command = [sys.executable, "-m", "pga", "sample", "--run", str(tmp_path), "--out", "x.npy"]

    def log(**environment: str) -> list[str]:
        return subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True).stderr.splitlines()

    assert log()[0].startswith("device: CPU ")
    warned = log(PGA_GPUS="1", CUDA_VISIBLE_DEVICES="")
    assert warned[0].startswith("device: CPU ")
    assert warned[1].startswith("warning: a GPU was asked for (--resources gpu=1), and torch sees none (CUDA_VISIBLE_DEVICES is empty")
    assert "warning" not in log(PGA_GPUS="0")[1]


@pytest.mark.parametrize("text", ["0", "two", "-1", "1.5", ""])
def test_a_wrong_number_of_runs_per_gpu_is_named(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGA_RUNS_PER_GPU", text)
    with pytest.raises(UserError, match="PGA_RUNS_PER_GPU=.*at least 1"):
        gpu_locks.runs_per_gpu()


@pytest.mark.parametrize("name", ["meta", "gpu", "cuda:x", "cpu:1"])
def test_another_device_is_refused(name: str) -> None:
    with pytest.raises(UserError, match=f"--device {name}"):
        devices.choose(name)


def test_a_full_gpu_and_a_failed_one_get_advice_and_other_errors_do_not() -> None:
    full = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB\nmore")
    assert "the GPU is full (CUDA out of memory. Tried to allocate 2.00 GiB)" in devices.advice(full)
    assert "PGA_RUNS_PER_GPU, now 1" in devices.advice(full)
    assert "CUDA_VISIBLE_DEVICES" in devices.advice(torch.AcceleratorError("CUDA error: unspecified launch failure"))
    assert devices.advice(RuntimeError("mat1 and mat2 shapes cannot be multiplied")) is None


def test_the_command_line_ends_with_the_advice(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def full(arguments: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("pga.commands.sample.run", full)
    assert main(["sample", "--run", "x", "--out", "y"]) == 1
    assert capsys.readouterr().err.startswith("pga sample: error: the GPU is full (CUDA out of memory)")
