"""Laying out: by Graphviz where it is, and by grandalf, boxes do not overlap and arrows go from box to box."""

from __future__ import annotations

import shutil
import subprocess
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archpredict.graph.pictures import arranging
from archpredict.graph.pictures.arranging import Arranged, Flow, arranged


@st.composite
def flows(draw: st.DrawFn) -> Flow:
    n = draw(st.integers(1, 9))
    pairs = [(i, j) for j in range(n) for i in range(j)]
    arrows = draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []
    sizes = draw(st.lists(st.tuples(st.floats(20, 200), st.floats(16, 90)), min_size=n, max_size=n))
    return Flow(tuple(sizes), tuple(arrows))


def check(flow: Flow, found: Arranged) -> None:
    boxes = [
        (x - w / 2, y - h / 2, x + w / 2, y + h / 2) for (x, y), (w, h) in zip(found.centres, flow.sizes, strict=True)
    ]
    for a, b in combinations(boxes, 2):
        assert min(a[2], b[2]) - max(a[0], b[0]) < 1 or min(a[3], b[3]) - max(a[1], b[1]) < 1
    for left, top, right, bottom in boxes:
        assert left > -1
        assert top > -1
        assert right < found.size[0] + 1
        assert bottom < found.size[1] + 1
    for (source, target), curve in zip(flow.arrows, found.curves, strict=True):
        assert len(curve) % 3 == 1
        assert found.centres[source][1] < found.centres[target][1]
        for (x, y), box in ((curve[0], boxes[source]), (curve[-1], boxes[target])):
            assert box[0] - 12 < x < box[2] + 12
            assert box[1] - 12 < y < box[3] + 12


@given(flows())
def test_in_python_alone(flow: Flow) -> None:
    check(flow, arranging._by_grandalf(flow))


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz's program dot is not installed")
@settings(max_examples=5)
@given(st.lists(flows(), min_size=10, max_size=10))
def test_by_graphviz(several: list[Flow]) -> None:
    for flow, found in zip(several, arranged(several), strict=True):
        check(flow, found)


def test_a_dot_that_does_not_work_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: object, **more: object) -> None:
        raise subprocess.CalledProcessError(1, "dot")

    monkeypatch.setattr(shutil, "which", lambda name: "/bin/false")
    monkeypatch.setattr(subprocess, "run", broken)
    flow = Flow(((30.0, 20.0), (30.0, 20.0)), ((0, 1),))
    check(flow, arranged([flow])[0])
