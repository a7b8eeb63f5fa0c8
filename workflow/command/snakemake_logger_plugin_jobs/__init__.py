"""Snakemake's output in short: a line for each finished job, with what is running and how long the rest takes (`snakemake --logger jobs`).

Warnings and errors are printed whole; the rest of what Snakemake says is in its log, `.snakemake/log/`. With `--printshellcmds` (`-p`),
`--verbose`, `--debug-dag` or `--dry-run` everything is printed as Snakemake prints it.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import textwrap
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from snakemake.logging import ColorizingTextHandler, DefaultFilter, DefaultFormatter
from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

from snakemake_logger_plugin_jobs.remaining import Job, Remaining, duration

SAID = re.compile(r"Nothing to be done|Will exit after|Shutting down|Terminating processes")
"""What Snakemake says while it runs, besides its events, that a user wants to read."""
REPEATED = re.compile(r"CalledProcessError in file|Exiting because a job execution failed|At least one job did not complete successfully")
"""Errors that only repeat what the failed job's own lines say."""
SETTLED_S = 0.5
"""Jobs that a finished one has let begin have begun after this time, so that they are among those that are running."""
SILENT_S = (60.0, 3600.0)
"""After the first without a line, what is running is said; after twice as long again, up to the second."""
LOG_LINES = 50


class LogHandler(LogHandlerBase):
    """Prints to stderr; a dry run to stdout, as Snakemake does."""

    writes_to_stream = True
    writes_to_file = False
    has_filter = True
    has_formatter = True
    needs_rulegraph = False

    def __post_init__(self) -> None:
        said = self.common_settings
        self.whole = ColorizingTextHandler(
            said.nocolor,
            sys.stdout if said.stdout else sys.stderr,
            DefaultFormatter(said.quiet, said.show_failed_logs),
            DefaultFilter(said.quiet, said.debug_dag, said.verbose, said.dryrun, said.printshellcmds),
        )
        self.is_whole = said.dryrun or said.verbose or said.debug_dag or said.printshellcmds
        self.executing = self.stopped = self.queued = False
        self.jobs: dict[Any, Job] = {}
        self.running: dict[Any, Job] = {}
        self.waiting: list[str] = []
        self.done = self.total = 0
        self.failed: set[Any] = set()
        self.remaining = Remaining({})
        self.timer: threading.Timer | None = None
        self.silence = SILENT_S[0]

    def emit(self, record: logging.LogRecord) -> None:
        """Print what a user wants to know of it."""
        event = getattr(record, "event", None)
        try:
            with self.while_somebody_reads():
                if event == LogEvent.ERROR and not self.common_settings.verbose:
                    record.msg = without_places(record.getMessage())
                if self.is_whole:
                    self.whole.handle(record)
                elif self.whole.filter(record):
                    getattr(self, f"on_{event}", self.on_message)(record)
        except Exception:
            self.handleError(record)

    def close(self) -> None:
        """Print what is still held back."""
        with self.lock, self.while_somebody_reads():
            self.tell()
            self.wake(None)
        super().close()

    @contextmanager
    def while_somebody_reads(self) -> Iterator[None]:
        """Let the jobs go on where nobody reads what they print any more (`snakemake … | head`)."""
        try:
            yield
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.whole.stream.fileno())

    def columns(self) -> int | None:
        """How wide the terminal is; None without one."""
        return (os.get_terminal_size(self.whole.stream.fileno()).columns or 80) if self.whole.is_tty else None

    def say(self, *lines: str, whole: bool = False) -> None:
        """Print lines, in a terminal none longer than it is wide, unless they are to be `whole`."""
        width = (not whole and self.columns()) or sys.maxsize
        self.whole.stream.writelines(f"{line if len(line) <= width else f'{line[: width - 1]}…'}\n" for line in lines)
        self.whole.flush()

    def wake(self, seconds: float | None) -> None:
        """Call `later` in so many seconds, and not as it was meant before; None: not at all."""
        if self.timer:
            self.timer.cancel()
        self.timer = None
        if seconds is not None:
            self.timer = threading.Timer(seconds, self.later)
            self.timer.daemon = True
            self.timer.start()

    def later(self) -> None:
        """What the timer does."""
        with self.lock, self.while_somebody_reads():
            if self.waiting:
                self.tell()
            elif self.running and not self.stopped:
                self.tell_running()
                self.silence = min(2 * self.silence, SILENT_S[1])
                self.wake(self.silence)

    def tell(self) -> None:
        """Print the lines of finished jobs, the last with the time left and with what is running."""
        if not self.waiting:
            return
        left = self.total - self.done
        seconds = self.remaining.seconds(list(self.running.values()), time.time(), left) if left > 0 else None
        rules = Counter(job.rule for job in self.running.values())
        counted = ", ".join(f"{rule} ×{count}" if count > 1 else rule for rule, count in rules.items())
        about = [f"about {duration(seconds)} left"] if seconds is not None else []
        about += [f"{'in the queue' if self.queued else 'running'}: {counted}"] if rules else []
        self.say(*self.waiting[:-1], " · ".join([self.waiting[-1], *about]))
        self.waiting, self.silence = [], SILENT_S[0]
        self.wake(self.silence)

    def tell_running(self) -> None:
        """Print each job that is running, with the last line of its log."""
        for job in self.running.values():
            lines = [line for log in job.logs for line in last_lines(log, 1)]
            state = "in the queue or running" if self.queued else "running"
            self.say(": ".join([f"{self.count(self.done)} {job.name}  {state} for {duration(time.time() - job.start)}", *lines[-1:]]))

    def count(self, done: int) -> str:
        """`[ 12/131]`."""
        return f"[{done:>{len(str(self.total))}}/{self.total}]"

    def on_message(self, record: logging.LogRecord) -> None:
        """Warnings, errors, what the workflow itself says; of what Snakemake says while it runs, little."""
        text = record.getMessage()
        if record.levelno < logging.WARNING and text.startswith("Complete log"):
            self.tell()
            self.summary(text)
        elif again := re.match(r"Trying to restart job (.*)\.", text):
            job = self.jobs.get(int(again[1])) if again[1].isdigit() else None
            self.say(f"trying again: {job.name if job else 'the group'}")
        elif record.levelno >= logging.WARNING or record.name != "snakemake.logging" or SAID.match(text):
            self.stopped |= text.startswith("Terminating")
            self.tell()
            if not REPEATED.search(text):
                self.whole.emit(record)
        elif not self.executing and not text.startswith("Assuming unrestricted"):
            self.whole.emit(record)

    def on_workflow_started(self, record: logging.LogRecord) -> None:
        """From here on jobs are planned and run."""
        self.executing = True

    def on_resources_info(self, record: logging.LogRecord) -> None:
        """Jobs wait in a queue of a cluster, if it has nodes."""
        self.queued |= hasattr(record, "nodes")

    def on_run_info(self, record: logging.LogRecord) -> None:
        """Print how many jobs of which rules there are."""
        planned = {rule: count for rule, count in record.stats.items() if rule != "total"}
        self.total = sum(planned.values())
        self.remaining = Remaining(planned)
        jobs = ", ".join(f"{count} {rule}" if count > 1 else rule for rule, count in planned.items())
        if self.total > 1:
            self.say(*textwrap.wrap(f"{self.total} jobs: {jobs}", min(self.columns() or 80, 120)))

    def on_job_info(self, record: logging.LogRecord) -> None:
        """A job begins."""
        job = self.jobs[record.jobid] = self.running[record.jobid] = Job(record)
        if job.has_message:
            self.say(record.rule_msg, whole=True)
        if not self.timer:
            self.wake(self.silence)

    def on_job_finished(self, record: logging.LogRecord) -> None:
        """A job has ended well."""
        self.done += 1
        self.failed.discard(record.job_id)
        if job := self.running.pop(record.job_id, None):
            seconds = record.created - job.start
            self.remaining.finished(job, seconds)
            if not job.has_message:
                took = f"{duration(seconds)}{' since it was submitted' if self.queued else ''}"
                self.waiting.append(f"{self.count(self.done)} {job.name}  {took}")

    def on_progress(self, record: logging.LogRecord) -> None:
        """Print it soon, when the jobs that it has let begin have begun."""
        self.total = record.total
        if self.waiting:
            self.wake(SETTLED_S)

    def on_job_error(self, record: logging.LogRecord) -> None:
        """Print what failed and what its log says last."""
        self.tell()
        job = self.running.pop(record.jobid, None)
        if self.stopped:
            self.say(f"stopped: {job.name if job else record.rule_name}")
            return
        self.failed.add(record.jobid)
        took = f" after {duration(record.created - job.start)}" if job else ""
        about = [record.rule_msg, *(f"{name}: {value}" for name, value in record.aux.items())]
        self.say_failed(record, f"{job.name if job else record.rule_name}{took}", *filter(None, about), logs=record.log)

    def on_group_error(self, record: logging.LogRecord) -> None:
        """Print what the log of a group of jobs says last; each of its jobs follows."""
        self.tell()
        if not self.stopped:
            self.say_failed(record, f"group {record.groupid}", logs=record.aux_logs)

    def say_failed(self, record: logging.LogRecord, name: str, *about: str, logs: list[str]) -> None:
        """Print what failed, what is known about it and the end of its logs."""
        lines = [f"FAILED {name}", *about]
        for log in logs:
            lines += [f"  {log}", *(f"    {line}" for line in last_lines(log, LOG_LINES))]
        self.say(self.whole.decorate(record, "\n".join(lines)), whole=True)

    def ignore(self, record: logging.LogRecord) -> None:
        """In Snakemake's log only."""

    on_shellcmd = on_job_started = on_group_info = on_debug_dag = on_rulegraph = ignore

    def summary(self, logs: str) -> None:
        """Print, last, how many jobs are done and how to go on."""
        if not self.total or all(job.has_message for job in self.jobs.values()):
            return
        counted = f"{self.done} of {self.total} jobs done" + (f", {len(self.failed)} failed" if self.failed else "")
        more = "; the same command goes on from here" if self.done < self.total else ""
        log = ", ".join(os.path.relpath(path) for path in logs.partition(": ")[2].split(", "))
        self.say(f"{counted}, in {duration(time.time() - self.remaining.start)}{more}", f"full log: {log}", whole=True)


def without_places(error: str) -> str:
    """What an error says to a user, without the places in Snakemake and the Snakefile that it came through; others stay whole."""
    if found := re.search(r"\AInputFunctionException in rule .*\n  (?:UserError|WorkflowError): (.*?)\nWildcards:", error, re.S):
        return f"error: {found[1]}"
    if not re.match(r"(WorkflowError|CliException)\b", error):
        return error
    return "error: " + re.sub(r'\A\w+( in file ".*", line \d+)?:\n|(\n  File ".*", line \d+, in .*)+\Z', "", error)


def last_lines(file: str, count: int) -> list[str]:
    """The last lines of a file that hold something; none if it cannot be read."""
    try:
        text = Path(file).read_text(errors="replace")
    except OSError:
        return []
    return [line for line in re.split(r"[\r\n]+", text) if line.strip()][-count:]
