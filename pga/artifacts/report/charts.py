"""Small line charts as SVG, drawn here because a page of a hundred runs must stay small and the same to the byte."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

WIDTH, HEIGHT = 200, 84
LEFT, RIGHT, TOP, BOTTOM = 6, 194, 20, 66
"""Edges of the plotting area."""


def number(value: float) -> str:
    """A value in few letters."""
    return f"{value:.3g}"


def line_chart(title: str, steps: Sequence[float], values: Sequence[float]) -> Markup:
    """One series over training steps, with its range and its last value; said in words for who cannot see it."""
    low, high = min(values), max(values)
    first, last = steps[0], max(steps[-1], steps[0] + 1)
    span = high - low or 1.0
    points = " ".join(
        f"{LEFT + (RIGHT - LEFT) * (step - first) / (last - first):.1f},{BOTTOM - (BOTTOM - TOP) * (value - low) / span:.1f}"
        for step, value in zip(steps, values, strict=True)
    )
    words = f"{title}: from {number(values[0])} to {number(values[-1])} between steps {steps[0]:,.0f} and {steps[-1]:,.0f}"
    return Markup(
        '<svg class="chart" viewBox="0 0 {w} {h}" role="img" aria-label="{words}"><title>{words}</title>'
        '<text x="{left}" y="12" class="name">{title}</text><text x="{right}" y="12" class="last">{value}</text>'
        '<path class="frame" d="M{left} {top}H{right}M{left} {bottom}H{right}"/><polyline points="{points}"/>'
        '<text x="{left}" y="{below}" class="range">{low} … {high}</text>'
        '<text x="{right}" y="{below}" class="last range">{steps} steps</text></svg>'
    ).format(
        w=WIDTH, h=HEIGHT, words=words, left=LEFT, right=RIGHT, top=TOP, bottom=BOTTOM, below=HEIGHT - 6, title=title,
        value=number(values[-1]), points=points, low=number(low), high=number(high), steps=f"{steps[-1]:,.0f}",
    )  # fmt: skip
