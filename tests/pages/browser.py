"""A real browser for tests of pages, where there is one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)


@contextmanager
def opened(path: Path, **options: Any) -> Iterator[Any]:
    """A page in headless Chromium, its charts drawn; what it writes on the console is an error."""
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    playwright = pytest.importorskip("playwright.sync_api", reason="the Python package playwright is not installed")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            page = browser.new_page(**options)
            told: list[str] = []
            page.on("console", lambda message: told.append(message.text))
            page.on("pageerror", lambda error: told.append(str(error)))
            page.on(
                "request",
                lambda request: (
                    None if request.url.startswith(("file:", "data:", "blob:")) else told.append(request.url)
                ),
            )
            page.goto(path.absolute().as_uri())
            page.wait_for_selector("body[data-ready=true]", timeout=120_000)
            yield page
            assert told == []
        finally:
            browser.close()
