"""What README.md and docs/ say exists: every link, every target, every verb with its flags."""

from __future__ import annotations

import ast
import math
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from pga.cli import VERBS, parser_for
from pga.method.terms import MODELS

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def commands(page: Path) -> list[list[str]]:
    """Commands in code blocks and in inline code, comments and continuation lines joined away."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"```(?:bash|sh)\n(.*?)```", text, re.S)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    lines += re.findall(r"`((?:snakemake|pga|make) [^`]+)`", re.sub(r"```.*?```", "", text, flags=re.S))
    return [words for line in lines if (words := shlex.split(line.strip(), comments=True))]


def first(words: list[str]) -> str:
    """The program, behind assignments of variables."""
    return next((word for word in words if "=" not in word), "")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
    lost = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert not lost


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_verb_and_flag_of_pga_exists(page: Path) -> None:
    for words in commands(page):
        if first(words) == "pga" and not any("…" in word or word.isupper() for word in words[:2]):
            verb, *arguments = words[words.index("pga") + 1 :]
            assert verb in VERBS, words
            flags = {flag for action in parser_for(verb)._actions for flag in action.option_strings}
            assert {word for word in arguments if word.startswith("--")} <= flags, words


def test_the_readmes_pga_commands_are_complete() -> None:
    block = re.search(r"```bash\n(pga .*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.S)
    assert block
    for line in block[1].splitlines():
        _, verb, *arguments = shlex.split(line, comments=True)
        parser_for(verb).parse_args(arguments)


def test_the_python_example_runs_and_reconstructs_better_at_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    example = re.search(r"```python\n(.*?)```", (ROOT / "docs/own-data.md").read_text(encoding="utf-8"), re.S)
    assert example
    torch.manual_seed(0)
    names: dict[str, Any] = {}
    exec(example[1], names)
    first, *_, last = (ast.literal_eval(line.split(" ", 1)[1]) for line in capsys.readouterr().out.splitlines())
    assert list(last) == list(MODELS["lpga"]) and all(map(math.isfinite, last.values()))
    assert last["r"] < 0.8 * first["r"]
    assert names["samples"].shape == (16, 1, 8, 8)


def test_every_make_command_is_a_target_of_the_makefile() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    wanted = {words[1] for page in PAGES for words in commands(page) if words[0] == "make" and len(words) > 1 and words[1].islower()}
    assert wanted and wanted <= targets


def test_every_target_of_the_readme_can_be_planned(project: Path) -> None:
    targets = {
        word
        for words in commands(ROOT / "README.md")
        if first(words) == "snakemake"
        for word in words
        if word.startswith("results/") and "…" not in word
    }
    assert len(targets) >= 12
    command = [sys.executable, "-m", "snakemake", "-n", *sorted(targets)]
    done = subprocess.run(command, cwd=project, env={**os.environ, "PYTHONPATH": str(project)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
