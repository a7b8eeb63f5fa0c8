"""The page: what stands on it, put into the template. Same inputs, same bytes."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from pga.artifacts.collect import collect
from pga.artifacts.report import report_artifacts, rule_graph
from pga.artifacts.report.overview import overview
from pga.artifacts.report.report_runs import section, title_of
from pga.artifacts.report.rule_times import rule_times
from pga.artifacts.run_titles import dataset_titles
from pga.params.experiment import Experiment
from pga.params.titles import metric_title, short_metric_title
from pga.provenance.metadata import ArtifactRecord
from pga.provenance.records import Place, read_runs
from pga.runtime.errors import UserError
from pga.training.run_record import RunRecord


def render(
    experiment: Experiment, params: str, data: Path, rules: Path | None, logs: Path, allow_missing: bool, code: str
) -> tuple[str, ArtifactRecord]:
    """The report of an experiment as HTML, and its record.

    Args:
        experiment: whose results.
        params: its file, for the commands on the page.
        data: folder of prepared data, which the runs must be of.
        rules: what `snakemake --rulegraph dot` printed, if the graph is to be shown.
        logs: folder of the workflow's benchmark files.
        allow_missing: show what there is and name what is missing.
        code: fingerprint of the step that writes it.

    Raises:
        UserError: something is missing, or does not belong together.
    """
    graph = rule_graph.draw(rule_graph.read_graph(rules)) if rules else None
    places = list(map(Place.of, experiment.all_runs()))
    runs = read_runs(experiment, places, data, allow_missing)
    metrics, unmeasured = collect(experiment, allow_missing=allow_missing)
    absent = [str(path) for path in report_artifacts.files(experiment) if not path.exists()]
    if absent and not allow_missing:
        raise UserError(f"missing: {', '.join(absent)}; make them, or pass --allow-missing for a partial report")
    missing = [*runs.missing, *unmeasured, *absent]
    figures = report_artifacts.figures(experiment, runs.records, metrics)
    shown = [*report_artifacts.tables(experiment), *experiment.figures]
    page = (
        environment()
        .get_template("report.html")
        .render(
            experiment=experiment,
            params=params,
            title=short_metric_title(experiment.evaluation.metric),
            missing=missing,
            verdicts=report_artifacts.glance(experiment, runs.records),
            facts=facts(experiment, params, runs.records),
            layout=report_artifacts.papers_table(experiment, runs.records),
            figures=figures,
            tables=report_artifacts.others(experiment, runs.records),
            runs=[section(experiment, place, runs.records[str(place)], metrics) for place in places if str(place) in runs.records],
            names={str(place): title_of(experiment, place) for place in places},
            overview=overview(experiment, places, runs.records, metrics),
            times=rule_times(logs, experiment, runs.records, shown),
            graph=graph,
            environments=environments(runs.records),
            commands=commands(experiment),
            make=make_command(experiment),
            duration=duration,
        )
    )
    return page, ArtifactRecord.of("report", experiment, runs.records, caption(experiment, missing), code)


def environment() -> Environment:
    """The template's, in which every text is escaped and every unknown name an error."""
    return Environment(
        loader=PackageLoader("pga.artifacts.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )  # fmt: skip


def caption(experiment: Experiment, missing: list[str]) -> str:
    """What the report is of, and what is missing."""
    return f"Report of {experiment.results}: {experiment.description}" + (f". PARTIAL: missing are {', '.join(missing)}" if missing else "")


def environments(records: dict[str, RunRecord]) -> list[dict[str, Any]]:
    """Each kind of machine and set of versions, with how many runs it trained."""
    counted = Counter(
        (record.device, f"{record.platform['system']} {record.platform['machine']}", str(record.git), record.versions_text())
        for record in records.values()
    )
    keys = ("device", "platform", "commit", "versions")
    return [dict(zip(keys, kind, strict=True), runs=count) for kind, count in sorted(counted.items())]


def facts(experiment: Experiment, params: str, records: dict[str, RunRecord]) -> list[tuple[str, str]]:
    """What the page is of, at a glance."""
    hours = defaultdict[str, float](float)
    for record in records.values():
        hours[record.device] += record.wall_s
    trained = ", ".join(f"{duration(seconds)} on {device}" for device, seconds in sorted(hours.items()))
    return [
        ("Experiment", f"{Path(params).stem}: {experiment.description}"),
        ("Data", ", ".join(dataset_titles(experiment).values())),
        ("Runs", f"{len(records)} of {len(experiment.all_runs())}, seeds {', '.join(map(str, experiment.all_seeds()))}"),
        ("Training", trained or "none yet"),
        ("Metric", metric_title(experiment.evaluation.metric)),
    ]


def duration(seconds: float) -> str:
    """Hours, minutes or seconds."""
    for unit, size in (("hours", 3600), ("minutes", 60)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} seconds"


def make_command(experiment: Experiment) -> str:
    """What makes a file of the experiment's results, but for the file's name."""
    return f"snakemake --cores 2{'' if experiment.device == 'cpu' else ' --resources gpu=1'} {experiment.results}/"


def commands(experiment: Experiment) -> list[tuple[str, str]]:
    """What a reader may want to make → the command."""
    make, first = make_command(experiment), experiment.all_runs()[0]
    return [
        ("This page", f"{make}report.html"),
        ("One run", f"{make}{first.dataset}/{first.name}/seed{first.seed}/model.safetensors"),
        ("Where a file comes from", f"pga provenance {experiment.results}/report.html"),
    ]
