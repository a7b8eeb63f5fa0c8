"""How a step's speed grows with the batch, the width, the number of images, threads and seeds at once, with fitted exponents.

Seconds per step are fitted as c · quantity^exponent: near 1 for the batch and 2 for the width while arithmetic decides, near 0 for the
number of images, which a step does not read, near -1 for threads that help. Seeds run as processes of their own, all at once on one
device; their exponent is that of seconds per step of the slowest: near 0 while the device has room, 1 when it is full. On a CPU the last
line compares both ways to use its cores: several runs of one thread each, or one run of several threads.

A quantity without values is left out.

Example:
    python benchmarks/training/growth.py --row mnist/lpga --batches 16 32 64 --widths 16 32 64
    python benchmarks/training/growth.py --batches --widths --images --seeds 1 2 3 --threads 1 2
"""

from __future__ import annotations

import argparse
import multiprocessing
import queue
import sys
import time
from pathlib import Path
from statistics import median

import numpy as np
import torch

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
from machine import as_text, facts
from subjects import clock, in_turn, row, trainer_of, window

from pga.runtime import devices


def speeds(trainers: dict[int, object], device: torch.device, seconds: float, read: object) -> dict[int, float]:
    """Seconds per step of each, measured in turn."""
    times = in_turn({str(key): window(trainer.advance, device) for key, trainer in trainers.items()}, seconds, read)
    return {int(key): median(found) for key, found in times.items()}


def exponent(found: dict[int, float]) -> float:
    """Slope of the logarithms."""
    return float(np.polyfit(np.log(list(found)), np.log(list(found.values())), 1)[0])


def one_seed(name: str, own: dict[str, int], device: str, seed: int, steps: int, barrier: object, ends: object) -> None:
    """One process of several: waits for the others, then steps."""
    run, chosen = row(*name.split("/"), seed=seed, **own), devices.choose(device)
    devices.make_deterministic(run.threads)
    trainer = trainer_of(run, chosen)
    for _ in range(2):
        trainer.advance()
    read = clock(chosen, "wall")
    barrier.wait()
    started = read()
    for _ in range(steps):
        trainer.advance()
    ends.put((read() - started) / steps)


def together(name: str, own: dict[str, int], device: str, seeds: int, steps: int) -> float:
    """Seconds per step of the slowest of so many runs at once."""
    context = multiprocessing.get_context("spawn")
    barrier, ends = context.Barrier(seeds), context.Queue()
    processes = [context.Process(target=one_seed, args=(name, own, device, seed, steps, barrier, ends)) for seed in range(seeds)]
    for process in processes:
        process.start()
    try:
        return max(answer(ends, processes) for _ in processes)
    finally:
        for process in processes:
            process.terminate()  # those that wait for one that failed; the others have ended or are about to
            process.join()


def answer(ends: object, processes: list[multiprocessing.Process]) -> float:
    """The next process's answer; ends the benchmark if one has failed, since the others then wait for it forever."""
    while True:
        try:
            return ends.get(timeout=1)
        except queue.Empty:
            if any(process.exitcode for process in processes):
                raise SystemExit(f"one of {len(processes)} runs at once failed, as said above") from None


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--row", default="mnist/lpga", metavar="DATASET/MODEL", help="row of params/paper.yaml (default: %(default)s)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:K")
    parser.add_argument("--batches", nargs="*", type=int, default=[16, 32, 64, 128], help="(default: %(default)s)")
    parser.add_argument("--widths", nargs="*", type=int, default=[16, 32, 64], help="(default: %(default)s)")
    parser.add_argument("--width", type=int, help="of all but `--widths`, instead of the row's own, to try the benchmark quickly")
    parser.add_argument("--images", nargs="*", type=int, default=[640, 6400, 64000], help="(default: %(default)s)")
    parser.add_argument("--seeds", nargs="*", type=int, default=[1, 2, 3], help="runs at once (default: %(default)s)")
    parser.add_argument("--threads", nargs="*", type=int, default=[1, 2], help="of one run, on a CPU (default: %(default)s)")
    parser.add_argument("--steps", type=int, help="of each run at once (default: 10, on a GPU 500)")
    parser.add_argument("--seconds", type=float, default=10.0, help="for each of the other quantities (default: %(default)s)")
    parser.add_argument(
        "--clock", choices=("wall", "cpu"), default="wall", help="as in step.py; seeds at once and threads are always by the wall"
    )
    parser.add_argument("--out", type=Path, help="where to write the log (default: beside this file, named after the device)")
    arguments = parser.parse_args()
    device = devices.choose(arguments.device)
    devices.make_deterministic(1)
    dataset, model = arguments.row.split("/")
    read, lines = clock(device, arguments.clock), ["| quantity | seconds per step | exponent |", "| --- | --- | --- |"]
    own = {"width": arguments.width} if arguments.width else {}
    size = row(dataset, model).batch_size
    quantities = {
        "batch": {n: trainer_of(row(dataset, model, batch_size=n, **own), device) for n in arguments.batches},
        "width": {n: trainer_of(row(dataset, model, width=n), device) for n in arguments.widths},
        "images": {n: trainer_of(row(dataset, model, **own), device, batches=n // size) for n in arguments.images},
    }
    steps = arguments.steps or (500 if device.type == "cuda" else 10)
    measured = {name: speeds(trainers, device, arguments.seconds, read) for name, trainers in quantities.items() if trainers}
    if arguments.seeds:
        measured["seeds at once"] = {n: together(arguments.row, own, str(device), n, steps) for n in arguments.seeds}
    if arguments.threads and device.type == "cpu":
        measured["threads"] = {n: together(arguments.row, own | {"threads": n}, "cpu", 1, steps) for n in arguments.threads}
    for name, found in measured.items():
        lines.append(f"| {name} | {', '.join(f'{n}: {s:.4g}' for n, s in found.items())} | {exponent(found):.2f} |")
    for n in set(measured.get("seeds at once", {})) & set(measured.get("threads", {})) - {1}:
        runs, one = n / measured["seeds at once"][n], 1 / measured["threads"][n]
        lines += ["", f"{n} cores: {runs:.2f} steps/s by {n} runs of one thread, {one:.2f} by one of {n} threads ({runs / one:.2f} times)"]
    print("\n".join(lines))
    path = arguments.out or Path(__file__).with_name(f"growth-{device.type}.log")
    text = as_text(facts() | {"clock": arguments.clock, "row": arguments.row, "at": time.strftime("%Y-%m-%d")})
    path.write_text(text + "\n\n" + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
