"""Jobs that have begun, and how long those that are left will take."""

from __future__ import annotations

import logging
import time
from collections import Counter, defaultdict


class Job:
    """A job that has begun.

    Attributes:
        rule: of the Snakefile.
        name: the rule and its wildcards, but the experiment's folder: `train  digits lpga seed 0`.
        logs: its files.
        start: in seconds since the epoch.
        has_message: it prints a text of its own.
    """

    def __init__(self, info: logging.LogRecord):
        told = [f"{name} {value}" if value.isdigit() else value for name, value in info.wildcards.items() if name != "root"]
        self.rule, self.logs, self.start = info.rule_name, list(info.log), info.created
        self.name = f"{self.rule}  {' '.join(told)}".strip()
        self.has_message = bool(info.rule_msg)


class Remaining:
    """How long the jobs that are left will take, by what those of the same rules took."""

    def __init__(self, planned: dict[str, int]):
        self.left, self.planned = Counter(planned), sum(planned.values())
        self.took: dict[str, list[float]] = defaultdict(list)
        self.busy = 0.0
        self.start = time.time()

    def finished(self, job: Job, seconds: float) -> None:
        """Count a job that has taken `seconds`."""
        self.left[job.rule] -= 1
        self.took[job.rule].append(seconds)
        self.busy += seconds

    def seconds(self, running: list[Job], now: float, count: int | None = None) -> float | None:
        """The estimate; None while half of all jobs or more are of rules of which none has finished.

        Args:
            running: jobs that have begun and not ended.
            now: in seconds since the epoch.
            count: how many jobs are left, if not as many as were planned: where data turn out to be the same, what needs them is not made.
        """
        left = +self.left
        known = {rule: sum(took) / len(took) for rule, took in self.took.items()}
        if 2 * sum(jobs for rule, jobs in left.items() if rule not in known) >= self.planned or self.busy <= 0:
            return None
        mean = sum(known.values()) / len(known)
        work = sum(jobs * known.get(rule, mean) for rule, jobs in left.items())
        if count is not None:
            work *= count / max(left.total(), 1)
        elapsed = sum(min(now - job.start, known.get(job.rule, mean)) for job in running)
        jobs_at_once = (self.busy + sum(now - job.start for job in running)) / max(now - self.start, 1e-9)
        return max(work - elapsed, 0.0) / jobs_at_once


def duration(seconds: float) -> str:
    """Seconds in their two largest units: `1 d 3 h`.

    As `pga.runtime.progress` has it, which must not be imported here: the Snakefile says of which folder the package `pga` is.
    """
    rest, found = round(seconds), list[str]()
    for size, name in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        count, rest = divmod(rest, size)
        if count or found or size == 1:
            found.append(f"{count} {name}")
    return " ".join(found[:2])
