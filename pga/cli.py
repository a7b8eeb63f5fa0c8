"""`pga VERB …`: one verb per step of the pipeline. Only the chosen verb's module is imported, so help is fast."""

from __future__ import annotations

import argparse
import gc
import importlib
import io
import os
import re
import shutil
import sys
import textwrap
from collections.abc import Callable

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
    "curve": "the headline metric of every snapshot of a run",
    "collect": "gather the metrics of all runs into one tidy CSV",
    "summary": "means over seeds of all metrics on one data set, as JSON",
    "table": "write a table as CSV, Markdown and LaTeX, as far as it has them",
    "figure": "draw a figure of the paper as PNG and PDF",
    "report": "write one HTML page that shows the whole reproduction",
    "export": "write a trained run as a folder to pass on, with a model card",
    "accept": "keep finished runs after a change of the code that means nothing",
    "provenance": "print where a file comes from, back to the sources",
}


EXTRAS = {"pandas": "report", "matplotlib": "report", "jinja2": "report", "huggingface_hub": "hub", "tensorboardX": "tensorboard"}
"""Packages that not everybody needs, and the extra of this package that brings each."""


class HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Fills paragraphs and explanations to the terminal's width and breaks no word; examples and tables stay as they are."""

    def _has_many(self, action: argparse.Action) -> bool:
        return action.metavar is None and action.choices is not None and len(",".join(map(str, action.choices))) > 40

    def _metavar_formatter(self, action: argparse.Action, default_metavar: str) -> Callable[[int], tuple[str, ...]]:
        if self._has_many(action):
            return lambda count: (default_metavar,) * count
        return super()._metavar_formatter(action, default_metavar)

    def _get_default_metavar_for_positional(self, action: argparse.Action) -> str:
        return action.dest.upper()

    def _expand_help(self, action: argparse.Action) -> str:
        text, choices = super()._expand_help(action), [str(choice) for choice in action.choices or ()]
        is_told = not self._has_many(action) or all(choice in text for choice in choices)
        return text if is_told else f"{text.removesuffix('.')}; accepted: {', '.join(choices)}"

    def _split_lines(self, text: str, width: int) -> list[str]:
        return wrapped(text.split(), width)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        def fill(paragraph: str) -> str:
            is_laid_out = any(line.startswith(" ") for line in paragraph.splitlines())
            return paragraph if is_laid_out else "\n".join(self._split_lines(paragraph, width))

        return "\n\n".join(map(fill, text.strip().split("\n\n")))


def wrapped(words: list[str], width: int) -> list[str]:
    """Lines of whole words; a word may hold spaces."""
    joined = " ".join(word.replace(" ", "\0") for word in words)
    return [line.replace("\0", " ") for line in textwrap.wrap(joined, width, break_on_hyphens=False, break_long_words=False)]


def in_lines(command: str) -> str:
    """A command in lines of the terminal's width, which a shell reads as one."""
    words = re.findall(r"'[^']*'|\S+", command)
    return " \\\n    ".join(wrapped(words, shutil.get_terminal_size().columns - len("     \\")))


def usage_of(parser: argparse.ArgumentParser) -> str:
    """The command line with what must be given; all else is an OPTION."""
    words = [parser.prog]
    for action in parser._actions:
        name = str(action.metavar or action.dest.upper())
        if action.required and action.option_strings:
            words.append(f"{action.option_strings[-1]} {name}")
        elif not action.option_strings:
            words.append(f"{name} ..." if action.nargs in ("+", "*") else name)
    return "\n       ".join(wrapped([*words, "[OPTION ...]"], shutil.get_terminal_size().columns - len("usage: ")))


def parser_for(verb: str) -> argparse.ArgumentParser:
    """The parser of one verb, taken from `pga.commands.<verb>`."""
    module = importlib.import_module(f"pga.commands.{verb}")
    parser = argparse.ArgumentParser(
        prog=f"pga {verb}",
        description=module.__doc__,
        epilog=f"example:\n  {in_lines(module.EXAMPLE)}",
        formatter_class=HelpFormatter,
        allow_abbrev=False,
    )
    module.add_arguments(parser)
    parser.add_argument("--planned-code", help=argparse.SUPPRESS)  # the workflow's: refuse to run, or to write, by other code
    parser.set_defaults(verb=module.run)
    parser.usage = usage_of(parser)
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

    if (step := arguments.planned_code.partition(":")[0]) != (verb := arguments.verb.__module__.rpartition(".")[2]):
        raise UserError(f"--planned-code {arguments.planned_code}: of `pga {step}`; accepted is one of `pga {verb}`")
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
        formatter_class=HelpFormatter,
    )
    overview.add_argument("--version", action="version", version=f"pga {pga.__version__}")
    overview.add_argument("verb", choices=VERBS, metavar="VERB", help="one of the verbs below; `pga VERB --help` explains it")
    overview.parse_args(argv[:1])
    return 2


if __name__ == "__main__":
    sys.exit(main())
