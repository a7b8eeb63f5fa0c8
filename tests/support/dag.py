"""Programs of the environment in a copy of the project, and what Snakemake says there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

from warm import warm

TABLES = ("claims", "datasets", "sources")
"""The files of `params/` that are no experiments."""


def write_only(project: Path, name: str, experiment: str, *others: str) -> None:
    """Make this the project's only experiment beside `others`: Snakemake reads all of them at each call."""
    for path in (project / "params").glob("*.yaml"):
        if path.stem not in (*TABLES, *others):
            path.unlink()
    (project / "params" / f"{name}.yaml").write_text(experiment)


def run(project: Path, *words: str, check: bool = False, modules: str = "", **more: str) -> subprocess.CompletedProcess[str]:
    """A program of the environment in a project, whose own code it uses; `modules`: a PYTHONPATH, `more`: environment."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": modules or warm(project), **more}
    done = subprocess.run(words, cwd=project, env=environment, capture_output=True, text=True)
    assert not check or done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done


def snakemake(project: Path, *arguments: str, check: bool = True, modules: str = "", **more: str) -> subprocess.CompletedProcess[str]:
    """Snakemake itself, which prints all that it has to say."""
    command = [sys.executable, "-m", "snakemake", "--cores", "2", *arguments]
    return run(project, *command, check=check, modules=modules, **more)


def pga(project: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """A verb of the command line."""
    return run(project, sys.executable, "-m", "pga", *arguments, **more)


def jobs(text: str) -> Counter[str]:
    """Rule → number of jobs, from the table that Snakemake prints."""
    found = re.search(r"Job stats:\n.*?\n-+.*?\n(.*?)total", text, re.S)
    return Counter({line.split()[0]: int(line.split()[1]) for line in found[1].splitlines() if line.strip()} if found else {})


def finished_rules(said: str) -> set[str]:
    """The rules of which a call has run a job."""
    return set(re.findall(r"^Finished jobid: \d+ \(Rule: (\w+)\)", said, re.M))


def trainings(said: str) -> list[str]:
    """The models that a plan of `TINY` trains, each with its seed if that is not the first."""
    found = re.findall(r"output: results/tiny/digits/(\w+)/seed(\d)/model\.", said)
    return sorted(f"{model}{seed if seed != '0' else ''}" for model, seed in found)
