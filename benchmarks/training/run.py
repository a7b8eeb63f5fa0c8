"""All benchmarks of training in one run: whole rows (rows.py), the step (step.py), its growth (growth.py), a job's start, and the costs.

On a GPU it is cut to take less than ten minutes, and needs torch, numpy, pandas, pydantic and yaml; without pythae its column stays empty.

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

sys.path.insert(0, str(Path(__file__).parents[1]))
import machine  # noqa: F401  the code beside this file is measured, and what is missing is said in one line

from pga.runtime import devices

HERE = Path(__file__).parent
PAPER = " ".join(f"{dataset}/{model}" for dataset in ("mnist", "cifar10", "celeba") for model in ("lpga", "vpga", "vae"))
SHORT = {
    "quick": {
        "rows": "--rows mnist/lpga --same mnist/lpga --seeds 2 --steps 2 --width 4 --seconds 0.5",
        "step": "--rows mnist/lpga --width 4 --seconds 1",
        "growth": "--width 2 --batches 8 16 --widths 2 4 --images 64 640 --seeds 1 2 --threads 1 2 --steps 2 --seconds 1",
        "start": "--times 1",
    },
    "gpu": {
        "rows": "",
        "step": "--rows mnist/lpga mnist/vpga cifar10/lpga celeba/lpga mnist/vae --seconds 4",
        "growth": "--seconds 5",
        "start": "--times 2",
    },
    "cpu": {  # a step takes seconds: for whole rows small networks will do
        "rows": "--rows mnist/lpga cifar10/lpga --same mnist/lpga --seeds 2 --width 16",
        "step": f"--rows {PAPER}",
        "growth": "",
        "start": "",
    },
}
"""What each command is asked for."""


def main() -> None:
    """Run one after another; one that fails does not keep the others from it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:K")
    parser.add_argument("--out", type=Path, required=True, help="folder for the logs and costs.md")
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall", help="as in step.py")
    parser.add_argument("--quick", action="store_true", help="one row at small width, to try the command")
    arguments = parser.parse_args()
    out = arguments.out
    common = ["--device", arguments.device, "--clock", arguments.clock]
    gpu = devices.choose(arguments.device).type == "cuda"
    short = SHORT["quick" if arguments.quick else "gpu" if gpu else "cpu"]
    commands = [
        ["rows.py", "--device", arguments.device, *shlex.split(short["rows"]), "--out", f"{out}/rows.log"],
        ["step.py", *common, *shlex.split(short["step"]), "--out", f"{out}/step.log"],
        ["growth.py", *common, *shlex.split(short["growth"]), "--out", f"{out}/growth.log"],
        ["start.py", "--device", arguments.device, *shlex.split(short["start"]), "--out", f"{out}/start.log"],
        ["costs.py", "--log", f"{out}/step.log", "--out", f"{out}/costs.md"],
    ]
    out.mkdir(parents=True, exist_ok=True)
    failed = []
    for name, *flags in commands:
        print(f"== {name} {' '.join(flags)}", file=sys.stderr, flush=True)
        if subprocess.run([sys.executable, str(HERE / name), *flags], check=False).returncode:
            failed.append(name)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
