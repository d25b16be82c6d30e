"""Pages of explanations."""

from __future__ import annotations

from collections.abc import Sequence

from archpredict.explanations.changes import Changes, Difference
from archpredict.explanations.pictures import picture_of_changes, picture_of_differences
from archpredict.graph.pictures.picture import Group
from archpredict.pages.parts import Facts, Page, Part, Picture, Section, Sheet, Text
from archpredict.spaces.base import Architecture


def page_of_changes(found: Changes) -> Page:
    """The picture, and all changes in a table that can be sorted and filtered.

    Args:
        found: The changes.
    """
    spread = "" if found.std is None else f" ± {found.std:.3g}"
    gains = sum(step.gain > 0 for step in found.steps)
    told = (
        f"{gains} of {len(found.steps)} changes of one choice are predicted to be better. In the table, better is the "
        "probability of that by the predictor's own comparison."
    )
    pictures = _pictures("What each change would gain, where it is", picture_of_changes(found))
    rows = [(s.gain, s.std, s.better, s.what, str(s.architecture)) for s in found.steps]
    columns = ("gain", "± (standard deviation)", "better", "change", "architecture")
    first = Section(f"Predicted score {found.score:.6g}{spread}", [Text(told), *pictures])
    table = Section("All changes", [Sheet("Changes of one choice", columns, rows)])
    return Page("What one change would gain", str(found.architecture), [first, table])


def page_of_differences(first: Architecture, second: Architecture, found: Sequence[Difference]) -> Page:
    """The picture, and all differences in a table.

    Args:
        first: An architecture.
        second: The one that it is compared with.
        found: What makes the first one better or worse.
    """
    total = sum(each.gain for each in found)
    pictures = _pictures("The second one, with what the first has instead", picture_of_differences(second, found))
    rows = [(each.gain, each.what) for each in found]
    parts: list[Part] = [Facts([("first", str(first)), ("second", str(second))]), *pictures]
    table = Section("All differences", [Sheet("Gains add up to the difference", ("gain", "second → first"), rows)])
    summary = f"The first one is predicted to score {total:+.4g} against the second."
    return Page("What makes one of two better", summary, [Section("Differences", parts), table])


def _pictures(title: str, group: Group) -> list[Picture]:
    """The picture, or one of each cell where they stand side by side, so that a page need not make them small."""
    if not group.across or group.arrows:
        return [Picture(title, group)]
    return [Picture(title, Group((item,))) for item in group.items]
