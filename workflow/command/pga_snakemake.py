"""`snakemake` with options and targets in any order: `snakemake --cores 4 --resources gpu=1 results/table1.csv`; and with a short output.

Options of Snakemake that take lists take every word behind them, targets too, and Snakemake reads its command line before anything of a
workflow. So this puts the targets last, behind `--`, and then calls Snakemake. A word behind such an option is one of its values

- where the option has choices (`--quiet`, `--rerun-triggers`), if it is one of them;
- where the option takes pairs (`--resources`, `--set-threads`, `--config`, …), if it has a `=`;
- where the option takes rules or targets (`--until`, `--forcerun`, `--omit-from`, …), if it is the first one, or neither a path nor the
  name of an experiment (a file of `params/`).

A command line that has `--` already is left as it is, and so are those of `python -m snakemake`, which Snakemake starts jobs with.

What is printed is a line for each job (snakemake_logger_plugin_jobs), unless the command line or a profile names another `--logger`;
`-p` prints all that Snakemake has to say.
"""

from __future__ import annotations

import sys
from argparse import Action, ArgumentParser
from pathlib import Path

PAIRS_WITHOUT_METAVAR = ("--groups", "--group-components")


def is_target(word: str) -> bool:
    """Whether a word can only be a target: a path, or the name of an experiment."""
    return "/" in word or Path("params", f"{word}.yaml").is_file()


def number_taken(option: Action, words: list[str]) -> int:
    """How many of the words behind an option are its values.

    Args:
        option: of Snakemake's parser.
        words: those up to the next option.
    """
    if option.nargs is None or isinstance(option.nargs, int):
        return 1 if option.nargs is None else option.nargs
    if option.choices:
        choices = {str(choice) for choice in option.choices}
        belong = [word in choices for word in words]
    elif "=" in str(option.metavar) or option.option_strings[0] in PAIRS_WITHOUT_METAVAR:
        belong = ["=" in word for word in words]
    elif option.metavar == "FILE":
        belong = [True for _ in words]
    else:
        first = option.nargs == "+" or option.metavar == "TARGET"
        belong = [(first and place == 0) or not is_target(word) for place, word in enumerate(words)]
    if option.nargs == "?":
        belong = belong[:1]
    return [*belong, False].index(False)


def find_option(parser: ArgumentParser, word: str) -> Action | None:
    """The option that takes the words behind `word`: none if the word holds its value (`--cores=4`, `-j4`), or is unknown."""
    options = parser._option_string_actions
    if word.startswith("--"):
        matching = {id(action): action for name, action in options.items() if name.startswith(word)}
        return options.get(word) or (matching.popitem()[1] if len(matching) == 1 else None)
    for place, letter in enumerate(word[1:], start=2):  # -np, -nj 4
        action = options.get(f"-{letter}")
        if action is None or action.nargs != 0:
            return action if place == len(word) else None
    return None


def targets_last(words: list[str], parser: ArgumentParser) -> list[str]:
    """The same command line with its targets at the end, behind `--`."""
    if "--" in words:
        return words
    options: list[str] = []
    targets: list[str] = []
    waiting = list(words)
    while waiting:
        word = waiting.pop(0)
        if not word.startswith("-"):
            targets.append(word)
            continue
        options.append(word)
        if option := find_option(parser, word):
            end = next((place for place, word in enumerate(waiting) if word.startswith("-") and word != "-"), len(waiting))
            taken = number_taken(option, waiting[:end])
            options += waiting[:taken]
            del waiting[:taken]
    return [*options, "--", *targets] if targets else options


def main() -> None:
    """Snakemake's main, with the command line in an order that it can read."""
    sys.path.append(str(Path(__file__).parent))  # where Snakemake looks for plugins, which it does not find if they are installed with -e
    from snakemake import cli

    make_parser = cli.get_argument_parser

    def make_parser_with_logger(profiles: list[str] | None = None) -> ArgumentParser:
        parser = make_parser(profiles)
        parser.set_defaults(logger=["jobs"])
        parser.usage = "snakemake [OPTION ...] [TARGET ...]    (snakemake --help: all options)"  # in front of mistakes, not a hundred lines
        return parser

    cli.get_argument_parser = make_parser_with_logger
    sys.argv[1:] = targets_last(sys.argv[1:], make_parser())
    cli.main()
