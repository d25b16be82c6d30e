"""One autoregressive policy for every search space."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

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
        drawn = _Drawn(np.zeros((n, self._space.num_decisions), dtype=np.int64))
        log_prob, entropy = self._follow(drawn, rng)
        return drawn.choices, log_prob, entropy

    def log_probs(self, choices: IntArray) -> tuple[Tensor, Tensor]:
        """Log-probabilities of given architectures and the entropies of the decisions that lead to them.

        Args:
            choices: ``(n, L)`` legal rows.

        Returns:
            Two tensors ``(n,)``, with the gradients that :meth:`sample` has.
        """
        return self._follow(_Drawn(self._space.rows(choices).copy()), None)

    def _follow(self, drawn: _Drawn, rng: np.random.Generator | None) -> tuple[Tensor, Tensor]:
        """Log-probabilities and entropies of choices that are there, or that are drawn if there is a generator."""
        cell = self.cell
        # What an option contributes to the gates is one row of a table, whatever step reads it.
        table = nn.functional.linear(self.embedding.weight, cell.weight_ih, cell.bias_ih + cell.bias_hh)
        log_prob, entropy = _Draw.apply(  # type: ignore[no-untyped-call]
            drawn, self._space, self._start, rng, table, cell.weight_hh, self.out.weight, self.out.bias
        )
        return log_prob, entropy


@dataclass(eq=False)
class _Drawn:
    """A sample as it is drawn, and what its gradient needs of each step.

    Args:
        choices: ``(n, L)``, filled in where they are drawn.
    """

    choices: IntArray
    columns: list[slice] = field(default_factory=list)
    tokens: list[Tensor] = field(default_factory=list)
    gates: list[tuple[Tensor, Tensor, Tensor, Tensor]] = field(default_factory=list)
    hidden: list[Tensor] = field(default_factory=list)
    memory: list[Tensor] = field(default_factory=list)
    squashed: list[Tensor] = field(default_factory=list)
    log_p: list[Tensor] = field(default_factory=list)
    taken: list[Tensor] = field(default_factory=list)


class _Draw(torch.autograd.Function):
    """Log-probabilities and entropies of a sample, which is drawn meanwhile, with the gradient written out.

    A policy is so small that automatic differentiation would spend its time between operations; and here the gradient
    of each weight is one product for all steps.
    """

    @staticmethod
    def forward(
        ctx: Any,
        drawn: _Drawn,
        space: SearchSpace,
        starts: list[int],
        rng: np.random.Generator | None,
        table: Tensor,
        recurrent: Tensor,
        weight: Tensor,
        bias: Tensor,
    ) -> tuple[Tensor, Tensor]:
        device, n = table.device, len(drawn.choices)
        token = torch.full((n,), starts[-1], device=device)
        drawn.hidden.append(table.new_zeros(n, recurrent.shape[1]))
        drawn.memory.append(torch.zeros_like(drawn.hidden[0]))
        for i, options in enumerate(space.num_choices):
            if options == 1:
                continue
            _advance(drawn, token, torch.addmm(table.index_select(0, token), drawn.hidden[-1], recurrent.t()))
            columns = slice(starts[i], starts[i] + options)
            logits = torch.addmm(bias[columns], drawn.hidden[-1], weight[columns].t())
            legal = space.mask(drawn.choices[:, :i])
            if not legal.all():
                logits = logits.masked_fill(~torch.from_numpy(legal).to(device), -1e9)
            log_p = logits.log_softmax(1)
            if rng is not None:
                p = log_p.exp().double().cpu().numpy()
                drawn.choices[:, i] = invert(p, legal, rng.random(n))
            taken = torch.from_numpy(drawn.choices[:, i]).to(device)
            drawn.columns.append(columns)
            drawn.log_p.append(log_p)
            drawn.taken.append(taken)
            token = taken + columns.start
        ctx.drawn, ctx.weights = drawn, (table, recurrent, weight)
        log_prob, entropy = table.new_zeros(n), table.new_zeros(n)
        for log_p, taken in zip(drawn.log_p, drawn.taken, strict=True):
            log_prob += log_p.gather(1, taken[:, None])[:, 0]
            entropy -= (log_p.exp() * log_p).sum(1)
        return log_prob, entropy

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Any, ...]:
        drawn, (table, recurrent, weight) = ctx.drawn, ctx.weights
        of_weight, of_bias = torch.zeros_like(weight), weight.new_zeros(len(weight))
        of_table, of_recurrent = torch.zeros_like(table), torch.zeros_like(recurrent)
        if drawn.columns:
            of_logits = [_of_logits(*step, *gradients) for step in zip(drawn.log_p, drawn.taken, strict=True)]
            for columns, hidden, part in zip(drawn.columns, drawn.hidden[1:], of_logits, strict=True):
                torch.mm(part.t(), hidden, out=of_weight[columns])
                torch.sum(part, 0, out=of_bias[columns])
            of_gates = _through_time(drawn, of_logits, recurrent, weight)
            of_table.index_add_(0, torch.cat(drawn.tokens), of_gates)
            of_recurrent = of_gates.t() @ torch.cat(drawn.hidden[:-1])
        return None, None, None, None, of_table, of_recurrent, of_weight, of_bias


def _advance(drawn: _Drawn, token: Tensor, gates: Tensor) -> None:
    """One step of the LSTM: Hochreiter and Schmidhuber, 1997, with the forget gate of Gers et al., 2000."""
    enter, forget, new, leave = gates.chunk(4, 1)
    enter, forget, new, leave = enter.sigmoid(), forget.sigmoid(), new.tanh(), leave.sigmoid()
    memory = torch.addcmul(enter * new, forget, drawn.memory[-1])
    squashed = memory.tanh()
    drawn.tokens.append(token)
    drawn.gates.append((enter, forget, new, leave))
    drawn.memory.append(memory)
    drawn.squashed.append(squashed)
    drawn.hidden.append(leave * squashed)


def _of_logits(log_p: Tensor, taken: Tensor, of_log_prob: Tensor, of_entropy: Tensor) -> Tensor:
    """Gradient of one step's logits, ``(n, K)``."""
    p = log_p.exp()
    surprise = p * log_p
    of_logits = torch.addcmul(surprise, p, surprise.sum(1, keepdim=True), value=-1) * -of_entropy[:, None]
    of_logits -= p * of_log_prob[:, None]
    return of_logits.scatter_add_(1, taken[:, None], of_log_prob[:, None])


def _through_time(drawn: _Drawn, of_logits: list[Tensor], recurrent: Tensor, weight: Tensor) -> Tensor:
    """Gradients of the gates before they are squashed, ``(S n, 4 H)`` for ``S`` steps."""
    enter, forget, new, leave = (torch.stack(list(gate)) for gate in zip(*drawn.gates, strict=True))
    squashed = torch.stack(drawn.squashed)
    to_memory = leave * (1 - squashed * squashed)
    by_memory = torch.stack(
        [
            new * enter * (1 - enter),
            torch.stack(drawn.memory[:-1]) * forget * (1 - forget),
            enter * (1 - new * new),
        ],
        2,
    )
    by_hidden = squashed * leave * (1 - leave)
    of_gates = torch.empty(*forget.shape[:2], 4, forget.shape[2], dtype=forget.dtype, device=forget.device)
    of_hidden, of_memory = torch.zeros_like(forget[0]), torch.zeros_like(forget[0])
    for i in reversed(range(len(of_logits))):
        of_hidden = torch.addmm(of_hidden, of_logits[i], weight[drawn.columns[i]])
        of_memory = torch.addcmul(of_memory, of_hidden, to_memory[i])
        torch.mul(of_memory[:, None], by_memory[i], out=of_gates[i, :, :3])
        torch.mul(of_hidden, by_hidden[i], out=of_gates[i, :, 3])
        of_memory = of_memory * forget[i]
        of_hidden = of_gates[i].flatten(1) @ recurrent
    return of_gates.flatten(0, 1).flatten(1)


def invert(p: np.ndarray, legal: np.ndarray, u: np.ndarray) -> IntArray:
    """The option at which the distribution function passes ``u``; never an illegal one, whatever the rounding."""
    p = np.where(legal, p, 0)
    cumulative = p.cumsum(1)
    drawn: IntArray = (u[:, None] * cumulative[:, -1:] >= cumulative).sum(1)
    last_legal = p.shape[1] - 1 - legal[:, ::-1].argmax(1)
    clipped: IntArray = np.minimum(drawn, last_legal)
    return clipped
