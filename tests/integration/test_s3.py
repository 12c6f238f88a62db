"""S3 for real: a VersityGW server, its notifications on Kafka, what obstore measures, and loads by Spark.

It is built by Go, where there is one; the tests are skipped elsewhere.
"""

import io
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import obstore
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from obstore.store import S3Store

from dev.stack import Stack
from flows.loading.errors import Denied
from flows.loading.reading import probe
from router.adapters.kafka.source import KafkaSource
from router.adapters.storage import ObjectStore
from router.errors import Transient
from router.notifications.decode import decode
from router.notifications.record import Arrival
from schemas.connections import kafka_connection
from storage import s3 as storage
from storage.objects import Measured
from tests.e2e.site import free_port
from tests.integration.flow_site import CSV, JSON, PARQUET, Lake, a_table, outcomes
from tests.lakes import S3
from tests.servers.s3 import serving
from tests.servers.tools import HAS_GO

pytestmark = [pytest.mark.integration, HAS_GO]

NAMES = ["plain.csv", "2026/a file+ü%.json", "2026/100%25 [x] {y} #?&=;.csv"]


@pytest.fixture
def bucket(s3: str, monkeypatch: pytest.MonkeyPatch) -> S3Store:
    """The bucket, and the environment in which our own adapter finds it."""
    for name, value in S3.items():
        monkeypatch.setenv(name, value)
    storage.bucket.cache_clear()
    return storage.bucket("landing")


@pytest.fixture
async def source(stack: Stack, s3: str) -> AsyncIterator[KafkaSource]:
    source = KafkaSource(kafka_connection(stack.settings()), f"test-{uuid4()}", ["storage.events"])
    yield source
    await source.close()


async def arrivals(source: KafkaSource, uri: str, count: int) -> list[Arrival]:
    found: list[Arrival] = []
    for _ in range(60):
        for record in await source.poll():
            found += [entry for entry in decode(record) if isinstance(entry, Arrival) and entry.uri == uri]
        if len(found) >= count:
            break
    return found


@pytest.mark.parametrize("name", NAMES)
async def test_a_put_is_announced_as_it_is_measured(bucket: S3Store, source: KafkaSource, name: str) -> None:
    uri = f"s3://landing/{uuid4()}/{name}"
    obstore.put(bucket, uri.removeprefix("s3://landing/"), b"a,b\n1,2\n")

    (arrival,) = await arrivals(source, uri, 1)
    measured = await ObjectStore().measure(uri)

    assert measured == Measured(str(arrival.version), 8)
    assert (arrival.kind, arrival.size) == ("landed", 8)


async def test_a_multipart_upload_is_announced_without_its_size(bucket: S3Store, source: KafkaSource) -> None:
    uri = f"s3://landing/{uuid4()}/big.bin"
    obstore.put(bucket, uri.removeprefix("s3://landing/"), b"x" * 6 * 1024 * 1024, use_multipart=True)

    (arrival,) = await arrivals(source, uri, 1)
    measured = await ObjectStore().measure(uri)

    assert measured == Measured(str(arrival.version), 6 * 1024 * 1024)
    assert arrival.size is None


async def test_a_delete_is_a_removal(bucket: S3Store, source: KafkaSource) -> None:
    uri = f"s3://landing/{uuid4()}/gone.csv"
    obstore.put(bucket, uri.removeprefix("s3://landing/"), b"x")
    obstore.delete(bucket, uri.removeprefix("s3://landing/"))

    told = await arrivals(source, uri, 2)

    assert {arrival.kind for arrival in told} == {"landed", "removed"}  # the gateway does not keep their order
    assert await ObjectStore().measure(uri) is None


async def test_a_storage_that_is_away_is_transient(bucket: S3Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    storage.bucket.cache_clear()

    with pytest.raises(Transient, match="storage: s3://landing/x"):
        await ObjectStore().measure("s3://landing/x")


def a_parquet() -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table({"a": [1]}), sink)
    return sink.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "format_"),
    [
        ("a file + %25 [x].csv", b"a\n1\n", CSV),
        ("a+b ü.json", b'{"a": 1}\n', JSON),
        ("a b+c.parquet", a_parquet(), PARQUET),
    ],
)
def test_spark_loads_a_file_of_a_region(
    bucket: S3Store, lake: Lake, name: str, content: bytes, format_: Mapping[str, Any]
) -> None:
    uri, table = f"s3://landing/{uuid4()}/{name}", a_table()
    obstore.put(bucket, uri.removeprefix("s3://landing/"), content)

    report = lake.published(lake.batch(table, [uri], format_))

    assert outcomes(report) == {name: ("loaded", 1)}
    assert lake.rows(table, "a", "_file_uri") == [(1, uri)]


@pytest.fixture
def partners(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Store]:
    """A bucket of somebody else's: another server, with other keys, whose variables have a name."""
    (tmp_path / "s3" / "partners").mkdir(parents=True)
    keys = {"AWS_ACCESS_KEY_ID": "theirs", "AWS_SECRET_ACCESS_KEY": "theirsecret", "AWS_REGION": "us-west-2"}
    with serving(tmp_path / "s3", f"127.0.0.1:{free_port()}", keys) as endpoint:
        for name, value in {**keys, "AWS_ENDPOINT_URL": endpoint}.items():
            monkeypatch.setenv(f"AUTOLOADER_CREDENTIALS_PARTNERS_{name}", value)
        storage.bucket.cache_clear()
        yield storage.bucket("partners", "partners")


async def test_a_bucket_with_keys_of_its_own_is_looked_at_with_them(bucket: S3Store, partners: S3Store) -> None:
    obstore.put(partners, "a.csv", b"a\n1\n")
    store = ObjectStore((), {"s3://partners/": "partners"})

    measured = await store.measure("s3://partners/a.csv")

    assert measured is not None
    assert [one.measured for one in await store.listed("s3://partners/", None, 10)] == [measured]
    with pytest.raises(Transient):
        await ObjectStore().measure("s3://partners/a.csv")


def test_spark_loads_a_file_from_a_bucket_with_keys_of_its_own(bucket: S3Store, partners: S3Store, lake: Lake) -> None:
    uri, table = "s3://partners/a.csv", a_table()
    obstore.put(partners, "a.csv", b"a\n1\n")
    theirs = replace(lake, settings={**lake.settings, **os.environ}, credentials="partners")

    report = theirs.published(theirs.batch(table, [uri]))

    assert outcomes(report) == {"a.csv": ("loaded", 1)}
    assert lake.rows(table, "a", "_file_uri") == [(1, uri)]


def test_a_batch_waits_for_credentials_that_are_not_there(bucket: S3Store, lake: Lake) -> None:
    uri = f"s3://landing/{uuid4()}/a.csv"
    obstore.put(bucket, uri.removeprefix("s3://landing/"), b"a\n1\n")
    batch = lake.batch(a_table(), [uri])
    lake.execute('UPDATE batch SET manifest = manifest || \'{"credentials": "nobody"}\' WHERE id = %s', (batch,))

    with pytest.raises(Denied, match="AUTOLOADER_CREDENTIALS_NOBODY_AWS_ACCESS_KEY_ID is not set") as told:
        lake.load(batch)

    assert told.value.target == "storage"


def test_a_bucket_that_is_not_there_is_no_missing_file(bucket: S3Store) -> None:
    assert probe.look_up("s3://landing/nothing.csv", []) is None
    with pytest.raises(Denied, match="bucket does not exist"):
        probe.look_up("s3://nowhere/nothing.csv", [])


def test_a_batch_waits_while_the_storage_refuses_us(
    bucket: S3Store, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = f"s3://landing/{uuid4()}/a.csv"
    obstore.put(bucket, uri.removeprefix("s3://landing/"), b"a\n1\n")
    batch = lake.batch(a_table(), [uri])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    storage.bucket.cache_clear()

    with pytest.raises(Denied, match="check the keys") as told:
        lake.load(batch)

    assert told.value.target == "storage"
    assert lake.attempt_of(batch, 1)[0] == "infrastructure"
