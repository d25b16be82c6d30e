"""Options of plug-ins: what a constructor can be given, read off its signature and its documentation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import pytest

from archpredict.errors import UsageError
from archpredict.registry import names, resolve
from archpredict.registry.options import REQUIRED, Option, check_options, options_of, takes_any
from archpredict.strategies.base import Strategy

if TYPE_CHECKING:
    from nowhere import Unknown


@dataclass(frozen=True)
class Base:
    """Settings.

    Args:
        rounds: How many. No more than that.
    """

    rounds: int = 5


@dataclass(frozen=True)
class Settings(Base):
    """More of them.

    Args:
        inner: How; ``all`` or ``some``.
        extra: Anything
            that ``json`` holds.
    """

    inner: Literal["all", "some"] = "all"
    extra: Mapping[str, Any] = field(default_factory=dict)


class Plugin:
    """A plug-in.

    Args:
        problem: Supplied.
        depth, width: Of it.
        odd: Not known here.
        options: Settings.
    """

    def __init__(self, problem: object, depth: int | None, *, width: float = 2.0, odd: Unknown, **options: Any) -> None:
        pass


def test_types_defaults_and_documentation_are_those_of_the_constructor() -> None:
    assert options_of(Plugin, leave_out=("problem",)) | options_of(Settings) == {
        "depth": Option("depth", int | None, REQUIRED, "Of it"),
        "width": Option("width", float, 2.0, "Of it"),
        "odd": Option("odd", Any, REQUIRED, "Not known here"),
        "rounds": Option("rounds", int, 5, "How many"),
        "inner": Option("inner", Literal["all", "some"], "all", "How"),
        "extra": Option("extra", Mapping[str, Any], {}, "Anything that json holds"),
    }
    assert takes_any(Plugin)
    assert not takes_any(Settings)


def test_what_is_unknown_or_missing_is_one_sentence() -> None:
    known = options_of(Plugin, leave_out=("problem",))
    check_options("the plug-in", ["depth", "odd"], known)
    with pytest.raises(UsageError, match=r"^the plug-in has no option 'widht'; its options are: depth, width, odd\. D"):
        check_options("the plug-in", ["widht"], known)
    with pytest.raises(UsageError, match=r"^the plug-in needs `depth` \(Of it\) and `odd` \(Not known here\); give"):
        check_options("the plug-in", [], known)
    with pytest.raises(UsageError, match=r"^the plug-in has no option 'depth'; it has no options$"):
        check_options("the plug-in", ["depth"], {})


@pytest.mark.parametrize("name", names("strategies"))
def test_options_of_every_strategy_have_types_and_are_documented(name: str) -> None:
    for option in resolve("strategies", name, Strategy).options().values():
        assert option.default is not REQUIRED
        assert option.description, option.name
