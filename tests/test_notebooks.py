"""The notebooks of the documentation run, and every cell that is stored with an output gives one."""

from __future__ import annotations

from pathlib import Path

import pytest

_NOTEBOOKS = sorted((Path(__file__).resolve().parent.parent / "docs" / "notebooks").glob("*.ipynb"))


@pytest.mark.slow
@pytest.mark.parametrize("path", _NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbformat = pytest.importorskip("nbformat", reason="needs what the extra 'docs' installs")
    nbclient = pytest.importorskip("nbclient", reason="needs what the extra 'docs' installs")
    pytest.importorskip("ipykernel", reason="needs what the extra 'docs' installs")
    monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")  # pictures, as where they are read
    notebook = nbformat.read(path, as_version=4)
    shown = [len(cell.outputs) > 0 for cell in notebook.cells if cell.cell_type == "code"]
    resources = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=300, resources=resources).execute()
    printed = [len(cell.outputs) > 0 for cell in notebook.cells if cell.cell_type == "code"]
    assert printed == shown  # a notebook is stored with what it printed
