"""What the paper's rows take on this device, projected from a measured window; the bytes of a run made several ways; seeds at once.

Every variant is timed by itself, in windows without a wait for the device in between. Steps are those with all terms in use; a row's time
is its steps at the measured speed. Shares are FLOP per second over the data sheet's peak where it is known, over a measured large product's
rate elsewhere. Bytes: two processes at once make the same states, each recorded, recorded and continued from a state in between, and eager.

Example:
    python benchmarks/training/rows.py --device cuda --out /tmp/rows.log
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import TypeVar

import torch

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
from at_once import seconds_per_step
from ceiling import best_time
from costs import IMAGES, duration, flop_per_step
from machine import as_text, facts
from step import as_table
from subjects import ROOT, clock, contiguous, in_turn, row, trainer_of, window

from pga.params.experiment import load_experiment
from pga.params.run import Run
from pga.runtime import devices, precision
from pga.training.trainer import Trainer

T = TypeVar("T")
Lay = Callable[[Trainer], Trainer]
ROWS = [f"{dataset}/{model}" for dataset in ("mnist", "cifar10", "celeba") for model in ("lpga", "vpga", "vae")]
SAME = ["mnist/lpga", "cifar10/lvpga", "celeba/vpga"]
PRECISIONS = ("float32", "tf32", "bfloat16")
PEAKS = {"float32": 66.9e12, "tf32": 494.7e12}
"""Of an H100 or H200 (SXM), FLOP per second of the dense units, from the data sheet."""
STEPS = 24
"""Of the runs whose bytes are compared: a third of them warm-up, and continued after two thirds."""


def peaks(device: torch.device, read: object) -> dict[str, tuple[float, str]]:
    """FLOP per second at most, and whence that is known, in float32 and in TF32."""
    size = 8192 if device.type == "cuda" else 512
    a = torch.randn(size, size, device=device)
    found = {}
    for name in PRECISIONS[:2]:
        with precision.forward(name, device):
            found[name] = (2 * size**3 / best_time(lambda: a @ a, read), "a product measured here")
    if device.type == "cuda" and any(kind in devices.describe(device) for kind in ("H100", "H200")):
        found = {name: (PEAKS[name], f"data sheet; {rate / 1e12:.1f} TFLOP/s by {whence}") for name, (rate, whence) in found.items()}
    return found


def speed(run: Run, device: torch.device, seconds: float, read: object, how: Lay = lambda trainer: trainer) -> tuple[float, float, bool]:
    """Steps per second, GiB of the device at most, and whether the step was recorded."""
    if device.type == "cuda":
        torch._C._cuda_clearCublasWorkspaces()  # the last one's
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
    trainer = how(trainer_of(run, device))
    times = in_turn({"": window(trainer.advance, device)}, seconds, read)[""]
    memory = torch.cuda.max_memory_allocated(device) / 2**30 if device.type == "cuda" else 0.0
    return 1 / median(times), memory, trainer.graph.replay is not None


def measure(name: str, device: torch.device, own: dict[str, int], seconds: float, peak: dict[str, tuple[float, str]]) -> dict[str, str]:
    """One row of the table."""
    dataset, model = name.split("/")
    read, run = clock(device, "wall"), row(dataset, model, **own)
    images = range(IMAGES[dataset])
    steps = load_experiment(ROOT / "params/paper.yaml").run(dataset, model, 0).total_steps(len(images[run.split(len(images))[0]]))
    flop = flop_per_step(run)
    eager, memory, _ = speed(replace(run, graph="never"), device, seconds, read)
    found = {"row": name, "GFLOP": f"{flop / 1e9:.1f}", "steps": f"{steps:,}", "eager": f"{eager:.4g}/s: {duration(steps / eager)}"}
    found["GiB"] = f"{memory:.2f}"
    for kind in PRECISIONS if device.type == "cuda" else ():
        fast, memory, recorded = speed(replace(run, precision=kind), device, seconds, read)
        share = f", {flop * fast / peak[kind][0]:.0%} of peak" if kind in peak else ""
        found[kind] = f"{fast:.4g}/s ({fast / eager:.1f} × eager{share}{'' if recorded else ', NOT RECORDED'}): {duration(steps / fast)}"
        found["GiB"] += f", {memory:.2f}"
    if device.type == "cuda":
        found["float32, contiguous"] = f"{speed(run, device, seconds, read, contiguous)[0]:.4g}/s"
    return found


def digests(names: list[str], device: str, own: dict[str, int]) -> dict[str, str]:
    """Of the state after some steps, (row, precision, way) → SHA-256."""
    chosen = devices.choose(device)
    devices.make_deterministic(1)
    found = {}
    for name in names:
        run = row(*name.split("/"), warmup_steps=STEPS // 3, learning_rate=1e-5, **own)
        for kind in PRECISIONS if chosen.type == "cuda" else PRECISIONS[::2]:
            ways = {"recorded": (replace(run, precision=kind), False), "continued": (replace(run, precision=kind), True)}
            ways["eager"] = (replace(run, precision=kind, graph="never"), False)
            found |= {f"{name} {kind} {way}": digest(*how, chosen) for way, how in ways.items()}
    return found


def digest(run: Run, interrupted: bool, device: torch.device) -> str:
    """SHA-256 of what a checkpoint would hold."""
    trainer = trainer_of(run, device)
    for step in range(STEPS):
        if interrupted and step == 2 * STEPS // 3:
            tensors, record = trainer.state()
            trainer = trainer_of(run, device)
            trainer.restore({name: tensor.cpu() for name, tensor in tensors.items()}, record)
        trainer.advance()
    return state_digest(trainer)


def state_digest(trainer: Trainer) -> str:
    """Over names and bytes of all tensors."""
    hasher = hashlib.sha256()
    for name, tensor in sorted(trainer.state()[0].items()):
        hasher.update(name.encode())
        hasher.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return hasher.hexdigest()


def same_bytes(names: list[str], device: torch.device, own: dict[str, int]) -> list[str]:
    """For each row and precision whether all ways gave the same bytes in both processes, and which did not."""
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as processes:
        first, second = (task.result() for task in [processes.submit(digests, names, str(device), own) for _ in range(2)])
    lines = []
    for key in [key for key in first if key.endswith(" eager")]:
        case = key.removesuffix(" eager")
        ways = [way for way in first if way.startswith(f"{case} ")]
        other = [way.removeprefix(f"{case} ") for way in ways if {first[way], second[way]} != {first[key]}]
        lines.append(f"{case}: {'DIFFERENT: ' + ', '.join(other) if other else f'same, {first[key][:12]}…'}")
    return lines


def seeds_at_once(name: str, device: torch.device, own: dict[str, int], seeds: int, steps: int) -> list[str]:
    """Throughput of several seeds at once over that of one after another, each way."""
    read = clock(device, "wall")
    alone = seconds_per_step(name, own, device, 1, steps, read)
    both = seconds_per_step(name, own, device, seeds, steps, read)
    best = min(alone.values())
    return [
        f"{name}, {seeds} seeds at once as {way}: {seconds:.4g} s for a step of each, {seeds * best / seconds:.2f} times one after another"
        for way, seconds in both.items()
    ]


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="+", default=ROWS, metavar="DATASET/MODEL", help="rows of params/paper.yaml (default: %(default)s)")
    parser.add_argument("--same", nargs="+", default=SAME, metavar="DATASET/MODEL", help="whose bytes are compared (default: %(default)s)")
    parser.add_argument("--seeds", type=int, default=3, help="at once, of the first row (default: %(default)s)")
    parser.add_argument("--steps", type=int, help="of each seed (default: 10, on a GPU 500)")
    parser.add_argument("--width", type=int, help="instead of the rows' own, to try the benchmark quickly")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:K")
    parser.add_argument("--seconds", type=float, default=1.5, help="for each variant of a row (default: %(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="where to write the log")
    arguments = parser.parse_args()
    device = devices.choose(arguments.device)
    devices.make_deterministic(1)
    own = {"width": arguments.width} if arguments.width else {}
    peak = peaks(device, clock(device, "wall"))
    steps, failed = arguments.steps or (500 if device.type == "cuda" else 10), list[str]()

    def attempt(what: str, make: Callable[[], list[T]]) -> list[T]:
        """What `make` gives; nothing, and a line of the log, where it fails: the other figures are not to be lost with it."""
        try:
            made = make()
            print(what, *made, sep="\n  ", file=sys.stderr, flush=True)
            return made
        except (Exception, SystemExit) as error:
            failed.append(f"FAILED: {what}: {type(error).__name__}: {error}")
            return []

    seconds = arguments.seconds
    found = [row for name in arguments.rows for row in attempt(name, lambda name=name: [measure(name, device, own, seconds, peak)])]
    lines = [f"peak in {name}: {rate / 1e12:.1f} TFLOP/s ({whence})" for name, (rate, whence) in peak.items()]
    lines += ["", as_table(found) if found else "", ""]
    lines += attempt("seeds at once", lambda: seeds_at_once(arguments.rows[0], device, own, arguments.seeds, steps))
    lines += ["", *attempt("bytes", lambda: same_bytes(arguments.same, device, own)), *failed]
    print("\n".join(lines))
    arguments.out.write_text("\n".join([as_text(facts()), "", *lines]) + "\n")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
