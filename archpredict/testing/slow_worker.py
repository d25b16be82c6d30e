"""A worker that takes as long as it is told to, for tests of whatever waits for processes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any


def handler(setup: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """Sleep as many seconds as a question says."""

    def answer(question: Mapping[str, Any]) -> dict[str, Any]:
        time.sleep(question["sleep"])
        return {"slept": question["sleep"]}

    return answer
