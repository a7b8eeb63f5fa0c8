"""The graph of the workflow's rules as SVG, from the text that Snakemake prints of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from pga.runtime.errors import UserError

BOX, GAP, ROW = (152, 30), 16, 74
"""Size of a rule's box, room between two, height of a row; in the SVG's units."""


@dataclass(frozen=True)
class Graph:
    """Rules, and which rule's output each reads (from, to)."""

    rules: tuple[str, ...]
    edges: tuple[tuple[str, str], ...]


def read_graph(path: Path) -> Graph:
    """What `snakemake --rulegraph` printed; raises UserError if the file is absent or holds no rules."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"{path}: cannot be read: {getattr(error, 'strerror', error)}; `snakemake --rulegraph dot TARGET` prints it"
        ) from error
    names = dict(re.findall(r'^\s*(\d+)\s*\[\s*label\s*=\s*"([^"\\]+)', text, re.M))
    edges = {(names[start], names[end]) for start, end in re.findall(r"^\s*(\d+)\s*->\s*(\d+)", text, re.M) if {start, end} <= set(names)}
    if not names:
        raise UserError(f"{path}: holds no rules; `snakemake --rulegraph dot TARGET` prints them")
    return Graph(tuple(sorted(set(names.values()))), tuple(sorted(edges)))


def layers(graph: Graph) -> list[list[str]]:
    """Rules by the longest way that leads to them; within a layer each stands near the mean place of what it reads."""
    depth = dict.fromkeys(graph.rules, 0)
    for _ in graph.rules:  # a graph without cycles settles at the latest then
        for start, end in graph.edges:
            depth[end] = max(depth[end], depth[start] + 1)
    found: list[list[str]] = [[rule for rule in graph.rules if depth[rule] == level] for level in range(max(depth.values()) + 1)]
    place: dict[str, float] = {}
    for layer in found:
        read = {rule: [place[start] for start, end in graph.edges if end == rule and start in place] for rule in layer}
        layer.sort(key=lambda rule, read=read: (sum(read[rule]) / max(1, len(read[rule])), rule))  # type: ignore[misc]
        place |= {rule: (k + 0.5) / len(layer) for k, rule in enumerate(layer)}
    return found


def draw(graph: Graph) -> Markup:
    """The graph, sources at the top."""
    rows = layers(graph)
    width = max(len(row) for row in rows) * (BOX[0] + GAP) + GAP
    height = len(rows) * ROW
    centre = {}
    for level, row in enumerate(rows):
        for k, rule in enumerate(row):
            centre[rule] = (width * (k + 0.5) / len(row), level * ROW + ROW / 2)
    parts = []
    for start, end in graph.edges:
        (x0, y0), (x1, y1) = centre[start], centre[end]
        y0, y1 = y0 + BOX[1] / 2, y1 - BOX[1] / 2
        bend = (y1 - y0) / 2
        parts.append(Markup('<path d="M{:.0f} {:.0f}C{:.0f} {:.0f} {:.0f} {:.0f} {:.0f} {:.0f}"/>').format(
            x0, y0, x0, y0 + bend, x1, y1 - bend, x1, y1
        ))  # fmt: skip
    for rule, (x, y) in centre.items():
        parts.append(Markup('<rect x="{:.0f}" y="{:.0f}" width="{}" height="{}" rx="5"/><text x="{:.0f}" y="{:.0f}">{}</text>').format(
            x - BOX[0] / 2, y - BOX[1] / 2, *BOX, x, y + 4, rule
        ))  # fmt: skip
    words = f"{len(graph.rules)} rules of the workflow; " + "; ".join(
        f"{rule} reads {', '.join(start for start, end in graph.edges if end == rule)}"
        for rule in graph.rules
        if any(end == rule for _, end in graph.edges)
    )
    style = f"min-width:{0.75 * width:.0f}px;max-width:{1.1 * width:.0f}px"  # readable on a phone, not huge on a desk
    head = Markup('<svg class="graph" viewBox="0 0 {:.0f} {}" style="{}" role="img" aria-label="{}">').format(width, height, style, words)
    return head + Markup("").join(parts) + Markup("</svg>")
