"""Train the small classifier of a labelled data set; its features serve where Inception's weights are not at hand."""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLE = "pga classifier digits --out results/mine/classifier.safetensors"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `pga classifier`."""
    parser.add_argument("dataset", help="a labelled data set: digits, mnist, cifar10, or your own")
    parser.add_argument("--data", default="data/processed", type=Path, help="folder of prepared data (default: %(default)s)")
    parser.add_argument("--out", required=True, type=Path, help="weights to write; a .json beside them records accuracy and data")


def run(arguments: argparse.Namespace) -> None:
    """Train and measure."""
    from pga.data.prepared import load, load_labels, provenance
    from pga.evaluation.features.classifier import train_classifier
    from pga.runtime.files import write_json

    labels = load_labels(arguments.data, arguments.dataset)
    splits = [(load(arguments.data, arguments.dataset, split)[0], labels[split]) for split in ("train", "test")]
    _, checksum = load(arguments.data, arguments.dataset)
    required = provenance(arguments.data, arguments.dataset)["parameters"].get("accuracy")
    record = train_classifier(splits[0], splits[1], arguments.out, checksum, required=required)
    write_json(arguments.out.with_suffix(".json"), record)
    print(f"test accuracy {record['accuracy']:.4f}, required {record['required_accuracy']}")
