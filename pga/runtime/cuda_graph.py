"""A step on a GPU as one CUDA graph: captured once, replayed without the launches that take most of a small network's step.

The captured kernels are those of the eager step, random numbers included: the generator is registered with the graph, and each replay
takes up where its state is, so that a checkpoint's state continues it.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import TypeVar

import torch
from torch import Tensor

T = TypeVar("T")
WARMUP_STEPS = 3
"""Eager steps before a capture, in which libraries allocate and choose; what they change is put back."""


def capture(
    step: Callable[[], T], generator: torch.Generator, changing: list[Tensor], stream: torch.cuda.Stream
) -> tuple[Callable[[], None], T]:
    """What replays `step`, and what the capture returned: tensors that every replay fills anew.

    Args:
        step: reads and writes tensors at fixed places only, and must not synchronise with the host.
        generator: the only source of randomness in `step`.
        changing: every tensor that `step` changes; they are as before when this returns or raises.
        stream: no other capture's: a stream has a workspace of cuBLAS of its own, which is kept as long as the process lives.

    Raises:
        RuntimeError: something in `step` cannot be captured.
    """
    before, random = [tensor.detach().clone() for tensor in changing], generator.get_state()
    try:
        graph = torch.cuda.CUDAGraph()
        with restore_after_failed_capture(generator):
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                for _ in range(WARMUP_STEPS):
                    step()
            generator.set_state(random)
            graph.register_generator_state(generator)
            with torch.cuda.graph(graph, stream=stream):
                result = step()
        return graph.replay, result
    finally:
        generator.set_state(random)
        with torch.no_grad():
            for tensor, value in zip(changing, before, strict=True):
                tensor.copy_(value)


@contextlib.contextmanager
def restore_after_failed_capture(generator: torch.Generator) -> Iterator[None]:
    """Restores the stream and the generators when a capture fails within the block.

    Its stream is then still the current one, and the generators registered with it refuse to draw outside of a capture.
    """
    previous_stream = torch.cuda.current_stream()
    try:
        yield
    except RuntimeError:
        torch.cuda.set_stream(previous_stream)
        torch.cuda.synchronize()
        for stuck in (generator, torch.cuda.default_generators[torch.cuda.current_device()]):
            fresh = torch.Generator(stuck.device)
            fresh.set_state(stuck.get_state())
            stuck.graphsafe_set_state(fresh)
        raise


def reason(error: BaseException) -> str:
    """In one line why a capture failed: torch's first error, since the end of a failed capture raises once more."""
    first, before = error, error.__context__
    while before is not None:
        first, before = before if isinstance(before, RuntimeError) else first, before.__context__
    return (str(first).splitlines() or [type(first).__name__])[0]


class CudaGraph:
    """The graph in use. It is captured anew whenever `key` changes, and given up after one failure."""

    def __init__(self, wanted: bool):
        self.wanted = wanted
        self.key: object = None
        self.stream: torch.cuda.Stream | None = None
        self.replay: Callable[[], None] | None = None
        self.result: object = None

    def run(self, step: Callable[[], T], key: object, generator: torch.Generator, changing: Callable[[], list[Tensor]]) -> T:
        """The result of `step`: replayed where that is wanted and possible, else eager."""
        if self.wanted and (self.replay is None or key != self.key):
            try:
                self.reset()
                self.stream = self.stream or torch.cuda.Stream()
                self.replay, self.result = capture(step, generator, changing(), self.stream)
                self.key = key
            except RuntimeError as error:
                self.wanted = False
                print(f"warning: this step cannot be a CUDA graph ({reason(error)}); it runs eagerly", file=sys.stderr)
        if not self.wanted or self.replay is None:
            return step()
        self.replay()
        return self.result  # type: ignore[return-value]

    def reset(self) -> None:
        """Drop the graph, whose memory the next one may need, and whose backward graph would tie the next to its stream."""
        if self.replay is not None:
            torch.cuda.synchronize()  # the last replay may still run
        self.replay = self.result = None
