"""Which gradient reaches which parameters, worked out for Figure 1 from the table of terms (`pga.method.terms`).

A term reads expressions; an expression is made from others by f_φ, g_θ or the σ head. Followed backwards from the loss, the gradient
of an edge is

    live      it reaches this network's parameters, because the term moves them
    through   it passes to something live further up, while this network's own parameters are held fixed
    none      it is truncated further down, or there is nothing above that the term moves

The tests compare what comes out with the gradients that autograd measures on real networks.
"""

from __future__ import annotations

from typing import NamedTuple

from pga.method.terms import PHI, SIGMA, TERMS, THETA

PARAMETERS = {"f": PHI, "g": THETA, "σ": SIGMA}
"""Operation → the parameters that it has."""
SOURCES = ("x", "z_N")
"""Drawn, not computed."""
TRUNCATED = ("z",)
"""No gradient passes beyond these (z = sg f(x))."""


class Edge(NamedTuple):
    """One step from an expression to the next: by f, g, the σ head, or (empty) by addition."""

    operation: str
    start: str
    end: str


class Route(NamedTuple):
    """How the gradient of one term runs.

    Attributes:
        edges: each edge that the term's value needs → live, through or none.
        cut: edges at whose start the gradient is truncated, although there is something to reach above.
        compared: what the loss reads that is an expression of the drawing, with whether it is truncated right there.
        given: what else the loss reads: scales.
    """

    edges: dict[Edge, str]
    cut: frozenset[Edge]
    compared: dict[str, bool]
    given: tuple[str, ...]

    def moves(self) -> set[str]:
        """The parameters that the gradient reaches."""
        return {PARAMETERS[edge.operation] for edge, state in self.edges.items() if state == "live"}


def inputs(expression: str, moves: tuple[str, ...]) -> list[Edge] | None:
    """The edges that end in an expression; None for an experiment, which the drawing only names."""
    if expression in SOURCES:
        return []
    if expression.startswith(("h(", "g(")) and expression.endswith(")"):
        inner = expression[2:-1]
        return [Edge("f", f"g({inner})", expression)] if expression[0] == "h" else [Edge("g", inner, expression)]
    made = {
        "x̂": [("g", "f(x)")],
        "f(x)": [("f", "x")],
        "z": [("f", "x")],
        "log σ²": [("σ", "x")],
        "z+δ": [("", "z")],
        "z+δ'": [("", "z"), ("σ", "x")],
        "z'": [("", "f(x)" if PHI in moves else "z"), ("σ", "x")],
    }
    return [Edge(*edge, expression) for edge in made[expression]] if expression in made else None


def route(term: str) -> Route:
    """How the gradient of a term of the table runs."""
    reads, moves = TERMS[term].reads, TERMS[term].moves
    edges: dict[Edge, str] = {}
    cut: set[Edge] = set()

    def reachable(expression: str) -> bool:
        """Whether a gradient at an expression reaches parameters that the term moves."""
        if expression in TRUNCATED:
            return False
        return any(PARAMETERS.get(edge.operation) in moves or reachable(edge.start) for edge in inputs(expression, moves) or [])

    def follow(expression: str, arrives: bool) -> None:
        for edge in inputs(expression, moves) or []:
            here = arrives and expression not in TRUNCATED
            above = here and reachable(edge.start)
            live = here and PARAMETERS.get(edge.operation) in moves
            edges[edge] = max(edges.get(edge, "none"), "live" if live else "through" if above else "none", key=STATES.index)
            if here and not above and edge.start not in SOURCES:
                cut.add(edge)
            follow(edge.start, above)

    drawn = [expression for expression in reads if inputs(expression, moves) is not None]
    for expression in drawn:
        follow(expression, reachable(expression))
    compared = {expression: expression not in SOURCES and not reachable(expression) for expression in drawn}
    return Route(edges, frozenset(cut), compared, tuple(expression for expression in reads if expression not in drawn))


STATES = ("none", "through", "live")
"""From the weakest to the strongest."""
