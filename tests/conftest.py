"""Settings of the whole suite, and the one stack of real parts that all its tests share."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from dev.stack import Stack
from tests.e2e.site import free_port

PROJECT = Path(__file__).resolve().parents[1]

# An S3 server that `tests/integration/test_s3.py` starts; Spark has to know of it from its beginning.
S3 = {
    "AWS_ENDPOINT_URL": f"http://127.0.0.1:{free_port()}",
    "AWS_REGION": "eu-central-1",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "testtest",
}
# All stacks share the libraries that are fetched once; the workers find the tests' own flow.
ENVIRON = {"AUTOLOADER_JARS": str(PROJECT / ".autoloader" / "jars"), **os.environ, **S3, "PYTHONPATH": str(PROJECT)}

settings.register_profile("default", deadline=None, derandomize=True)
settings.load_profile("default")


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """All parts, real ones, in a data folder of this session; started when the first test asks for it."""
    home, config = tmp_path_factory.mktemp("site"), PROJECT / "tests" / "e2e" / "autoloader.yaml"
    stack = Stack(home, config, progress=print, environ=ENVIRON)
    stack.up()
    yield stack
    stack.down()
