"""EncoderTraining: an encoder trained without labels, step by step, so that it can stop and go on."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from archpredict.encoders.base import Encoder, encoded
from archpredict.graph.batch import GraphBatch
from archpredict.predict.training.optimizer import Adam, Flat
from archpredict.runtime import few_threads

_RATE, _DECAY = 3e-3, 1e-2
_WARMUP = 30


class EncoderTraining:
    """The training of an encoder and what reads it: AdamW, a short warm-up, then a cosine to zero.

    Args:
        encoder: Trained in place.
        readout: Trained with it, on its encodings.
        steps: How many there will be.
        rate: Peak learning rate.

    Attributes:
        done: Steps so far.
        loss: Of the last one.
    """

    def __init__(self, encoder: Encoder, readout: nn.Module, steps: int, rate: float = _RATE) -> None:
        self.encoder, self.readout, self.steps, self.rate, self.done = encoder, readout, steps, rate, 0
        self.loss = float("nan")
        flat = Flat([nn.ModuleList([encoder, readout])])
        self._adam = Adam(flat.values[0], flat.gradients[0], flat.leaves[0], rate=rate, weight_decay=_DECAY)

    def step(self, batch: GraphBatch, loss: Callable[[Tensor], Tensor]) -> float:
        """One step, and its loss.

        Args:
            batch: ``B`` graphs.
            loss: Of what the readout gives for them, ``(B, P)``.
        """
        warm = min(1.0, (self.done + 1) / _WARMUP)
        self._adam.rate = self.rate * (warm * 0.5 * (1 + np.cos(np.pi * self.done / self.steps)))
        with few_threads(len(batch.packed.op)):
            found = loss(self.readout(encoded(self.encoder, batch)))
            self._adam.minimize(found)
        self.done += 1
        self.loss = float(found.detach())
        return self.loss

    @property
    def weights(self) -> dict[str, Tensor]:
        """What the encoder has learnt, in memory of its own."""
        return {name: value.detach().clone() for name, value in self.encoder.state_dict().items()}

    def state(self) -> dict[str, Tensor]:
        """All that :meth:`restore` goes on from."""
        adam = self._adam
        numbers = {"done": torch.tensor(self.done), "loss": torch.tensor(self.loss, dtype=torch.float64)}
        return {"values": adam.values, "mean": adam.mean, "square": adam.square, **numbers}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what :meth:`state` gave.

        Raises:
            ValueError: It is not of this encoder and readout, or of more steps.
        """
        for name in ("values", "mean", "square"):
            place: Tensor = getattr(self._adam, name)
            if state[name].shape != place.shape:
                raise ValueError("it is of another encoder")
            place.copy_(state[name])
        self.done, self.loss = int(state["done"]), float(state["loss"])
        self._adam.steps = self.done
        if not 0 <= self.done <= self.steps:
            raise ValueError(f"it has done {self.done} of {self.steps} steps")
