"""The process that measures one model: a question as a line of JSON comes in, an answer goes out."""

from __future__ import annotations

import json
import os
import sys
import threading
from typing import Any


def main() -> None:
    """Answer one question; end when whoever asked has gone."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print is no answer
    given = json.loads(sys.stdin.readline())
    threading.Thread(target=_wait_for_end, daemon=True).start()
    answers.write(json.dumps(answer(given)) + "\n")
    answers.flush()
    os._exit(0)  # libraries that crash as they are unloaded have done their work


def _wait_for_end() -> None:
    sys.stdin.read()
    os._exit(1)


def answer(given: dict[str, Any]) -> dict[str, Any]:
    """The seconds of each run of a model, or the sentence that says why there are none.

    Args:
        given: A :class:`Question <archpredict.measuring.question.Question>` as a dictionary.
    """
    from archpredict.errors import ArchPredictError
    from archpredict.executors.processes.pool import limit_memory
    from archpredict.measuring.machine import begin_peak, peak_memory
    from archpredict.measuring.question import Question
    from archpredict.measuring.running import ready
    from archpredict.measuring.timing import repeated

    question = Question.from_dict(given)
    if question.limits.memory is not None and question.device == "cpu":  # CUDA reserves more than there is
        limit_memory(question.limits.memory)
    try:
        model = ready(question)
        begin_peak()
        times = repeated(model.run, question.limits)
    except ArchPredictError as error:
        return {"error": str(error)}
    except MemoryError:
        return {"error": "there was not enough memory"}
    except RuntimeError as error:  # of torch, whose shortage of memory is one
        return {"error": f"it failed as it ran: {' '.join(str(error).split())[:300]}"}
    return {"times": times, "precision": model.precision, "made_up": model.made_up, "peak_memory": peak_memory()}
