"""What ``make docs`` adds to the pages of docs/: README and its like, examples, and a reference of all public names.

The pages refer to one another as files of the repository, so that they can be read there too. Here links to files
outside of docs/ are turned into links to the pages made of these.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "docs"))

from make_api import Module, modules  # noqa: E402

from archpredict import _HOME  # noqa: E402

PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
}
"""Files of the repository that are pages of the site."""
CODE = (
    *("LICENSE", "CITATION.cff"),
    *(path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "examples").glob("*.py"))),
    *("archpredict/predict/resemblance.py", "archpredict/pretrained/speed/devices.json"),
)
"""Files that pages link to, shown as they are."""
_LINK = re.compile(r"\]\(([^)\s#:]+)(#[^)\s]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made of other files of the repository, and those of the reference."""
    for source, page in PAGES.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text(encoding="utf-8")))
    for source in CODE:
        files.append(File.generated(config, _shown(source), content=_as_page(ROOT / source, source)))
    for page, content in reference(modules(ROOT)).items():
        files.append(File.generated(config, page, content=content))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead links to files outside of docs/ to the pages made of them."""
    there = next((source for source, made in PAGES.items() if made == page.file.src_uri), None)
    base = ROOT if there else (ROOT / "docs" / page.file.src_uri).parent

    def led(match: re.Match[str]) -> str:
        path, anchor = match[1], match[2] or ""
        place = (base / path).resolve()
        if not place.is_relative_to(ROOT):
            return match[0]
        target = place.relative_to(ROOT).as_posix()
        made = PAGES.get(target) or (_shown(target) if target in CODE else target.removeprefix("docs/"))
        up = "../" * page.file.src_uri.count("/")
        return f"]({up}{made}{anchor})"

    return _LINK.sub(led, markdown)


# ---------------------------------------------------------------------- reference


def reference(found: Mapping[str, Module]) -> dict[str, str]:
    """A page for each package, with every public name of its modules in full."""
    pages: dict[str, list[str]] = {}
    for module in sorted(found.values(), key=lambda module: module.name):
        parts = module.name.split(".")
        package = parts[1] if len(parts) > 2 or (ROOT / "archpredict" / parts[-1]).is_dir() else "archpredict"
        pages.setdefault(package, []).append(_of_module(module))
    return {
        f"reference/{package}.md": f"# {'archpredict' if package == 'archpredict' else f'archpredict.{package}'}\n\n"
        + "\n".join(parts)
        for package, parts in pages.items()
    }


def _of_module(module: Module) -> str:
    if module.name == "archpredict":
        lines = [f"- {_linked(name)}: {about}" for name, about in sorted(module.names.items())]
        return f"## `archpredict`\n\n{module.about}\n\n" + "\n".join(lines) + "\n"
    members = ", ".join(sorted(module.names))
    return (
        f"## `{module.name}`\n\n::: {module.name}\n    options:\n      members: [{members}]\n"
        "      show_root_heading: false\n      heading_level: 3\n"
    )


def _linked(name: str) -> str:
    """A name of the package itself, with a link to where it lives."""
    home = f"archpredict.{_HOME[name]}.{name}" if name in _HOME else None
    return f"[`{name}`][{home}]" if home else f"`{name}`"


def _shown(source: str) -> str:
    return f"files/{source.replace('/', '-')}.md"


def _as_page(path: Path, name: str) -> str:
    language = {".py": "python", ".json": "json", ".cff": "yaml"}.get(path.suffix, "text")
    return f"# {name}\n\n````{language}\n{path.read_text(encoding='utf-8')}\n````\n"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Name the pages of the reference in the navigation."""
    pages = sorted(reference(modules(ROOT)))
    config.nav = [{"Reference": pages} if "Reference" in entry else entry for entry in config.nav or []]
    return config
