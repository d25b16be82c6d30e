"""OneShotStrategy: search by the weights of a supernet first, then have labelled what that says is best."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np
import torch

from archpredict._typing import IntArray
from archpredict.errors import described
from archpredict.evaluators.base import Result
from archpredict.evaluators.train import TrainEvaluator
from archpredict.networks.batches import Batches
from archpredict.progress import Observer, silent
from archpredict.runtime import one_thread
from archpredict.spaces.base import Architecture, Choices
from archpredict.strategies.base import Problem, State, Strategy


class OneShotStrategy(Strategy):
    """A strategy that trains its own supernet before its first evaluation, and learns nothing from labels.

    The search happens when it is asked for the first time. It follows from problem, seed and options alone, whatever
    the budget; what it derives is part of the state, so a run that goes on does not search again, and while it searches
    how far it is, so a run that was killed there goes on from the last epoch. Where the budget is larger than what was
    derived, random architectures follow.

    Args:
        problem: What is searched.
        seed: Source of all randomness.
        observer: Told about progress.
        dataset: Images to train on, e.g. digits or cifar10:FOLDER.
        network: Options of the space's networks.
        training: How weights are trained.
        device: ``auto``, ``cpu`` or ``cuda``.

    Raises:
        UsageError: The space defines no networks, or an option does not exist or is out of its range.
    """

    needs = "supernet"
    default_budget = 10

    def __init__(
        self,
        problem: Problem,
        *,
        seed: int,
        observer: Observer = silent,
        dataset: str,
        network: Mapping[str, float] | None,
        training: Mapping[str, float] | None,
        device: str,
    ) -> None:
        super().__init__(problem, seed=seed, observer=observer)
        # The evaluator that trains networks takes the same words, and says what is wrong with them.
        alone = TrainEvaluator.for_space(problem.space, dataset, network, training, seed=seed, device=device)
        self.images, self.form = alone.images, alone.form
        self.recipe, self.device = alone.task.recipe, alone.task.device
        self.unfinished: State = {}
        """How far the search was when :meth:`rest` was called last; empty before."""
        self._derived: IntArray | None = None

    @abstractmethod
    def search(self) -> list[Architecture]:
        """Train, and derive what is to be labelled, best first; only what keeps the limits and can be labelled.

        It goes on from what is ``unfinished``, which it loads by :meth:`go_on`.
        """

    def go_on(self, load: Callable[[State], None]) -> None:
        """Load what was ``unfinished``, if anything was.

        Args:
            load: Is given that, and loads it into what was just made. Whatever it raises, the search begins again.
        """
        if self.unfinished:
            try:
                load(self.unfinished)
            except Exception as error:  # of another version
                raise _UnusableError(described(error)) from error

    def rest(self, state: Callable[[], Mapping[str, Any]]) -> None:
        """Have saved how far the search is, where that is kept.

        Args:
            state: Gives it: what a state has, and tensors, in dictionaries.
        """
        if self.save_now is not None:
            self.unfinished = with_arrays(state())
            self.save_now()

    def batches(self, split: str) -> Batches:
        """Images of a split in shuffled batches, unchanged."""
        return Batches(self.images, split, batch_size=self.recipe.batch_size, device=self.device, seed=self.seed)

    @property
    def files(self) -> dict[str, str]:
        return {"dataset": self.images.sha256}

    def ask(self, n: int) -> list[Architecture]:
        n = min(n, self.left)
        if n < 1:
            return []
        seen = set(self.seen)
        derived = (Architecture(self.problem.space, tuple(row)) for row in self._found().tolist())
        asked = list(islice((a for a in derived if a.key not in seen), n))
        return [*asked, *self.problem.sample(n - len(asked), self.rng(), [*seen, *(a.key for a in asked)])]

    def _found(self) -> IntArray:
        """``(n, L)`` choices of what the search derived, no two isomorphic, best first."""
        if self._derived is None:
            with one_thread():  # so that it depends on the seed alone
                distinct: dict[str, Choices] = {}
                for architecture in self._searched():
                    distinct.setdefault(architecture.key, architecture.choices)
            rows = list(distinct.values())
            self._derived = np.array(rows, dtype=np.int64).reshape(len(rows), self.problem.space.num_decisions)
            self.unfinished = {}
        return self._derived

    def _searched(self) -> list[Architecture]:
        """What the search derived; where what is unfinished cannot be used, of a search from its beginning."""
        try:
            return self.search()
        except _UnusableError as error:
            warnings.warn(
                f"the unfinished training of the supernet cannot be used ({error}); it begins again",
                RuntimeWarning,
                stacklevel=2,
            )
            self.unfinished = {}
            return self.search()

    def state_dict(self) -> State:
        if self._derived is not None:
            return {"derived": self._derived}
        return {"unfinished": self.unfinished} if self.unfinished else {}

    def load_state_dict(self, state: State, results: Sequence[Result]) -> None:
        super().load_state_dict(state, results)
        self._derived = state.get("derived")
        self.unfinished = state.get("unfinished", {})


class _UnusableError(Exception):
    """What was unfinished cannot be loaded."""


def with_arrays(value: Mapping[str, Any]) -> State:
    """The dictionary with an array in place of each tensor, in memory of its own.

    Example:
        >>> with_arrays({"weights": {"a": torch.zeros(1)}, "epoch": 3})
        {'weights': {'a': array([0.], dtype=float32)}, 'epoch': 3}
    """
    found: State = {}
    for name, inner in value.items():
        if isinstance(inner, torch.Tensor):
            found[name] = inner.detach().cpu().numpy().copy()
        else:
            found[name] = with_arrays(inner) if isinstance(inner, Mapping) else inner
    return found


def with_tensors(state: State) -> dict[str, Any]:
    """The state of a training with its ``tensors`` as such, in memory that torch has allocated.

    Example:
        >>> with_tensors({"tensors": {"a": np.zeros(1, dtype=np.float32)}, "epoch": 3})
        {'tensors': {'a': tensor([0.])}, 'epoch': 3}
    """
    return {**state, "tensors": {name: torch.from_numpy(array).clone() for name, array in state["tensors"].items()}}
