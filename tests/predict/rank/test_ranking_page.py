"""The page of a ranking: every row, the front, drawings of the best, and nothing that a name could change."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import archpredict
from archpredict.errors import UsageError
from archpredict.graph.pictures.blocks import picture_of_stages
from archpredict.metrics.fronts import on_front
from archpredict.onnx.files import Failure
from archpredict.pages.page import html
from archpredict.pages.parts import Chart, Gallery, Sheet
from archpredict.predict.predictor import Predictor
from archpredict.predict.rank import drawings
from archpredict.predict.rank.page import ranking_page
from archpredict.predict.rank.ranked import Remark
from archpredict.predict.rank.ranking import Ranking
from archpredict.spaces.base import load_space
from tests.pages.browser import opened, violations

EVIL = "</script><script>document.title='broken'</script><b>"
SPACE = load_space("nasbench201")


@pytest.fixture(scope="module")
def ridge() -> Predictor:
    cells = SPACE.architectures(SPACE.sample(30, np.random.default_rng(0)))
    labels = [cell.cost["params"] ** 0.5 for cell in cells]
    return Predictor(ensemble=0, regressors={"bayesian-ridge": 1.0}).fit(cells, labels)


@pytest.fixture(scope="module")
def ranking(ridge: Predictor) -> Ranking:
    cells = SPACE.architectures(SPACE.sample(30, np.random.default_rng(1)))
    found = archpredict.rank({f"{EVIL}{i}": cell for i, cell in enumerate(cells)}, ridge)
    warned = replace(found[0], remarks=(Remark("odd", f"it is odd: {EVIL}"),))
    return replace(found, rows=(warned, *found.rows[1:]), failures=(Failure(f"{EVIL}.onnx", f"{EVIL} is no model"),))


def parts(page: Any, kind: type) -> list[Any]:
    return [part for section in page.sections for part in section.parts if isinstance(part, kind)]


def column(sheet: Sheet, name: str) -> list[Any]:
    return [row[sheet.columns.index(name)] for row in sheet.rows]


def test_every_row_is_there_with_its_numbers(ranking: Ranking) -> None:
    page = ranking_page(ranking, {"repeat it": "again"})
    models, failures = parts(page, Sheet)
    for name, values in (("rank", "rank"), ("model", "name"), ("score", "score"), ("±", "std"), ("params", "params")):
        assert column(models, name) == [getattr(row, values) for row in ranking]
    assert column(models, "warnings")[:2] == ["odd", ""]
    assert failures.rows == [[f"{EVIL}.onnx", f"{EVIL} is no model"]]
    assert [item.facts["macs"] for item in page.items] == [row.macs for row in ranking]
    assert [item.notation for item in page.items] == [str(row.model) for row in ranking]
    assert page.items[0].facts["warnings"] == f"it is odd: {EVIL}"
    assert page.sections[-2].parts[0].rows == [("repeat it", "again")]


def test_the_front_is_what_no_other_model_beats(ranking: Ranking) -> None:
    chart = parts(ranking_page(ranking), Chart)[0]
    expected = on_front([[row.score, -float(row.macs or 0)] for row in ranking])
    models, front = chart.traces[:2]
    assert sorted(front["items"]) == np.flatnonzero(expected).tolist()
    assert sorted([*models["items"], *front["items"]]) == list(range(len(ranking)))


def test_no_name_becomes_a_part_of_the_page(ranking: Ranking, tmp_path: Path) -> None:
    text = ranking.write_html(tmp_path / "page.html", {EVIL: EVIL}).read_text(encoding="utf-8")
    assert "<script>document" not in text
    assert "<b>" not in text
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found
    assert json.loads(found[1])["items"]["titles"] == [row.name for row in ranking]


def test_a_ranking_without_models_has_a_page(ranking: Ranking) -> None:
    assert html(ranking_page(replace(ranking, rows=())))


def test_cells_are_drawn_when_they_are_shown(ranking: Ranking) -> None:
    page = ranking_page(ranking)
    assert all(row.picture is None for row in ranking)
    assert all(item.group is not None for item in page.items)
    assert list(parts(page, Gallery)[0].items) == list(range(len(ranking)))


def test_only_the_best_files_are_drawn_and_the_page_says_so(
    tmp_path: Path, ridge: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    from archpredict.onnx.reader import load
    from archpredict.predict.presets import preset
    from archpredict.predict.rank import ranking as module
    from tests.predict.rank.test_ranking import write

    files = [write(tmp_path / f"{n}.onnx", *[8] * n) for n in (1, 2, 3, 4, 5, 6)]
    graphs = [load(path) for path in files]
    predictor = preset("ranker").make().fit(graphs, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    monkeypatch.setattr(module, "_CHUNK", 2)  # the best come last
    drawn: list[int] = []
    monkeypatch.setattr(drawings, "picture_of_stages", lambda graph: (drawn.append(1), picture_of_stages(graph))[1])
    found = module.rank(files, predictor, drawings=2)
    kept = [row.picture for row in found]
    assert [picture is None for picture in kept] == [False, False, True, True, True, True]
    by_name = dict(zip([str(path) for path in files], graphs, strict=True))
    assert kept[0] == picture_of_stages(by_name[found[0].name])
    told = [getattr(part, "text", "") for part in ranking_page(found).sections[1].parts]
    assert told[0] == "Drawn are 2 of the 6 models: the best ones."
    assert not any(row.picture for row in module.rank(files, predictor, drawings=0))
    with pytest.raises(UsageError, match="`drawings`"):
        module.rank(files, predictor, drawings=-1)


@pytest.mark.draw
def test_the_page_works_in_a_browser(ranking: Ranking, tmp_path: Path, chromium: Any) -> None:
    path = ranking.write_html(tmp_path / "page.html", {"repeat it": f"archpredict rank '{EVIL}'"})
    with opened(path, chromium, color_scheme="dark", viewport={"width": 390, "height": 800}) as page:
        assert page.title() == ranking.title
        assert page.locator("tbody").first.locator("tr").count() == 25
        page.locator("input[type=search]").first.fill("<b>7")
        assert page.locator("tbody").first.locator("td:nth-child(2)").all_inner_texts() == [f"{EVIL}7"]
        page.locator("tbody").first.get_by_role("button").click()
        assert page.locator("#details-title").inner_text() == f"{EVIL}7"
        assert page.locator("#details-body svg").count() == 1
        page.keyboard.press("Escape")
        assert page.locator("main .command code").inner_text() == f"archpredict rank '{EVIL}'"
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
