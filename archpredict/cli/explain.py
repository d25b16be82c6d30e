"""``archpredict explain``: what would make an architecture better, and why a model has its score."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from archpredict.cli._onnx import input_shape_options
from archpredict.cli._options import debug_option, example, json_option
from archpredict.cli._predictors import device_option, space_option
from archpredict.errors import UsageError

if TYPE_CHECKING:
    from archpredict.graph.arch_graph import ArchGraph
    from archpredict.graph.pictures.picture import Group
    from archpredict.onnx.reader import OpenSizes
    from archpredict.pages.parts import Page
    from archpredict.predict.predictor import Predictor

_PATH = click.Path(path_type=Path)
_PAGE = (".html", ".htm")
_DEFAULT = "imagenet"
"""The predictor of ONNX models."""


@click.command(
    name="explain",
    short_help="Say what would make an architecture better, or why a model has its score.",
    epilog=example(
        "archpredict explain --model model",
        '"|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|skip_connect~2|"',
    ),
)
@click.argument("first", metavar="ARCH|FILE")
@click.argument("second", metavar="[ARCH|FILE]", required=False)
@click.option(
    "--model", metavar="DIR|NAME", help=f"Folder or name of a predictor.  [default: {_DEFAULT}, for ONNX models]"
)
@click.option("--top", type=click.IntRange(min=1), default=10, show_default=True, help="Changes, or known models.")
@click.option(
    "--out", type=_PATH, metavar="FILE", help="Draw the cell with the changes and their gains: SVG, PNG or HTML page."
)
@click.option("--known", type=_PATH, metavar="DIR", help="Folder of ONNX models with labels, to find those like it.")
@click.option("--labels", type=_PATH, metavar="TABLE", help="Their labels: a table with the columns model and score.")
@input_shape_options
@space_option
@device_option
@json_option
@debug_option
def command(first: str, second: str | None, **given: Any) -> None:
    """Say what would make an architecture better, or what makes up the score of an ONNX model.

    Of an architecture: every change of one choice, with the predicted gain. Of two: what makes the first better. Of an
    ONNX model: what kinds of statistics add to its score, compared with the mean of the models learnt from, or with a
    second model.
    """
    from archpredict.cli._console import warnings_as_lines
    from archpredict.onnx.files import ENDINGS

    files = [text.lower().endswith(ENDINGS) for text in (first, second) if text is not None]
    if len({*files}) > 1:
        raise UsageError("an architecture and an ONNX model were given; give two of one kind")
    if (given["known"] is None) != (given["labels"] is None):
        raise UsageError("--known and --labels go together: a folder of models, and a table of their scores")
    with warnings_as_lines():
        if files[0]:
            _explain_models(first, second, given)
        else:
            _explain_architectures(first, second, given)


# ---------------------------------------------------------------------- architectures


def _explain_architectures(first: str, second: str | None, given: Mapping[str, Any]) -> None:
    from archpredict.cli._predictors import load_model, model_space

    if given["known"] is not None:
        raise UsageError("--known and --labels are of ONNX models; leave them out for an architecture")
    if given["model"] is None:
        raise UsageError(
            "--model is missing: the folder of a predictor that was fitted on the space (see 'archpredict fit'), or "
            "the name of a shipped one; or give the path of an ONNX model"
        )
    if given["out"] is not None:
        _check_out(given["out"])
    predictor = load_model(given["model"], given["device"])
    space = model_space(predictor, given["model"], given["space"])
    one = space.from_text(first)
    if second is None:
        _show_changes(predictor, one, given)
    else:
        _show_differences(predictor, one, space.from_text(second), given)


def _check_out(out: Path) -> None:
    from archpredict.cli._output import check_file
    from archpredict.graph.drawing import ENDINGS, check_drawing

    if out.suffix.lower() in _PAGE:
        check_file(out)
    elif out.suffix.lower() in ENDINGS:
        check_drawing(out)
    else:
        raise UsageError(f"{out.name} is neither a picture nor a page; give a name that ends in .svg, .png or .html")


def _show_changes(predictor: Predictor, architecture: Any, given: Mapping[str, Any]) -> None:
    from archpredict.cli._console import show_table
    from archpredict.cli._output import print_json
    from archpredict.explanations.changes import changes
    from archpredict.explanations.pictures import picture_of_changes

    found = changes(predictor, architecture)
    if given["out"] is not None:
        from archpredict.cli._explained import page_of_changes

        _draw(given["out"], page_of_changes(found), picture_of_changes(found))
    if given["as_json"]:
        told = {"model": given["model"], "architecture": str(architecture), "score": found.score, "std": found.std}
        print_json({**told, "changes": [step.to_dict() for step in found.steps], **_drawn(given)})
        return
    spread = "" if found.std is None else f" ± {found.std:.3g}"
    rows = [
        (f"{s.gain:+.4g}", "-" if s.std is None else f"{s.std:.3g}", f"{s.better:.2f}", s.what)
        for s in found.steps[: given["top"]]
    ]
    title = f"Predicted score {found.score:.6g}{spread}; changes of one choice, the best first"
    right: dict[str, Literal["left", "right"]] = dict.fromkeys(("gain", "±", "better"), "right")
    show_table(title, {**right, "change": "left"}, rows)
    left = len(found.steps) - len(rows)
    gains = sum(step.gain > 0 for step in found.steps)
    more = f"; {left} more with --top {len(found.steps)}" if left else ""
    click.echo(f"\n{gains} of {len(found.steps)} changes are predicted to be better{more}")
    if given["out"] is not None:
        click.echo(f"Drawn: {given['out']}")


def _draw(out: Path, page: Page, picture: Group) -> None:
    """The page, or its picture alone."""
    from archpredict.cli._pages import write
    from archpredict.graph.drawing import write_picture

    if out.suffix.lower() in _PAGE:
        write(page, out)
    else:
        write_picture(picture, out, page.title)


def _drawn(given: Mapping[str, Any]) -> dict[str, str]:
    return {} if given["out"] is None else {"drawing": str(given["out"])}


def _show_differences(predictor: Predictor, one: Any, other: Any, given: Mapping[str, Any]) -> None:
    from archpredict.cli._console import show_table
    from archpredict.cli._output import print_json
    from archpredict.explanations.changes import differences
    from archpredict.explanations.pictures import picture_of_differences

    found = differences(predictor, one, other)
    scores = predictor.predict([one, other]).tolist()
    if given["out"] is not None:
        from archpredict.cli._explained import page_of_differences

        _draw(given["out"], page_of_differences(one, other, found), picture_of_differences(other, found))
    if given["as_json"]:
        told = {"model": given["model"], "architectures": [str(one), str(other)], "scores": scores}
        print_json({**told, "differences": [each.to_dict() for each in found], **_drawn(given)})
        return
    rows = [(f"{each.gain:+.4g}", each.what) for each in found]
    title = f"The first scores {scores[0]:.6g}, the second {scores[1]:.6g}; the difference is made up of"
    if rows:
        show_table(title, {"gain": "right", "second → first": "left"}, rows)
    else:
        click.echo(f"Both are one architecture, which scores {scores[0]:.6g}")
    if given["out"] is not None:
        click.echo(f"Drawn: {given['out']}")


# ---------------------------------------------------------------------- ONNX models


def _explain_models(first: str, second: str | None, given: Mapping[str, Any]) -> None:
    from archpredict.cli._output import print_json
    from archpredict.cli._predictors import load_model
    from archpredict.explanations.contributions import contributions, nearest
    from archpredict.onnx.reader import OpenSizes

    if given["out"] is not None:
        raise UsageError("--out draws a cell and its changes; use archpredict draw for ONNX models")
    name = given["model"] or _DEFAULT
    predictor = load_model(name, given["device"])
    sizes = OpenSizes(given["input_size"], given["sequence_length"])
    graph = _graph(Path(first), given["input_shape"], sizes)
    reference = None if second is None else _graph(Path(second), given["input_shape"], sizes)
    found = contributions(predictor, graph, reference)
    known = {} if given["known"] is None else _known(given["known"], given["labels"], sizes)
    alike = nearest(predictor, graph, known, given["top"])
    if given["as_json"]:
        told: dict[str, Any] = {"model": name, "file": first, "score": found.score}
        against = {"reference": found.reference} if second is None else {"other": second, "reference": found.reference}
        parts = [part.to_dict() for part in found.parts]
        near = {"nearest": [each.to_dict() for each in alike]} if known else {}
        print_json({**told, **against, "contributions": parts, **near})
        return
    _show_parts(found, second)
    if known:
        _show_alike(alike)


def _show_parts(found: Any, second: str | None) -> None:
    from archpredict.cli._console import show_table
    from archpredict.explanations.contributions import RECIPE, REST

    here = "training mean" if second is None else "other"
    said = {
        RECIPE: "the one that is stated, against their mean",
        REST: "what is predicted of these, against the labels",
    }
    rows = []
    for part in found.parts:
        told = "; ".join(f"{n} {v:.3g} ({r:.3g})" for n, v, r in part.statistics)
        rows.append((f"{part.gain:+.3f}", part.group, told or said.get(part.group, "")))
    what = "the labels learnt from on average" if second is None else second
    title = f"Predicted score {found.score:.4g}, against {found.reference:.4g} of {what}; the difference is made up of"
    show_table(title, {"gain": "right", "statistics": "left", f"farthest apart (in parentheses: {here})": "left"}, rows)
    click.echo("\nGains add up to the difference. They say what the predictor reads, not what a change would do.")


def _show_alike(alike: Any) -> None:
    from archpredict.cli._console import show_table

    rows = [(each.name, f"{each.label:.6g}", f"{each.distance:.3f}") for each in alike]
    click.echo()
    show_table("Known models that are most like it", {"model": "left", "label": "right", "distance": "right"}, rows)
    click.echo("\nDistance: root mean square of what statistics differ by, in standard deviations.")


def _graph(path: Path, shapes: Mapping[str, tuple[int, ...]], sizes: OpenSizes) -> ArchGraph:
    from archpredict.onnx.files import read_model

    return read_model(path, shapes, sizes, check_names=True).graph


def _known(folder: Path, table: Path, sizes: OpenSizes) -> dict[str, tuple[ArchGraph, float]]:
    """The graphs of the files that have a label, by their name, with the label.

    Raises:
        UsageError: None has.
    """
    from archpredict.onnx.files import expanded, read_model
    from archpredict.tables.model_labels import read_labels

    paths = expanded([folder])
    labels = read_labels(table, [str(path) for path in paths])
    pairs = zip(labels.models, labels.scores.tolist(), strict=True)
    return {paths[i].name: (read_model(paths[i], {}, sizes).graph, score) for i, score in pairs}
