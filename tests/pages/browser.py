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
def opened(path: Path, **options: Any) -> Iterator[Any]:
    """A page in headless Chromium, its charts drawn; what it writes on the console is an error."""
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    playwright = pytest.importorskip("playwright.sync_api", reason="the Python package playwright is not installed")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home, playwright.sync_playwright() as running:
        # Of its own: a browser writes into the home folder.
        own = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")} | {"HOME": home}
        browser = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"], env=own)
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
