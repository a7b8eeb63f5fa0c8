"""What the paper's artifacts cost: FLOP of each run, and its time on the machines whose speed is in a log.

FLOP are those of our step with every term in use, counted by torch's counter as it runs on tensors without content; a step of the warm-up
costs less. A row that is in no log takes its FLOP at the median rate of the rows that are, and is marked with ≈.

Example:
    python benchmarks/training/costs.py --log benchmarks/training/step-cpu.log benchmarks/training/rows-h200.log --out docs/costs.md
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import torch
from torch.utils.flop_counter import FlopCounterMode

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
from subjects import NETWORKS, ROOT

from pga.method.shared import SharedLoss, SharedValues, shares
from pga.method.terms import weights
from pga.method.values import Noise, Values, term_value
from pga.params.experiment import Experiment, load_experiment
from pga.params.run import Run
from pga.training.weights import build_run

IMAGES = {"mnist": 60_000, "mnist32": 60_000, "cifar10": 50_000, "celeba": 202_599, "celeba140": 202_599}


def flop_per_step(run: Run) -> int:
    """Of one update with all of the run's terms."""
    encoder, decoder = (network.to("meta") for network in build_run(run, 0))
    shape = NETWORKS[run.network]
    x = torch.empty(run.batch_size, shape.channels, shape.size, shape.size, device="meta")
    noise = Noise(*torch.empty(3, run.batch_size, run.latent_dim, device="meta"))
    with FlopCounterMode(display=False) as counter:
        weight = {term: value for term, value in weights(run.model, run.coefficients).items() if value > 0}
        kind = SharedValues if shares(weight) else Values
        values = kind(encoder, decoder, x, noise, run.delta, run.epsilon, run.constant_sigma)
        weighted = {term: weight[term] * term_value(term, values) for term in weight}
        phi, theta = (list(network.parameters()) for network in (encoder, decoder))
        loss = SharedLoss.apply(weighted, values, len(phi), *phi, *theta) if values.shared else sum(weighted.values())
        loss.backward()
    return counter.get_total_flops()


def rates(log: Path) -> tuple[str, dict[str, float]]:
    """Device that a log of step.py or rows.py names, and steps per second of its rows in float32."""
    text = log.read_text()
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]
    head, found = lines[0], {line[0]: line for line in lines[2:]}
    device = re.search(r"^gpu +(?!none)(\S.*)$", text, re.MULTILINE) or re.search(r"^processor +(.*)$", text, re.MULTILINE)
    columns = [head.index(name) for name in ("float32", "graph", "ours") if name in head]
    speed = {row: next(line[column] for column in columns if line[column] != "–") for row, line in found.items()}
    return device[1] if device else log.stem, {row: float(value.split("/")[0]) for row, value in speed.items()}


def artifacts(experiment: Experiment) -> Iterator[tuple[str, list[Run]]]:
    """(artifact, the runs that it needs), Table 1 first; a run that several show is counted in each."""
    yield "Table 1", experiment.runs_of("table1")
    for name in experiment.figures:
        yield re.sub(r"^figure(\d+)$", r"Figure \1", name), experiment.runs_of(name)
    yield "everything", experiment.all_runs()


def duration(seconds: float) -> str:
    """In the largest unit of which it is at least one."""
    for unit, size in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:,.1f} {unit}"
    return f"{seconds:.0f} s"


def main() -> None:
    """Count, extrapolate, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--log", type=Path, nargs="+", required=True, help="logs of step.py or rows.py, one column each")
    parser.add_argument("--out", type=Path, required=True, help="the Markdown file to write")
    arguments = parser.parse_args()
    experiment = load_experiment(ROOT / "params/paper.yaml")
    runs = {(run.dataset, run.name): run for run in experiment.all_runs() if run.seed == experiment.seeds[0]}
    step = {key: flop_per_step(run) for key, run in runs.items()}
    steps = {key: run.total_steps(len(range(IMAGES[run.dataset])[run.split(IMAGES[run.dataset])[0]])) for key, run in runs.items()}
    devices, speeds, measured = [], [], []
    for log in arguments.log:
        device, found = rates(log)
        own = {key: found["/".join(key)] for key in runs if "/".join(key) in found}
        rate = median(step[key] * speed for key, speed in own.items())
        devices.append(f"{device} ({rate / 1e9:,.0f} GFLOP/s)")
        speeds.append({key: own.get(key, rate / step[key]) for key in runs})
        measured.append(own)

    def time(keys: list[tuple[str, str]], which: int) -> str:
        """Of a run of each row on one device."""
        guessed = "" if set(keys) <= set(measured[which]) else "≈ "
        return guessed + duration(sum(steps[key] / speeds[which][key] for key in keys))

    table = [["artifact", "runs", "PFLOP", *devices]]
    for artifact, needed in artifacts(experiment):
        keys = [(run.dataset, run.name) for run in needed]
        total = sum(step[key] * steps[key] for key in keys)
        times = [time(keys, which) for which in range(len(devices))] if keys else ["–"] * len(devices)
        table.append([artifact, str(len(keys)), f"{total / 1e15:,.0f}", *times])
    rows = [
        ["data", "row", "GFLOP/step", "steps", *(f"{device.split(' (')[0]}, {what}" for device in devices for what in ("steps/s", "time"))]
    ]
    for key in runs:
        times = [(f"{measured[k][key]:.4g}" if key in measured[k] else "–", time([key], k)) for k in range(len(devices))]
        rows.append([*key, f"{step[key] / 1e9:,.1f}", f"{steps[key]:,}", *(cell for pair in times for cell in pair)])
    text = [
        "# What it costs",
        "",
        "Made by `benchmarks/training/costs.py` from speeds measured on these devices, in float32. Training only, all terms in use.",
        "≈: a row is among them whose speed was not measured; it takes its FLOP at the median rate of those measured (in the head).",
        "",
        "## Artifacts, one run after another",
        "",
        *as_markdown(table),
        "",
        "## Rows, one seed",
        "",
        *as_markdown(rows),
    ]
    arguments.out.write_text("\n".join(text) + "\n")


def as_markdown(rows: list[list[str]]) -> list[str]:
    """Lines of a table, the first row its head."""
    return [f"| {' | '.join(row)} |" for row in (rows[0], ["---"] * len(rows[0]), *rows[1:])]


if __name__ == "__main__":
    main()
