"""Bring results from the remote, check them, and tell Snakemake that they are up to date, so that it builds on them and repeats none.

A file that `dvc pull` brings has any time of change, and Snakemake's notes on it stayed where it was made. `snakemake --touch` puts both
right, and would bless anything; so this refuses unless every byte is what dvc.lock says, and touches with the code and parameters that the
results were made with: those of this folder, or where they have changed since, those of the commit that dvc.lock is of. Snakemake then
judges what has changed in between by its meaning, as it does everywhere.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import redirect_stdout
from functools import cache
from pathlib import Path

import yaml
from snakemake.api import SnakemakeApi
from snakemake.settings.types import DAGSettings, OutputSettings, Quietness, ResourceSettings

EXAMPLES = """examples:
  python workflow/pull.py                                       everything that dvc.lock names
  python workflow/pull.py results/quick/figures/figure2.png     only what this figure is drawn from; then
  snakemake --cores 2 results/quick/figures/figure2.png         draws it
"""


class Refusal(Exception):
    """Why nothing is touched, and what to do."""


def call(*words: str, folder: Path = Path()) -> str:
    """What a program prints, with the code of the folder that it runs in; its errors go to the terminal."""
    path = os.pathsep.join(filter(None, (str(folder.resolve()), os.environ.get("PYTHONPATH"))))
    done = subprocess.run(words, cwd=folder, env={**os.environ, "PYTHONPATH": path}, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise Refusal(f"`{' '.join(words[:4])}{' …' if len(words) > 4 else ''}` failed, as it says above; nothing was touched")
    return done.stdout


def locks() -> dict[Path, dict[str, dict]]:
    """Each dvc.lock → name of each stage, as `dvc status` calls it → what it says. Paths are the project's: every wdir is its root.

    Raises:
        Refusal: one cannot be read.
    """
    found = {}
    for lock in sorted(Path().glob("dvc.lock")) + sorted(Path().glob("*/dvc.lock")):
        prefix = "" if lock.parent == Path() else f"{lock.parent}/dvc.yaml:"
        try:
            stages = yaml.safe_load(lock.read_text()).get("stages") or {}
        except (yaml.YAMLError, AttributeError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise Refusal(f"{lock}: not what DVC writes ({reason}); a merge that is not finished? Nothing was touched") from error
        found[lock] = {prefix + name: stage for name, stage in stages.items()}
    return found


@cache
def cache_folder() -> Path:
    """Where DVC keeps what it has."""
    return Path(call("dvc", "cache", "dir").strip())


def files_of(out: dict) -> Iterator[tuple[str, str]]:
    """(path, MD5) of each file of an output: itself, or what its listing in the cache names.

    Raises:
        Refusal: the listing is absent or damaged.
    """
    if not out["md5"].endswith(".dir"):
        yield out["path"], out["md5"]
        return
    listing = cache_folder() / "files/md5" / out["md5"][:2] / out["md5"][2:]
    if not listing.exists() or hashlib.md5(content := listing.read_bytes()).hexdigest() + ".dir" != out["md5"]:
        raise Refusal(f"{listing}: the listing of {out['path']} is absent or damaged; delete it and pull again")
    for entry in json.loads(content):
        yield f"{out['path']}/{entry['relpath']}", entry["md5"]


def files_wanted(stage: dict, paths: list[str]) -> Iterator[tuple[str, str]]:
    """(path, MD5) of each file of a stage's outputs that is among `paths`, or in a folder that is."""
    for out in stage.get("outs", []):
        if any(path == out["path"] or path.startswith(out["path"] + "/") for path in paths):
            yield from ((path, md5) for path, md5 in files_of(out) if path in paths or out["path"] in paths)


def needed(targets: list[str], tracked: set[str]) -> list[str]:
    """The tracked files that targets are built from: their inputs, or the inputs of inputs that are not tracked.

    Raises:
        Refusal: Snakemake knows no way to a target.
    """
    sys.path.insert(0, os.getcwd())  # for the Snakefile: the code of this folder, whatever is installed
    with SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as snakemake, redirect_stdout(None):
        try:
            workflow = snakemake.workflow(ResourceSettings(cores=1), snakefile=Path("Snakefile"))
            workflow.dag(DAGSettings(targets=set(targets), forceall=True)).printdag()
        except Exception as error:
            snakemake.print_exception(error)
            raise Refusal(f"{' '.join(targets)}: cannot be planned, as it says above; nothing was touched") from error
        inputs = {path: list(job.input) for job in workflow._workflow.dag.jobs for path in job.output}
    found, waiting, seen = [], list(targets), set()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        if path in tracked and path not in targets:
            found.append(path)
        else:
            waiting += inputs.get(path, [])
    return sorted(found)


def changed(stages: dict[str, dict], concerned: list[str], folder: Path = Path()) -> list[str]:
    """The code, parameters and commands in a folder that are not those that the results of the stages concerned were made with."""
    made = [out["path"] for stage in stages.values() for out in stage.get("outs", [])]
    found = set()
    for name, reasons in json.loads(call("dvc", "status", "--json", folder=folder)).items():
        for reason in reasons if name in concerned else []:
            if isinstance(reason, str) and reason != "always changed":
                found.add(f"the command of {name}")
            elif isinstance(reason, dict):
                found |= {str(path) for path in reason.get("changed deps", {}) if path not in made}
    return sorted(found)


def origin(lock: Path) -> str:
    """The commit that a dvc.lock is of; raises Refusal if it is of none, or a shallow clone does not know."""
    if call("git", "rev-parse", "--is-shallow-repository").strip() == "true":
        raise Refusal(
            f"code or parameters have changed since {lock} was written, and this clone is shallow: it does not know the commit that {lock} "
            "is of. Nothing was touched. `git fetch --unshallow` brings the history; then run this again"
        )
    commit = call("git", "log", "-1", "--format=%H", "--", str(lock)).strip()
    if not commit or call("git", "diff", "--name-only", commit, "--", str(lock)).strip():
        raise Refusal(
            f"{lock} is not committed, and code or parameters have changed since it was written. Nothing was touched. `dvc repro` makes "
            "what has changed in meaning, and renews it; or take back the changes (git stash)"
        )
    return commit


def touch(made: list[str], folder: Path = Path()) -> None:
    """Tell Snakemake that files are up to date with the code and parameters of a folder."""
    call("snakemake", "--touch", "--force", "--cores", "1", "--quiet", "all", "--", *made, folder=folder)


def touch_as_of(lock: Path, stages: dict[str, dict], concerned: list[str], made: list[str]) -> None:
    """Touch with code and parameters of the commit that `lock` is of; results and Snakemake's notes are those here.

    Raises:
        Refusal: that commit is not of the code and parameters that the results were made with.
    """
    commit = origin(lock)
    with tempfile.TemporaryDirectory(prefix="pga-pull-") as place:
        folder = Path(place, "project")
        call("git", "clone", "--quiet", "--shared", "--no-checkout", ".", str(folder))
        call("git", "checkout", "--quiet", commit, folder=folder)
        if differ := changed(stages, concerned, folder):
            raise Refusal(
                f"{lock} was committed ({commit[:8]}) with others of these than its results were made with: {', '.join(differ)}. Nothing "
                "was touched. Whoever committed it calls `dvc repro`, which makes what has changed in meaning, and commits and pushes again"
            )
        for name in ("data", "results", ".snakemake"):
            Path(name).mkdir(exist_ok=True)
            shutil.rmtree(folder / name, ignore_errors=True)
            (folder / name).symlink_to(Path(name).resolve())
        touch(made, folder)
    for path in call("git", "diff", "--name-only", "--diff-filter=AMT", "--relative", commit).splitlines():
        Path(path).touch()  # newer than what was made with what it was then


def check_bytes(wanted: dict[str, str]) -> None:
    """Every file must be what dvc.lock says; raises Refusal, which names those that are not."""
    bad = []
    for path, md5 in wanted.items():
        with open(path, "rb") as file:
            if hashlib.file_digest(file, "md5").hexdigest() != md5:
                bad.append((path, md5))
    if bad:
        objects = " ".join(f".dvc/cache/files/md5/{md5[:2]}/{md5[2:]}" for _, md5 in bad[:5])
        raise Refusal(
            f"not what dvc.lock says: {', '.join(path for path, _ in bad[:5])}{' …' if len(bad) > 5 else ''}. Nothing was touched. "
            f"Delete these files and the objects in the cache ({objects}), and run this again; if it says the same, the remote is damaged: "
            "whoever made them pushes again (docs/sharing.md)"
        )


def pull(targets: list[str], check_only: bool) -> None:
    """Pull, check, touch; raises Refusal, having touched nothing, if something is not as it should be."""
    of_lock = locks()
    stages = {name: stage for found in of_lock.values() for name, stage in found.items()}
    if not stages:
        raise Refusal(
            "there is no dvc.lock in this commit, so there is nothing to pull. `git log --all -- dvc.lock` shows whether another has one; "
            "otherwise nobody has shared results yet: dvc repro; git add dvc.lock; git commit; dvc push"
        )
    if targets:
        listed = call("dvc", "list", "--dvc-only", "--recursive", ".").splitlines()
        named = paths = needed(targets, set(listed))
    else:
        paths = [out["path"] for stage in stages.values() for out in stage.get("outs", [])]
        named = list(stages)  # for each name DVC reads dvc.lock again
    if not check_only and subprocess.run(["dvc", "pull", *named], check=False, stdout=sys.stderr).returncode:
        raise Refusal(
            "`dvc pull` failed, as it says above; nothing was touched. When there is room on the disk and the remote answers "
            "(dvc remote list), the same command continues"
        )
    wanted = {name: dict(files_wanted(stage, paths)) for name, stage in stages.items()}
    files = {path: md5 for of_stage in wanted.values() for path, md5 in of_stage.items()}
    if missing := [path for path in files if not Path(path).is_file()]:
        raise Refusal(f"not there: {', '.join(missing[:5])}{' …' if len(missing) > 5 else ''}; run this again without --check")
    check_bytes(files)
    for lock, found in of_lock.items():
        concerned = [name for name in found if wanted[name]]
        made = [path for name in concerned for path in wanted[name] if path.startswith(("data/processed/", "data/reference/", "results/"))]
        if differ := changed(stages, concerned):
            touch_as_of(lock, stages, concerned, made)
            print(f"changed since {lock} was written: {', '.join(differ)}; `snakemake -n` says what that means", file=sys.stderr)
        elif made:
            touch(made)
    print(f"{len(files)} files are what dvc.lock says, and count as up to date", file=sys.stderr)


def main() -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", help="tables or figures whose inputs are wanted (default: everything that is tracked)")
    parser.add_argument("--check", action="store_true", help="do not pull: only check and touch what is there")
    arguments = parser.parse_args()
    try:
        pull(arguments.targets, arguments.check)
    except Refusal as refusal:
        print(f"error: {refusal}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
