"""Plug-ins by name and by reference, and what is said of a user's file that cannot be loaded."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from archpredict import Predictor, Training, search
from archpredict.encoders.base import Encoder
from archpredict.errors import UsageError, described, users_place
from archpredict.evaluators.base import Evaluator
from archpredict.heads.base import Head
from archpredict.images.base import ImageSet
from archpredict.proxies.base import Proxy
from archpredict.registry import make, resolve
from archpredict.regressors.base import Regressor
from archpredict.spaces.base import SearchSpace
from archpredict.strategies.base import Strategy
from archpredict.tables.formats.base import Format
from archpredict.testing.toys import ToySpace

KINDS: dict[str, type] = {
    "spaces": SearchSpace,
    "encoders": Encoder,
    "heads": Head,
    "regressors": Regressor,
    "strategies": Strategy,
    "evaluators": Evaluator,
    "proxies": Proxy,
    "images": ImageSet,
    "tables.formats": Format,
}
NO_PLUGINS = """
from collections import OrderedDict
import {module}

class Half({module}.{base}):
    name = "half"

instance = OrderedDict()

def function():
    return 3
"""


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("class X(\n    a = 1\n", r"SyntaxError: .* \(.*broken.py, line \d\)"),
        (
            "\nimport no_such_package\n",
            r"ModuleNotFoundError: No module named 'no_such_package' \(.*broken.py, line 2, in <module>\)",
        ),
        ("1 / 0\n", r"ZeroDivisionError: division by zero \(.*broken.py, line 1, in <module>\)"),
        ("raise SystemExit(5)\n", r"SystemExit: 5 \(.*broken.py, line 1, in <module>\)"),
    ],
)
def test_a_file_that_cannot_be_loaded_is_named_with_the_line(tmp_path: Path, content: str, why: str) -> None:
    (tmp_path / "broken.py").write_text(content)
    for _ in range(2):  # the second time is not answered from half a module
        with pytest.raises(UsageError, match=rf"broken.py cannot be loaded: {why}; correct it"):
            resolve("spaces", f"{tmp_path}/broken.py:X", SearchSpace)
    assert "broken" not in sys.modules


def test_a_module_that_cannot_be_loaded_is_named_with_the_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_module.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(
        UsageError, match=r"broken_module cannot be loaded: ZeroDivisionError: .*broken_module.py, line 1"
    ):
        resolve("spaces", "broken_module:X", SearchSpace)


@pytest.mark.parametrize("reference", [":X", "module:", ":"])
def test_half_a_reference_is_answered_with_the_whole_form(reference: str) -> None:
    with pytest.raises(
        UsageError, match=f"'{reference}' names no class; expected module:Class or path/to/file.py:Class"
    ):
        resolve("spaces", reference, SearchSpace)


def test_only_code_of_the_user_is_given_as_the_place() -> None:
    with pytest.raises(json.JSONDecodeError) as caught:
        json.loads("{")
    assert "test_plugins.py, line" in str(users_place(caught.value))
    shown = described(caught.value.with_traceback(None))
    assert shown.startswith("json.decoder.JSONDecodeError: Expecting property name")
    assert "test_registry" not in shown


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An installed distribution whose entry points name what is no plug-in, for every kind."""
    info = tmp_path / "no_plugins-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: no-plugins\nVersion: 1.0\n")
    lines = []
    for kind, base in KINDS.items():
        file = f"no_{kind.replace('.', '_')}"
        (tmp_path / f"{file}.py").write_text(NO_PLUGINS.format(module=base.__module__, base=base.__name__))
        things = {"a-class": "OrderedDict", "half": "Half", "an-instance": "instance", "a-function": "function"}
        lines += [f"[archpredict.{kind}]", *(f"{name} = {file}:{thing}" for name, thing in things.items())]
        lines += [f"nowhere = {file}:nothing"]
    (info / "entry_points.txt").write_text("\n".join(lines))
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for kind in KINDS:
        sys.modules.pop(f"no_{kind.replace('.', '_')}", None)


WRONG = [
    ("a-class", "OrderedDict", "is the class OrderedDict; expected a class derived from {base}"),
    ("half", "Half", "is an abstract class: it does not define .+; define what is missing"),
    ("an-instance", "instance", "is an object of type OrderedDict; expected a class derived from {base}"),
    ("a-function", "function", "is the function function; expected a class derived from {base}"),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("entry", "attribute", "why"), WRONG)
def test_what_is_no_class_of_the_kind_is_refused_wherever_it_comes_from(
    plugins: Path, kind: str, entry: str, attribute: str, why: str
) -> None:
    base = KINDS[kind]
    message = why.format(base=f"{base.__module__}.{base.__name__}").replace(".", r"\.").replace(r"\.+", ".+")
    for name in (
        entry,
        f"no_{kind.replace('.', '_')}:{attribute}",
        f"{plugins}/no_{kind.replace('.', '_')}.py:{attribute}",
    ):
        with pytest.raises(UsageError, match=rf"^the [a-z ]+ '{name}' {message}$"):
            resolve(kind, name, base)


@pytest.mark.parametrize("kind", KINDS)
def test_an_entry_point_that_cannot_be_loaded_is_named(plugins: Path, kind: str) -> None:
    with pytest.raises(
        UsageError, match=r"^the [a-z ]+ nowhere \(no_.*:nothing\) cannot be loaded: AttributeError: .*"
    ):
        resolve(kind, "nowhere", KINDS[kind])


def test_a_class_of_another_kind_is_refused_where_it_is_used() -> None:
    cells = ToySpace().architectures(ToySpace().enumerate()[:12])
    for wrong in ({"encoder": "collections:OrderedDict"}, {"head": "collections:OrderedDict"}, {"head": dict}):
        predictor = Predictor(ensemble=1, training=Training(epochs=1, pretrain=0), regressors=None, **wrong)
        with pytest.raises(
            UsageError, match=r"the (encoder|head) .* is the class (OrderedDict|dict); expected a class"
        ):
            predictor.fit(cells, range(12))
    with pytest.raises(
        UsageError, match="the regressor 'collections:OrderedDict' is the class OrderedDict; expected a"
    ):
        Predictor(ensemble=0, regressors={"collections:OrderedDict": 1.0}).fit(cells, range(12))
    with pytest.raises(UsageError, match="the strategy 'collections:OrderedDict' is the class OrderedDict; expected a"):
        search(ToySpace(), len, strategy="collections:OrderedDict")


def test_a_plugin_is_made_of_a_class_a_function_or_is_there_already(plugins: Path) -> None:
    toy = ToySpace()
    assert make("spaces", toy, SearchSpace) is toy
    for target in (ToySpace, lambda: toy, "archpredict.testing.toys:ToySpace", "darts"):
        assert isinstance(make("spaces", target, SearchSpace), SearchSpace)
    with pytest.raises(
        UsageError, match=r"^the space 'a-function' makes an object of type int; expected an object of a"
    ):
        make("spaces", "a-function", SearchSpace)
    with pytest.raises(
        UsageError, match=r"^the space 'an-instance' is an object of type OrderedDict; expected a class"
    ):
        make("spaces", "an-instance", SearchSpace)
    with pytest.raises(UsageError, match=r"^the space given is an abstract class: it does not define decode"):
        make("spaces", SearchSpace, SearchSpace)
