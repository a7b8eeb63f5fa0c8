"""`pga VERB …`: one verb per step of the pipeline. Only the chosen verb's module is imported, so help is fast."""

from __future__ import annotations

import argparse
import gc
import importlib
import io
import os
import sys

import pga
from pga.runtime.errors import UserError

VERBS = {
    "fetch": "download and verify a data set's files",
    "prepare": "turn downloaded files into one uint8 array",
    "params": "print every run and coefficient with its origin",
    "train": "train one run",
    "sample": "draw images from a trained run",
    "interpolate": "decode lines between the codes of test images",
    "reconstruct": "reconstruct a run's test images, and their error",
    "classifier": "train the small classifier whose features serve as a distance",
    "reference": "statistics of real images in a feature space",
    "evaluate": "distances and other metrics of samples",
    "neighbours": "training images nearest to a run's samples",
    "curve": "metrics of every snapshot of a run, for figures over training",
    "collect": "gather the metrics of all runs into one tidy CSV",
    "summary": "means over seeds of all metrics on one data set, as JSON",
    "table": "write a table of the paper as CSV, Markdown and LaTeX",
    "figure": "draw a figure of the paper as PNG and PDF",
    "report": "write one HTML page that shows the whole reproduction",
    "export": "write a trained run as a folder to pass on, with a model card",
    "accept": "keep finished runs after a change of the code that means nothing",
    "provenance": "print where a file comes from, back to the sources",
}


EXTRAS = {"pandas": "report", "matplotlib": "report", "jinja2": "report", "huggingface_hub": "hub", "tensorboardX": "tensorboard"}
"""Packages that not everybody needs, and the extra of this package that brings each."""


def parser_for(verb: str) -> argparse.ArgumentParser:
    """The parser of one verb, taken from `pga.commands.<verb>`."""
    module = importlib.import_module(f"pga.commands.{verb}")
    parser = argparse.ArgumentParser(
        prog=f"pga {verb}",
        description=module.__doc__,
        epilog=f"example:\n  {module.EXAMPLE}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    module.add_arguments(parser)
    parser.add_argument(
        "--planned-code", metavar="FINGERPRINT", help="refuse to run, or to write, if the code is another (the workflow's check)"
    )
    parser.set_defaults(verb=module.run)
    return parser


def gpu_advice(error: RuntimeError) -> str | None:
    """What to do about a GPU that is full or lost; None if `error` is not torch's."""
    if "torch" not in sys.modules:
        return None
    from pga.runtime.devices import advice

    return advice(error)


def run(arguments: argparse.Namespace) -> int | None:
    """Run a verb, by the planned code alone if there is a plan."""
    if arguments.planned_code is None:
        return arguments.verb(arguments)
    from pga.fingerprints.steps import refuse_edited, refuse_unplanned

    refuse_unplanned(arguments.planned_code)
    status = arguments.verb(arguments)
    refuse_edited(arguments.planned_code)  # a workflow deletes what a failed job wrote
    return status


def main(argv: list[str] | None = None) -> int:
    """Run one verb; returns the exit status (0 well, 1 the user can mend it, 2 wrong usage, 130 interrupted)."""
    argv = sys.argv[1:] if argv is None else argv
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # where the locale lacks a Greek letter
    if argv and argv[0] in VERBS:
        verb = argv[0]
        gc.set_threshold(50_000)  # importing torch makes objects that stay; to look through them over and over takes a tenth of the time
        arguments = parser_for(verb).parse_args(argv[1:])
        try:
            status: int | None = run(arguments)
            sys.stdout.flush()
            return status or 0
        except UserError as error:
            print(f"pga {verb}: error: {error}", file=sys.stderr)
            return getattr(error, "exit_status", 1)
        except ModuleNotFoundError as error:
            if (extra := EXTRAS.get(str(error.name).partition(".")[0])) is None:
                raise
            print(f"pga {verb}: error: {error.name} is not installed; it comes with: pip install 'pga[{extra}]'", file=sys.stderr)
            return 1
        except RuntimeError as error:
            if (advice := gpu_advice(error)) is None:
                raise
            print(f"pga {verb}: error: {advice}", file=sys.stderr)
            return 1
        except BrokenPipeError:  # `pga params … | head`: whoever read has enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        except OSError as error:  # a disk that is full or read-only, a folder without permission: wherever it shows first
            print(f"pga {verb}: error: {error.filename or 'a file'}: {error.strerror or error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print(f"pga {verb}: interrupted; the same command continues", file=sys.stderr)
            return 130
    width = max(map(len, VERBS))
    overview = argparse.ArgumentParser(
        prog="pga",
        description=pga.__doc__,
        epilog="verbs:\n" + "\n".join(f"  {verb:<{width}}  {line}" for verb, line in VERBS.items()) + "\n\nexample:\n  pga train --help",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    overview.add_argument("--version", action="version", version=f"pga {pga.__version__}")
    overview.add_argument("verb", choices=VERBS, metavar="VERB", help="one of the verbs below; `pga VERB --help` explains it")
    overview.parse_args(argv[:1])
    return 2


if __name__ == "__main__":
    sys.exit(main())
