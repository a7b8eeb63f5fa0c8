"""How fast is one training step: ours, the literal transcription, pythae's trainer, and the machine's own ceiling, in one run.

Prints a table and writes it, with every single time and the facts of the machine, into a log. Speeds are steps per second, the median of
steps taken in turn; "of the ceiling" is the time that the step's convolutions and matrix products take alone at their best (`ceiling.py`)
over the time of our step.

Example:
    python benchmarks/training/step.py --rows mnist/lpga mnist/vpga cifar10/lpga --threads 1
    python benchmarks/training/step.py --device cuda
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from statistics import median

import torch

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
from ceiling import ceiling
from machine import as_text, facts
from subjects import clock, contiguous, has_pythae, in_turn, literal_step, pythae_epoch, row, trainer_of, window

from pga.runtime import devices

ROWS = ["mnist/lpga", "mnist/vpga", "cifar10/lpga", "cifar10/vpga", "mnist/vae", "mnist/wae", "mnist/rae_l2", "cifar10/vae"]
PYTHAE = ("vae", "wae", "rae_l2")
EPOCH = 5
"""Steps of pythae's that are timed together, because its trainer takes whole epochs."""


def measure(name: str, device: torch.device, arguments: argparse.Namespace) -> tuple[dict[str, object], str]:
    """One row of the table, and its part of the log."""
    dataset, model = name.split("/")
    run = row(dataset, model, threads=arguments.threads, graph="never", **({"width": arguments.width} if arguments.width else {}))
    read = clock(device, arguments.clock)
    ours = trainer_of(run, device)
    steps = {"ours": ours.advance, "contiguous": contiguous(trainer_of(run, device)).advance}
    steps["bfloat16"] = trainer_of(replace(run, precision="bfloat16", graph="auto"), device).advance
    if device.type == "cuda":
        steps["tf32"] = trainer_of(replace(run, precision="tf32", graph="auto"), device).advance
        steps["graph"] = trainer_of(replace(run, graph="auto"), device).advance
    if model not in ("wae", "rae", "rae_l2"):  # their literal losses go through pairs of codes one by one
        # as torch lays tensors out: the memory format is a choice of ours
        steps["literal"] = literal_step(contiguous(trainer_of(run, device)))
    variants = {name: window(advance, device) for name, advance in steps.items()}
    if model in PYTHAE and has_pythae():
        variants["pythae"] = (pythae_epoch(trainer_of(run, device), EPOCH), EPOCH)
    times = in_turn(variants, arguments.seconds, read)
    speed = {variant: 1 / median(found) for variant, found in times.items()}
    best = max(speed["ours"], speed.get("graph", 0.0))
    least, flop, products = ceiling(ours.advance, device, read)
    found: dict[str, object] = {"row": name, "GFLOP": f"{flop / 1e9:.1f}", "ours": f"{speed['ours']:.2f}"}
    found |= {
        variant: f"{speed[variant]:.2f}" if variant in speed else "–"
        for variant in ("graph", "tf32", "bfloat16", "contiguous", "literal", "pythae")
    }
    found["× literal"] = f"{best / speed['literal']:.2f}" if "literal" in speed else "–"
    found["× pythae"] = f"{best / speed['pythae']:.2f}" if "pythae" in speed else "–"
    found |= {"GFLOP/s": f"{flop * best / 1e9:.0f}", "of the ceiling": f"{100 * least * best:.0f} %"}
    log = [f"\n{name}: seconds per step"]
    log += [f"  {variant}: {' '.join(f'{t:.4g}' for t in found)}" for variant, found in times.items()]
    log += ["  products alone (times a step, ms each, GFLOP/s):"]
    log += [f"    {count:3d} {ms:9.3f} {rate:8.1f}  {what}" for what, count, ms, rate in products]
    return found, "\n".join(log)


def as_table(rows: list[dict[str, object]]) -> str:
    """Markdown."""
    heads = list(rows[0])
    lines = [heads, ["---"] * len(heads), *([str(row[head]) for head in heads] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="+", default=ROWS, metavar="DATASET/MODEL", help="rows of params/paper.yaml (default: %(default)s)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:K")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of a step (default: %(default)s)")
    parser.add_argument("--width", type=int, help="instead of the row's own, to try the benchmark quickly")
    parser.add_argument("--seconds", type=float, default=10.0, help="for the steps of each row (default: %(default)s)")
    parser.add_argument(
        "--clock", choices=("wall", "cpu"), default="wall", help="cpu: seconds of this process, for one thread on a machine that others use"
    )
    parser.add_argument("--out", type=Path, help="where to write the log (default: beside this file, named after the device)")
    arguments = parser.parse_args()
    device = devices.choose(arguments.device)
    devices.make_deterministic(arguments.threads)
    rows, logs = [], []
    for name in arguments.rows:
        found, log = measure(name, device, arguments)
        rows.append(found)
        logs.append(log)
        print(found, file=sys.stderr, flush=True)
    table = as_table(rows)
    print(table)
    path = arguments.out or Path(__file__).with_name(f"step-{device.type}.log")
    path.write_text(f"{as_text(facts() | {'clock': arguments.clock})}\n\n{table}\n{chr(10).join(logs)}\n")


if __name__ == "__main__":
    main()
