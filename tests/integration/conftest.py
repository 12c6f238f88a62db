"""What the tests of the flow need of the stack: the ledger's database, the catalog and Spark Connect."""

from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

import psycopg
import pytest
from pyspark.sql import SparkSession

from dev.stack import Stack
from schemas.ledger.migrate import upgrade
from tests.integration.flow_site import Lake


@pytest.fixture(scope="session")
def stack_settings(stack: Stack) -> Mapping[str, str]:
    """The stack's, with a ledger that no router looks at."""
    settings = stack.settings()
    with psycopg.connect(settings["DATABASE_URL"], autocommit=True) as connection:
        connection.execute("CREATE DATABASE flow_tests")
    url = urlsplit(settings["DATABASE_URL"])._replace(path="/flow_tests").geturl()
    return {**settings, "DATABASE_URL": url}


@pytest.fixture(scope="session")
def lake(stack_settings: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    upgrade(stack_settings["DATABASE_URL"])
    session: SparkSession = SparkSession.builder.remote(stack_settings["SPARK_CONNECT_URL"]).create()
    session.client.disable_reattachable_execute()  # type: ignore[operator]  # untyped; see flows.loading.session
    yield Lake(stack_settings, tmp_path_factory.mktemp("landing"), session)
    session.stop()
