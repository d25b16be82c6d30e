"""What a stranger installs: the wheel holds all that the package needs, and its commands run where nothing else is."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

import archpredict

pytest.importorskip("build", reason="what builds packages is in the extra test")
_ROOT = Path(__file__).resolve().parent.parent
_MOST_BYTES = 15_000_000
_MADE = {"archpredict.egg-info", "build", "dist", "runs"}
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the source distribution, and the wheel that is made of it.

    From a copy: setuptools puts into a wheel what former ones have left in ``build``.
    """
    sources = copytree(_ROOT, tmp_path_factory.mktemp("strangers") / "sources", ignore=_left_out)
    done = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", str(sources)], capture_output=True, text=True, env=_alone()
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return sources / "dist"


def _left_out(folder: str, names: list[str]) -> set[str]:
    at_the_root = {name for name in names if name in _MADE or name.startswith(".")}
    return {"__pycache__"} | (at_the_root if Path(folder) == _ROOT else set())


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    (found,) = built.glob("*.whl")
    return found


def _alone() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def test_the_wheel_holds_every_file_of_the_package_and_no_other(wheel: Path) -> None:
    assert wheel.stat().st_size < _MOST_BYTES
    package = Path(archpredict.__file__).parent
    sources = {
        path.relative_to(package.parent).as_posix()
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert held == sources


@pytest.fixture
def metadata(wheel: Path) -> Any:
    """What an index reads; an error if it would refuse that."""
    from packaging.metadata import Metadata

    with zipfile.ZipFile(wheel) as files:
        (name,) = (name for name in files.namelist() if name.endswith(".dist-info/METADATA"))
        return Metadata.from_email(files.read(name), validate=True)


def test_an_index_takes_the_metadata_and_shows_the_long_description(metadata: Any) -> None:
    from readme_renderer.markdown import render

    assert (metadata.name, str(metadata.version)) == ("archpredict", archpredict.__version__)
    assert (metadata.description_content_type, metadata.license_expression) == ("text/markdown", "Apache-2.0")
    page = render(metadata.description)
    assert page is not None
    assert page.count("<h2") == metadata.description.count("\n## ")


def test_links_of_the_long_description_lead_to_files_of_the_source_distribution(built: Path, metadata: Any) -> None:
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as files:
        held = {name.partition("/")[2] for name in files.getnames()}
    assert not {name for name in held if name.startswith("tests/")}
    links = {link for link in re.findall(r"\]\(([^)#\s]+)", metadata.description) if "://" not in link}
    assert links
    assert links <= held


def test_every_command_helps_and_quick_examples_run_where_the_wheel_is_installed(wheel: Path, tmp_path: Path) -> None:
    clean, empty = tmp_path / "clean", tmp_path / "empty"
    empty.mkdir()
    venv.create(clean)
    scripts = clean / ("Scripts" if os.name == "nt" else "bin")
    python = [str(scripts / "python"), "-P"]
    pip = [sys.executable, "-m", "pip", "--python", str(clean), "install", "-qq", "--no-deps", "--no-index", str(wheel)]
    assert subprocess.run(pip, env=_alone()).returncode == 0
    # Dependencies are those of this environment, where Python does not look for the .pth of an editable archpredict.
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    own = Path(subprocess.run([*python, "-c", where], capture_output=True, text=True, check=True).stdout.strip())
    theirs = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (own / "dependencies.pth").write_text("\n".join(sorted(theirs)) + "\n")

    def output(*words: str) -> str:
        done = subprocess.run(words, cwd=empty, env=_alone(), capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    assert Path(output(*python, "-c", "import archpredict; print(archpredict.__file__)")).is_relative_to(own)
    assert output(str(scripts / "archpredict"), "--version").endswith(archpredict.__version__)
    assert "examples run with archpredict" in output(*python, str(_ROOT / "tests" / "cli" / "examples.py"))
