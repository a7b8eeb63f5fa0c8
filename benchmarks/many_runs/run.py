"""Two hundred tiny runs in one DAG on two cores, watched: python benchmarks/many_runs/run.py [--runs 200] [--out FOLDER].

Works in a copy of the project in a temporary folder. Every run is trained (ten steps on the digits), every tenth is sampled and evaluated.
Beside it the workflow's own process is looked at every second: resident memory, open descriptors, threads, children, bytes of all logs.
Writes watched.csv and summary.txt into FOLDER (default: beside this file). Exit status 0 if at the end no process is left, descriptors
are as many as after the first tenth of the jobs, and no temporary file stays behind.
"""

from __future__ import annotations

import argparse
import csv
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from machine import as_text, facts

LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", ".snakemake", ".pga", ".dvc", "results", "raw", "processed", "reference", "logs", "*_cache"
)
EVERY_S = 1.0
SCALE = """
description: two hundred tiny runs
results: results/many
seeds: {seeds}
device: cpu
evaluation: {{extractor: classifier}}
samplings:
  prior: {{n: 200, batch_size: 100}}
common:
  network: [dense_8, inferred]
  width: [16, inferred]
  latent_dim: [8, inferred]
  batch_norm: [false, code]
  batch_size: [64, code]
  learning_rate: [0.01, inferred]
  momentum: [0.9, paper]
  steps: [10, inferred]
  warmup_steps: [5, inferred]
  delta: [sphere, code]
  epsilon: [0.01, code]
  coefficients: {{alpha: [0.06, code], beta: [0, code], gamma: [0.015, paper]}}
datasets:
  digits:
    runs:
      lpga: {{}}
table1:
  columns: [{{dataset: digits, title: Digits, paper: mnist}}]
  rows: [{{title: LPGA, model: lpga}}]
"""


def log_bytes(project: Path) -> int:
    """Size of everything that the workflow logs: the jobs' files and its own."""
    files = [path for folder in ("logs", ".snakemake/log") for path in (project / folder).rglob("*")]
    return sum(path.stat().st_size for path in files if path.is_file())


def watch(process: subprocess.Popen[bytes], project: Path) -> list[dict[str, float]]:
    """A row a second until the workflow ends."""
    workflow, rows, started = psutil.Process(process.pid), [], time.monotonic()
    while process.poll() is None:
        try:
            with workflow.oneshot():
                row = {
                    "s": round(time.monotonic() - started, 1),
                    "rss_mb": round(workflow.memory_info().rss / 1e6, 1),
                    "descriptors": workflow.num_fds(),
                    "threads": workflow.num_threads(),
                    "children": len(workflow.children(recursive=True)),
                }
        except psutil.Error:  # it ended just now
            break
        runs = project / "results/many/digits/lpga"
        row |= {"runs": len(list(runs.glob("*/run.json"))), "log_bytes": log_bytes(project)}
        rows.append(row)
        time.sleep(EVERY_S)
    process.wait()
    return rows


def members(session: int) -> list[str]:
    """Command lines of the processes of a session that are alive."""
    found = []
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE:
                found.append(" ".join(process.cmdline()))
        except (psutil.Error, OSError):
            continue
    return found


def summary(rows: list[dict[str, float]], runs: int, left: list[str], parts: list[Path], written: int) -> dict[str, str]:
    """What the rows come to; the first tenth of the runs, in which modules are loaded, counts as the start."""
    steady = [row for row in rows if row["runs"] >= runs / 10]
    slope = np.polyfit([row["runs"] for row in steady], [row["rss_mb"] for row in steady], 1)[0] * 100
    return {
        "runs": f"{runs} in {rows[-1]['s']:.0f} s",
        "memory of the workflow": f"{steady[0]['rss_mb']:.0f} MB after a tenth of the runs, {steady[-1]['rss_mb']:.0f} MB at the end, "
        f"{max(row['rss_mb'] for row in rows):.0f} MB at most; {slope:+.1f} MB per 100 runs",
        "open descriptors": f"{steady[0]['descriptors']:.0f} after a tenth, {max(row['descriptors'] for row in steady):.0f} at most, "
        f"{steady[-1]['descriptors']:.0f} at the end",
        "threads": f"{max(row['threads'] for row in rows):.0f} at most",
        "children at once": f"{max(row['children'] for row in rows):.0f} at most",
        "processes left": ", ".join(left) or "none",
        "temporary files left": ", ".join(map(str, parts)) or "none",
        "logs": f"{written:,} bytes, {written / runs:,.0f} per run",
    }


def main() -> int:
    """Run, and write what was seen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=200, help="default: %(default)s")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="folder for watched.csv and summary.txt")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        project = shutil.copytree(ROOT, Path(folder) / "project", symlinks=True, ignore=LEFT_OUT)
        (project / "params/many.yaml").write_text(SCALE.format(seeds=list(range(arguments.runs))))
        place = "results/many/digits/lpga/seed{}"
        targets = [f"{place}/run.json".format(seed) for seed in range(arguments.runs)]
        targets += [f"{place}/prior/metrics.json".format(seed) for seed in range(0, arguments.runs, 10)]
        command = [sys.executable, "-m", "snakemake", "--cores", "2", *targets]
        environment = {**os.environ, "PYTHONPATH": str(project)}
        with (Path(folder) / "said").open("wb") as said:
            process = subprocess.Popen(command, cwd=project, env=environment, start_new_session=True, stdout=said, stderr=said)
            try:
                rows = watch(process, project)
            except BaseException:
                os.killpg(process.pid, signal.SIGKILL)
                raise
        time.sleep(2)
        left = members(process.pid)
        parts = [path.relative_to(project) for path in project.rglob(".*.part*")]
        failed = re.findall(r"^(?:Error in |RuleException|WorkflowError).*?(?=^\[|\Z)", (Path(folder) / "said").read_text(), re.M | re.S)
        found = summary(rows, arguments.runs, left, parts, log_bytes(project)) | {"jobs that failed": "\n".join(failed) or "none"}
    arguments.out.mkdir(parents=True, exist_ok=True)
    with (arguments.out / "watched.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    text = as_text(found) + "\n\n" + as_text(facts()) + "\n"
    (arguments.out / "summary.txt").write_text(text)
    print(text)
    steady = [row["descriptors"] for row in rows if row["runs"] >= arguments.runs / 10]
    return int(bool(process.returncode or left or parts) or steady[-1] > max(steady[: max(1, len(steady) // 10)]))


if __name__ == "__main__":
    sys.exit(main())
