"""Where a result comes from: commit, versions, machine kind. Never part of a rerun decision."""

from __future__ import annotations

import platform
import subprocess
from importlib import metadata
from pathlib import Path

PACKAGES = ("torch", "torchvision", "numpy", "scipy", "pandas", "scikit-learn", "pillow", "matplotlib", "pytorch-fid", "snakemake", "dvc")


def git_state() -> dict[str, str | bool | None]:
    """Commit and whether tracked files differ from it; None outside a repository."""
    folder = Path(__file__).parent

    def git(*words: str) -> str | None:
        try:
            done = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, timeout=20, check=True)
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.strip()

    commit = git("rev-parse", "HEAD")
    return {"commit": commit, "dirty": None if commit is None else bool(git("status", "--porcelain", "--untracked-files=no"))}


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that results depend on, as far as they are installed."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def record() -> dict[str, object]:
    """What every artifact says of the code and the machine kind that made it (no host name, no path)."""
    return {
        "git": git_state(),
        "versions": versions(),
        "platform": {"system": platform.system(), "machine": platform.machine()},
    }
