"""Live: the page of a run is written now and then while it goes on, and once more when it ends."""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Mapping
from pathlib import Path

from archpredict.progress import Event, Observer
from archpredict.runs.page import PAGE, write_run_page
from archpredict.runs.record import read_record
from archpredict.spaces.base import SearchSpace

__all__ = ["LivePage"]

_FIRST, _LEAST = 10.0, 30.0
"""Seconds before the page is written for the first time, and between two times."""
_SHARE = 0.02
"""Of the time that a run takes, what its pages may."""


class LivePage:
    """An observer that passes events on, and keeps the page of a run.

    The page is made of what is on the disk, so what a run does does not depend on whether it is watched; by a thread
    of its own, for which no evaluation waits. A page that cannot be written costs a warning and no run.

    Args:
        run: The directory of the run.
        folder: Where the page is written.
        space: What is searched, for drawings and costs.
        observer: Called with every event.
        again: Texts that repeat and go on with the run, by what they do.
    """

    def __init__(
        self, run: Path, folder: Path, space: SearchSpace, observer: Observer, again: Mapping[str, str] | None = None
    ) -> None:
        self._run, self._folder, self._space, self._observer, self._again = run, folder, space, observer, again
        self._due = time.monotonic() + _FIRST
        self._works = True
        self._error: Exception | None = None
        self._thread: threading.Thread | None = None

    def __call__(self, event: Event) -> None:
        self._observer(event)
        if self._thread is not None and not self._thread.is_alive():
            self._end()
        if self._thread is None and self._works and time.monotonic() >= self._due:
            self._thread = threading.Thread(target=self._write, name="page of a run")
            self._thread.start()

    @property
    def is_written(self) -> bool:
        """Whether there is a page."""
        return (self._folder / PAGE).is_file()

    def write(self) -> None:
        """Write the page as the record is now."""
        self._end()
        self._write()
        self._end()

    def _end(self) -> None:
        """Wait for the page that is being written, and say why it cannot be where it cannot."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._error is not None:
            place, error = self._folder / PAGE, self._error
            self._works, self._error = False, None
            warnings.warn(f"the page {place} could not be written: {error}", RuntimeWarning, stacklevel=3)

    def _write(self) -> None:
        start = time.monotonic()
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            write_run_page(read_record(self._run), self._space, self._folder / PAGE, self._again)
        except Exception as error:  # a page is not worth a run
            self._error = error
        end = time.monotonic()
        self._due = end + max(_LEAST, (end - start) / _SHARE)
