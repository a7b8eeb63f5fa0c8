"""How long a job takes before its first step: Python, torch, our own modules, the networks, the step that allocates and chooses kernels.

Each line is a process of its own, started several times in turn; shown are medians of the wall time and of the processor's, from the
start of the process to what the line names, and the steps that the same time would have been.

Example:
    python benchmarks/training/start.py --times 5
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
from machine import as_text, facts
from subjects import ROOT

FIRST_STEP = """
import sys
sys.path[:0] = ["benchmarks/training"]
from subjects import row, trainer_of
from pga.runtime import devices
device = devices.choose("{device}")
devices.make_deterministic(1)
trainer = trainer_of(row("mnist", "lpga"), device, batches=2)
trainer.advance()
float(trainer.sums["r"])  # a GPU has then done it
"""
TORCHS = "import torch; torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)"

WORDS = {
    "python": ["-c", "pass"],
    "pga --help": ["-m", "pga", "--help"],
    "pga train --help": ["-m", "pga", "train", "--help"],
    "import torch": ["-c", "import torch"],
    "import torch, and an optimiser of its own": ["-c", TORCHS],
    "first step of mnist/lpga": ["-c", FIRST_STEP],
    "first step of cifar10/lpga": ["-c", FIRST_STEP.replace('"mnist"', '"cifar10"')],
}


def once(words: list[str]) -> tuple[float, float]:
    """(wall, processor) seconds of one process of ours."""
    started, before = time.perf_counter(), os.times()
    subprocess.run([sys.executable, *words], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    busy = after.children_user + after.children_system - before.children_user - before.children_system
    return time.perf_counter() - started, busy


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", help="of the first steps: auto, cpu, cuda or cuda:K (default: %(default)s)")
    parser.add_argument("--times", type=int, default=5, help="starts of each (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("start-cpu.log"), help="(default: %(default)s)")
    arguments = parser.parse_args()
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in WORDS}
    for _ in range(arguments.times):
        for name, words in WORDS.items():
            found[name].append(once([word.replace("{device}", arguments.device) for word in words]))
    lines = ["| until | wall s | processor s |", "| --- | --- | --- |"]
    for name, times in found.items():
        lines.append(f"| {name} | {median(wall for wall, _ in times):.2f} | {median(busy for _, busy in times):.2f} |")
    print("\n".join(lines))
    raw = [f"  {name}: {' '.join(f'{wall:.2f}/{busy:.2f}' for wall, busy in times)}" for name, times in found.items()]
    text = as_text(facts() | {"at": time.strftime("%Y-%m-%d")})
    arguments.out.write_text("\n".join([text, "", *lines, "", "each start, wall/processor:", *raw]) + "\n")


if __name__ == "__main__":
    main()
