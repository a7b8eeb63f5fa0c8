"""Train one run of an experiment. A run that was killed continues and ends with the same bytes; a finished one is trained again."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

EXAMPLE = "pga train --params params/quick.yaml --dataset digits --model lpga --seed 0 --out results/mine"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `pga train`."""
    parser.add_argument("--params", required=True, help="the experiment's file, e.g. params/paper.yaml")
    parser.add_argument("--dataset", required=True, help="data set, as named under `datasets` in that file")
    parser.add_argument("--model", required=True, help="row under the data set's `runs`, e.g. lpga or lpga_ablation")
    parser.add_argument("--seed", required=True, type=int, help="all of the run's randomness comes from it")
    parser.add_argument("--data", default="data/processed", type=Path, help="folder of prepared data (default: %(default)s)")
    parser.add_argument(
        "--out", required=True, type=Path, help="folder for model.safetensors, history.csv, snapshots.safetensors, run.json"
    )
    parser.add_argument("--scratch", default=".pga/checkpoints", type=Path, help="folder of checkpoints (default: %(default)s)")
    parser.add_argument("--checkpoint-every", default=60.0, type=float, metavar="S", help="seconds between checkpoints (default: 60)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:K (default: a GPU if there is one)")
    parser.add_argument(
        "--live",
        type=Path,
        metavar="FOLDER",
        help="write log.jsonl, and events for TensorBoard with pip install 'pga[tensorboard]', into FOLDER/DATASET-MODEL-seedK while "
        "it trains (default: $PGA_LIVE, else nothing)",
    )
    parser.add_argument(
        "--expect", metavar="DIGEST", help="refuse to train unless the run's parameters have this digest (the workflow's check)"
    )


def run(arguments: argparse.Namespace) -> None:
    """Train."""
    from pga.params.base import check_seed
    from pga.params.experiment import load_experiment
    from pga.runtime.errors import UserError

    check_seed(arguments.seed)
    experiment = load_experiment(arguments.params)
    row = experiment.run(arguments.dataset, arguments.model, arguments.seed)
    if arguments.expect not in (None, row.digest):
        raise UserError(
            f"{arguments.params}: the parameters of {row.dataset}/{row.name} changed after the workflow was planned; start it again"
        )

    from pga.data.prepared import array_path, load, load_images
    from pga.fingerprints.steps import refuse_edited, training_code
    from pga.runtime import devices
    from pga.training.loop import train

    images, data_sha256 = load(arguments.data, row.dataset)
    test = array_path(arguments.data, row.dataset, "test")
    try:
        experiment.check_images(row.dataset, {"train": len(images), "test": len(load_images(test)) if test.exists() else len(images)})
    except ValueError as error:
        raise UserError(f"{arguments.params}: {error}") from error
    if row.only_warms_up(n := len(images[row.split(len(images))[0]])):
        raise UserError(
            f"{arguments.params}: {row.dataset}/{row.name}: warmup_steps: found {row.warmup_steps}, but on {n} images the run has "
            f"{row.total_steps(n)} steps: nothing but the reconstruction would be trained"
        )
    device, code = devices.choose(arguments.device), training_code(row)
    live = arguments.live or (Path(folder) if (folder := os.environ.get("PGA_LIVE")) else None)
    out, scratch, every = arguments.out, arguments.scratch, arguments.checkpoint_every
    train(row, images, data_sha256, code, device, out, scratch, every, live, lambda: refuse_edited(code))
