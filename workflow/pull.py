"""Bring results from the remote, check them, and tell Snakemake that they are up to date, so that it builds on them and repeats none.

A file that `dvc pull` brings has any time of change, and Snakemake's notes on it stayed where it was made. `snakemake --touch` puts both
right, and would bless anything; so this refuses unless every byte is what dvc.lock says and the code and parameters are those it was
made with.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

EXAMPLES = """examples:
  python workflow/pull.py                                       everything that dvc.lock names
  python workflow/pull.py results/quick/figures/figure2.png     only what this figure is drawn from; then
  snakemake --cores 2 results/quick/figures/figure2.png         draws it
"""


class Refusal(Exception):
    """Why nothing is touched, and what to do."""


def call(*words: str) -> str:
    """What a program prints; its errors go to the terminal."""
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise Refusal(f"`{' '.join(words[:4])}{' …' if len(words) > 4 else ''}` failed, as it says above; nothing was touched")
    return done.stdout


def locked_stages() -> dict[str, dict]:
    """Name of each stage, as `dvc status` calls it → what its dvc.lock says. Paths are the project's, because every wdir is its root."""
    found = {}
    for lock in sorted(Path().glob("*dvc.lock")) + sorted(Path().glob("*/dvc.lock")):
        prefix = "" if lock.parent == Path() else f"{lock.parent}/dvc.yaml:"
        found |= {prefix + name: stage for name, stage in (yaml.safe_load(lock.read_text()).get("stages") or {}).items()}
    return found


def files_of(out: dict) -> Iterator[tuple[str, str]]:
    """(path, MD5) of each file of an output: itself, or what its listing in the cache names.

    Raises:
        Refusal: the listing is absent or damaged.
    """
    if not out["md5"].endswith(".dir"):
        yield out["path"], out["md5"]
        return
    cache = Path(call("dvc", "cache", "dir").strip())
    listing = cache / "files/md5" / out["md5"][:2] / out["md5"][2:]
    if not listing.exists() or hashlib.md5(content := listing.read_bytes()).hexdigest() + ".dir" != out["md5"]:
        raise Refusal(f"{listing}: the listing of {out['path']} is absent or damaged; delete it and pull again")
    for entry in json.loads(content):
        yield f"{out['path']}/{entry['relpath']}", entry["md5"]


def needed(targets: list[str], tracked: set[str]) -> list[str]:
    """The tracked files that targets are built from: their inputs, or the inputs of inputs that are not tracked."""
    plan = call("snakemake", "--dry-run", "--forceall", "--quiet", "host", "--cores", "1", *targets)
    inputs: dict[str, list[str]] = {}
    for job in re.split(r"\n(?:local)?rule \w+:\n", plan)[1:]:
        read, made = (re.search(rf"^    {word}: (.*)$", job, re.M) for word in ("input", "output"))
        for path in made[1].split(", ") if made else []:
            inputs[path] = read[1].split(", ") if read else []
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


def check_sources(stages: dict[str, dict], concerned: set[str]) -> None:
    """Code, parameters and commands must be those that the results were made with.

    Raises:
        Refusal: names what differs.
    """
    made = [out["path"] for stage in stages.values() for out in stage.get("outs", [])]
    changed = set()
    for name, reasons in json.loads(call("dvc", "status", "--json")).items():
        for reason in reasons if name in concerned else []:
            if isinstance(reason, str) and reason != "always changed":
                changed.add(f"the command of {name}")
            elif isinstance(reason, dict):
                changed |= {str(path) for path in reason.get("changed deps", {}) if path not in made}
    if changed:
        raise Refusal(
            f"since the results were made, these have changed: {', '.join(sorted(changed))}. Nothing was touched. Go to the commit of "
            "dvc.lock (git log -1 dvc.lock; git stash and git switch --detach), run this there, and come back: "
            "Snakemake then judges every change by its meaning"
        )


def check_bytes(wanted: dict[str, str]) -> None:
    """Every file must be what dvc.lock says.

    Raises:
        Refusal: names those that are not.
    """
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
    """Pull, check, touch.

    Raises:
        Refusal: something is not as it should be; nothing was touched.
    """
    stages = locked_stages()
    if not stages:
        raise Refusal("there is no dvc.lock: nobody has shared results of this project yet (dvc repro, git add dvc.lock, dvc push)")
    if targets:
        listed = call("dvc", "list", "--dvc-only", "--recursive", ".").splitlines()
        paths = needed(targets, set(listed))
    else:
        paths = [out["path"] for stage in stages.values() for out in stage.get("outs", [])]
    if not check_only:
        subprocess.run(["dvc", "pull", *paths], check=False, stdout=sys.stderr).returncode == 0 or failed()
    concerned, wanted = set(), {}
    for name, stage in stages.items():
        for out in stage.get("outs", []):
            if any(path == out["path"] or path.startswith(out["path"] + "/") for path in paths):
                concerned.add(name)
                wanted |= {path: md5 for path, md5 in files_of(out) if path in paths or out["path"] in paths}
    if missing := [path for path in wanted if not Path(path).is_file()]:
        raise Refusal(f"not there: {', '.join(missing[:5])}{' …' if len(missing) > 5 else ''}; run this again without --check")
    check_bytes(wanted)
    check_sources(stages, concerned)
    made = [path for path in wanted if re.match(r"(data/(processed|reference)|results)/", path)]
    call("snakemake", "--touch", "--force", "--cores", "1", "--quiet", "all", "--", *made)
    print(f"{len(wanted)} files are what dvc.lock says, and count as up to date", file=sys.stderr)


def failed() -> bool:
    """`dvc pull` failed.

    Raises:
        Refusal: always.
    """
    raise Refusal(
        "`dvc pull` failed, as it says above; nothing was touched. When there is room on the disk and the remote answers "
        "(dvc remote list), the same command continues"
    )


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
