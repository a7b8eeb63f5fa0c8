"""Progress of long work: a bar in a terminal, a plain line now and then in a log file."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from tqdm import tqdm

T = TypeVar("T")
LINE_EVERY_S = 10.0


class Progress:
    """Counts `total` units of work under `title`. Use as a context manager; call `advance` per unit.

    Args:
        total: number of units.
        title: what is being done, shown first.
        unit: name of one unit, e.g. "step", "image", "B".
        initial: units that were already done, when work is resumed.
        quiet: say nothing of what is done within seconds.
    """

    def __init__(self, total: int, title: str, unit: str, initial: int = 0, quiet: bool = False):
        self.total, self.title, self.unit, self.quiet = total, title, unit, quiet
        self.done = self.initial = initial
        self.start = self.last_line = time.monotonic()
        self.bar = None
        if sys.stderr.isatty() and not quiet:
            from tqdm import tqdm

            size = "{n_fmt}/{total_fmt}" + ("B" if unit == "B" else "")
            line = f"{{desc}} |{{bar}}| {size} {{remaining}} left{{postfix}}"
            self.bar = tqdm(total=total, desc=title, initial=initial, dynamic_ncols=True, unit_scale=unit == "B", bar_format=line)
            self.bar.set_description_str(title)

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *exception: object) -> None:
        if self.bar is not None:
            self.bar.close()
        elif exception[0] is None and not self.quiet:
            self._line()

    def advance(self, units: int = 1, **figures: float) -> None:
        """Count `units` more; `figures` are shown beside the count (e.g. losses)."""
        self.done += units
        if self.bar is not None:
            if figures and self.bar.n > self.initial and time.time() - self.bar.last_print_t >= self.bar.mininterval:
                shown = [f"{key.removesuffix('_loss')} {value:.3g}" for key, value in figures.items()]
                self.bar.set_postfix_str(fitting(shown, self.bar), refresh=False)
            self.bar.update(units)
        elif time.monotonic() - self.last_line >= LINE_EVERY_S:
            self._line(**figures)

    def _line(self, **figures: float) -> None:
        self.last_line = time.monotonic()
        shown = "".join(f"  {key} {value:.4g}" for key, value in figures.items())
        left = f"  {duration(self.seconds_left())} left" if self.initial < self.done < self.total else ""
        counted = f"{self.title}: {self.done}/{self.total} {self.unit}  {self.rate():.4g} {self.unit}/s"
        print(f"{counted}{left}{shown}", file=sys.stderr, flush=True)

    def rate(self) -> float:
        """Units in a second, since this process began with them."""
        return (self.done - self.initial) / max(time.monotonic() - self.start, 1e-9)

    def seconds_left(self) -> float:
        """Seconds that the rest takes at that rate."""
        return (self.total - self.done) / max(self.rate(), 1e-9)


def fitting(figures: list[str], bar: tqdm[Any]) -> str:
    """As many of the figures as leave the bar ten columns in its terminal."""
    shape = bar.format_dict
    for count in range(len(figures), 0, -1):
        text = " ".join(figures[:count])
        if not shape["ncols"] or len(bar.format_meter(**{**shape, "ncols": None, "postfix": text})) <= shape["ncols"]:
            return text
    return ""


def duration(seconds: float) -> str:
    """Seconds as people say them, in the two largest units: `1 d 3 h`."""
    rest, found = round(seconds), list[str]()
    for size, name in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        count, rest = divmod(rest, size)
        if count or found or size == 1:
            found.append(f"{count} {name}")
    return " ".join(found[:2])


def track(items: Iterable[T], total: int, title: str, unit: str) -> Iterator[T]:
    """Yield `items`, counting each."""
    with Progress(total, title, unit) as progress:
        for item in items:
            yield item
            progress.advance()
