"""Small charts, drawn here because a page of a hundred runs must stay small and the same to the byte."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

WIDTH, HEIGHT = 200, 50
POINTS = 100
"""Of a curve, at most, evenly spaced: more than can be told apart at the size of a chart."""


def number(value: float) -> str:
    """A value in few letters."""
    return f"{value:.3g}".replace("-", "−")


def thinned(count: int, most: int = POINTS) -> list[int]:
    """Which of so many points are drawn: the first, the last and evenly spaced ones between."""
    return sorted({round(k * (count - 1) / (most - 1)) for k in range(most)}) if count else []


def polyline(steps: Sequence[float], values: Sequence[float], width: int, height: int) -> Markup:
    """A curve that fills a box, for an SVG's `points`."""
    low, first = min(values), steps[0]
    span, last = max(values) - low or 1.0, max(steps[-1], steps[0] + 1)
    return Markup('<polyline points="{}"/>').format(
        " ".join(
            f"{1 + (width - 2) * (steps[k] - first) / (last - first):.1f},{height - 1 - (height - 2) * (values[k] - low) / span:.1f}"
            for k in thinned(len(steps))
        )
    )


def line_chart(title: str | Markup, words: str, steps: Sequence[float], values: Sequence[float]) -> Markup:
    """One series over training steps, with its range and its last value.

    Args:
        title: what stands above, text or MathML.
        words: the same for who cannot see it.
        steps: of training.
        values: at these steps.
    """
    said = f"{words}: from {number(values[0])} to {number(values[-1])} between steps {steps[0]:,.0f} and {steps[-1]:,.0f}"
    return Markup(
        '<figure class="chart"><figcaption>{title} <b>{value}</b></figcaption>'
        '<svg viewBox="0 0 {w} {h}" role="img" aria-label="{said}">{line}</svg>'
        "<p>{low} … {high} <span>{last} steps</span></p></figure>"
    ).format(
        title=title, value=number(values[-1]), w=WIDTH, h=HEIGHT, said=said, line=polyline(steps, values, WIDTH, HEIGHT),
        low=number(min(values)), high=number(max(values)), last=f"{steps[-1]:,.0f}",
    )  # fmt: skip
