"""The machine's own ceiling for a step: each of its convolutions and matrix products alone, as fast as it goes here.

The products that a step runs are recorded as they are dispatched, with shapes and strides. Each distinct one is then timed by itself,
in both memory formats, and the sum of the best times is the least that the step could take on this machine with these libraries:
everything else (activations, normalisation, losses, the update, copies, launches) for nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

aten = torch.ops.aten
PRODUCTS = (aten.convolution.default, aten.convolution_backward.default, aten.mm.default, aten.addmm.default)
FORMATS = (torch.contiguous_format, torch.channels_last)


class Recorder(TorchDispatchMode):
    """Counts the products within the block, by operation, shapes, strides and settings."""

    def __init__(self) -> None:
        super().__init__()
        self.found: Counter[tuple[Any, ...]] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in PRODUCTS:
            self.found[func, *map(frozen, args)] += 1
        return func(*args, **(kwargs or {}))


def frozen(argument: Any) -> Any:
    """An argument as a key: a tensor by shape, strides and type."""
    if isinstance(argument, Tensor):
        return ("tensor", tuple(argument.shape), argument.stride(), argument.dtype)
    return tuple(argument) if isinstance(argument, list) else argument


def thawed(key: Any, device: torch.device) -> Any:
    """An argument from its key, with random values."""
    if isinstance(key, tuple) and key[:1] == ("tensor",):
        return torch.empty_strided(key[1], key[2], dtype=key[3], device=device).normal_()
    return list(key) if isinstance(key, tuple) else key


def best_time(call: Callable[[], Any], read: Callable[[], float], calls: int = 1, times: int = 7) -> float:
    """Least of several, in seconds; so many calls are timed as one."""
    found = []
    for _ in range(times + 1):
        started = read()
        for _ in range(calls):
            call()
        found.append((read() - started) / calls)
    return min(found[1:])


def ceiling(
    advance: Callable[[], None], device: torch.device, read: Callable[[], float]
) -> tuple[float, int, list[tuple[str, int, float, float]]]:
    """Of one step: (seconds that its products need at their best, FLOP by torch's counter, and (what, how often, ms, GFLOP/s) of each)."""
    with Recorder() as recorder:
        advance()
    with FlopCounterMode(display=False) as counter:
        advance()
    total, rows = 0.0, list[tuple[str, int, float, float]]()
    calls = 20 if device.type == "cuda" else 1  # a wait for each would count as its own
    for (func, *keys), count in recorder.found.items():
        arguments = [thawed(key, device) for key in keys]
        formats = FORMATS if "convolution" in func.name() else (None,)
        seconds = min(best_time(lambda f=func, a=arguments, m=m: f(*laid_out(a, m)), read, calls) for m in map(ready, formats))
        with FlopCounterMode(display=False) as own:
            func(*arguments)
        shapes = " ".join("x".join(map(str, key[1])) for key in keys if isinstance(key, tuple) and key[:1] == ("tensor",))
        rows.append((f"{func.name().removeprefix('aten::')} {shapes}", count, 1e3 * seconds, own.get_total_flops() / seconds / 1e9))
        total += count * seconds
    return total, counter.get_total_flops(), sorted(rows, key=lambda row: -row[1] * row[2])


def ready(memory_format: Any) -> Any:
    """A cache of the arguments in one memory format, so that no copy is timed."""
    return memory_format, {}


def laid_out(arguments: list[Any], how: Any) -> list[Any]:
    """The arguments, maps and kernels in the wanted memory format."""
    memory_format, made = how
    if memory_format is None:
        return arguments
    if not made:
        made["arguments"] = [
            a.contiguous(memory_format=memory_format) if isinstance(a, Tensor) and a.ndim == 4 else a for a in arguments
        ]  # fmt: skip
    return made["arguments"]
