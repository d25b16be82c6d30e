"""A search space of your own in one file: NAS-Bench-Macro, 3⁸ = 6,561 chains of eight blocks.

Su, Huang, Li, You, Wang, Qian, Zhang and Xu, "Prioritized architecture sampling with Monto-Carlo tree
search", CVPR 2021, arXiv 2103.11922. Each layer is one of three blocks; the benchmark writes an architecture
as eight digits. Its table, a CSV with the columns ``arch`` and ``mean_acc``, is searched from the command
line with::

    archpredict search --strategy ctnas --space examples/custom_space.py:NASBenchMacro \
        --data nas_bench_macro_cifar10.csv.gz --target mean_acc --budget 100

and from Python as in ``main`` below: ``python examples/custom_space.py nas_bench_macro_cifar10.csv.gz``.
"""

import sys
from collections.abc import Sequence

import archpredict

BLOCKS = ("identity", "mb3x3_e3", "mb5x5_e6")
LAYERS = 8


class NASBenchMacro(archpredict.SearchSpace):
    """Eight layers, each the identity or one of two inverted bottlenecks."""

    name = "nas-bench-macro"
    num_choices = (len(BLOCKS),) * LAYERS
    notation = "eight digits 0 (identity), 1 (MB3x3, expansion 3) or 2 (MB5x5, expansion 6), e.g. 02112101"

    def decode(self, choices: Sequence[int]) -> archpredict.ArchGraph:
        # A block does something else in each layer, but a few rounds of message passing along a chain do not
        # tell the third block from the fourth. Each layer is a cell of its own: the predictor sees its place.
        return archpredict.ArchGraph(
            ops=tuple(BLOCKS[choice] for choice in choices),
            edges=tuple((layer, layer + 1) for layer in range(LAYERS - 1)),
            cells=tuple(range(LAYERS)),
        )

    def parse(self, text: str) -> tuple[int, ...]:
        digits = text.strip()
        if len(digits) != LAYERS or not set(digits) <= set("012"):
            raise self.invalid(text, "it is not eight digits from 0 to 2")
        return tuple(int(digit) for digit in digits)

    def format(self, choices: Sequence[int]) -> str:
        return "".join(str(choice) for choice in choices)


def main(path: str) -> None:
    """Search the table at ``path`` with a budget of 100 labels and print what was found."""
    space = NASBenchMacro()
    table = archpredict.Table.read(path, space, "mean_acc")
    result = archpredict.search(space, table, strategy="ctnas", budget=100, seed=0)
    for found in result.top[:3]:
        print(found.architecture, found.score)


if __name__ == "__main__":
    main(sys.argv[1])
