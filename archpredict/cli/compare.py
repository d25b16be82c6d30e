"""``archpredict compare``: which of two architectures a predictor takes for better."""

from __future__ import annotations

from typing import Any

import click

from archpredict.cli._options import debug_option, example, json_option
from archpredict.cli._predictors import device_option, model_option, space_option
from archpredict.errors import UsageError


@click.command(
    name="compare",
    epilog=example(
        "archpredict compare --model model",
        '"|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|skip_connect~2|"',
        '"|nor_conv_3x3~0|+|none~0|none~1|+|none~0|none~1|nor_conv_1x1~2|"',
    ),
)
@model_option
@click.argument("first", metavar="ARCH")
@click.argument("second", metavar="ARCH")
@space_option
@device_option
@json_option
@debug_option
def command(model: str, first: str, second: str, space: str | None, device: str, as_json: bool) -> None:
    """The probability that the first architecture is better than the second, and both scores.

    Architectures are in the notation of the space (see 'archpredict spaces --json').
    """
    from archpredict.cli._console import show_table, warnings_as_lines
    from archpredict.cli._output import print_json
    from archpredict.cli._predictors import load_model, model_space

    with warnings_as_lines():
        predictor = load_model(model, device)
        if predictor.feature_names_:
            raise UsageError(
                f"the model {model} also reads {', '.join(predictor.feature_names_)}, which two architectures alone "
                "do not tell; use archpredict predict with a table that has these columns"
            )
        where = model_space(predictor, model, space)
        pair = [where.from_text(text) for text in (first, second)]
        probability = float(predictor.compare(pair[0], pair[1]))
        scores = predictor.predict(pair).tolist()
    if as_json:
        texts = [str(architecture) for architecture in pair]
        result: dict[str, Any] = {"model": model, "space": where.name, "architectures": texts}
        print_json({**result, "scores": scores, "probability": probability})
        return
    rows = [(name, f"{score:.6g}", str(a)) for name, score, a in zip(("first", "second"), scores, pair, strict=True)]
    show_table(f"Scores of {model}", {"": "left", "score": "right", "architecture": "left"}, rows)
    click.echo(f"\nProbability that the first is better: {probability:.3f}")
