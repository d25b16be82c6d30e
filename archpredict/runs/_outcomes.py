"""Results as the record keeps them, and what is said where none is a label."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Collection
from dataclasses import replace

from archpredict.errors import EvaluationError
from archpredict.evaluators.base import Result
from archpredict.runs.directory import RunDirectory


def checked(result: Result) -> Result:
    """The result as the record gives it back, so that a resumed run is told exactly the same."""
    metadata = json.loads(json.dumps(dict(result.metadata), default=str))
    score, error = result.score, result.error
    if score is not None and not math.isfinite(score):
        score, error = None, f"the score is {score}; a score is a finite number"
    if score is None:
        error = error or "the evaluator gave no score"
    return replace(
        result,
        score=None if score is None else float(score),
        error=error,
        seconds=float(result.seconds),
        metadata=metadata,
    )


def all_failed(results: Collection[Result], directory: RunDirectory | None) -> EvaluationError:
    """The error where all evaluations failed, or all of the last ones."""
    error, count = Counter(r.error for r in results).most_common(1)[0]
    mostly = "" if count == len(results) else f", {count} of them with"
    return EvaluationError(
        f"all {len(results)} evaluations failed{mostly}: {str(error).rstrip('.')}. Correct that{then_resume(directory)}"
    )


def then_resume(directory: RunDirectory | None) -> str:
    """How to go on, where there is something to go on with."""
    return "" if directory is None else f", then go on with: `search(..., out={str(directory.path)!r}, resume=True)`"
