# The code that jobs run is the code that was planned, and what other code has made is made again.

import json
import re

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


def codes_in(file: str) -> list[str]:
    """The fingerprints in a record, none if there is no such record."""
    try:
        content = json.loads(Path(file).read_bytes())
        return [content["code"]] if isinstance(content["code"], str) else content["code"]
    except (OSError, ValueError, TypeError, KeyError):
        return []


def is_of_other_code(job) -> bool:
    """Whether records say that other code of the job's verb has made its outputs."""
    records = {f"{os.path.dirname(file)}/{name}" for file in job.output for name in ("run.json", "metrics.json")}
    codes = [code for record in sorted(records) for code in codes_in(record) if code.startswith(f"{verb_of(job.rule)}:")]
    return not all(fingerprints.is_current(code) for code in codes)


def remake_what_other_code_made() -> None:
    """Snakemake knows the code of a result from its own notes; where these are lost or of other files (dvc checkout, a copy), records decide."""
    update, forced = DAG.update_needrun, set()

    async def update_needrun(dag, *arguments, **options):
        jobs = [job for job in dag.jobs if verb_of(job.rule) in ("train", "sample", "reconstruct", "evaluate")]
        other = {file for job in jobs if is_of_other_code(job) for file in job.output}
        dag.forcefiles.difference_update(forced - other)  # what the user forces stays forced
        forced.intersection_update(other)
        forced.update(other - dag.forcefiles)
        dag.forcefiles.update(other)
        await update(dag, *arguments, **options)

    DAG.update_needrun = update_needrun


hand_over_code()
remake_what_other_code_made()
