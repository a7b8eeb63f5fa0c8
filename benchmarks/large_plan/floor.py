"""Planning the paper's Table 1 against Snakemake's own floor: python benchmarks/large_plan/floor.py.

The floor is the same runs, samplings and measurements as bare rules: no parameters, no fingerprints, no resources, no types to check.
Both are planned in turn in temporary folders in which nothing has been made; nothing is run. Prints medians of the processor's seconds.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[1])]
from machine import as_text, facts
from plan import LEFT_OUT, ROOT

from pga.params.experiment import REAL, load_experiment

BARE = """
CELLS = {cells}

rule table1:
    input: [f"results/{{cell}}/metrics.json" for cell in CELLS]
    output: "results/table1.csv"
    shell: "cat {{input}} > {{output}}"

rule evaluate:
    input: "results/{{dataset}}/{{model}}/seed{{seed}}/{{sampling}}/samples.npy"
    output: "results/{{dataset}}/{{model}}/seed{{seed}}/{{sampling}}/metrics.json"
    shell: "cp {{input}} {{output}}"

rule sample:
    input: "results/{{dataset}}/{{model}}/seed{{seed}}/model.safetensors"
    output: "results/{{dataset}}/{{model}}/seed{{seed}}/{{sampling}}/samples.npy"
    shell: "cp {{input}} {{output}}"

rule train:
    input: "data/{{dataset}}.npy"
    output: "results/{{dataset}}/{{model}}/seed{{seed}}/model.safetensors"
    shell: "cp {{input}} {{output}}"

rule prepare:
    output: "data/{{dataset}}.npy"
    shell: "touch {{output}}"
"""


def cells() -> list[str]:
    """Folders of everything that Table 1 shows of runs."""
    experiment = load_experiment(ROOT / "params/paper.yaml")
    shown = [cell for cell in experiment.samplings_shown("table1") if cell[1] != REAL]
    return [
        f"{dataset}/{model}/seed{seed}/{sampling}" for dataset, model, sampling in shown for seed in experiment.seeds_of(dataset, model)
    ]


def plan(folder: Path, words: list[str]) -> tuple[float, str]:
    """The processor's seconds of one call of Snakemake, and what it says."""
    before = os.times()
    done = subprocess.run([sys.executable, "-m", "snakemake", *words], cwd=folder, capture_output=True, text=True)
    after = os.times()
    if done.returncode:
        raise SystemExit((done.stdout + done.stderr)[-3000:])
    return after.children_user + after.children_system - before.children_user - before.children_system, done.stdout + done.stderr


def main() -> None:
    """Plan both in turn, and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("times", nargs="?", type=int, default=5, help="how often each is planned (default: %(default)s)")
    times = parser.parse_args().times
    target = ["-n", "--quiet", "rules", "--cores", "1", "results/table1.csv"]
    with tempfile.TemporaryDirectory() as folder:
        ours = shutil.copytree(ROOT, Path(folder) / "ours", symlinks=True, ignore=LEFT_OUT)
        shutil.rmtree(ours / "data", ignore_errors=True)
        bare = Path(folder) / "bare"
        bare.mkdir()
        (bare / "Snakefile").write_text(BARE.format(cells=cells()))
        calls = {"starting Snakemake alone": (bare, ["--version"]), "bare rules": (bare, target), "the paper's": (ours, target)}
        found: dict[str, list[tuple[float, str]]] = {name: [] for name in calls}
        for _ in range(times):
            for name, call in calls.items():
                found[name].append(plan(*call))
    print(as_text(facts()) + "\n\n| planned | jobs | processor s | each |\n| --- | --- | --- | --- |")
    for name, taken in found.items():
        total = re.search(r"^total\s+(\d+)", taken[0][1], re.M)
        seconds = [busy for busy, _ in taken]
        print(f"| {name} | {total[1] if total else '–'} | {median(seconds):.2f} | {' '.join(f'{busy:.2f}' for busy in seconds)} |")


if __name__ == "__main__":
    main()
