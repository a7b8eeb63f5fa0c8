# The code that jobs run is the code that was planned, and what other code has made is made again.

import re
from dataclasses import replace

import pga
from snakemake.dag import DAG

if not os.path.samefile(pga.__path__[0], "pga"):
    raise WorkflowError(f"the package pga of {pga.__path__[0]} is imported instead of the one in this folder; unset PYTHONPATH, or install this one")


def verb_of(its_rule) -> str:
    """The verb of the command line that a rule calls, or nothing."""
    found = re.match(r"pga (\w+)", its_rule.shellcmd or "")
    return found[1] if found else ""


def hand_over_code() -> None:
    """Give each verb the planned fingerprint: it refuses to start, or to write, with other code. On a cluster the plan is that of the job."""
    for each in workflow.rules:
        if verb_of(each) and "code" in each.params.keys():
            each.shellcmd = re.sub(r"pga \w+", r"\g<0> --planned-code {params.code:q}", each.shellcmd, count=1)


def record_of_training(job) -> RunRecord | None:
    """run.json of a finished training; None where it is absent or damaged, or for other jobs."""
    try:
        return RunRecord.read(Path(job.output.record)) if job.rule.name == "train" else None
    except UserError:
        return None


def let_records_decide() -> None:
    """Which code made a trained run, its record says: Snakemake's own notes may be lost or of other files (dvc checkout, a copy), and know
    nothing of `pga accept`."""
    update, forced = DAG.update_needrun, set()

    def but_code(changed):
        def params_changed(job, file=None):
            found = changed(job, file)
            if not record_of_training(job):
                return found
            old, new = ({value for value in values if not value.startswith("'train:")} for values in (found.only_old, found.only_new))
            return replace(found, only_old=old, only_new=new)

        return params_changed

    async def update_needrun(dag, *arguments, **options):
        records = [(record_of_training(job), job.output) for job in dag.jobs]
        other = {file for record, output in records if record and not any(map(fingerprints.is_current, record.codes())) for file in output}
        dag.forcefiles.difference_update(forced - other) # what the user forces stays forced
        forced.intersection_update(other)
        forced.update(other - dag.forcefiles)
        dag.forcefiles.update(other)
        vars(dag.workflow.persistence).setdefault("params_changed", but_code(dag.workflow.persistence.params_changed))
        await update(dag, *arguments, **options)

    DAG.update_needrun = update_needrun


hand_over_code()
let_records_decide()
