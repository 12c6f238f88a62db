"""One whole stack for all end-to-end tests of a session, in a data folder of its own."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.stack import Stack
from tests.e2e.site import Site

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """All parts, real ones."""
    environ = {"AUTOLOADER_JARS": str(PROJECT / ".autoloader" / "jars"), **os.environ}
    stack = Stack(
        tmp_path_factory.mktemp("site"), Path(__file__).with_name("autoloader.yaml"), progress=print, environ=environ
    )
    stack.up()
    yield stack
    stack.down()


@pytest.fixture(scope="session")
def site(stack: Stack) -> Site:
    """The stack as producers and readers see it."""
    return Site(stack.settings())
