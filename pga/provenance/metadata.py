"""What an artifact says of itself, in the file or beside it: every run with parameters, commit, data, device and versions.

Only what two builds from the same inputs share, so that they give the same bytes: no date, no wall time, no checksum of run.json (which
holds a wall time). The way from a run's folder to these is `pga.provenance.chain`.
"""

from __future__ import annotations

import json
from typing import Any

from pga.params.experiment import Experiment
from pga.provenance.records import Record
from pga.provenance.seal import BLANK, KEY
from pga.runtime.files import digest

STABLE = ("digest", "git", "data_sha256", "code", "device")
"""Of a run.json, what a second training of the same run repeats."""


def about(artifact: str, experiment: Experiment, records: dict[str, Record], caption: str, shows: Any = None) -> dict[str, Any]:
    """What an artifact says of itself.

    Args:
        artifact: its name, e.g. "figure2".
        experiment: of which it is.
        records: of every run that it shows, from `pga.provenance.records`.
        caption: what stands below it.
        shows: the values of the experiment's file that it shows besides the runs, so that nobody needs that file to know.
    """
    runs, rows, environments = {}, {}, {}
    for name, record in records.items():
        environment = {"platform": record.get("platform"), "versions": record.get("versions")}
        key = digest(environment)[:12]
        environments[key] = environment
        runs[name] = {**{item: record.get(item) for item in STABLE}, "environment": key}
        if "accepted" in record:  # by `pga accept`
            runs[name]["accepted"] = record["accepted"]
        rows[name.rsplit("/", 1)[0]] = {item: value for item, value in record["run"].items() if item != "seed"}
    return {
        "artifact": artifact,
        "caption": caption,
        "experiment": {"results": experiment.results, "description": experiment.description, "shows": shows},
        "runs": runs,
        "parameters": rows,  # of all seeds
        "environments": environments,
    }


def commit_of(record: dict[str, Any]) -> str:
    """The commit that a record names, and whether the code differed from it."""
    git = record.get("git") or {}
    return f"{git.get('commit') or 'unknown'}{', with uncommitted changes' if git.get('dirty') else ''}"


def text(said: dict[str, Any]) -> str:
    """As one line of ASCII, for metadata, with room for the file's checksum (`pga.provenance.seal`)."""
    return json.dumps({**said, KEY: BLANK}, sort_keys=True)
