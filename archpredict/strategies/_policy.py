"""One autoregressive policy for every search space."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from archpredict._typing import IntArray
from archpredict.spaces.base import SearchSpace


class Policy(nn.Module):
    """An LSTM that makes a space's choices one after another and samples a batch of architectures at a time.

    Each step reads the option taken last and offers those that ``space.mask`` allows, so every sample is legal. The
    distribution starts close to uniform over sequences of legal choices.

    Args:
        space: Gives the number of options of each choice, and the masks.
        hidden: Width of the LSTM cell.
        init_range: Weights start uniform in plus and minus this.
    """

    def __init__(self, space: SearchSpace, *, hidden: int = 64, init_range: float = 0.1) -> None:
        super().__init__()
        self._space = space
        total = sum(space.num_choices)
        self._start = np.concatenate([[0], np.cumsum(space.num_choices)]).tolist()
        self.embedding = nn.Embedding(total + 1, hidden)  # the last row stands for "nothing chosen yet"
        self.cell = nn.LSTMCell(hidden, hidden)
        self.out = nn.Linear(hidden, total)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -init_range, init_range)

    def sample(self, n: int, rng: np.random.Generator) -> tuple[IntArray, Tensor, Tensor]:
        """Draw ``n`` architectures.

        Options are drawn by inverting the distribution function at uniform numbers from ``rng``, so a sample depends on
        the device by rounding only.

        Returns:
            Choices ``(n, L)``, their log-probabilities ``(n,)`` and the entropies of the decisions, summed, ``(n,)``.
        """
        device = self.out.weight.device
        choices = np.zeros((n, self._space.num_decisions), dtype=np.int64)
        token = torch.full((n,), self._start[-1], device=device)
        hidden = torch.zeros(n, self.cell.hidden_size, device=device)
        memory = torch.zeros_like(hidden)
        log_prob, entropy = torch.zeros(n, device=device), torch.zeros(n, device=device)
        for i, options in enumerate(self._space.num_choices):
            if options == 1:
                continue
            hidden, memory = self.cell(self.embedding(token), (hidden, memory))
            start = self._start[i]
            logits = nn.functional.linear(
                hidden, self.out.weight[start : start + options], self.out.bias[start : start + options]
            )
            legal = self._space.mask(choices[:, :i])
            if not legal.all():
                logits = logits.masked_fill(~torch.from_numpy(legal).to(device), -1e9)
            log_p = logits.log_softmax(1)
            choices[:, i] = _invert(log_p.detach().exp().double().cpu().numpy(), legal, rng.random(n))
            taken = torch.from_numpy(choices[:, i]).to(device)
            log_prob = log_prob + log_p.gather(1, taken[:, None])[:, 0]
            entropy = entropy - (log_p.exp() * log_p).sum(1)
            token = taken + start
        return choices, log_prob, entropy


def _invert(p: np.ndarray, legal: np.ndarray, u: np.ndarray) -> IntArray:
    """The option at which the distribution function passes ``u``; never an illegal one, whatever the rounding."""
    p = np.where(legal, p, 0)
    cumulative = p.cumsum(1)
    drawn: IntArray = (u[:, None] * cumulative[:, -1:] >= cumulative).sum(1)
    last_legal = p.shape[1] - 1 - legal[:, ::-1].argmax(1)
    clipped: IntArray = np.minimum(drawn, last_legal)
    return clipped
