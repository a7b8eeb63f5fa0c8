"""The training of one run: batches, steps of `pga.method.pga.PGA`, state."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from pga.data.pixels import to_network
from pga.data.prepared import Images, full_batches
from pga.method.pga import PGA, Diverged, Loss
from pga.method.values import term_value
from pga.networks.architectures import unit_range
from pga.params.run import Run, steps_per_epoch
from pga.runtime import precision
from pga.runtime.cuda_graph import CudaGraph
from pga.runtime.errors import UserError
from pga.runtime.seeds import derive, generator
from pga.training.history import History
from pga.training.optimisers import OPTIMISERS
from pga.training.plateau import Plateau
from pga.training.weights import build_run, fill_network


class Trainer:
    """Networks, optimiser and randomness of one run, advanced step by step.

    Args:
        run: what to train.
        images: (N, S, S, C) uint8.
        device: where.
    """

    def __init__(self, run: Run, images: Images, device: torch.device):
        self.run, self.device = run, device
        self.dtype = getattr(torch, run.dtype)
        training, held_out = run.split(len(images))
        self.images, self.validation = (  # uint8, (N, C, S, S), stays on the device
            torch.from_numpy(images[part].transpose(0, 3, 1, 2).copy()).to(device) for part in (training, held_out)
        )
        if not len(self.images) or len(self.validation) < run.validation_images:
            raise UserError(
                f"{run.dataset} has {len(images)} images; train_images {run.train_images} and "
                f"validation_images {run.validation_images} need more"
            )
        encoder, decoder = build_run(run, derive(run.seed, "weights"))
        self.encoder, self.decoder = encoder.to(device, self.dtype), decoder.to(device, self.dtype)
        for images_of in filter(len, (self.images, self.validation)):
            check_batch(min(len(images_of), run.batch_size), run)
        self.model = PGA(
            self.encoder,
            self.decoder,
            run.model,
            latent_dim=run.latent_dim,
            warmup_steps=run.warmup_steps,
            delta=run.delta,
            epsilon=run.epsilon,
            constant_sigma=run.constant_sigma,
            input_noise=run.input_noise,
            precision=run.precision,
            **run.coefficients,  # type: ignore[arg-type]
        )
        check_shape(self.images, self.model, run)
        self.optimiser = OPTIMISERS[run.optimiser]([*self.encoder.parameters(), *self.decoder.parameters()], run)
        self.noise = generator(device, run.seed, "noise")
        self.weights = self.model.weights
        self.total_steps = run.total_steps(len(self.images))
        self.order_epoch, self.order = -1, torch.empty(0, dtype=torch.int64)
        self.index_buffer = torch.zeros(min(run.batch_size, len(self.images)), dtype=torch.int64, device=device)
        self.graph = CudaGraph(device.type == "cuda" and run.graph == "auto")
        self.record = History(self.weights, self.total_steps, device)
        self.best: dict[str, Tensor] = {}
        self.plateau = Plateau(run.lr_patience, run.lr_min_delta)

    @property
    def step(self) -> int:
        """Updates so far."""
        return self.model.step

    @step.setter
    def step(self, step: int) -> None:
        self.model.step = step

    @property
    def history(self) -> list[dict[str, float | None]]:
        """Rows of the history so far."""
        return self.record.rows

    def batch_indices(self) -> Tensor:
        """Where the images of the current step are, (B,): a new uniform permutation each epoch, the incomplete batch dropped."""
        size = self.run.batch_size
        epoch, position = divmod(self.step, steps_per_epoch(len(self.images), size))
        if epoch != self.order_epoch:
            order = torch.randperm(len(self.images), generator=generator("cpu", self.run.seed, "order", epoch))
            self.order_epoch, self.order = epoch, order.to(self.device)
        return self.order[position * size : (position + 1) * size]

    def batch(self) -> Tensor:
        """Images of the current step, (B, C, S, S), in the network's range."""
        return self.scaled(self.images[self.batch_indices()])

    def scaled(self, images: Tensor) -> Tensor:
        """uint8 → the network's range."""
        return to_network(images, unit_range(self.run.network), self.dtype)

    def update(self, batch_indices: Tensor, active_terms: tuple[str, ...]) -> Loss:
        """One update of both networks by the active terms, from gradients of the same forward values; all on the device."""
        loss = self.model.loss(self.scaled(self.images[batch_indices]), self.noise, active_terms)
        self.optimiser.zero_grad()
        with precision.backward("float32" if loss.reads.shared else self.run.precision):  # shared values choose for each pass
            loss.backward()
        self.optimiser.step()
        self.record.add(loss.terms)
        return loss

    def changing(self) -> list[Tensor]:
        """Every tensor that `update` changes."""
        networks = [*self.model.parameters(), *self.model.buffers()]
        return [*networks, *(tensor for buffers in self.optimiser.state for tensor in buffers.values()), *self.record.sums.values()]

    def advance(self) -> None:
        """One step: an update, captured as a CUDA graph on a GPU, and what is written down of it."""
        active_terms = self.model.active_terms()
        self.index_buffer.copy_(self.batch_indices())
        graph_key = (active_terms, self.optimiser.lr)
        loss = self.graph.run(lambda: self.update(self.index_buffer, active_terms), graph_key, self.noise, self.changing)
        self.step += 1
        self.record.summed += 1
        if self.record.due(self.step) or self.step == self.run.warmup_steps:  # a row is of steps with the same terms
            self.log(loss, active_terms)
        elif self.device.type == "cpu":  # on a GPU looking at every value would stall it; there the log's own check serves
            self.check({term: float(value) for term, value in loss.terms.items()})

        if len(self.validation) and self.step % steps_per_epoch(len(self.images), self.run.batch_size) == 0:
            self.validate()

    def validate(self) -> None:
        """After an epoch: the validation loss, the best weights so far, and the learning rate's schedule.

        Raises:
            Diverged: the loss is not finite. Of a term that the warm-up leaves out that is no fault: then the epoch does not count.
        """
        noise = generator(self.device, self.run.seed, "validation")  # the same noise after every epoch
        sums = {term: 0.0 for term, weight in self.weights.items() if weight}
        self.model.eval()
        with torch.no_grad():
            for index, count in full_batches(len(self.validation), min(self.run.batch_size, len(self.validation))):
                x = self.scaled(self.validation[torch.from_numpy(index).to(self.device)])
                for term, value in self.model.loss(x, noise).terms.items():
                    sums[term] += count * float(value)
        self.model.train()
        means = {term: total / len(self.validation) for term, total in sums.items()}
        loss = sum(self.weights[term] * value for term, value in means.items())
        if not math.isfinite(loss):
            self.check({term: means[term] for term in self.model.active_terms()}, " on the validation images")
            return
        is_best, halve = self.plateau.update(loss, self.step)
        if is_best and self.run.selection == "best_validation":
            self.best = {name: tensor.clone() for name, tensor in self.tensors().items()}
        if halve:
            self.optimiser.lr *= 0.5

    def result(self) -> dict[str, Tensor]:
        """The weights which the run is judged by: the last, or the best on the validation images."""
        return self.best or self.tensors()

    def log(self, loss: Loss, active_terms: tuple[str, ...]) -> None:
        """Append a row of the history."""
        values = loss.reads.fresh()

        @torch.no_grad()
        def value(term: str) -> float:
            return float(term_value(term, values))

        row, means = self.record.close(active_terms, value)
        self.check(means)
        self.record.append(self.step, row, means)

    def check(self, terms: dict[str, float], where: str = "") -> None:
        """Refuse to go on with a non-finite or runaway loss.

        Args:
            terms: values by name.
            where: of which images, if not of the step's, for the message.

        Raises:
            Diverged: with the step, the term and what to do.
        """
        with self.named():
            self.model.check(terms, where)

    @contextmanager
    def named(self) -> Iterator[None]:
        """Names the run, its step and its learning rate in what `Diverged` says."""
        try:
            yield
        except Diverged as error:
            advice = str(error).replace("learning rate", f"learning_rate (now {self.run.learning_rate:g})")
            raise Diverged(f"{self.run.dataset}/{self.run.name}, seed {self.run.seed}, stopped at step {self.step}: {advice}") from None

    def tensors(self) -> dict[str, Tensor]:
        """The trained weights."""
        return {
            f"{name}.{key}": value
            for name, network in (("encoder", self.encoder), ("decoder", self.decoder))
            for key, value in network.state_dict().items()
        }

    def decoder_tensors(self) -> dict[str, Tensor]:
        """The decoder's weights, for a snapshot."""
        return {f"decoder.{key}": value for key, value in self.decoder.state_dict().items()}

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Everything that the next step depends on, as tensors and a JSON record.

        Raises:
            Diverged: a weight is not finite, so that a bad state never replaces a good one on disk.
        """
        tensors = self.tensors()
        bad = [name for name, tensor in tensors.items() if not bool(torch.isfinite(tensor).all())]
        if bad:
            with self.named():
                raise Diverged(f"{bad[0]} is not finite; a smaller learning rate helps")
        tensors |= {f"optimiser.{number}.{key}": buffer for number, own in enumerate(self.optimiser.state) for key, buffer in own.items()}
        tensors |= {f"best.{name}": tensor for name, tensor in self.best.items()}
        tensors["noise"] = self.noise.get_state()
        tensors |= {f"sum.{term}": value for term, value in self.record.sums.items()}
        record = {"step": self.step, "summed": self.record.summed, "history": self.history, "lr": self.optimiser.lr}
        return tensors, {**record, **self.plateau.state()}

    def restore(self, tensors: dict[str, Tensor], record: dict[str, Any]) -> None:
        """Continue from what `state` returned."""
        fill_network(self.encoder, "encoder", tensors)
        fill_network(self.decoder, "decoder", tensors)
        for name, tensor in tensors.items():
            kind, _, rest = name.partition(".")
            if kind == "optimiser":
                number, key = rest.split(".")
                self.optimiser.state[int(number)][key].copy_(tensor)
            elif kind == "best":
                self.best[rest] = tensor.to(self.device)
        self.optimiser.lr = record["lr"]
        self.plateau.restore(record)
        self.noise.set_state(tensors["noise"])
        for term, total in self.record.sums.items():
            total.copy_(tensors[f"sum.{term}"])
        self.step, self.record.summed, self.record.rows = record["step"], record["summed"], record["history"]


def check_batch(n_images: int, run: Run) -> None:
    """Refuse batches of one image where a batch is compared with itself; raises UserError, which names what needs more."""
    needs = [name for name, there in (("batch normalisation", run.batch_norm), ("the discrepancy of codes", run.model == "wae")) if there]
    if n_images < 2 and needs:
        raise UserError(f"{run.dataset}/{run.name}: batches of {n_images} image (batch_size {run.batch_size}); {needs[0]} needs at least 2")


def check_shape(images: Tensor, model: PGA, run: Run) -> None:
    """Refuse images that the network is not made for; raises UserError, which names both shapes."""
    if model.data_shape != tuple(images.shape[1:]):
        raise UserError(
            f"network {run.network} makes images of (channels, height, width) {model.data_shape}; "
            f"{run.dataset} has {tuple(images.shape[1:])}"
        )
