"""Facts of the machine that a benchmark ran on: what its figures depend on, and nothing that tells whose machine it is."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path
from types import TracebackType

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))  # the code beside this file is measured, whatever is installed
from pga.runtime.environment import git_state, versions
from pga.runtime.errors import UserError


def without_traceback(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """What is missing is said in one line, as `pga` says it."""
    if issubclass(kind, UserError):
        print(f"error: {error}", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


sys.excepthook = without_traceback


def facts() -> dict[str, str]:
    """Processor, cores, memory, GPU, system, versions and commit, in the order in which a log shows them."""
    state = git_state()
    return {
        "processor": processor(),
        "cores": f"{cores()} ({torch.get_num_threads()} threads in torch)",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.1f} GiB",
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
        "system": f"{platform.system()} {platform.machine()}",
        "versions": ", ".join(f"{name} {version}" for name, version in versions().items()),
        "commit": f"{state['commit'] or 'unknown'}{' with changes' if state['dirty'] else ''}",
    }


def processor() -> str:
    """Model name of the CPU."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # not Linux
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def as_text(found: dict[str, str]) -> str:
    """One fact a line."""
    width = max(map(len, found))
    return "\n".join(f"{name:<{width}}  {value}" for name, value in found.items())


if __name__ == "__main__":
    print(as_text(facts()))
