"""Progress on stderr: what a line tells of training, and of trainings that are part of something."""

from __future__ import annotations

import pytest

from archpredict.cli._console import PlainProgress
from archpredict.progress import Event


def test_how_many_predictors_are_done_stays_on_display_while_the_next_one_trains(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show = PlainProgress()
    show(Event("training", 2, 2, {"loss": 0.5}))
    show(Event("trial", 1, 3, {"kendall_tau": 0.75, "spearman": 0.9, "k": 10}))
    show(Event("pre-training", 400, 400, {"loss": 0.25}))
    first, last = (line.partition("] ")[2] for line in capsys.readouterr().err.splitlines())
    assert first == "training epoch 2/2, loss 0.5"
    assert last == "pre-training step 400/400, 1/3 predictors, tau 0.75, loss 0.25"
