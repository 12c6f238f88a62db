"""What the tests of the flow need of the stack: the ledger's database, the catalog and Spark Connect."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from dev.stack import Stack
from schemas.ledger.migrate import upgrade
from tests.integration.flow_site import Lake

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def stack_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    environ = {"AUTOLOADER_JARS": str(PROJECT / ".autoloader" / "jars"), **os.environ}
    home, config = tmp_path_factory.mktemp("lake"), PROJECT / "tests" / "e2e" / "autoloader.yaml"
    stack = Stack(home, config, environ=environ, parts=("postgres", "spark-connect"))
    stack.up()
    yield stack.settings()
    stack.down()


@pytest.fixture(scope="session")
def lake(stack_settings: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    upgrade(stack_settings["DATABASE_URL"])
    session: SparkSession = SparkSession.builder.remote(stack_settings["SPARK_CONNECT_URL"]).create()
    session.client.disable_reattachable_execute()  # type: ignore[operator]  # untyped; see flows.loading.session
    yield Lake(stack_settings, tmp_path_factory.mktemp("landing"), session)
    session.stop()
