"""A warehouse that cannot be used is the batch's reason within seconds. Iceberg alone tries for minutes in silence."""

import time
from dataclasses import replace
from urllib.parse import urlsplit

import psycopg
import pytest

from flows.loading.errors import Denied, Infrastructure
from tests.integration.flow_site import Lake, a_table
from tests.lakes import S3
from tests.servers.tools import HAS_GO

pytestmark = [pytest.mark.integration, HAS_GO]


@pytest.mark.parametrize(
    ("what", "error", "said"),
    [
        ("endpoint", Infrastructure, "Connection refused"),
        ("key", Denied, "signature"),
        ("region", Denied, "region"),
        ("bucket", Denied, "bucket"),
    ],
)
def test_it_is_said_at_once(lake: Lake, s3: str, what: str, error: type[Infrastructure], said: str) -> None:
    table = a_table("lake_s3")
    there = replace(lake, settings={**lake.settings, **S3})
    there.published(there.batch(table, [lake.land("a.csv", "a\n1\n")]))
    also_in(f"away_{what}", table, there)
    batch = lake.batch(table.replace("lake_s3", f"away_{what}"), [lake.land("a.csv", "a\n1\n")])
    began = time.monotonic()

    with pytest.raises(error, match=f"the warehouse s3://.* cannot be read; check .*{said}") as told:
        lake.load(batch)

    assert time.monotonic() - began < 20
    assert told.value.target == "catalog"
    assert lake.attempt_of(batch, 1)[0] == "infrastructure"


def also_in(catalog: str, table: str, lake: Lake) -> None:
    """The same table under another catalog's name: it is there, and its metadata has to be read."""
    of, name = table.partition(".")[0], table.rpartition(".")[2]
    database = urlsplit(lake.settings["DATABASE_URL"])._replace(path="/iceberg").geturl()
    statement = (
        "INSERT INTO iceberg_tables (catalog_name, table_namespace, table_name, metadata_location, iceberg_type)"
        " SELECT %s, table_namespace, table_name, metadata_location, iceberg_type FROM iceberg_tables"
        " WHERE catalog_name = %s AND table_name = %s"
    )
    with psycopg.connect(database) as connection:
        connection.execute(statement, (catalog, of, name))
