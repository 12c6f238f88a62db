"""What the tests of the flow need of the stack: the ledger's database, the catalog and Spark Connect."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from pyspark.sql import SparkSession

from dev.stack import Stack
from schemas.ledger.migrate import upgrade
from tests.conftest import ENVIRON
from tests.integration.flow_site import Lake
from tests.lakes import LAKES, ON_S3, REST, S3
from tests.servers import rest_catalog as rest
from tests.servers.s3 import serving
from tests.servers.tools import HAS_GO


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


@pytest.fixture(scope="session")
def s3(stack_settings: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The endpoint of a store with the buckets `landing` and `warehouse`, which tells of its objects."""
    root = tmp_path_factory.mktemp("s3")
    for name in ("landing", "warehouse"):
        (root / name).mkdir()
    kafka = stack_settings["KAFKA_BOOTSTRAP_SERVERS"]
    events = ("--event-kafka-url", kafka, "--event-kafka-topic", "storage.events")
    with serving(root, S3["AWS_ENDPOINT_URL"].removeprefix("http://"), S3, events) as endpoint:
        yield endpoint


@pytest.fixture(scope="session")
def rest_catalog(stack_settings: Mapping[str, str], s3: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a catalog with its files on the store and its tables in the stack's PostgreSQL."""
    database = urlsplit(stack_settings["DATABASE_URL"])
    properties = {
        **ON_S3,
        "catalog-impl": "org.apache.iceberg.jdbc.JdbcCatalog",
        "uri": f"jdbc:postgresql://{database.hostname}:{database.port}/iceberg",
        "jdbc.user": str(database.username),
        "jdbc.password": str(database.password),
        "jdbc.schema-version": "V1",
        "warehouse": "s3://warehouse/rest",
        "http-client.type": "urlconnection",
    }
    jars, log = Path(ENVIRON["AUTOLOADER_JARS"]), tmp_path_factory.mktemp("rest-catalog") / "log"
    with rest.serving(REST, properties, S3, jars, log) as url:
        yield url


@pytest.fixture(params=[pytest.param(name, marks=() if name == "lake" else HAS_GO) for name in LAKES])
def each_lake(request: pytest.FixtureRequest, lake: Lake) -> Lake:
    """The same site, with its tables in each of the lakes."""
    if request.param == "lake":
        return lake
    request.getfixturevalue("rest_catalog" if request.param == "lake_rest" else "s3")
    return replace(lake, settings={**lake.settings, **S3}, catalog=request.param)
