"""Training from the command to the finished files: resuming, checkpoints, signals, snapshots, progress."""

from __future__ import annotations

import csv
import io
import resource
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from pga.data.prepared import Images
from pga.params.run import Run
from pga.runtime import devices, environment
from pga.runtime.checkpoint import load_tensors, save_tensors
from pga.runtime.errors import UserError
from pga.runtime.files import atomic, digest
from pga.runtime.locks import Busy, alone
from pga.runtime.progress import Progress
from pga.runtime.sidecar import checksums
from pga.training.live import Live
from pga.training.run_record import Git, RunRecord
from pga.training.trainer import Trainer

CHECKPOINT_EVERY_S = 60.0
MEASURED_S = 10.0
"""Seconds of training after which its speed is known well enough to warn of a long one."""
LONG_S = 4 * 3600.0
"""Seconds beyond which a training on a CPU is worth a warning."""


class Stopped(UserError):
    """A signal asked the run to stop; its state is on disk."""

    exit_status = 143  # 128 + SIGTERM, by which a scheduler's requeue knows it


@contextmanager
def stop_on_signals() -> Iterator[list[int]]:
    """Collect SIGTERM, SIGINT and SIGUSR1 in a list for the loop to look at; a second SIGINT interrupts at once.

    Only a process's main thread receives signals; in any other the list stays empty.
    """
    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield received
        return

    def handler(number: int, frame: object) -> None:
        if number == signal.SIGINT and received:
            raise KeyboardInterrupt
        received.append(number)

    watched = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
    before = {number: signal.signal(number, handler) for number in watched}
    try:
        yield received
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def checkpoint_folder(scratch: Path, run: Run, data_sha256: str, code: str, device: torch.device) -> Path:
    """Where a run keeps its state: another folder for any change that would change its bytes."""
    identity = [run.asdict(), data_sha256, code, torch.__version__, devices.describe(device)]
    return scratch / f"{run.dataset}-{run.name}-seed{run.seed}-{digest(identity)[:16]}"


def train(
    run: Run,
    images: Images,
    data_sha256: str,
    code: str,
    device: torch.device,
    out: Path,
    scratch: Path,
    every_s: float = CHECKPOINT_EVERY_S,
    live: Path | None = None,
    before_writing: Callable[[], None] = lambda: None,
) -> None:
    """Train `run` and write model.safetensors, history.csv, snapshots.safetensors and run.json into `out`.

    A run that was killed continues from its last checkpoint and ends with the same bytes. Checkpoints lie in `scratch`,
    outside of what a workflow engine may delete, and go when the run is complete. In the folder `live` the training can be watched
    (`pga.training.live`); no result depends on it. `before_writing` may refuse to write.

    Raises:
        Diverged: a loss or a weight became non-finite or ran away.
        Stopped: a signal asked for it.
        UserError: another process trains the same run.
    """
    started = time.monotonic()
    say_why_not_extended(run, out)
    folder = checkpoint_folder(scratch, run, data_sha256, code, device)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with alone(folder / "lock"):
            devices.make_deterministic(run.threads)
            if run.precision == "tf32" and device.type == "cpu":
                print("note: precision tf32 is float32 on a CPU", file=sys.stderr)
            trainer = Trainer(run, images, device)
            found = run_to_end(trainer, folder, every_s, live)
            before_writing()
            write_results(trainer, folder, out, found, data_sha256, code, started)
            shutil.rmtree(folder, ignore_errors=True)  # another process may look into it just now, for the lock
    except Busy:
        raise UserError(
            f"{run.dataset}/{run.name}, seed {run.seed}, is being trained by another process (lock {folder / 'lock'})"
        ) from None


class Resumed(NamedTuple):
    """The steps at which a training went on after an interruption, and the seconds of its steps, of all starts together and of this one."""

    at_steps: list[int]
    wall_s: float
    now_s: float


def run_to_end(trainer: Trainer, folder: Path, every_s: float, live: Path | None) -> Resumed:
    """Resume if there is something to resume from, then step until the end."""
    run = trainer.run
    saved = folder / "state.safetensors"
    wall_before = 0.0
    resumed: list[int] = []
    if saved.exists():
        try:
            tensors, record = load_state(saved, run.snapshot_steps(len(trainer.images)))
        except UserError as error:
            print(f"{error}; starting from step 0", file=sys.stderr)
        else:
            trainer.restore(tensors, record)
            wall_before, resumed = record["wall_s"], [*record["resumed"], trainer.step]
    started = saved_at = logged_at = time.monotonic()
    logged_step, measured = trainer.step, False
    snapshots = run.snapshot_steps(len(trainer.images))

    def save() -> None:
        tensors, record = trainer.state()
        wall = wall_before + time.monotonic() - started
        save_tensors(saved, tensors, {**record, "of": folder.name, "wall_s": wall, "resumed": resumed})

    with (
        stop_on_signals() as received,
        Progress(trainer.total_steps, f"{run.dataset}/{run.name} seed {run.seed}", "step", trainer.step) as progress,
        Live(live, trainer) if live else nullcontext() as watched,
    ):
        while trainer.step < trainer.total_steps:
            rows = len(trainer.history)
            trainer.advance()
            for number in [k for k, step in enumerate(snapshots, 1) if step == trainer.step]:
                save_tensors(folder / snapshot_name(number), trainer.decoder_tensors(), {"run": run.asdict(), "step": trainer.step})
                if watched:
                    watched.snapshot()
            if len(trainer.history) > rows:
                now = time.monotonic()
                trainer.history[-1]["images_per_s"] = (trainer.step - logged_step) * run.batch_size / max(now - logged_at, 1e-9)
                logged_at, logged_step = now, trainer.step
                if watched:
                    watched.row(trainer.history[-1])
            last = trainer.history[-1] if trainer.history else {}
            shown = {key: value for key in ("encoder_loss", "decoder_loss") if (value := last.get(key)) is not None}
            progress.advance(1, **shown)
            if not measured and time.monotonic() - started >= MEASURED_S:
                measured = True
                warn_of_length(progress, trainer)
            if received:
                save()
                raise Stopped(
                    f"{run.dataset}/{run.name}, seed {run.seed}, stopped by {signal.Signals(received[0]).name} after step {trainer.step} "
                    f"of {trainer.total_steps}; its state is saved and the same command continues"
                )
            if time.monotonic() - saved_at >= every_s:
                save()
                saved_at = time.monotonic()
    save()  # so that a kill while the results are written costs nothing
    now_s = time.monotonic() - started
    return Resumed(resumed, wall_before + now_s, now_s)


def warn_of_length(progress: Progress, trainer: Trainer) -> None:
    """Warn of a training that will take long on a CPU."""
    seconds = progress.seconds_left()
    if trainer.device.type == "cpu" and seconds > LONG_S:
        print(
            f"warning: on this CPU the {progress.total - progress.done:,} steps left of {progress.title} take {seconds / 3600:.0f} hours "
            f"({seconds / 86400:.1f} days), at {progress.rate():.3g} steps a second; docs/costs.md says what a GPU takes",
            file=sys.stderr, flush=True,
        )  # fmt: skip


def say_why_not_extended(run: Run, out: Path) -> None:
    """Say why a longer run does not continue a finished one that lies in its place."""
    try:
        before, now = RunRecord.read(out / "run.json").run.asdict(), run.asdict()
    except UserError:
        return
    length = {"steps", "epochs"}
    if {key for key in now if before[key] != now[key]} in ({"steps"}, {"epochs"}, length):
        lengths = [", ".join(f"{key} {of[key]:,}" for key in sorted(length) if of[key]) for of in (before, now)]
        print(
            f"note: {out} holds this run with {lengths[0]}. With {lengths[1]} it begins at step 0: a finished run keeps its weights, not "
            "its optimiser's state, and history and snapshots of another length are of other steps",
            file=sys.stderr, flush=True,
        )  # fmt: skip


def load_state(path: Path, snapshots: list[int]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and record of a checkpoint, whose snapshots so far must be whole as well.

    Raises:
        UserError: the checkpoint or a snapshot is absent, damaged, or of another run than its folder says.
    """
    tensors, record = load_tensors(path)
    if record.get("of") != path.parent.name:
        raise UserError(f"{path}: the state of {record.get('of')}, its place is that of {path.parent.name}")
    for number, step in enumerate(snapshots, 1):
        if step <= record["step"]:
            snapshot = path.with_name(snapshot_name(number))
            if load_tensors(snapshot)[1].get("step") != step:
                raise UserError(f"{snapshot}: not the snapshot of step {step}")
    return tensors, record


def snapshot_name(number: int) -> str:
    """File name of the k-th snapshot, k from 1."""
    return f"snapshot{number:03d}.safetensors"


def write_results(trainer: Trainer, folder: Path, out: Path, found: Resumed, data_sha256: str, code: str, started: float) -> None:
    """Move what the run made under its final names; run.json, which vouches for the rest, comes last."""
    run = trainer.run
    made_by = {"run": run.asdict(), "code": code}
    write_snapshots(folder, out / "snapshots.safetensors", made_by, run.snapshot_steps(len(trainer.images)))
    write_history(out / "history.csv", trainer.history, list(trainer.weights))
    save_tensors(out / "model.safetensors", trainer.result(), {**made_by, "step": trainer.step})
    RunRecord(
        run=run,
        digest=run.digest,
        data_sha256=data_sha256,
        code=code,
        git=Git.model_validate(environment.git_state()),
        versions=environment.versions(),
        platform=environment.machine_kind(),
        parameters={name: sum(p.numel() for p in getattr(trainer, name).parameters()) for name in ("encoder", "decoder")},
        device=devices.describe(trainer.device),
        steps=trainer.step,
        selected_step=trainer.plateau.best_epoch if trainer.best else trainer.step,
        resumed_at_steps=found.at_steps,
        wall_s=found.wall_s,
        steps_per_s=trainer.step / found.wall_s if found.wall_s else None,
        start_up_and_write_s=time.monotonic() - started - found.now_s,
        peak_memory_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024),
        peak_gpu_memory_bytes=torch.cuda.max_memory_allocated(trainer.device) if trainer.device.type == "cuda" else None,
        files=checksums(out / name for name in ("history.csv", "model.safetensors", "snapshots.safetensors")),
    ).write(out / "run.json")


def write_snapshots(folder: Path, path: Path, made_by: dict[str, Any], steps: list[int]) -> None:
    """All snapshots in one file: `<number>.decoder.<name>`, numbers from 001, with the step of each in the record."""
    tensors: dict[str, Tensor] = {}
    for number, _ in enumerate(steps, 1):
        snapshot, _ = load_tensors(folder / snapshot_name(number))
        tensors |= {f"{number:03d}.{name}": tensor for name, tensor in snapshot.items()}
    save_tensors(path, tensors, {**made_by, "steps": steps})


def write_history(path: Path, history: list[dict[str, float | None]], terms: list[str]) -> None:
    """The history as CSV; floats in the shortest form that reads back equal.

    Columns stand in the order of the terms' table: in rows that went through a checkpoint they are sorted by name.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, ["step", *terms, "encoder_loss", "decoder_loss", "images_per_s"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    with atomic(path, "w") as file:
        file.write(text.getvalue())
