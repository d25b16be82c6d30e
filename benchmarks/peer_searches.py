"""Searches of other projects on NAS-Bench-201, each by its own code, beside those of table 1.

    pip install --no-deps syne-tune archai overrides==3.1.0
    OMP_NUM_THREADS=1 python benchmarks/peer_searches.py --only syne-tune archai evolution --seeds 20
    OMP_NUM_THREADS=1 python benchmarks/peer_searches.py --only naszilla bananas --seeds 3

Validation accuracy is paid for, and the CIFAR-10 test accuracy is reported of the cell with the best one after 50, 100
and 150 evaluations; a cell that is asked for again is paid for again. Mean and standard deviation over seeds from 0 on;
after each, the paired difference to it of this library's strategy of the same kind where that is run too.

* ``syne-tune`` (0.16) and ``archai`` (1.0): regularised evolution with a population of 30, of which 10 are drawn for a
  parent; that is what NASLib runs it with. The first tries configurations, of which one operator is changed; the second
  asks its user for the mutation, which is that.
* ``naszilla`` (1.0): BANANAS as its ``run_nas_algorithm`` runs it. It needs TensorFlow 2.15 or less (an environment of
  its own: ``pip install tensorflow-cpu==2.15.1``) and imports packages that its wheel lacks or that BANANAS does not
  use, which are left empty here; Adam is TensorFlow's former one, whose learning rate has the name that naszilla uses.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch loads
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from _protocols import add_data_option, load_nb201
from _searches import Labels, paired, searched, strategy_of

from archpredict.spaces.base import Architecture
from archpredict.strategies.base import Problem

BUDGETS = (50, 100, 150)
POPULATION, DRAWN = 30, 10
EDGES, OPS = 6, 5

Choices = tuple[int, ...]
Label = Callable[[Choices], float]
Search = Callable[[Label, int, int], None]
"""Asks for the labels of cells: a seed, and how many."""


def syne_tune(label: Label, seed: int, budget: int) -> None:
    """Its scheduler minimises."""
    from syne_tune.config_space import choice
    from syne_tune.optimizer.schedulers.searchers.regularized_evolution import RegularizedEvolution

    np.random.seed(seed)  # its first population is drawn from numpy's own source
    space = {f"edge {edge}": choice(list(range(OPS))) for edge in range(EDGES)}
    searcher = RegularizedEvolution(space, population_size=POPULATION, sample_size=DRAWN, random_seed=seed)
    for number in range(budget):
        config = searcher.suggest()
        searcher.on_trial_complete(number, config, -label(tuple(config[name] for name in space)))


def archai(label: Label, seed: int, budget: int) -> None:
    """Its search space, whose models are their choices."""
    from archai.discrete_search.algos.regularized_evolution import RegularizedEvolutionSearch
    from archai.discrete_search.api.archai_model import ArchaiModel
    from archai.discrete_search.api.model_evaluator import ModelEvaluator
    from archai.discrete_search.api.search_objectives import SearchObjectives
    from archai.discrete_search.api.search_space import EvolutionarySearchSpace

    rng = random.Random(seed)

    def overrides(method: Any) -> Any:
        """What that package's decorator of this name leaves behind; its own reads bytecode of former Pythons."""
        method.__override__ = True
        return method

    def model(choices: Choices) -> Any:
        return ArchaiModel(choices, str(choices), {"choices": choices})  # it forgets the first of them

    class Cells(EvolutionarySearchSpace):  # type: ignore[misc]
        @overrides
        def random_sample(self) -> Any:
            return model(tuple(rng.randrange(OPS) for _ in range(EDGES)))

        @overrides
        def mutate(self, arch: Any) -> Any:
            choices = list(arch.metadata["choices"])
            edge = rng.randrange(EDGES)
            choices[edge] = rng.choice([op for op in range(OPS) if op != choices[edge]])
            return model(tuple(choices))

        @overrides
        def crossover(self, arch_list: list[Any]) -> Any:
            return arch_list[0]

        @overrides
        def save_arch(self, model: Any, file_path: str) -> None: ...

        @overrides
        def load_arch(self, file_path: str) -> Any: ...

        @overrides
        def save_model_weights(self, model: Any, file_path: str) -> None: ...

        @overrides
        def load_model_weights(self, model: Any, file_path: str) -> None: ...

    class Accuracy(ModelEvaluator):  # type: ignore[misc]
        @overrides
        def evaluate(self, arch: Any, budget: float | None = None) -> float:
            return label(arch.metadata["choices"])

    objectives = SearchObjectives()
    objectives.add_objective("accuracy", Accuracy(), higher_is_better=True)
    RegularizedEvolutionSearch(
        Cells(),
        objectives,
        "archai",
        num_iters=budget - POPULATION + 1,  # the first is the population, and each after it one child
        init_num_models=POPULATION,
        pareto_sample_size=DRAWN,
        history_size=POPULATION,
        save_pareto_model_weights=False,
        seed=seed,
    ).search()


def naszilla(label: Label, seed: int, budget: int) -> None:
    """Its class of NAS-Bench-201, with an API object that knows this table."""
    lacking = ("gcn", "gcn.model", "gcn.train_gcn", "bo.bo.probo")
    for name in ("nasbench", "nas_201_api", "nasbench301", *(f"naszilla.{name}" for name in lacking)):
        sys.modules.setdefault(name, Empty(name))
    import tensorflow as tf

    tf.keras.optimizers.Adam = tf.keras.optimizers.legacy.Adam  # its `lr` would be ignored
    from naszilla import nas_algorithms
    from naszilla.nas_bench_201.cell_201 import OPS as NAMES
    from naszilla.nas_benchmarks import Nasbench201
    from naszilla.params import meta_neuralnet_params

    from archpredict.spaces.nasbench201 import OPERATORS

    def accuracy(text: str) -> float:
        ops = [word.split("~")[0] for word in text.split("|") if "~" in word]
        return label(tuple(OPERATORS.index(op) for op in ops))

    assert set(NAMES) == set(OPERATORS)
    asked: dict[str, float] = {}

    def query(text: str, _: str) -> dict[int, Any]:
        if text not in asked:  # it asks for validation and test one after the other
            asked[text] = accuracy(text)
        return {0: SimpleNamespace(get_eval=lambda split: {"accuracy": asked[text]})}

    table = Nasbench201.__new__(Nasbench201)
    table.search_space, table.dataset, table.index_hash = "nasbench_201", "cifar10", None
    table.nasbench = SimpleNamespace(query_index_by_arch=lambda text: text, query_by_index=query)
    random.seed(seed)
    np.random.seed(seed)
    tf.random.set_seed(seed)
    words = {"algo_name": "bananas", "total_queries": budget}
    nas_algorithms.run_nas_algorithm(words, table, meta_neuralnet_params("standard"))


class Empty(ModuleType):
    """A module that has whatever is imported from it, and nothing in it."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return SimpleNamespace()


PEERS: dict[str, tuple[Search, str]] = {
    "syne-tune": (syne_tune, "evolution"),
    "archai": (archai, "evolution"),
    "naszilla": (naszilla, "bananas"),
}
"""Other projects' searches, and this library's strategy of the same kind."""
OURS = ("evolution", "bananas")


def run(labels: Labels, name: str, seed: int) -> list[float]:
    """The test accuracy of the best by validation after each budget."""
    asked: list[Architecture] = []
    if name in PEERS:

        def label(choices: Choices) -> float:
            asked.append(labels.protocol.space.architecture(choices))
            return float(labels.results(asked[-1:])[0].score or 0.0)

        with tempfile.TemporaryDirectory() as folder, _unheard(), contextlib.chdir(folder):  # some write logs there
            PEERS[name][0](label, seed, BUDGETS[-1])
    else:
        strategy = strategy_of(name, Problem(labels.protocol.space, BUDGETS[-1]), seed, {})
        asked = [result.architecture for result in searched(strategy, labels).results]
    assert len(asked) == BUDGETS[-1], f"{name} asked for {len(asked)} labels"
    return [labels.test(_best(labels, asked[:budget])) for budget in BUDGETS]


@contextlib.contextmanager
def _unheard() -> Iterator[None]:
    with open(os.devnull, "w") as nobody, contextlib.redirect_stdout(nobody), contextlib.redirect_stderr(nobody):
        yield


def _best(labels: Labels, asked: Sequence[Architecture]) -> Architecture:
    scores = [result.score or 0.0 for result in labels.results(asked)]
    return asked[int(np.argmax(scores))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_option(parser)
    parser.add_argument("--only", nargs="+", default=[*OURS, *PEERS], choices=[*OURS, *PEERS], metavar="NAME")
    parser.add_argument("--seeds", type=int, default=20, help="how many")
    options = parser.parse_args()
    labels = Labels(load_nb201(Path(options.data)))
    found: dict[str, np.ndarray] = {}
    for name in sorted(options.only, key=lambda name: name in PEERS):
        start = time.process_time()
        found[name] = np.array([run(labels, name, seed) for seed in range(options.seeds)])
        seconds = (time.process_time() - start) / options.seeds
        for budget, test in zip(BUDGETS, found[name].T, strict=True):
            line = f"{name:10s} budget {budget:3d}: {test.mean():.3f} ± {test.std():.3f} "
            line += f"({len(test)} seeds, {seconds:.1f} s)"
            ours = PEERS[name][1] if name in PEERS else ""
            if ours in found:
                line += f"; {ours} {paired(found[ours][:, BUDGETS.index(budget)], test)}"
            print(line, flush=True)


if __name__ == "__main__":
    main()
