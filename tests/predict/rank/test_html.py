"""What a notebook shows of a ranking."""

from __future__ import annotations

import re

from torch import nn, zeros

from archpredict.predict.rank.ranking import rank


def test_a_ranking_is_a_table_in_which_names_stay_names() -> None:
    layers = nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 1000)
    ranking = rank(
        {
            "<script>alert(1)</script>": nn.Sequential(*layers),
            "b & c": nn.Sequential(*layers[2:3], layers[3], nn.Linear(3, 1000)),
        },
        example=zeros(1, 3, 64, 64),
    )
    shown = ranking._repr_html_()
    assert "<script>" not in shown
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown
    assert "b &amp; c" in shown
    assert shown.count("<tr>") == 3
    tags = re.findall(r"<(/?)(\w+)", shown)
    assert {name for _, name in tags} <= {"p", "small", "table", "tr", "th", "td"}
    for name in {name for _, name in tags}:
        assert tags.count(("", name)) == tags.count(("/", name))
