"""What the paper's artifacts cost: FLOP of each run, time and energy on the machine measured and, by a stated assumption, on others.

FLOP are those of our step with every term in use, counted by torch's counter as it runs on tensors without content; a step of the warm-up
costs less. "Measured" are rows whose steps per second stand in a log of `step.py`; where a row is in no log, its time is its FLOP at the
median rate of those that are. A GPU's column is arithmetic, not a measurement: FLOP over the given share of its peak rate.

Example:
    python benchmarks/training/costs.py --log benchmarks/training/step-cpu.log --out docs/costs.md
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

from pga.method.values import Noise, Values, backward, shares, term_value, weights
from pga.params.experiment import Scale, load_scale
from pga.params.run import Run
from pga.training.weights import build_run

IMAGES = {"mnist": 60_000, "mnist32": 60_000, "cifar10": 50_000, "celeba": 202_599, "celeba140": 202_599}
GPUS = {"H100, float32": 66.9e12, "H100, TF32": 494.7e12}
"""Peak rates of the dense units, FLOP/s, from the data sheet of the SXM module."""


def flop_per_step(run: Run) -> int:
    """Of one update with all of the run's terms."""
    encoder, decoder = (network.to("meta") for network in build_run(run, 0))
    shape = NETWORKS[run.network]
    x = torch.empty(run.batch_size, shape.channels, shape.size, shape.size, device="meta")
    noise = Noise(*torch.empty(3, run.batch_size, run.latent_dim, device="meta"))
    with FlopCounterMode(display=False) as counter:
        weight = {term: value for term, value in weights(run.model, run.coefficients).items() if value > 0}
        values = Values(encoder, decoder, x, noise, run.delta, run.epsilon, run.constant_sigma, shared=shares(weight))
        backward({term: weight[term] * term_value(term, values) for term in weight}, values)
    return counter.get_total_flops()


def rates(log: Path | None) -> tuple[dict[str, float], str]:
    """Steps per second of the rows of a log, and the processor that it names."""
    if log is None:
        return {}, ""
    text = log.read_text()
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]
    head = lines[0]
    found = {line[head.index("row")]: line for line in lines[2:]}
    fast = {
        name: line[head.index("graph")] if line[head.index("graph")] != "–" else line[head.index("ours")] for name, line in found.items()
    }
    machine = re.search(r"^(?:gpu +(?!none)|processor +)(.*)$", text, re.MULTILINE)
    return {name: float(value) for name, value in fast.items()}, machine[1] if machine else "this machine"


def artifacts(scale: Scale) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """(artifact, its runs as (data set, row)), Table 1 first; a run that several show is counted in each."""
    yield "Table 1", list(dict.fromkeys((d, m) for d, m, _ in scale.samplings_shown("table1") if m in scale.datasets[d].runs))
    for name, figure in scale.figures.items():
        yield name.replace("figure", "Figure "), list(dict.fromkeys(figure.runs()))
    yield "everything", [(run.dataset, run.name) for run in scale.all_runs() if run.seed == scale.seeds[0]]


def duration(seconds: float) -> str:
    """In the largest unit of which it is at least one."""
    for unit, size in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:,.1f} {unit}"
    return f"{seconds:.0f} s"


def main() -> None:
    """Count, extrapolate, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--log", type=Path, help="a log of step.py: the speeds measured")
    parser.add_argument("--share", type=float, default=0.4, help="of a GPU's peak that is assumed to be reached (default: %(default)s)")
    parser.add_argument(
        "--watts", type=float, default=15.0, help="assumed power of the machine measured, for the cores in use (default: %(default)s)"
    )
    parser.add_argument("--gpu-watts", type=float, default=700.0, help="assumed power of the GPU (default: %(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="the Markdown file to write")
    arguments = parser.parse_args()
    scale = load_scale(ROOT / "params/paper.yaml")
    speeds, machine = rates(arguments.log)
    runs = {(run.dataset, run.name): run for run in scale.all_runs() if run.seed == scale.seeds[0]}
    flop, steps, rows = {}, {}, []
    for key, run in runs.items():
        flop[key] = flop_per_step(run)
        steps[key] = run.total_steps(len(range(IMAGES[run.dataset])[run.split(IMAGES[run.dataset])[0]]))
    measured = {key: speeds[f"{key[0]}/{key[1]}"] for key in runs if f"{key[0]}/{key[1]}" in speeds}
    rate = median(flop[key] * speed for key, speed in measured.items()) if measured else None
    seconds = {key: steps[key] / measured[key] if key in measured else steps[key] * flop[key] / rate if rate else None for key in runs}
    for key in runs:
        total = flop[key] * steps[key]
        here = f"{measured[key]:.2f}" if key in measured else "–"
        rows.append(
            [key[0], key[1], f"{flop[key] / 1e9:,.1f}", f"{steps[key]:,}", f"{total / 1e15:,.1f}", here]
            + [duration(seconds[key]) if seconds[key] else "–"]
            + [duration(total / (peak * arguments.share)) for peak in GPUS.values()]
        )
    text = [
        "# What it costs",
        "",
        f"Made by `benchmarks/training/costs.py`. Training only, all terms in use. Machine measured: {machine or 'none'}; a row without a",
        "speed of its own is extrapolated at the median rate of those that have one" + (f" ({rate / 1e9:.0f} GFLOP/s)." if rate else "."),
        f"The GPU's columns are arithmetic, not measurements: {arguments.share:.0%} of peak, for steps that launches do not bound.",
        "TF32: as if every product were taken in it; `precision: tf32` leaves out what the small differences of a PGA step read.",
        f"Energy: {arguments.watts:g} W for the machine measured, {arguments.gpu_watts:g} W for the GPU, both assumed.",
        "",
        "## Artifacts, all seeds",
        "",
    ]
    head = ["artifact", "runs", "PFLOP", "measured machine", *GPUS, "energy there, kWh", "energy H100 TF32, kWh"]
    table = [head, ["---"] * len(head)]
    for artifact, keys in artifacts(scale):
        n = {key: len(scale.params(*key).seeds or scale.seeds) for key in keys}
        total = sum(n[key] * flop[key] * steps[key] for key in keys)
        here = sum(n[key] * (seconds[key] or 0.0) for key in keys)
        on_gpu = [total / (peak * arguments.share) for peak in GPUS.values()]
        energy = [here * arguments.watts / 3.6e6, on_gpu[-1] * arguments.gpu_watts / 3.6e6]
        table.append(
            [artifact, str(sum(n.values())), f"{total / 1e15:,.0f}", duration(here) if here else "–"]
            + [duration(time) for time in on_gpu] + [f"{energy[0]:,.1f}" if here else "–", f"{energy[1]:,.1f}"]
        )  # fmt: skip
    text += [f"| {' | '.join(line)} |" for line in table]
    text += ["", "## Rows, one seed", ""]
    head = ["data", "row", "GFLOP/step", "steps", "PFLOP", "steps/s measured", "time there", *GPUS]
    text += [f"| {' | '.join(line)} |" for line in [head, ["---"] * len(head), *rows]]
    arguments.out.write_text("\n".join(text) + "\n")


if __name__ == "__main__":
    main()
