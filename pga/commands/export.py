"""Write a trained run as a folder to pass on, with a model card; --push puts it on the Hugging Face Hub."""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLE = "pga export results/quick/digits/lpga/seed0 --to /tmp/lpga-digits"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of `pga export`."""
    parser.add_argument("run", type=Path, help="folder of the trained run, or its model.safetensors")
    parser.add_argument("--to", required=True, type=Path, metavar="FOLDER", help="folder to write model, config.json and README.md into")
    parser.add_argument("--licence", help="of the data, for the card (default: what params/sources.yaml says)")
    parser.add_argument("--push", metavar="hf://USER/NAME", help="also put the folder there; needs pip install 'pga[hub]' and HF_TOKEN")


def run(arguments: argparse.Namespace) -> None:
    """Export."""
    from pga.artifacts.export import export
    from pga.sampling import hub

    if arguments.push:
        hub.repository(arguments.push)
    export(arguments.run, arguments.to, arguments.licence)
    if arguments.push:
        hub.upload(arguments.to, arguments.push)
