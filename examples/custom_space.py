"""A search space of your own in one file: NAS-Bench-Macro, 3⁸ = 6,561 chains of eight blocks.

Su, Huang, Li, You, Wang, Qian, Zhang and Xu, "Prioritized architecture sampling with Monto-Carlo tree
search", CVPR 2021, arXiv 2103.11922. Each layer is one of three blocks; the benchmark writes an architecture
as eight digits. (The space is built in too, as ``nasbench-macro``, which reads more spellings and knows what an
architecture costs.) Its table, a CSV with the columns ``arch`` and ``mean_acc``, is searched from the command
line with::

    archpredict search --strategy ctnas --space examples/custom_space.py:NASBenchMacro \
        --data nas_bench_macro_cifar10.csv.gz --target mean_acc --budget 100

and from Python as in ``main`` below: ``python examples/custom_space.py nas_bench_macro_cifar10.csv.gz``. Without a
table the networks are trained, here on the digits of scikit-learn::

    archpredict search --strategy random --space examples/custom_space.py:NASBenchMacro --budget 10 \
        --evaluator train --dataset digits --training epochs=3 --network channels=8
"""

import sys
from collections.abc import Sequence

import archpredict
from archpredict.graph.builder import Builder

BLOCKS = ("identity", "mb3x3_e3", "mb5x5_e6")
LAYERS = 8
STRIDED = (0, 2, 5)


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

    def network(
        self,
        choices: Sequence[int],
        *,
        num_classes: int = 10,
        image_size: int = 32,
        image_channels: int = 3,
        channels: int | None = None,
    ) -> archpredict.ArchGraph:
        # With this alone the space has trainings, supernets, zero-cost proxies and exports. A scope names the place of
        # what is built in it: layers at one place share their weights in a supernet.
        b = Builder((image_channels, image_size, image_size))
        width = 32 if channels is None else channels
        x = b.activation(b.conv(b.input(), width, 3, norm=True), "relu")
        for layer, choice in enumerate(choices):
            stride = 2 if layer in STRIDED else 1
            width *= stride
            with b.scope(f"layer{layer}"), b.scope(BLOCKS[choice]):
                x = _block(b, x, width, stride, BLOCKS[choice])
        x = b.activation(b.conv(x, 5 * width, 1, norm=True), "relu")
        return b.output(b.linear(b.global_avg_pool(x), num_classes)).graph()

    def parse(self, text: str) -> tuple[int, ...]:
        digits = text.strip()
        if len(digits) != LAYERS or not set(digits) <= set("012"):
            raise self.invalid(text, "it is not eight digits from 0 to 2")
        return tuple(int(digit) for digit in digits)

    def format(self, choices: Sequence[int]) -> str:
        return "".join(str(choice) for choice in choices)


def _block(b: Builder, x: int, width: int, stride: int, block: str) -> int:
    """An inverted bottleneck, or the identity, which is a convolution where the shape changes."""
    same = stride == 1 and b.channels(x) == width
    if block == "identity":
        return x if same else b.conv(x, width, 1, stride=stride, norm=True)
    kernel, inner = int(block[2]), int(block[-1]) * b.channels(x)
    y = b.activation(b.conv(x, inner, 1, norm=True), "relu")
    y = b.activation(b.conv(y, inner, kernel, stride=stride, groups=inner, norm=True), "relu")
    y = b.conv(y, width, 1, norm=True)
    return b.add(x, y) if same else y


def main(path: str) -> None:
    """Search the table at ``path`` with a budget of 100 labels and print what was found."""
    space = NASBenchMacro()
    table = archpredict.Table.read(path, space, "mean_acc")
    result = archpredict.search(space, table, strategy="ctnas", budget=100, seed=0)
    for found in result.top[:3]:
        print(found.architecture, found.score)


if __name__ == "__main__":
    main(sys.argv[1])
