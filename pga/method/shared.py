"""x̂ = g(f(x)) and f(x̂) once for all terms of a step.

x̂ = g(z) is needed twice: by L_r, which moves φ through z, and by terms that hold z fixed; so is f(x̂), by L_lr,H, which moves f, and by
terms that hold f fixed. Each is computed once for both, live in all parameters, from a copy of z; `gradients` tells the terms apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from pga.method.terms import PHI, SIGMA, TERMS, THETA
from pga.method.values import Moves, Values
from pga.runtime import precision

Gradients = list[Tensor | None]


class SharedValues(Values):
    """Values of terms of the table with one x̂ and one f(x̂); their gradients come from `gradients` alone.

    What the terms read of f(x) and log σ² hangs on copies (leaves), so that each backward pass computes no more than it needs.
    """

    shared = True

    def __init__(self, *arguments: Any, **keywords: Any):
        super().__init__(*arguments, **keywords)
        # A view, because torch's counters of FLOP refuse a module's input without a past.
        self.z_leaf = self.mu.detach().requires_grad_().view_as(self.mu)
        self.log_var_leaf = None if self.log_var is None else self.log_var.detach().requires_grad_()

    def sigma(self, moves: Moves) -> Tensor:
        """σ_φ(x) of the copied log σ²."""
        if self.log_var_leaf is None or SIGMA not in moves:
            return super().sigma(moves)
        return (0.5 * self.log_var_leaf).exp()

    def reconstruction(self, moves: Moves) -> Tensor:
        """x̂ of the copied code, in full, as it is h's g(z) too."""
        return self.decode(self.z_leaf, moves, exact=True)

    @cached_property
    def f_of_x_hat(self) -> Tensor:
        """f(x̂), live in all parameters."""
        return self.encode(self.get("x̂", (PHI, THETA)), (PHI, THETA), exact=True)

    def h_of_data(self, moves: Moves) -> Tensor:
        """h(z) = f(x̂)."""
        return self.f_of_x_hat


def shares(names: Iterable[str]) -> bool:
    """Whether g(z) is wanted both by a term that moves φ through it and by one that holds z fixed; terms of one's own share nothing."""
    names = list(names)
    rows = [TERMS[name] for name in names if name in TERMS]
    wanted = any("x̂" in row.reads for row in rows) and any("h(z)" in row.reads and THETA in row.moves for row in rows)
    return wanted and len(rows) == len(names)


def gradients(
    weighted: Mapping[str, Tensor], values: SharedValues, phi: list[Tensor], theta: list[Tensor], scale: Tensor
) -> tuple[Gradients, Gradients]:
    """The gradients of the sum of weighted terms for φ and for θ, each times `scale`.

    Three passes compute no more than each needs: what the terms that read x̂ send back to z; θ's gradient of the terms that move θ, and
    what these send to log σ²; φ's gradient of the terms that move φ, where the first two passes' findings are handed to f(x). The second
    goes through the small differences, and is exact whatever the precision.

    Args:
        weighted: terms of the table, each times its weight.
        values: what they were computed from.
        phi: the encoder's parameters that require a gradient.
        theta: the decoder's.
        scale: the gradient of what is differentiated for the sum, a scalar.
    """
    rows = {term: TERMS[term] for term in weighted}
    with precision.backward(values.precision):
        [to_code] = passed([weighted[term] for term, row in rows.items() if "x̂" in row.reads], scale, [values.z_leaf])

    moving_theta = [weighted[term] for term, row in rows.items() if THETA in row.moves]
    leaf = values.log_var_leaf if any({THETA, SIGMA} <= set(row.moves) for row in rows.values()) else None
    inputs = [*theta, *([] if leaf is None else [leaf])]
    with precision.exact(scale.device):
        found = passed(moving_theta, scale, inputs)
    to_log_var = None if leaf is None else found.pop()

    roots = [weighted[term] for term, row in rows.items() if PHI in row.moves and "x̂" not in row.reads]
    received = [(values.mu, to_code)]
    if leaf is not None and values.log_var is not None:
        received.append((values.log_var, to_log_var))
    with precision.backward(values.precision):
        return passed(roots, scale, phi, received, keep=False), found


def passed(
    roots: list[Tensor],
    scale: Tensor,
    inputs: list[Tensor],
    received: Iterable[tuple[Tensor, Tensor | None]] = (),
    keep: bool = True,
) -> Gradients:
    """One backward pass from `roots`, each with the gradient `scale`, and from tensors with the gradients that they have `received`.

    What the forward pass has kept for it is freed unless `keep`. Returns None for inputs that nothing depends on.
    """
    pairs = [(root, scale) for root in roots] + [(tensor, gradient) for tensor, gradient in received if gradient is not None]
    pairs = [(tensor, gradient) for tensor, gradient in pairs if tensor.requires_grad]
    if not pairs or not inputs:
        return [None] * len(inputs)
    tensors, starts = zip(*pairs, strict=True)
    return list(torch.autograd.grad(tensors, inputs, starts, retain_graph=keep, allow_unused=True))


class SharedLoss(torch.autograd.Function):
    """The sum of weighted terms as one node of autograd, whose gradients for the networks' parameters are those of `gradients`."""

    @staticmethod
    def forward(ctx: Any, weighted: Mapping[str, Tensor], values: SharedValues, of_encoder: int, *parameters: Tensor) -> Tensor:
        """The sum, a scalar; the first `of_encoder` parameters are φ, the rest θ."""
        ctx.weighted, ctx.values, ctx.of_encoder, ctx.parameters = weighted, values, of_encoder, parameters
        return torch.stack(list(weighted.values())).sum()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, scale: Tensor) -> tuple[Any, ...]:
        """The gradients of all parameters."""
        phi, theta = list(ctx.parameters[: ctx.of_encoder]), list(ctx.parameters[ctx.of_encoder :])
        of_phi, of_theta = gradients(ctx.weighted, ctx.values, phi, theta, scale)
        return None, None, None, *of_phi, *of_theta
