"""How long the page of 10,000 evaluations takes to make, to open and to answer, in headless Chromium.

$ python benchmarks/report.py
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
import time
from pathlib import Path
from typing import Any

from archpredict.runs.page import write_run_page
from archpredict.runs.record import read_record
from archpredict.runs.search import search
from archpredict.spaces.base import load_space

COUNT = 10_000
_TIMED = """async (act) => { const start = performance.now(); (0, eval)(act);
await new Promise((done) => requestAnimationFrame(() => setTimeout(done))); return performance.now() - start; }"""


def timed(page: Any, what: str, action: str) -> None:
    """Milliseconds until what an action changes is drawn, the median of five, and the first time."""
    found = [page.evaluate(_TIMED, action) for _ in range(5)]
    print(f"{what}  ms {sorted(found)[2]:.0f}, first time {found[0]:.0f}")


def make_run(folder: Path) -> None:
    """A run of 100 evaluations, whose record has each of them 100 times."""
    search("darts", lambda a: a.cost["params"], strategy="random", budget=100, out=folder)
    with sqlite3.connect(folder / "history.db") as db:
        rows = db.execute("SELECT * FROM evaluations ORDER BY number").fetchall()
        for i in range(100, COUNT):
            row = list(rows[i % 100])
            row[0], row[4] = i, row[4] * (1 + i * 7919 % 1000 / 1e5)
            db.execute(f"INSERT INTO evaluations VALUES ({', '.join('?' * len(row))})", row)


def main() -> None:
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as running:
        run = Path(folder) / "run"
        make_run(run)
        start = time.perf_counter()
        path = write_run_page(read_record(run), load_space("darts"), Path(folder) / "page.html")
        print(f"made  seconds {time.perf_counter() - start:.2f}  MB {path.stat().st_size / 1e6:.1f}")
        browser = running.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        start = time.perf_counter()
        page.goto(path.as_uri())
        page.wait_for_selector("body[data-ready=true]", timeout=120_000)
        print(f"opened  seconds {time.perf_counter() - start:.2f}")
        chart = "document.querySelector('.chart')"
        point = f"{{curveNumber: 0, pointNumber: Math.floor(Math.random() * {COUNT})}}"
        where = "{clientX: 300, clientY: 300}"
        timed(page, "hover", f"{chart}.emit('plotly_hover', {{points: [{point}], event: {where}}})")
        timed(page, "sort numbers", "document.querySelectorAll('thead button')[1].click()")
        timed(page, "sort texts", "[...document.querySelectorAll('thead button')].at(-1).click()")
        timed(page, "next page", "[...document.querySelectorAll('.controls button')].at(-1).click()")
        timed(
            page,
            "filter",
            "(() => { const f = document.querySelector('input[type=search]'); f.value = 'sep'; "
            "f.dispatchEvent(new Event('input')); })()",
        )
        timed(
            page, "details", "document.querySelector('tbody button').click(); document.querySelector('dialog').close()"
        )
        browser.close()


if __name__ == "__main__":
    main()
