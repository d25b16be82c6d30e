"""A real browser for tests of pages, where there is one."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)


@contextmanager
def launched() -> Iterator[Any]:
    """Headless Chromium, for all tests of a module: the fixture ``chromium``."""
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    playwright = pytest.importorskip("playwright.sync_api", reason="the Python package playwright is not installed")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home, playwright.sync_playwright() as running:
        # Of its own: a browser writes into the home folder.
        own = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")} | {"HOME": home}
        browser = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"], env=own)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def opened(path: Path, chromium: Any, **options: Any) -> Iterator[Any]:
    """A page with its charts drawn; what it writes on the console is an error."""
    with chromium.new_context(**options) as context:
        page = context.new_page()
        told: list[str] = []
        page.on("console", lambda message: told.append(message.text))
        page.on("pageerror", lambda error: told.append(str(error)))
        page.on(
            "request",
            lambda request: None if request.url.startswith(("file:", "data:", "blob:")) else told.append(request.url),
        )
        page.goto(path.absolute().as_uri())
        page.wait_for_selector("body[data-ready=true]", timeout=120_000)
        yield page
        assert told == []


def violations(page: Any) -> list[tuple[str, str]]:
    """What axe-core finds wrong by WCAG 2.1 AA: contrast, names, order, keyboard."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    found = axe.Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]})
    return [(one["id"], one["nodes"][0]["html"]) for one in found.response["violations"]]
