"""The page: what stands on it, put into the template. Same inputs, same bytes."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pga.artifacts.collect import collect
from pga.artifacts.report import report_artifacts, rule_graph
from pga.artifacts.report.overview import overview
from pga.artifacts.report.report_runs import section
from pga.params.experiment import Scale
from pga.params.feature_spaces import TITLES
from pga.provenance import metadata
from pga.provenance.read import CLOSE, OPEN
from pga.provenance.records import Place, Record, read_runs
from pga.runtime.errors import UserError


def render(scale: Scale, params: str, data: Path, rules: Path | None, allow_missing: bool = False) -> str:
    """The report of a scale as HTML.

    Args:
        scale: whose results.
        params: its file, for the commands on the page.
        data: folder of prepared data, which the runs must be of.
        rules: what `snakemake --rulegraph dot` printed, if the graph is to be shown.
        allow_missing: show what there is and name what is missing.

    Raises:
        UserError: something is missing, or does not belong together.
    """
    places = [Place(run.dataset, run.name, run.seed) for run in scale.all_runs()]
    runs = read_runs(scale, places, data, allow_missing)
    metrics, unmeasured = collect(scale, allow_missing=allow_missing)
    absent = [str(path) for path in report_artifacts.files(scale) if not path.exists()]
    if absent and not allow_missing:
        raise UserError(f"missing: {', '.join(absent)}; make them, or pass --allow-missing for a partial report")
    missing = [*runs.missing, *unmeasured, *absent]
    judged = report_artifacts.claims(scale, runs.records)
    figures = report_artifacts.figures(scale, runs.records)
    said = metadata.about("report", scale, runs.records, caption(scale, missing))
    return (
        environment()
        .get_template("report.html")
        .render(
            scale=scale,
            params=params,
            title=TITLES.get(scale.evaluation.metric, scale.evaluation.metric),
            missing=missing,
            verdicts=judged[0] if judged else "",
            judged=judged[1] if judged else [],
            facts=facts(scale, params, runs.records),
            layout=report_artifacts.papers_table(scale, runs.records),
            table1=report_artifacts.table1(scale, runs.records),
            figures=figures,
            tables=report_artifacts.others(scale, runs.records),
            runs=[section(scale, place, runs.records[str(place)], metrics) for place in places if str(place) in runs.records],
            overview=overview(scale, places, runs.records, metrics),
            graph=rule_graph.draw(rule_graph.read_graph(rules)) if rules else None,
            environments=environments(runs.records),
            commands=commands(scale),
            make=make_command(scale),
            duration=duration,
            provenance=Markup(OPEN + metadata.text(said).replace("<", "\\u003c") + CLOSE),
        )
    )


def environment() -> Environment:
    """The template's, in which every text is escaped and every unknown name an error."""
    return Environment(
        loader=PackageLoader("pga.artifacts.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )  # fmt: skip


def caption(scale: Scale, missing: list[str]) -> str:
    """What the report is of, and what is missing."""
    return f"Report of {scale.results}: {scale.description}" + (f". PARTIAL: missing are {', '.join(missing)}" if missing else "")


def environments(records: dict[str, Record]) -> list[dict[str, Any]]:
    """Each kind of machine and set of versions, with how many runs it trained."""
    counted: Counter[tuple[str, str, str, str]] = Counter()
    for record in records.values():
        platform = record.get("platform") or {}
        git = record.get("git") or {}
        commit = f"{git.get('commit') or 'unknown'}{' (with uncommitted changes)' if git.get('dirty') else ''}"
        versions = ", ".join(f"{name} {version}" for name, version in (record.get("versions") or {}).items())
        counted[str(record.get("device")), f"{platform.get('system')} {platform.get('machine')}", commit, versions] += 1
    keys = ("device", "platform", "commit", "versions")
    return [dict(zip(keys, kind, strict=True), runs=count) for kind, count in sorted(counted.items())]


def facts(scale: Scale, params: str, records: dict[str, Record]) -> list[tuple[str, str]]:
    """What the page is of, at a glance."""
    hours = defaultdict[str, float](float)
    for record in records.values():
        hours[str(record.get("device"))] += record.get("wall_s") or 0.0
    trained = ", ".join(f"{duration(seconds)} on {device}" for device, seconds in sorted(hours.items()))
    return [
        ("Experiment", f"{params}: {scale.description}"),
        ("Data", ", ".join(scale.datasets)),
        ("Runs", f"{len(records)} of {len(scale.all_runs())}, seeds {', '.join(map(str, scale.seeds))}"),
        ("Training", trained or "none yet"),
        ("Headline metric", TITLES.get(scale.evaluation.metric, scale.evaluation.metric)),
    ]


def duration(seconds: float) -> str:
    """Hours, minutes or seconds."""
    for unit, size in (("hours", 3600), ("minutes", 60)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} seconds"


def make_command(scale: Scale) -> str:
    """What makes a file of the experiment's results, but for the file's name."""
    return f"snakemake --cores 2{'' if scale.device == 'cpu' else ' --resources gpu=1'} {scale.results}/"


def commands(scale: Scale) -> list[tuple[str, str]]:
    """Artifact → the command that makes it, from nothing."""
    make = make_command(scale)
    found = [(f"figures/{figure}.png, .pdf", f"{make}figures/{figure}.png") for figure in scale.figures]
    found += [(f"{table}.csv, .md, .tex", f"{make}{table}.csv") for table in report_artifacts.tables(scale) if table != "claims"]
    found += [("claims.csv", f"{make}claims.csv"), ("metrics.csv", f"{make}metrics.csv"), ("report.html", f"{make}report.html")]
    first = scale.all_runs()[0]
    found.append(("one run", f"{make}{first.dataset}/{first.name}/seed{first.seed}/model.safetensors"))
    return [*found, ("where a file comes from", f"pga provenance {scale.results}/table1.csv")]
