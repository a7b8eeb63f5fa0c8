# The code that jobs run is the code that was planned, and what other code has made is made again.

from contextlib import suppress
from dataclasses import replace

import pga
from snakemake.dag import DAG

if not os.path.samefile(pga.__path__[0], "pga"):
    raise WorkflowError(f"the package pga of {pga.__path__[0]} is imported instead of the one in this folder; unset PYTHONPATH, or install this one")


PLAN = Path(".snakemake/planned_code.json")
"""The planned fingerprint of each step, for jobs on a cluster, which read the workflow anew, whatever its code is by then."""


def keep_plan() -> None:
    """Write it, before the first job. Where no file has changed, jobs need not compute fingerprints."""
    os.environ.update(PGA_PLANNED_SOURCES=fingerprints.SOURCES.digest)
    codes = {job.params.code for job in workflow.dag.needrun_jobs() if "code" in job.params.keys()}
    write_json(PLAN, {code.rpartition(":")[0]: code for code in codes})


def take_over_plan() -> None:
    """Take the fingerprints of the plan for those of now, in a job."""
    if not workflow.is_main_process and PLAN.exists():
        planned, of_now = read_json(PLAN), fingerprints.step_code
        fingerprints.step_code = lambda step, *sources: planned.get(str(step)) or of_now(step, *sources)


def record_of_training(job) -> RunRecord | None:
    """run.json of a finished training; None where it is absent or damaged, or for other jobs."""
    try:
        return RunRecord.read(Path(job.output.record)) if job.rule.name == "train" else None
    except UserError:
        return None


def is_of_now(record: RunRecord, job) -> bool:
    """Whether a record is of the parameters, the code and, as far as they are prepared, the data that the training would be of now."""
    try:
        data = PreparedRecord.read(Path(job.input.provenance)).checksum("train")
    except UserError: # not prepared yet, which changes nothing where the same bytes come out
        data = record.data_sha256
    return record.digest == job.params.digest and record.data_sha256 == data and any(map(fingerprints.is_current, record.codes()))


def of_other_code(job) -> list[bool]:
    """Of each record among a job's outputs, whether it is of other code; damaged ones are left to their readers, which refuse them."""
    found = []
    for file in job.output if "code" in job.params.keys() else ():
        if file.endswith(".json") and os.path.exists(file):
            with suppress(UserError):
                found.append(fingerprints.names_other_code(Path(file)))
    return found


def is_outdated(job) -> bool:
    """Whether a job's records say that its outputs are of other code, and of a training, of other parameters or data, than it is now."""
    if record := record_of_training(job):
        return not is_of_now(record, job)
    return any(of_other_code(job))


def is_whole(record: RunRecord, job) -> bool:
    """Whether all files of a run are those that it wrote; run.json is written after them."""
    files = {Path(file).name: file for file in job.output if file != job.output.record}
    return all(os.path.exists(file) and sha256(file) == record.files.get(name) for name, file in files.items())


def let_records_decide() -> None:
    """Of results their records say what made them, and of a trained run, whether it is finished. Snakemake's own notes may be lost or of other
    files (dvc checkout, a copy), know nothing of `pga accept`, and are not kept of jobs that end when the process that submitted them is dead."""
    update, find_incomplete, forced = DAG.update_needrun, DAG.incomplete_files, set()

    def but_code(changed):
        def params_changed(job, file=None):
            found = changed(job, file)
            if not of_other_code(job):
                return found
            step = f"'{job.params.code.partition(':')[0]}:"
            old, new = ({value for value in values if not value.startswith(step)} for values in (found.only_old, found.only_new))
            return replace(found, only_old=old, only_new=new)

        return params_changed

    async def update_needrun(dag, *arguments, **options):
        other = {file for job in dag.jobs if is_outdated(job) for file in job.output}
        dag.forcefiles.difference_update(forced - other) # what the user forces stays forced
        forced.intersection_update(other)
        forced.update(other - dag.forcefiles)
        dag.forcefiles.update(other)
        vars(dag.workflow.persistence).setdefault("params_changed", but_code(dag.workflow.persistence.params_changed))
        await update(dag, *arguments, **options)

    async def incomplete_files(dag):
        found = set(await find_incomplete(dag))
        for job in dag.jobs:
            if found.intersection(job.output) and (record := record_of_training(job)) and is_of_now(record, job) and is_whole(record, job):
                found.difference_update(job.output)
                if not dag.workflow.dryrun:
                    dag.workflow.persistence.cleanup(job)
        return list(found)

    DAG.update_needrun, DAG.incomplete_files = update_needrun, incomplete_files


take_over_plan()
let_records_decide()
