"""Pages: escaped, whole, and the same in a browser as in the data."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from archpredict.graph.pictures.picture import Group, boxes_of, operator_box
from archpredict.pages.charts import band, bars, chart, line, points, shares
from archpredict.pages.drawings import packed_drawings
from archpredict.pages.page import html, write_page
from archpredict.pages.parts import Cards, Chart, Facts, Gallery, Item, Page, Picture, Section, Sheet, Snippets, Text
from tests.pages.browser import opened, violations

EVIL = "</script><script>document.title='broken'</script><b>&\"'"


def a_page(count: int = 60, name: str = EVIL) -> Page:
    groups = [Group((operator_box(name), operator_box(f"conv{i % 3}")), ((0, 1),)) for i in range(count)]
    items = [Item(f"{name} {i}", name, {"score": i / 7, name: name}, group) for i, group in enumerate(groups)]
    numbers = list(range(count))
    traces = [points(name, numbers, [i / 7 for i in numbers], 0, numbers), line("line", [0, 1], [0, 1], 1, steps=True)]
    more = [band("band", [0, 1], [0, 1], [1, 2], 2)]
    figure = chart(name, [*more, *traces], name, name, name)
    other = chart("others", [bars("bars", ["a", name], [1, float("inf")], 3)], "", "", "bars")
    stacked = chart("shares", shares([0, 1], {name: [0.5, 1.0], "b": [0.5, 0.0]}), "", "", "shares")
    sheet = Sheet(name, ["number", "score", name], [[i, i / 7, f"{name}{i}"] for i in numbers], numbers)
    parts = [Cards([(name, name)]), Text(name), figure, sheet, other, stacked]
    rest = [Facts([(name, name)]), Snippets([(name, name)]), Picture(name, groups[0]), Gallery(name, numbers)]
    return Page(name, name, [Section(name, parts), Section("rest", rest)], items)


def without_charts(page: Page) -> Page:
    """The same page, which opens sooner."""
    sections = [Section(s.title, [p for p in s.parts if not isinstance(p, Chart)]) for s in page.sections]
    return replace(page, sections=sections)


def data_of(text: str) -> dict[str, object]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found
    loaded: dict[str, object] = json.loads(found[1])
    return loaded


def test_no_text_becomes_a_part_of_the_page() -> None:
    text = html(a_page(3))
    assert "<script>document" not in text
    assert "<b>" not in text
    assert text.count("</script>") == 4  # data, drawings, Plotly, script
    assert data_of(text)["items"]["notations"] == [EVIL] * 3  # type: ignore[index]


def test_numbers_that_json_does_not_have_are_null() -> None:
    page = Page("a", "b", [Section("c", [Sheet("d", ["e"], [[float("nan")], [float("inf")], [1.5]])])])
    assert data_of(html(page))["sheets"][0]["rows"] == [[None], [None], [1.5]]  # type: ignore[index]


def test_a_page_without_charts_is_small() -> None:
    assert len(html(Page("a", "b", [Section("c", [Text("d")])]))) < 40_000
    assert len(html(a_page(3))) < 2_500_000


def test_drawings_that_differ_in_operators_alone_share_a_template() -> None:
    groups = [Group((operator_box(f"conv{i}"), operator_box("x")), ((0, 1),)) for i in range(30)]
    found = packed_drawings([*groups, None])
    assert len(found["templates"]) == 1
    for group, packed in zip(groups, found["of"], strict=False):
        assert [found["boxes"][i][0] for i in packed[1:]] == [list(box.lines) for box in boxes_of(group)]
    assert found["of"][-1] is None


@pytest.mark.draw
def test_a_page_works_in_a_browser(tmp_path: Path, chromium: Any) -> None:
    """Sorting, filtering, leafing, hovering, clicking, the keyboard and the theme, with texts that would be scripts."""
    path = write_page(a_page(), tmp_path / "page.html")
    with opened(path, chromium, color_scheme="light") as page:
        assert page.title() == EVIL
        assert page.locator("tbody tr").count() == 25
        page.locator("thead button").nth(1).click()
        assert page.locator("thead th").nth(1).get_attribute("aria-sort") == "descending"
        assert page.locator("tbody tr").first.locator("td").first.inner_text() == "59"
        page.locator("thead button").nth(2).click()  # texts as people count them: 2 comes before 10
        assert page.locator("tbody td:first-child").all_inner_texts() == [str(i) for i in range(25)]
        page.locator("input[type=search]").fill("<b>&\"'17")
        assert page.locator("tbody tr").count() == 1
        page.locator("input[type=search]").fill("")
        page.get_by_role("button", name="Next").click()
        assert page.locator(".count").inner_text() == "60 of 60, page 2 of 3"

        point = page.locator(".chart .points path").nth(7)
        point.scroll_into_view_if_needed()
        place = point.bounding_box()
        middle = place["x"] + place["width"] / 2, place["y"] + place["height"] / 2
        page.mouse.move(*middle)
        page.wait_for_selector("#tip:not([hidden])")
        assert page.locator("#tip strong").inner_text() == f"{EVIL} 7"
        assert page.locator("#tip svg g.op text").all_text_contents() == [EVIL, "conv1"]
        page.mouse.click(*middle)
        page.wait_for_selector("dialog[open]")
        assert page.locator("#details-body code").inner_text() == EVIL
        page.keyboard.press("Escape")
        assert page.locator("dialog[open]").count() == 0

        page.locator("tbody tr").first.get_by_role("button").focus()
        page.keyboard.press("Enter")
        assert page.locator("dialog[open]").count() == 1
        page.keyboard.press("Escape")
        assert page.locator(".chart a, .chart b").count() == 0
        assert page.locator(".legendtext").first.text_content() == EVIL
        page.locator("#theme").click()
        assert page.evaluate("document.documentElement.dataset.theme") == "dark"
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.draw
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_keeps_wcag_aa(tmp_path: Path, scheme: str, chromium: Any) -> None:
    path = write_page(a_page(30, "a name"), tmp_path / "page.html")
    with opened(path, chromium, color_scheme=scheme, viewport={"width": 390, "height": 800}) as page:
        page.locator("tbody tr").first.get_by_role("button").click()
        for _ in range(2):  # with the details, and without
            assert violations(page) == []
            page.keyboard.press("Escape")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.draw
def test_paper_is_light_and_has_all_rows_and_no_buttons(tmp_path: Path, chromium: Any) -> None:
    path = write_page(without_charts(a_page(60, "a name")), tmp_path / "page.html")
    with opened(path, chromium, color_scheme="dark", viewport={"width": 700, "height": 900}) as page:
        page.emulate_media(media="print")
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert page.locator("tbody tr").count() == 60
        assert page.evaluate("document.documentElement.dataset.theme") == "light"
        assert page.locator(".controls button:visible, .copy:visible, #theme:visible, td.show:visible").count() == 0
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.evaluate("dispatchEvent(new Event('afterprint'))")
        assert page.locator("tbody tr").count() == 25
        assert page.evaluate("document.documentElement.dataset.theme") == "dark"


@pytest.mark.draw
def test_a_gallery_shows_a_few_drawings_and_all_when_asked(tmp_path: Path, chromium: Any) -> None:
    path = write_page(without_charts(a_page(15)), tmp_path / "page.html")
    with opened(path, chromium) as page:
        assert page.locator(".gallery svg").count() == 12
        page.get_by_role("button", name="Show all 15").click()
        assert page.locator(".gallery svg").count() == 15
        assert page.locator(".gallery figcaption").last.inner_text() == f"{EVIL} 14"
        page.locator(".gallery figcaption button").last.click()
        assert page.locator("#details-title").inner_text() == f"{EVIL} 14"
