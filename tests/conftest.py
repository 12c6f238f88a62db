"""Settings of the whole suite, and the stack of real parts that all tests of one process share."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from dev.stack import Stack
from tests.lakes import CATALOGS, S3

PROJECT = Path(__file__).resolve().parents[1]

# All stacks share the libraries that are fetched once, and are warm enough soon; the workers find the tests' own flow.
SHARED = {"AUTOLOADER_JARS": str(PROJECT / ".autoloader" / "jars"), "AUTOLOADER_SPARK_WARMING": "1"}
ENVIRON = {**SHARED, **os.environ, **S3, "PYTHONPATH": str(PROJECT)}

settings.register_profile("default", deadline=None, derandomize=True)
settings.load_profile("default")


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """All parts, real ones, in a data folder of this session; started when the first test asks for it."""
    home, config = tmp_path_factory.mktemp("a site ä"), PROJECT / "tests" / "e2e" / "autoloader.yaml"
    stack = Stack(home, config, progress=print, environ=ENVIRON, catalogs=CATALOGS)
    stack.up()
    yield stack
    stack.down()
