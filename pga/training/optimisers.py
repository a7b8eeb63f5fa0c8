"""SGD with momentum by torch's fused kernel, and Keras's Adam.

torch's own optimiser classes import its compiler when they are made, which takes longer than importing torch itself: seconds of every
training, for nothing here.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.optim.sgd import sgd

from pga.params.run import Run
from pga.runtime.registry import Registry


class Optimiser:
    """Parameters, their learning rate, and what is kept of each between updates.

    Attributes:
        lr: the learning rate, which a schedule changes.
        state: for each parameter, in order, its buffers by name; all are there from the start, so that a checkpoint is always whole.
    """

    def __init__(self, parameters: list[nn.Parameter], run: Run):
        self.parameters, self.lr, self.momentum = parameters, run.learning_rate, run.momentum
        self.state = [self.start(parameter) for parameter in parameters]

    def start(self, parameter: nn.Parameter) -> dict[str, Tensor]:
        """The buffers of one parameter before the first update."""
        raise NotImplementedError

    def update(self, parameters: list[Tensor], gradients: list[Tensor], buffers: Callable[[str], list[Tensor]]) -> None:
        """Change the parameters, and their buffers of each name."""
        raise NotImplementedError

    def zero_grad(self) -> None:
        """Drop all gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """One update of every parameter that has received a gradient."""
        received = [(p, p.grad, own) for p, own in zip(self.parameters, self.state, strict=True) if p.grad is not None]
        self.update([p for p, _, _ in received], [g for _, g, _ in received], lambda name: [own[name] for _, _, own in received])


class Sgd(Optimiser):
    """v ← momentum · v + gradient; parameter ← parameter − lr · v."""

    def start(self, parameter: nn.Parameter) -> dict[str, Tensor]:
        """A velocity of zero; none without momentum."""
        return {"momentum_buffer": torch.zeros_like(parameter)} if self.momentum else {}

    def update(self, parameters: list[Tensor], gradients: list[Tensor], buffers: Callable[[str], list[Tensor]]) -> None:
        """As `torch.optim.SGD(fused=True)`."""
        velocities = list[Tensor | None](buffers("momentum_buffer") if self.momentum else [None] * len(parameters))
        sgd(parameters, gradients, velocities, fused=True, weight_decay=0, momentum=self.momentum, lr=self.lr,
            dampening=0, nesterov=False, maximize=False)  # fmt: skip


BETA_1, BETA_2, KERAS_EPSILON = 0.9, 0.999, 1e-7


class Adam(Optimiser):
    """Adam as Keras computes it, for Ghosh et al.: lr √(1 − β₂ᵗ) / (1 − β₁ᵗ) · m / (√v + ε).

    torch adds ε after the bias correction of v, which makes it 1 / √(1 − β₂ᵗ) times smaller, 32 times at the first step. Gradients of about
    1e-6 are then updated four times as much at the start; after some thousand steps nothing is left of it.
    """

    def start(self, parameter: nn.Parameter) -> dict[str, Tensor]:
        """The number of updates and both moments, zero."""
        step = torch.zeros((), dtype=torch.float32, device=parameter.device)
        return {"step": step, "exp_avg": torch.zeros_like(parameter), "exp_avg_sq": torch.zeros_like(parameter)}

    def update(self, parameters: list[Tensor], gradients: list[Tensor], buffers: Callable[[str], list[Tensor]]) -> None:
        """One update; the number of updates stays on the device, so that a recorded step counts on."""
        if not parameters:
            return
        steps, means, squares = buffers("step"), buffers("exp_avg"), buffers("exp_avg_sq")
        torch._foreach_add_(steps, 1.0)
        torch._foreach_lerp_(means, gradients, 1 - BETA_1)
        torch._foreach_mul_(squares, BETA_2)
        torch._foreach_addcmul_(squares, gradients, gradients, 1 - BETA_2)
        t = torch.stack(steps).double()
        rates = self.lr * (1 - BETA_2**t).sqrt() / (1 - BETA_1**t)
        scale = torch._foreach_sqrt(squares)
        torch._foreach_add_(scale, KERAS_EPSILON)
        change = torch._foreach_div(means, scale)
        torch._foreach_mul_(change, [rate.to(part.dtype) for rate, part in zip(rates.unbind(), change, strict=True)])
        torch._foreach_sub_(parameters, change)


OPTIMISERS: Registry[str, type[Optimiser]] = {"sgd": Sgd, "adam": Adam}
