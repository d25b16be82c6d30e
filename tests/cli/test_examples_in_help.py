"""Every command's help ends with an example that runs."""

from __future__ import annotations

import click
import pytest

from tests.cli.conftest import Commands
from tests.cli.examples import FOUND, QUICK, example, write_inputs


@pytest.mark.parametrize("name", FOUND)
def test_the_example_is_of_the_command_and_has_options_that_there_are(name: str) -> None:
    command, words = FOUND[name], example(name)
    own = name.split()
    assert words[: len(own)] == own
    if not isinstance(command, click.Group):
        command.make_context(name, words[len(own) :]).close()


@pytest.mark.parametrize("name", QUICK)
def test_the_example_runs(name: str, cli: Commands) -> None:
    write_inputs()
    assert cli(*example(name)).exit_code == 0
