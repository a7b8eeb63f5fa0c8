"""A step on a GPU as one CUDA graph: recorded once, replayed without the launches that take most of a small network's step.

The recorded kernels are those of the eager step, random numbers included: the generator is registered with the graph, and each replay
takes up where its state is, so that a checkpoint's state continues it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor

T = TypeVar("T")
REHEARSALS = 3
"""Eager steps before a recording, in which libraries allocate and choose; what they change is put back."""


def recorded(step: Callable[[], T], generator: torch.Generator, changing: list[Tensor]) -> tuple[Callable[[], None], T]:
    """What replays `step`, and what the recording returned: tensors that every replay fills anew.

    Args:
        step: reads and writes tensors at fixed places only, and leaves the host alone.
        generator: the only source of randomness in `step`.
        changing: every tensor that `step` changes; they are as before when this returns or raises.

    Raises:
        RuntimeError: something in `step` cannot be recorded.
    """
    before, random = [tensor.detach().clone() for tensor in changing], generator.get_state()
    try:
        graph = torch.cuda.CUDAGraph()
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(REHEARSALS):
                step()
        torch.cuda.current_stream().wait_stream(stream)
        generator.set_state(random)
        graph.register_generator_state(generator)
        with torch.cuda.graph(graph):
            result = step()
        return graph.replay, result
    finally:
        generator.set_state(random)
        with torch.no_grad():
            for tensor, value in zip(changing, before, strict=True):
                tensor.copy_(value)


class Recording:
    """The recording in use. It is made anew whenever something that it holds fast changes, and given up after one failure."""

    def __init__(self, wanted: bool):
        self.wanted = wanted
        self.key: object = None
        self.replay: Callable[[], None] | None = None
        self.result: object = None

    def run(self, step: Callable[[], T], key: object, generator: torch.Generator, changing: Callable[[], list[Tensor]]) -> T:
        """The result of `step`: replayed where that is wanted and possible, else eager."""
        if self.wanted and (self.replay is None or key != self.key):
            try:
                self.replay, self.result = recorded(step, generator, changing())
                self.key = key
            except RuntimeError as error:
                self.wanted, self.replay = False, None
                print(f"warning: this step cannot be a CUDA graph ({str(error).splitlines()[0]}); it runs eagerly", file=sys.stderr)
        if not self.wanted or self.replay is None:
            return step()
        self.replay()
        return self.result  # type: ignore[return-value]
