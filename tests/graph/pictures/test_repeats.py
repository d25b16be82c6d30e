"""Folding repeats."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from archpredict.graph.pictures.repeats import Repeat, folded, num_elements


def unfolded(text: str, parts: Sequence[int | Repeat]) -> str:
    """The sequence again, each run from its first part alone."""
    return "".join(text[p] if isinstance(p, int) else unfolded(text, p.parts) * p.run.count for p in parts)


@given(st.text("ab", max_size=60))
def test_what_is_folded_unfolds_to_the_same(text: str) -> None:
    parts = folded(text, [1] * len(text))
    assert unfolded(text, parts) == text
    assert num_elements(parts) <= len(text)


@given(st.text("abc", min_size=3, max_size=6), st.integers(2, 9))
def test_repeats_inside_of_repeats_are_folded(block: str, count: int) -> None:
    text = (block + "xxxxx") * count
    assert num_elements(folded(text, [1] * len(text))) <= len(block) + 1


def test_a_run_begins_where_the_fewest_things_cross() -> None:
    text = "yabcabcabca"
    (run,) = [part.run for part in folded(text, [9, 9, 9, 1, 9, 9, 9, 9, 9, 9, 9]) if not isinstance(part, int)]
    assert (run.start, run.period, run.count) == (1, 3, 3)
    text = "abcabcabcab"
    (run,) = [part.run for part in folded(text, [9, 9, 1, 9, 9, 9, 9, 9, 9, 9, 9]) if not isinstance(part, int)]
    assert (run.start, run.period, run.count) == (2, 3, 3)
