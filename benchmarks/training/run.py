"""All benchmarks of training in one run: whole rows (rows.py), the step (step.py), its growth (growth.py), a job's start, and the costs.

On a GPU it takes less than ten minutes, and needs torch, numpy, pandas, pydantic and yaml; without pythae its column stays empty.

Example:
    python benchmarks/training/run.py --device cuda --out /tmp/training
    python benchmarks/training/run.py --device cpu --quick --out /tmp/training
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
from pathlib import Path

import torch

HERE = Path(__file__).parent
PAPER = [f"{dataset}/{model}" for dataset in ("mnist", "cifar10", "celeba") for model in ("lpga", "vpga", "vae")]


def main() -> None:
    """Run one after another; one that fails does not keep the others from it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:K")
    parser.add_argument("--out", type=Path, required=True, help="folder for the logs and costs.md")
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall", help="as in step.py")
    parser.add_argument("--quick", action="store_true", help="one row at small width, to try the command")
    arguments = parser.parse_args()
    out = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    common = ["--device", arguments.device, "--clock", arguments.clock]
    step = ["--rows", "mnist/lpga", "--width", "4", "--seconds", "1"] if arguments.quick else ["--rows", *PAPER, "--seconds", "5"]
    rows = []
    if arguments.quick:
        rows = shlex.split("--rows mnist/lpga --same mnist/lpga --seeds 2 --steps 2 --width 4 --seconds 0.5")
    elif arguments.device == "cpu" or not torch.cuda.is_available():  # steps of seconds: the smallest networks will do
        rows = shlex.split("--rows mnist/lpga cifar10/lpga --same mnist/lpga --seeds 2 --width 16")
    growth = shlex.split("--width 2 --batches 8 16 --widths 2 4 --images 64 640 --seeds 1 2 --threads 1 2 --steps 2 --seconds 1")
    commands = [
        ["rows.py", "--device", arguments.device, *rows, "--out", f"{out}/rows.log"],
        ["step.py", *common, *step, "--out", f"{out}/step.log"],
        ["growth.py", *common, *(growth if arguments.quick else []), "--out", f"{out}/growth.log"],
        ["start.py", "--device", arguments.device, "--times", "1" if arguments.quick else "3", "--out", f"{out}/start.log"],
        ["costs.py", "--log", f"{out}/step.log", "--out", f"{out}/costs.md"],
    ]
    failed = []
    for name, *flags in commands:
        print(f"== {name} {' '.join(flags)}", file=sys.stderr, flush=True)
        if subprocess.run([sys.executable, str(HERE / name), *flags], check=False).returncode:
            failed.append(name)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
