"""What Snakemake lacks for this workflow: each function changes one thing, and says why.

The Snakefile calls them: those that jobs on a cluster need as well when it is read, the rest before the first job (`onstart`).
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection
from pathlib import Path
from typing import Any

from snakemake.dag import DAG
from snakemake.exceptions import WorkflowError
from snakemake.jobs import Job
from snakemake.workflow import JobScheduler, Workflow

from pga.runtime.locks import Busy, acquire


def hold_folder() -> None:
    """One run of the workflow at a time.

    The system releases this lock when a process dies, however it dies; Snakemake's own stays behind after kill -9 and must then be removed
    by hand (`nolock` in the profile switches it off).
    """
    Path(".snakemake").mkdir(exist_ok=True)
    try:
        acquire(Path(".snakemake/pga.lock"))
    except Busy:
        raise WorkflowError("another snakemake is running in this folder; wait for it or stop it") from None


def end_on_sigterm() -> None:
    """Let Snakemake's handler of SIGTERM run beside what it interrupts: it takes a lock which that may hold, and would wait for ever.

    Jobs on a cluster need it too: one that hangs holds its GPU until its time limit.
    """
    handler = JobScheduler.exit_gracefully
    JobScheduler.exit_gracefully = lambda *received: threading.Thread(target=handler, args=received).start()


def end_idle_looking(workflow: Workflow) -> None:
    """Let Snakemake look for a job to start when one has ended, and not once a second for each that ever ended.

    Its default of at most 100 jobs a second leaves a timer behind with every one, a thread that starts the next (snakemake/snakemake#3804).
    A limit of your own stays.
    """
    limit = getattr(workflow.scheduler, "job_rate_limiter", None)  # not in every version 9
    if limit and (limit.max_jobs, limit.timespan) == (100, 1):
        workflow.scheduler.job_rate_limiter = None


def keep_outputs(rules: Collection[str]) -> None:
    """Outputs of these rules stay until the rule replaces them, file by file, by better ones; after a failure they count as incomplete.

    Snakemake deletes outputs before a job starts and after it has failed. Its `update()` copies them first, counts what it restored as up
    to date, and deletes them on a cluster.
    """
    remove, clean = Job.remove_existing_output, Job.cleanup

    async def remove_others(job: Job) -> None:
        if job.rule.name not in rules:
            await remove(job)

    async def clean_others(job: Job, *kept: Any) -> None:
        if job.rule.name not in rules:
            await clean(job, *kept)
        else:
            job.dag.workflow.persistence.started(job)

    Job.remove_existing_output, Job.cleanup = remove_others, clean_others


def plan_nothing_behind(rules: Collection[str], known: Callable[[Job], bool]) -> None:
    """Where a job of these rules will make again what is known already, plan nothing for its sake but what waits for it."""
    update = DAG.update_needrun

    async def update_with_known(dag: DAG, *args: Any, **options: Any) -> None:
        hidden = {job: jobs for job, jobs in dag.depending.items() if job.rule.name in rules and known(job)}
        for job in hidden:
            del dag.depending[job]
        try:
            await update(dag, *args, **options)
        finally:
            dag.depending.update(hidden)

    DAG.update_needrun = update_with_known


def judge_again_after(rules: Collection[str], folder: Path) -> None:
    """When a job of these rules ends, let Snakemake judge anew what is to be run: where it has left its outputs alone, nothing is.

    Snakemake plans everything behind a job before it knows what the job will write, gives its outputs a new time, and holds to the plan; at
    checkpoints it does judge anew, but only the next jobs, not those behind them.

    Args:
        rules: names of rules, each with an output `provenance` that names the content of the others.
        folder: of their outputs.
    """
    before = {str(file): file.stat() for file in folder.glob("[!.]*")}
    finish = DAG.finish

    def left_alone(file: str) -> bool:
        return file in before and os.stat(file).st_ino == before[file].st_ino

    async def finish_and_judge(dag: DAG, job: Any, **options: Any) -> bool:
        ready = await finish(dag, job, **options)
        if dag.workflow.dryrun or job.is_group() or job.rule.name not in rules or not any(file in before for file in job.output):
            return ready
        for file in job.output:
            known_by = file if file in before else job.output.provenance
            if left_alone(known_by):
                os.utime(file, ns=(before[known_by].st_atime_ns, before[known_by].st_mtime_ns))
        for other in dag.needrun_jobs():
            if not dag.is_running(other):
                dag.reason(other).clear()
        await dag.postprocess()
        dag.workflow.scheduler.progress()  # how many jobs there are has changed since Snakemake said it
        return True

    DAG.finish = finish_and_judge


def outlast_outages() -> None:
    """Let the workflow go on when Slurm's controller or accounting does not answer for a while, or has forgotten jobs.

    snakemake-executor-plugin-slurm forgets all jobs that run when it cannot ask for them, and would wait for them for ever, as it does for
    a job that a controller without its state (it was killed, its disk was lost) no longer knows; a job that it cannot submit has failed.
    """
    try:
        import snakemake_executor_plugin_slurm as plugin
    except ImportError:
        return
    check, query, submit = plugin.Executor.check_active_jobs, plugin.query_job_status, plugin.get_submit_command
    answers, unknown = list[dict[str, str]](), Counter[str]()
    wait = "for _ in $(seq 120); do scontrol ping > /dev/null 2>&1 && break; sleep 5; done; "

    async def query_or_nothing(command: str, logger: Any) -> tuple[dict[str, str], float]:
        found, duration = await query(command, logger)
        if found is None:
            logger.warning("Slurm does not answer; its jobs go on, and it is asked again")
        else:
            answers.append(found)
        return found or {}, duration or 0.0

    async def check_and_miss(executor: Any, active_jobs: list[Any]) -> AsyncIterator[Any]:
        answers.clear()
        for job in [job async for job in check(executor, active_jobs)]:
            named = {job.external_jobid, job.external_jobid.partition("_")[0]}  # of an array
            if answers:
                unknown[job.external_jobid] = 0 if any(map(named.intersection, answers)) else unknown[job.external_jobid] + 1
            if unknown[job.external_jobid] >= MISSED:  # accounting may only be late: the controller has the last word
                listed, _ = await query(plugin.query_job_status_squeue(executor.run_uuid), executor.logger)
                if listed is not None and not named.intersection(listed):
                    executor.report_job_error(job, msg=f"SLURM-job '{job.external_jobid}' is lost: Slurm no longer knows it. ")
                    continue
            yield job

    plugin.Executor.check_active_jobs = check_and_miss
    plugin.query_job_status = query_or_nothing
    plugin.get_submit_command = lambda *arguments, **options: wait + submit(*arguments, **options)


MISSED = 3
"""Answers in a row in which Slurm does not name a job: then it is lost."""


def orphans() -> list[str]:
    """Ids of Snakemake's jobs in Slurm's queue that were submitted from this folder."""
    words = ["squeue", f"--user={os.getuid()}", "--noheader", "--format=%i|%k|%Z"]
    try:
        listed = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):  # no Slurm here, or it does not answer
        return []
    jobs = [line.split("|") for line in listed.splitlines() if line.count("|") == 2]
    here = os.path.realpath(os.curdir)
    return [job for job, comment, folder in jobs if comment.startswith(("rule_", "group_")) and os.path.realpath(folder) == here]


def end_orphans(patience_s: float = 180.0) -> None:
    """End what a call that was killed has left in Slurm's queue: it would do the work of this call's jobs beside them.

    Trainings keep their state, and go on from it in this call's jobs.
    """
    if not (found := orphans()):
        return
    ending = f"ending {len(found)} jobs that an earlier call left in Slurm's queue: {' '.join(found)}"
    print(f"{ending}; trainings go on from their state", file=sys.stderr)
    subprocess.run(["scancel", *found], check=False)
    deadline = time.monotonic() + patience_s
    while found := orphans():
        if time.monotonic() > deadline:
            raise WorkflowError(f"jobs {' '.join(found)} of an earlier call do not end; when `squeue` no longer shows them, start again")
        time.sleep(1)
