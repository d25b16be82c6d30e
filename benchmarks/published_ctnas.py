"""Runs the published CTNAS code, unchanged, on nb101-20k: the figures that ours are measured against.

Needs a checkout of chenyaofo/CTNAS; nothing of it is copied here::

    python benchmarks/published_ctnas.py --code path/to/CTNAS                 # comparator, seeds 0 to 4
    python benchmarks/published_ctnas.py --code path/to/CTNAS --seeds 0 --search --iterations 1000

Settings are the published ones: 423 labelled cells, Adam 2e-4 with betas (0.5, 0.999) and weight decay 5e-4,
binary cross-entropy, batches of 256 against one permutation of themselves, 1,000 epochs, one CPU thread.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch loads

import numpy as np
import torch
from _protocols import Protocol, add_data_option, load_nb101_20k, split
from scipy.stats import kendalltau

NUM_LABELS = 423
EPOCHS = 1000
ITERATIONS = 10_000
_SIGN_TEST = 100


class _Writer:
    """Takes the place of tensorboard, which the published code imports."""

    def __init__(self, *args: object) -> None: ...

    def add_scalar(self, *args: object) -> None: ...


@dataclass(frozen=True)
class _Published:
    """The parts of the published code that are used."""

    args: argparse.Namespace
    nac: Any
    engine: ModuleType
    utils: ModuleType
    architecture: Any
    tensorize: Any


def run(
    code: Path,
    protocol: Protocol,
    *,
    seed: int = 0,
    epochs: int = EPOCHS,
    search: bool = False,
    iterations: int = ITERATIONS,
) -> dict[str, Any]:
    """Train the published comparator, measure its ranking, and with ``search`` time its controller phase.

    Args:
        code: Checkout of chenyaofo/CTNAS.
        protocol: ``nb101-20k``.
        seed: Of the split and of the published code.
        epochs: Of comparator training.
        search: Whether to run the controller phase.
        iterations: Of the controller; fewer than 10,000 are extrapolated linearly.

    Returns:
        ``train_seconds``, ``kendall_tau`` (tau-b on 10,000 cells), ``sign_tau`` (its own on 100 of them);
        with ``search`` also ``controller_seconds``, as measured, and ``search_seconds``: training and 10,000
        iterations.
    """
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as output, _importable(code, Path(output) / "log") as published:
        published.utils.set_reproducible(seed)
        train_rows, test_rows = split(protocol, NUM_LABELS, seed)
        loader = _loader(_tensors(published, protocol, train_rows), published.args.train_batch_size)
        args = published.args
        nac = published.nac(
            n_nodes=args.n_nodes, n_ops=args.n_ops, n_layers=args.n_layers, embedding_dim=args.embedding_dim
        )
        optimizer = _adam(nac, args.nac_lr)
        step = functools.partial(
            published.engine.train,
            labeled_loader=loader,
            pseudo_ratio=args.pseudo_ratio,
            nac=nac,
            criterion=torch.nn.BCELoss(),
            optimizer=optimizer,
        )
        started = time.perf_counter()
        for epoch in range(1, epochs + 1):
            step(epoch=epoch, pseudo_set=None)
        seconds = time.perf_counter() - started
        test = _tensors(published, protocol, test_rows)
        figures = {"seed": seed, "epochs": epochs, "train_seconds": seconds, **_ranking(published, nac, test)}
        if search:
            spent = _controller_seconds(published, nac, step, test[:_SIGN_TEST], iterations)
            whole = seconds + spent * ITERATIONS / iterations
            figures |= {"iterations": iterations, "controller_seconds": spent, "search_seconds": whole}
        return figures


def _ranking(published: _Published, nac: Any, test: list[Any]) -> dict[str, float]:
    """Kendall's tau of the comparator's order.

    Its last layer is linear in the concatenation: ``P(a beats b) = sigmoid(u.z_a + v.z_b + c)``. Whatever
    the opponents b, the mean of it grows with ``u.z_a`` alone, so that is the order by mean win rate. It is
    read off ``u.z_a`` itself, because the sigmoid rounds large values to ties. ``sign_tau`` is the published
    measure, over all pairs of the first 100 test cells by the sign of P - 1/2, a tie counting as a win.
    """
    nac.eval()
    with torch.no_grad():
        batches = torch.utils.data.DataLoader(test, batch_size=2048)
        z = torch.cat([nac.extract_features([matrix, ops]) for matrix, ops, _, _ in batches])
        score = z @ nac.fc.weight[0, : z.shape[1]]
    labels = np.array([label for _, _, label, _ in test])
    matrices, ops, first_labels, _ = next(iter(torch.utils.data.DataLoader(test, batch_size=_SIGN_TEST)))
    return {
        "kendall_tau": float(kendalltau(score.numpy(), labels).statistic),
        "sign_tau": float(published.utils.compute_kendall_tau_AR(nac, [matrices, ops], first_labels)),
    }


def _controller_seconds(published: _Published, nac: Any, step: Any, validation: list[Any], iterations: int) -> float:
    """Wall time of its controller phase: one sample per iteration, pseudo-labelled pairs every 100."""
    new_controller = import_module("core.controller").NASBenchController
    train_controller = import_module("core.engine.policy_learning").train_controller
    args = published.args
    controller = new_controller(
        n_ops=args.n_ops,
        n_nodes=args.n_nodes,
        hidden_size=args.hidden_size,
        temperature=args.temperature,
        tanh_constant=args.controller_tanh_constant,
        op_tanh_reduce=args.controller_op_tanh_reduce,
    )
    held_out = torch.utils.data.DataLoader(validation, batch_size=args.val_batch_size)
    started = time.perf_counter()
    train_controller(
        max_iter=iterations,
        database=None,
        entropy_coeff=args.entropy_coeff,
        grad_clip=args.controller_grad_clip,
        controller=controller,
        nac=nac,
        optimizer=_adam(controller, args.controller_lr),
        writer=_Writer(),
        alternate_train=step,
        alternate_evaluate=functools.partial(published.engine.evaluate, loader=held_out, nac=nac),
    )
    return time.perf_counter() - started


def _adam(module: torch.nn.Module, rate: float) -> torch.optim.Adam:
    return torch.optim.Adam(module.parameters(), rate, betas=(0.5, 0.999), weight_decay=5e-4)


def _loader(rows: list[Any], batch_size: int) -> Any:
    return torch.utils.data.DataLoader(rows, batch_size=batch_size, shuffle=True)


def _tensors(published: _Published, protocol: Protocol, rows: Any) -> list[Any]:
    """What its data set yields: adjacency matrix, operators, label, label."""
    made = []
    for row, label in zip(protocol.choices[rows].tolist(), protocol.train_labels[rows].tolist(), strict=True):
        matrix, ops = protocol.space.to_matrix(row)
        cell = published.architecture.from_spec(np.array(matrix), list(ops))
        made.append((*published.tensorize(cell), label, label))
    return made


@contextmanager
def _importable(code: Path, output: Path) -> Iterator[_Published]:
    """The published modules, which read ``sys.argv``, make a folder and look for a GPU when imported."""
    tensorboard = ModuleType("torch.utils.tensorboard")
    tensorboard.SummaryWriter = _Writer
    torch.utils.tensorboard = sys.modules[tensorboard.__name__] = tensorboard
    with (
        mock.patch.object(sys, "argv", ["train.py", "--output", str(output)]),
        mock.patch.object(sys, "path", [str(code / "ctnas"), *sys.path]),
        mock.patch("torch.cuda.is_available", return_value=False),
    ):
        utils = import_module("core.utils")
        utils.logger.disabled = True
        try:
            yield _Published(
                args=import_module("core.config").args,
                nac=import_module("core.model").NAC,
                engine=import_module("core.engine.nac"),
                utils=utils,
                architecture=import_module("core.dataset.architecture.nasbench").NASBenchArchitecture,
                tensorize=import_module("core.dataset.tensorize").tensorize_fn,
            )
        finally:
            for handler in utils.logger.handlers[:]:
                utils.logger.removeHandler(handler)
                handler.close()
            for name in [n for n in sys.modules if n == "core" or n.startswith("core.")]:
                del sys.modules[name]  # so that the next run reads its options anew
            del sys.modules[tensorboard.__name__], torch.utils.tensorboard


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--code", type=Path, required=True, metavar="FOLDER", help="checkout of chenyaofo/CTNAS")
    add_data_option(parser)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--search", action="store_true", help="time the controller phase too")
    parser.add_argument("--iterations", type=int, default=ITERATIONS, help="of the controller; extrapolated to 10,000")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here too")
    options = parser.parse_args()
    protocol = load_nb101_20k(options.data)
    runs = []
    for seed in options.seeds:
        figures = run(
            options.code,
            protocol,
            seed=seed,
            epochs=options.epochs,
            search=options.search,
            iterations=options.iterations,
        )
        runs.append(figures)
        print(
            "  ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in figures.items()),
            flush=True,
        )
    taus = np.array([figures["kendall_tau"] for figures in runs])
    print(f"published CTNAS comparator, nb101-20k, n = {NUM_LABELS}: tau {taus.mean():.3f} ± {taus.std():.3f}")
    if options.json:
        options.json.write_text(json.dumps(runs, indent=2) + "\n")


if __name__ == "__main__":
    main()
