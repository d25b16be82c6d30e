"""Pages of evaluations and of fitted predictors, from what their commands have at hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archpredict.cli._options import flag_of
from archpredict.cli._pages import again, write

if TYPE_CHECKING:
    import numpy as np

    from archpredict.pages.parts import Part
    from archpredict.predict.device_protocols import DeviceProtocol
    from archpredict.predict.device_validation import DeviceSummary, DeviceTrial
    from archpredict.predict.evaluation_page import Judgement
    from archpredict.predict.validation import Trial

_NOT_SETTINGS = ("html", "as_json", "quiet", "csv_file", "plots", "submit", "data", "target")


def write_evaluation(
    given: Mapping[str, Any], found: Judgement, source: Mapping[str, Any], predictor: Any = None
) -> None:
    """The page of trials, where one is asked for.

    Args:
        given: Options of the command.
        found: The trials.
        source: Where labels are from.
        predictor: Of whose settings the page tells; None for a class of someone's own.
    """
    if given["html"] is not None:
        from archpredict.predict.evaluation_page import evaluation_page

        settings = {**settings_of(given), **parameters_of(predictor)}
        write(evaluation_page(found, source, settings, again()), given["html"])


def write_figures(
    given: Mapping[str, Any],
    source: Mapping[str, Any],
    figures: Mapping[str, float],
    true: np.ndarray,
    predicted: np.ndarray,
    std: np.ndarray | None,
) -> None:
    """The page of a saved predictor on a table, where one is asked for.

    Args:
        given: Options of the command.
        source: Where labels are from.
        figures: All of them.
        true: Labels.
        predicted: Predictions.
        std: Their standard deviations, None where there are none.
    """
    if given["html"] is None:
        return
    from archpredict.pages.parts import Cards, Sheet
    from archpredict.predict.evaluation_page import figure_rows, figures_page
    from archpredict.predict.trial_charts import Outcome

    cards = Cards([("tau", f"{figures['kendall_tau']:.4f}"), ("architectures", f"{len(true):,}")])
    table = Sheet("Figures", ["figure", "value"], figure_rows(figures))
    charts = Outcome(true, predicted, true, std).charts(str(given["target"]))
    about = f"{len(true):,} architectures, column {given['target']} of {given['data'].name}"
    page = figures_page(given["model"], about, [cards, *charts, table], source, settings_of(given), again())
    write(page, given["html"])


def write_devices(
    given: Mapping[str, Any],
    protocol: DeviceProtocol,
    folder: str | Path,
    summaries: Sequence[DeviceSummary],
    trials: Sequence[DeviceTrial],
) -> None:
    """The page of predictors of devices, where one is asked for."""
    if given["html"] is None:
        return
    from archpredict.pages.parts import Sheet, Text
    from archpredict.predict.evaluation_page import figures_page
    from archpredict.predict.trial_charts import trial_sheet

    rows = [[one.method, one.n, *_means(one.mean), one.std["spearman"]] for one in summaries]
    heads = ["method", "measurements", "Spearman", "error in %", "in 90 %", "± of Spearman"]
    parts: list[Part] = [
        Text(f"{protocol.description}. Each device is held out in turn."),
        Sheet("Mean over devices and seeds", heads, rows),
        trial_sheet([trial.row() for trial in trials]),
    ]
    source = {"protocol": protocol.name, "data": str(folder), "metric": protocol.metric}
    page = figures_page(protocol.name, f"{protocol.metric} on devices", parts, source, settings_of(given), again())
    write(page, given["html"])


def _means(mean: Mapping[str, float]) -> list[float | None]:
    return [mean.get(name) for name in ("spearman", "error_percent", "coverage_90")]


def write_card(
    given: Mapping[str, Any], card: Mapping[str, Any], labels: np.ndarray, predictor: Any, trials: Sequence[Trial]
) -> None:
    """The page of a fitted predictor, where one is asked for."""
    if given["html"] is not None:
        from archpredict.predict.card_page import card_page

        write(card_page(card, labels, parameters_of(predictor), trials, again()), given["html"])


def settings_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """Options that were given, by their flags, but for those that say what to write."""
    unset: tuple[Any, ...] = (None, (), False, {})
    return {flag_of(name): value for name, value in given.items() if name not in _NOT_SETTINGS and value not in unset}


def parameters_of(predictor: Any) -> dict[str, Any]:
    """Arguments that a predictor was made with."""
    return {} if predictor is None else dict(predictor.get_params(deep=False))
