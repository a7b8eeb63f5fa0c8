"""Train the small classifier of a labelled data set; its features serve where Inception's weights are not at hand."""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLE = "pga classifier digits --out results/mine/classifier.safetensors"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `pga classifier`."""
    parser.add_argument("dataset", help="a labelled data set: digits, mnist, cifar10, or your own")
    parser.add_argument("--data", default="data/processed", type=Path, help="folder of prepared data (default: %(default)s)")
    parser.add_argument("--out", required=True, type=Path, help="weights to write, with accuracy and data in their header")


def run(arguments: argparse.Namespace) -> None:
    """Train and measure."""
    from pga.data.prepared import load, load_labels, load_record
    from pga.evaluation.features.classifier import train_classifier

    labels = load_labels(arguments.data, arguments.dataset)
    (images, checksum), (test_images, _) = (load(arguments.data, arguments.dataset, split) for split in ("train", "test"))
    required = load_record(arguments.data, arguments.dataset).parameters.get("accuracy")
    train, test = (images, labels["train"]), (test_images, labels["test"])
    train_classifier(train, test, arguments.out, checksum, required=required, code=arguments.planned_code)
