"""Pictures of explanations: every change is where it is made, with its gain, in colours and signs."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from archpredict.explanations.changes import Changes, changes
from archpredict.explanations.pictures import picture_of_changes
from archpredict.graph.drawing import write_picture
from archpredict.graph.pictures.picture import BETTER, Box, boxes_of
from archpredict.graph.pictures.placing import placed
from archpredict.predict.predictor import Predictor
from archpredict.spaces.base import load_space


def found_in(name: str, *, seed: int = 0) -> Changes:
    space = load_space(name)
    cells = space.architectures(space.sample(40, np.random.default_rng(seed)))
    predictor = Predictor(ensemble=0, sources=("choices",), regressors={"bayesian-ridge": 1.0})
    predictor.fit(cells, [sum(cell.choices) + 0.1 * cell.choices[0] for cell in cells])
    return changes(predictor, cells[0])


def noted(found: Changes) -> list[Box]:
    return [box for box in boxes_of(picture_of_changes(found)) if box.notes]


def gains(text: str) -> list[float]:
    return [float(number) for number in re.findall(r"(?<= )[+-][\d.e-]+(?= ±)", text)]


@pytest.mark.parametrize("name", ["nasbench101", "nasbench201", "darts", "enas", "nasbench-macro"])
def test_every_change_is_written_where_it_is_made(name: str) -> None:
    found = found_in(name)
    written = sorted(gain for box in noted(found) for gain in gains(box.hover))
    expected = sorted(float(f"{s.gain:+.3g}") for s in found.steps for _ in (s.at, *s.same))
    assert written == pytest.approx(expected)
    for box in noted(found):
        best = max(gains(box.hover))
        assert gains(box.notes[0]) == [best]
        assert (box.notes[0][0], box.mark) == (("▲", BETTER) if best > 0 else ("▼", ""))


def test_changes_of_an_edge_stand_on_that_edge() -> None:
    """On NAS-Bench-201 the boxes of six edges, in their order, have four changes each, less what changes nothing."""
    found = found_in("nasbench201", seed=1)
    operators = [box for box in boxes_of(picture_of_changes(found)) if not box.is_state]
    assert len(operators) == 6
    for step in found.steps:
        for at in (step.at, *step.same):
            assert at is not None
            assert at.edge is not None
            box = operators[at.edge]
            assert box.lines == (at.before,)
            assert any(at.after in line and f"{step.gain:+.3g}" in line for line in box.notes)


def test_what_is_at_no_place_is_told_elsewhere() -> None:
    found = found_in("mobilenetv3")
    (box,) = [box for box in noted(found) if box.lines == ("elsewhere",)]
    others = [s for s in found.steps if s.at is None or s.at.node is None]
    assert len(others) == len(box.hover.splitlines()) > 0


@pytest.mark.parametrize("ending", [".svg", ".png"])
def test_notes_are_written_inside_of_their_boxes(tmp_path: Path, ending: str) -> None:
    group = picture_of_changes(found_in("nasbench201"))
    (drawn,) = placed([group])
    for found in drawn.boxes:
        assert found.height >= 14 * (len(found.box.lines) + len(found.box.notes))
        assert found.width >= 6.7 * max(map(len, (*found.box.lines, *found.box.notes)))
    path = write_picture(group, tmp_path / f"out{ending}", "changes")
    assert path.stat().st_size > 2000
    if ending == ".svg":
        text = path.read_text(encoding="utf-8")
        assert all(line in text for box in boxes_of(group) for line in box.notes)
        assert BETTER in text
