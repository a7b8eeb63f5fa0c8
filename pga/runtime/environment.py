"""Where a result comes from: commit, versions, machine kind. Never part of a rerun decision."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path

PACKAGES = ("torch", "torchvision", "numpy", "scipy", "pandas", "scikit-learn", "pillow", "matplotlib", "pytorch-fid", "snakemake", "dvc")
ROOT = Path(__file__).parents[2]
"""The folder that holds the package: the root of a checkout, or where it is installed."""


def git_state(root: Path = ROOT) -> dict[str, str | bool | None]:
    """Commit of the package's code, and whether the code differs from it: an edited file, or a new one in `pga/`.

    Only a repository whose root is `root` and which tracks the package counts; git by itself would also answer with the commit of a
    repository around it. Its owner may be another user: whoever runs its code trusts it already.

    Returns:
        commit and dirty, both None, with a warning, where they are unknown: a download without `.git`, an installed package, no git.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}  # a hook's name another repository

    def git(*words: str) -> str | None:
        command = ["git", f"--git-dir={root / '.git'}", f"--work-tree={root}", *words]
        try:
            done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=60, check=True)
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.strip()

    commit = git("rev-parse", "--verify", "HEAD") if git("ls-files", "--error-unmatch", "pga/__init__.py") else None
    edited = git("status", "--porcelain", "--untracked-files=no")
    new = git("ls-files", "--others", "--exclude-standard", "--", "pga")
    if commit is None or edited is None or new is None:
        print("warning: the commit of this code is unknown (no git, or no git checkout of this project)", file=sys.stderr)
        return {"commit": None, "dirty": None}
    return {"commit": commit, "dirty": bool(edited or new)}


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that results depend on, as far as they are installed."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def machine_kind() -> dict[str, str]:
    """System and processor, without the host's name."""
    return {"system": platform.system(), "machine": platform.machine()}
