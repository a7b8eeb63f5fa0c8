"""Figure 1: the laws that are to be matched, and for each loss term who receives its gradient, drawn from the table of terms."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch
from matplotlib.textpath import TextPath

from pga.artifacts.figures import canvas
from pga.artifacts.figures.figure_inputs import Sources
from pga.artifacts.figures.routing_figure import Edge, Route, route
from pga.artifacts.tables.notation_table import coefficient_symbol
from pga.method.terms import MODELS, ONE, TERMS

COLUMNS = (0.12, 0.88, 1.66, 2.44, 3.06)
"""Where data, codes, images and their codes stand, and the loss, in inches."""
PANEL, GAP = 3.25, 0.25  # a column of a paper, and what stands between two
LANE, TITLE, BELOW = 0.36, 0.36, 0.26
"""Heights of a row of nodes and of what stands above and below it, in inches."""
HEAD = 0.26
"""Height of a panel's title or formula."""
LEGEND = 0.42
"""Of the legend, in inches."""
NODE = 7.5
"""Size of a symbol in points."""

SYMBOLS = {
    "x": r"\mathbf{x}", "x̂": r"\hat{\mathbf{x}}", "z": r"\mathbf{z}", "z_N": r"\mathbf{z}_\mathcal{N}", "f(x)": r"f(\mathbf{x})",
    "z'": r"\mathbf{z}'", "z+δ": r"\mathbf{z}+\delta", "z+δ'": r"\mathbf{z}+\delta'", "log σ²": r"\log\,\sigma^2(\mathbf{x})",
    "δ": r"\delta", "sg δ'": r"\delta'", "s": r"s",
}  # fmt: skip
OPERATIONS = {"f": r"f_\phi", "g": r"g_\theta", "σ": r"\sigma_\phi", "": ""}
COLOURS = {"f": canvas.LINES[0].colour, "g": canvas.LINES[1].colour, "σ": canvas.LINES[2].colour}
GREY = "#8a8a8a"


def symbol(expression: str) -> str:
    """An expression of the table of terms as LaTeX."""
    if expression in SYMBOLS:
        return SYMBOLS[expression]
    if expression[:2] in ("h(", "g("):
        return f"{expression[0]}({symbol(expression[2:-1])})"
    return expression


def formula(model: str, without: Sequence[str] = ()) -> str:
    """A model's loss as LaTeX, the terms of one coefficient together."""
    groups: dict[str, list[str]] = {}
    for term, coefficient in MODELS[model].items():
        if term not in without:
            groups.setdefault(coefficient, []).append(TERMS[term].symbol)
    parts = []
    for coefficient, symbols in groups.items():
        joined = "+".join(symbols)
        weight = "" if coefficient == ONE else coefficient_symbol(coefficient) + r"\,"
        parts.append(f"{weight}({joined})" if weight and len(symbols) > 1 else weight + joined)
    return "+".join(parts)


def place(expression: str) -> tuple[int, int]:
    """(column, lane) of an expression: by how many networks it is away from the data, what is perturbed in the second lane."""
    lane = int("δ" in expression or "z'" in expression or expression == "log σ²")
    if expression == "x":
        return 0, lane
    return {"h": 3, "g": 2, "x": 2}.get(expression[0], 1), lane


def position(expression: str, top: float) -> tuple[float, float]:
    """Where an expression stands, in inches."""
    column, lane = place(expression)
    return COLUMNS[column], top - TITLE - lane * LANE


def half_width(text: str) -> float:
    """Half of how wide a symbol is, in points."""
    return float(TextPath((0, 0), f"${text}$", size=NODE).get_extents().width) / 2


def node(axes: Axes, at: tuple[float, float], text: str, **box: Any) -> None:
    """A symbol; `box` draws a frame around it."""
    frame = {"boxstyle": "round,pad=0.3", "facecolor": "white", "edgecolor": "black", "linewidth": 0.8, **box} if box else None
    axes.text(*at, f"${text}$", ha="center", va="center", fontsize=NODE, bbox=frame, zorder=4)


def arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], label: str, ends: tuple[str, str], **style: Any) -> None:
    """An arrow between two nodes, whose symbols are `ends`, its label above the middle."""
    upright = start[0] == end[0]
    level = start[1] == end[1]
    shrink_a, shrink_b = (7.0, 7.0) if upright else (half_width(ends[0]) + 3, (half_width(ends[1]) if level else 8) + 3)
    drawn = {"arrowstyle": "-|>", "mutation_scale": 7, "shrinkA": shrink_a, "shrinkB": shrink_b, "zorder": 2, **style}
    axes.add_patch(FancyArrowPatch(start, end, **drawn))
    if label:
        inches = (shrink_a - shrink_b) / 72 / 2  # the label stands above the middle of what is drawn
        middle = ((start[0] + end[0]) / 2 + inches, (start[1] + end[1]) / 2 + (0.085 if level else 0.1))
        axes.text(*middle, f"${label}$", ha="center", va="center", fontsize=7, color=style.get("color", "black"), zorder=5)


def look(edge: Edge, state: str) -> dict[str, Any]:
    """How an edge is drawn: by colour and thickness where its parameters move, dashed where the gradient only passes."""
    if state == "live":
        return {"color": COLOURS[edge.operation], "linewidth": 1.8}
    if state == "through":
        return {"color": "#3c3c3c", "linewidth": 1.0, "linestyle": (0, (3, 1.8))}
    return {"color": GREY, "linewidth": 0.7}


def circle(axes: Axes, at: tuple[float, float]) -> None:
    """Here the gradient is truncated."""
    axes.plot(*at, marker="o", markersize=4.5, markerfacecolor="white", markeredgecolor="black", markeredgewidth=0.9, zorder=6)


def lanes(found: Route) -> int:
    """How many rows of nodes a term needs."""
    return 1 + max(place(edge.end)[1] for edge in found.edges)


def height(term: str) -> float:
    """Of a term's strip, in inches."""
    return TITLE + (lanes(route(term)) - 1) * LANE + BELOW


def strip(axes: Axes, term: str, top: float) -> None:
    """One term: its name, its graph, its loss."""
    row, found = TERMS[term], route(term)
    axes.text(0, top - 0.02, f"{row.source}: {row.meaning}", ha="left", va="top", fontsize=7)
    loss = (COLUMNS[4], top - TITLE - (lanes(found) - 1) * LANE / 2)
    for edge, state in found.edges.items():
        start, end = position(edge.start, top), position(edge.end, top)
        arrow(axes, start, end, OPERATIONS[edge.operation], (symbol(edge.start), symbol(edge.end)), **look(edge, state))
        if edge in found.cut:
            distance = (half_width(symbol(edge.start)) + 6) / 72
            circle(axes, (start[0] + distance, start[1]) if start[0] != end[0] else (start[0], (start[1] + end[1]) / 2))
    for expression in sorted({place for edge in found.edges for place in (edge.start, edge.end)} | set(found.compared)):
        node(axes, position(expression, top), symbol(expression))
    for expression in found.compared:
        compare(axes, expression, found, top, loss)
    node(axes, loss, row.symbol, facecolor="white")
    if found.given:
        given = ", ".join(symbol(expression) for expression in found.given)
        axes.text(loss[0], loss[1] - 0.24, f"with ${given}$", ha="center", va="center", fontsize=7)


def compare(axes: Axes, expression: str, found: Route, top: float, loss: tuple[float, float]) -> None:
    """A thin line from what the loss reads to the loss: above the nodes that stand between."""
    (column, lane), (x, y) = place(expression), position(expression, top)
    between = any(place(edge.end)[1] == lane and place(edge.end)[0] > column for edge in found.edges)
    beside = x + (half_width(symbol(expression)) + 3) / 72
    xs, ys = ([x, x, loss[0], loss[0]], [y + 0.09, y + 0.19, y + 0.19, loss[1]]) if between else ([beside, loss[0]], [y, loss[1]])
    axes.plot(xs, ys, color="black", linewidth=0.7, zorder=1)
    if found.compared[expression]:
        circle(axes, (x, y + 0.14) if between else (beside + 0.05, y))


def terms_panel(axes: Axes, title: str, formula: str, terms: Sequence[str]) -> None:
    """What a loss adds, and the strips of its terms below each other."""
    axes.text(0, -0.02, title, ha="left", va="top", fontsize=8)
    if formula:
        axes.text(0, -HEAD, f"${formula}$", ha="left", va="top", fontsize=NODE)
    top = -HEAD - (HEAD if formula else 0)
    for term in terms:
        strip(axes, term, top)
        top -= height(term)


def laws_panel(axes: Axes, title: str) -> None:
    """The laws of data and codes, and which two are to be matched."""
    axes.text(0, -0.02, title, ha="left", va="top", fontsize=8)
    columns, rows = [0.33, 1.16, 1.99, 2.82], [-0.85, -1.55]
    for x, name in zip(columns, ("data", "codes", "data", "codes"), strict=True):
        axes.fill_between([x - 0.32, x + 0.32], -1.8, -HEAD, color="#efefef" if name == "data" else "#dde5ef", zorder=0, linewidth=0)
        axes.text(x, -HEAD - 0.16, name, ha="center", va="center", fontsize=7)
    upper = [r"\mathcal{D}", r"\mathcal{H}", r"\hat{\mathcal{D}}", r"\hat{\mathcal{H}}"]
    lower = [r"\mathcal{N}", r"g(\mathcal{N})", r"h(\mathcal{N})"]
    black = {"color": "black", "linewidth": 1.0}
    for y, names, places in ((rows[0], upper, columns), (rows[1], lower, columns[1:])):
        for name, x in zip(names, places, strict=True):
            node(axes, (x, y), name)
        for (start, left), (end, right) in pairwise(zip(places, names, strict=True)):
            arrow(axes, (start, y), (end, y), OPERATIONS["g" if start == columns[1] else "f"], (left, right), **black)
    for x, text in ((columns[3], "to be\nmatched"), (columns[2], "then these\nmatch too")):
        arrow(axes, (x, rows[0]), (x, rows[1]), "", ("", ""), **black, linestyle=(0, (3, 1.8)), arrowstyle="<|-|>")
        axes.text(x - 0.06, sum(rows) / 2, text, ha="right", va="center", fontsize=7)


def legend() -> list[Line2D]:
    """What the lines mean."""
    moved = {"f": r"moves $\phi$", "g": r"moves $\theta$", "σ": r"moves $\phi$, through $\sigma_\phi$ only"}
    handles = [Line2D([], [], color=COLOURS[key], linewidth=1.8, label=text) for key, text in moved.items()]
    handles.append(Line2D([], [], color="#3c3c3c", linewidth=1.0, linestyle=(0, (3, 1.8)), label="gradient passes, parameters held"))
    handles.append(Line2D([], [], color=GREY, linewidth=0.7, label="no gradient"))
    round_marker = {"marker": "o", "markersize": 4.5, "markerfacecolor": "white", "markeredgecolor": "black"}
    return [*handles, Line2D([], [], linestyle="none", label="gradient truncated", **round_marker)]  # type: ignore[arg-type]


def draw(sources: Sources) -> canvas.DrawnFigure:
    """The laws, the terms that all models share, and for each model its own."""
    canvas.style(sources.row.font)
    models = sources.row.models
    shared = [term for term in MODELS[models[0]] if all(term in MODELS[model] for model in models)]
    parts = [("what all models share" if len(models) > 1 else sources.model_title(models[0]), "", shared)]
    for model in models if len(models) > 1 else ():
        parts.append((sources.model_title(model), formula(model), [term for term in MODELS[model] if term not in shared]))
    heights = [1.9] + [HEAD + (HEAD if text else 0) + sum(map(height, terms)) for _, text, terms in parts]
    across = 2 if sources.row.width > PANEL else 1
    lines = [max(heights[k : k + across]) for k in range(0, len(heights), across)]
    figure = Figure(figsize=(sources.row.width, sum(lines) + LEGEND * 2 / across))
    width, page = figure.get_size_inches()
    for k, tall in enumerate(heights):
        left, top = (k % across) * (PANEL + GAP), page - sum(lines[: k // across])
        axes = figure.add_axes((left / width, (top - tall) / page, PANEL / width, tall / page), xlim=(0, PANEL), ylim=(-tall, 0))
        axes.set_axis_off()
        if k == 0:
            laws_panel(axes, f"{canvas.letter(k)} laws of data and codes")
        else:
            title, text, terms = parts[k - 1]
            terms_panel(axes, f"{canvas.letter(k)} {title}", text, terms)
    figure.legend(
        handles=legend(), loc="lower left", ncols=1 + across, frameon=False, borderaxespad=0, columnspacing=1, bbox_to_anchor=(0.0, 0.02)
    )
    text = (
        "Drawn from the table of terms that training runs. (a) 𝓓 is the law of the data, 𝓗 of their codes; hats mark what decoder and "
        "encoder make of these; 𝓝 is the prior. (b) onwards: what each loss reads, and which parameters its gradient moves."
    )
    return canvas.DrawnFigure(figure, sources.caption(text))
