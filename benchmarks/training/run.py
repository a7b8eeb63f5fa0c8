"""All benchmarks of training in one run: the step (step.py), its growth (growth.py), a job's start (start.py), and the costs (costs.py).

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

HERE = Path(__file__).parent
PAPER = [f"{dataset}/{model}" for dataset in ("mnist", "cifar10", "celeba") for model in ("lpga", "vpga", "vae")]


def main() -> None:
    """Run one after another; the first that fails ends it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:K")
    parser.add_argument("--out", type=Path, required=True, help="folder for the logs and costs.md")
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall", help="as in step.py")
    parser.add_argument("--quick", action="store_true", help="one row at small width, to try the command")
    arguments = parser.parse_args()
    out = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    common = ["--device", arguments.device, "--clock", arguments.clock]
    step = ["--rows", "mnist/lpga", "--width", "4", "--seconds", "1"] if arguments.quick else ["--rows", *PAPER]
    growth = shlex.split("--width 2 --batches 8 16 --widths 2 4 --images 64 640 --seeds 1 2 --threads 1 2 --steps 2 --seconds 1")
    commands = [
        ["step.py", *common, *step, "--out", f"{out}/step.log"],
        ["growth.py", *common, *(growth if arguments.quick else []), "--out", f"{out}/growth.log"],
        ["start.py", "--times", "1" if arguments.quick else "5", "--out", f"{out}/start.log"],
        ["costs.py", "--log", f"{out}/step.log", "--out", f"{out}/costs.md"],
    ]
    for name, *flags in commands:
        print(f"== {name} {' '.join(flags)}", file=sys.stderr, flush=True)
        subprocess.run([sys.executable, str(HERE / name), *flags], check=True)


if __name__ == "__main__":
    main()
