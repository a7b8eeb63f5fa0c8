"""Plan 20 models × 10 data sets × 20 seeds without running anything: python benchmarks/large_plan/plan.py.

Works in a copy of the project in a temporary folder, and prints the time and memory of `snakemake -n` and the number of jobs.
"""

from __future__ import annotations

import argparse
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", ".snakemake", ".pga", ".dvc", "results", "logs", "*_cache", "raw")
MODEL = {"model": "lpga", "coefficients": {"gamma": [0.015, "paper"]}}


def write_experiment(project: Path, models: int, data_sets: int, seeds: int) -> None:
    """params/large.yaml: `models` rows of LPGA on `data_sets` copies of MNIST, in the quick experiment's shape."""
    experiment = yaml.safe_load((project / "params/quick.yaml").read_text())
    names = [f"copy{k}" for k in range(data_sets)]
    rows = {f"model{k}": {**MODEL, "network": ["conv_mnist", "code"], "width": [64, "paper"]} for k in range(models)}
    columns = [{"dataset": name, "title": name} for name in names]
    table = {"columns": columns, "rows": [{"title": row, "model": row} for row in rows]}
    experiment |= {"results": "results/large", "seeds": list(range(seeds)), "device": "auto", "figures": {}, "table1": table}
    experiment["datasets"] = {name: {"runs": rows} for name in names}
    (project / "params/large.yaml").write_text(yaml.safe_dump(experiment, sort_keys=False))
    table_of_data = project / "params/datasets.yaml"
    table_of_data.write_text(table_of_data.read_text() + "".join(f"  {name}: {{kind: idx, source: mnist}}\n" for name in names))


def main() -> None:
    """Plan, and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, number in (("models", 20), ("data_sets", 10), ("seeds", 20)):
        parser.add_argument(name, nargs="?", type=int, default=number, help="(default: %(default)s)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        project = shutil.copytree(ROOT, Path(folder) / "project", symlinks=True, ignore=LEFT_OUT)
        write_experiment(project, arguments.models, arguments.data_sets, arguments.seeds)
        started = time.monotonic()
        command = [sys.executable, "-m", "snakemake", "-n", "--quiet", "rules", "--cores", "1", "results/large/table1.csv"]
        done = subprocess.run(command, cwd=project, capture_output=True, text=True)
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
    text = done.stdout + done.stderr
    if done.returncode:
        raise SystemExit(text[-3000:])
    print(re.search(r"Job stats:\n(.*?total.*?)\n", text, re.S)[1])
    busy, memory = used.ru_utime + used.ru_stime, used.ru_maxrss / 2**20
    print(f"{time.monotonic() - started:.0f} s, of which {busy:.0f} s of processor; {memory:.2f} GiB")


if __name__ == "__main__":
    main()
