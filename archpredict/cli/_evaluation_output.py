"""What ``archpredict evaluate`` prints and writes, but for pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archpredict.predict.protocols import Protocol
    from archpredict.predict.validation import Summary, Trial


def sizes_to_json(sizes: Mapping[int, Summary]) -> list[dict[str, Any]]:
    return [{"n": n, "trials": s.trials, "mean": s.mean, "std": s.std} for n, s in sizes.items()]


def say_transfer(others: Mapping[str, Sequence[str]]) -> None:
    """Where a predictor has other labels from."""
    from archpredict.cli._console import say

    if others["sources"]:
        left_out = f", not from {', '.join(others['left_out'])}" if others["left_out"] else ""
        say(f"Learnt from labels of {', '.join(others['sources'])} too{left_out}; --no-transfer leaves them out")


def write_files(given: Mapping[str, Any], results: Sequence[Trial], labels: Any, data: str) -> None:
    """The table of trials, and the picture of the predictions for the last number of labels and the first seed."""
    if given["csv_file"] is not None:
        from archpredict.cli._output import number_columns, write_table

        rows = [trial.row() for trial in results]
        write_table(given["csv_file"], number_columns(rows), rows)
    if given["plots"] is not None:
        import numpy as np

        from archpredict.cli._plots import draw_predicted
        from archpredict.cli._predictors import described_predictor
        from archpredict.predict.validation import first_shown

        shown = first_shown(results)
        test = np.concatenate([trial.split.test for trial in shown])
        predicted = np.concatenate([trial.predicted for trial in shown])
        title = f"{described_predictor(given)} on {data}, held out"
        draw_predicted(labels[test], predicted, given["target"] or "test label", title, given["plots"])


def headings_of(figures: Mapping[str, float], k: int) -> dict[str, str]:
    from archpredict.predict.trial_charts import FIGURES

    return {name: heading.format(k=k) for name, heading in FIGURES.items() if name in figures}


def largest_k(results: Sequence[Trial]) -> int:
    """How many of the predicted best were looked at, but for test sets that are smaller."""
    return max(int(trial.figures["k"]) for trial in results)


def show(title: str, summaries: Mapping[str, Any], k: int) -> None:
    """Mean and standard deviation of each figure, one column per number of labels."""
    from archpredict.cli._console import show_table

    first = next(iter(summaries.values()))
    headings = headings_of(first.mean, k)
    names = ["mean ± std" if not n else f"n = {n}" for n in summaries]
    rows = [
        (heading, *(f"{s.mean[name]:.3f} ± {s.std[name]:.3f}" for s in summaries.values()))
        for name, heading in headings.items()
    ]
    show_table(title, {"figure": "left", **dict.fromkeys(names, "right")}, rows)


def show_published(protocol: Protocol) -> None:
    """What others reached, one column per number of labels of the protocol."""
    from archpredict.cli._listing import Entry, show_list

    tau = {(f.name, n): f.kendall_tau for f in protocol.published for n in protocol.train_sizes if abs(f.n - n) <= 1}
    sources = {f.name: f.source for f in protocol.published}
    if tau:
        figures = {
            name: {f"n = {n}": f"{tau[name, n]:.3f}" if (name, n) in tau else "-" for n in protocol.train_sizes}
            for name in sources
        }
        show_list("Kendall's tau of others", [Entry(name, sources[name], figures[name]) for name in sources])


def times(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
