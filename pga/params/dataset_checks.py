"""Whether an experiment fits the data sets that it names: whether they exist, their images' size, their labels."""

from __future__ import annotations

from collections.abc import Mapping

from pga.networks.architectures import NETWORKS
from pga.params.dataset import Dataset
from pga.params.experiment import DatasetRuns, Experiment


def seen_by(network: str) -> tuple[int, int]:
    """Size and channels of the images that a network is for."""
    return NETWORKS[network].size, NETWORKS[network].channels


def in_pixels(shape: tuple[int, int]) -> str:
    """Size and channels as text: "64x64x3"."""
    return f"{shape[0]}x{shape[0]}x{shape[1]}"


def runs_by_network(block: DatasetRuns) -> dict[str, list[str]]:
    """Network → the runs of it."""
    found: dict[str, list[str]] = {}
    for run, params in block.runs.items():
        found.setdefault(params.network[0], []).append(run)
    return found


def misfits(experiment: Experiment, datasets: Mapping[str, Dataset]) -> list[str]:
    """What of an experiment does not fit the table of data sets: unknown ones, other sizes than the networks', missing labels."""
    found = []
    for name, block in experiment.datasets.items():
        if name not in datasets:
            found.append(f"datasets.{name}: no such data set in params/datasets.yaml; there are {', '.join(datasets)}")
            continue
        shape = datasets[name].shape
        for network, runs in runs_by_network(block).items():
            if shape not in (None, seen_by(network)):
                fitting = [other for other in NETWORKS if seen_by(other) == shape]
                sizes = sorted({seen_by(other) for other in NETWORKS})
                others = f" (so in {len(runs) - 1} more runs)" if len(runs) > 1 else ""
                found.append(
                    f"datasets.{name}.runs.{runs[0]}.network: {network} is for images of {in_pixels(seen_by(network))}, "
                    f"those of {name} are {in_pixels(shape)}; {'accepted are' if fitting else 'there are networks for'} "
                    f"{', '.join(fitting or map(in_pixels, sizes))}{others}"
                )
        if block.measured and experiment.evaluation.extractor == "classifier" and not datasets[name].labelled:
            found.append(
                f"datasets.{name}: evaluation.extractor: classifier needs labels, which {name} is without; take inception or pixels, "
                "or set `measured: false` here to train and sample only"
            )
    return found
