"""What lies below a prefix, page by page: in memory, in a local folder, in S3.

The S3 server is built by Go, where there is one.
"""

import asyncio
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import obstore
import pytest

from router.adapters.storage import ObjectStore
from router.errors import Rejected, Transient
from router.ports.storage import Store
from storage import s3 as storage
from storage.objects import Listed, Measured
from tests.e2e.site import free_port
from tests.fakes.store import FakeStore
from tests.servers.s3 import serving
from tests.servers.tools import HAS_GO

NAMES = [
    "2026/11/a.csv",
    "2026/11/b c.csv",
    "2026/11-x/100%.csv",
    "2026/11-x/100%25.csv",
    "2026/A.csv",
    "2026/a+b=c?d#e.csv",
    "2026/ü/ö [x] {y}.csv",
    "2026/a.csv",
    "2026/ab.csv",
]
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "testtest", "AWS_REGION": "us-east-1"}
IS_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="other file systems take no such names")


@dataclass(frozen=True, slots=True)
class Place:
    """A store, where a test puts its objects, and how."""

    store: Store
    prefix: str
    put: Callable[[str], None]

    def has(self, *names: str) -> Sequence[str]:
        """Put them; their URIs in order."""
        for name in names:
            self.put(self.prefix + name)
        return sorted(self.prefix + name for name in names)


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The endpoint of a server with the bucket `landing`."""
    root = tmp_path_factory.mktemp("s3")
    (root / "landing").mkdir()
    with serving(root, f"127.0.0.1:{free_port()}", KEYS) as endpoint:
        yield endpoint


@pytest.fixture(params=["fake", "local", pytest.param("s3", marks=[pytest.mark.integration, HAS_GO])])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    if request.param == "fake":
        return _in_memory()
    if request.param == "local":
        return _in_folder(tmp_path)
    _configure(request.getfixturevalue("s3"), monkeypatch)
    return _in_bucket(f"s3://landing/{tmp_path.name}/")


async def test_all_below_a_prefix_is_listed_in_the_order_of_its_uris(place: Place) -> None:
    uris = place.has(*reversed(NAMES))

    listed = await place.store.listed(place.prefix, None, 100)

    assert [one.uri for one in listed] == uris


async def test_what_is_listed_is_as_it_is_measured(place: Place) -> None:
    uris = place.has(*NAMES)

    listed = await place.store.listed(place.prefix, None, 100)

    assert listed == [Listed(uri, await _measured(place, uri)) for uri in uris]
    assert {one.measured.size for one in listed} == {3}


@pytest.mark.parametrize("limit", [1, 2, 3, 8, 9, 10])
async def test_pages_have_everything_once(place: Place, limit: int) -> None:
    uris = place.has(*NAMES)
    found: list[str] = []
    cursor = None

    while page := await place.store.listed(place.prefix, cursor, limit):
        found += [one.uri for one in page]
        cursor = page[-1].uri
        assert len(page) == limit or len(found) == len(uris)

    assert found == uris


async def test_a_page_begins_after_its_cursor_wherever_that_is(place: Place) -> None:
    uris = place.has(*NAMES)

    for number, uri in enumerate(uris):
        listed = await place.store.listed(place.prefix, uri, 100)

        assert [one.uri for one in listed] == uris[number + 1 :]


async def test_the_cursor_may_be_gone(place: Place) -> None:
    place.has("a.csv", "c.csv")

    listed = await place.store.listed(place.prefix, f"{place.prefix}b.csv", 100)

    assert [one.uri for one in listed] == [f"{place.prefix}c.csv"]


async def test_what_only_begins_like_a_prefix_is_not_below_it(place: Place) -> None:
    place.has("10/a.csv", "1/a.csv", "1.csv", "1-x.csv", "0/1/a.csv")

    listed = await place.store.listed(f"{place.prefix}1/", None, 100)

    assert [one.uri for one in listed] == [f"{place.prefix}1/a.csv"]


async def test_a_prefix_of_strange_letters_is_taken_as_it_is(place: Place) -> None:
    place.has("ü/50% off/a.csv", "ü/50%25 off/a.csv", "u/50 off/a.csv")

    listed = await place.store.listed(f"{place.prefix}ü/50% off/", None, 100)

    assert [one.uri for one in listed] == [f"{place.prefix}ü/50% off/a.csv"]


async def test_below_a_prefix_that_is_not_there_is_nothing(place: Place) -> None:
    place.has("a.csv")

    assert await place.store.listed(f"{place.prefix}none/", None, 100) == []


async def test_more_than_a_page_of_the_server_is_listed(place: Place) -> None:
    uris = place.has(*(f"{number:04}.csv" for number in range(1100)))

    first = await place.store.listed(place.prefix, None, 1000)
    second = await place.store.listed(place.prefix, first[-1].uri, 1000)

    assert [one.uri for one in (*first, *second)] == uris
    assert (len(first), len(second)) == (1000, 100)


async def test_a_page_is_full_although_some_of_it_are_no_files(tmp_path: Path) -> None:
    """A page that is not full says that it is the last."""
    place = _in_folder(tmp_path)
    uris = place.has("b.csv", "d.csv", "e.csv")
    (tmp_path / "a.csv").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "c.csv")

    first = await place.store.listed(place.prefix, None, 2)
    second = await place.store.listed(place.prefix, first[-1].uri, 2)

    assert [one.uri for one in (*first, *second)] == uris
    assert len(first) == 2


async def test_what_a_link_finds_outside_of_the_allowed_prefixes_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.csv").write_bytes(b"a,b")
    place = _in_folder(tmp_path / "landing")
    [uri] = place.has("inside.csv")
    (tmp_path / "landing" / "again.csv").symlink_to(tmp_path / "landing" / "inside.csv")
    (tmp_path / "landing" / "file.csv").symlink_to(tmp_path / "outside" / "secret.csv")
    (tmp_path / "landing" / "folder").symlink_to(tmp_path / "outside")

    listed = await place.store.listed(place.prefix, None, 100)

    assert [one.uri for one in listed] == [f"{place.prefix}again.csv", uri]
    assert await place.store.measure(f"{place.prefix}file.csv") is None
    assert await place.store.measure(f"{place.prefix}folder/secret.csv") is None


async def test_a_prefix_that_is_a_link_itself_is_where_it_leads(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "landing").symlink_to(tmp_path / "disk")
    place = _in_folder(tmp_path / "landing")
    [uri] = place.has("a.csv")

    assert await place.store.measure(uri) is not None


@IS_LINUX
async def test_a_name_that_no_uri_of_ours_can_hold_is_left_out(tmp_path: Path) -> None:
    place = _in_folder(tmp_path)
    [uri] = place.has("b.csv")
    for name in (b"a\xff.csv", b"c\n.csv"):
        (tmp_path / os.fsdecode(name)).write_bytes(b"")

    assert [one.uri for one in await place.store.listed(place.prefix, None, 100)] == [uri]


async def test_a_folder_that_cannot_be_read_is_transient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is in it would be left out without a word."""
    place = _in_folder(tmp_path)
    place.has("a.csv", "locked/b.csv")
    scandir = os.scandir

    def locked(path: str) -> object:
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", locked)

    with pytest.raises(Transient, match="Permission denied"):
        await place.store.listed(place.prefix, None, 100)


@pytest.mark.integration
@HAS_GO
async def test_what_is_not_in_a_bucket_is_not_there(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _configure(s3, monkeypatch)

    assert await ObjectStore().measure("s3://landing/never-there.csv") is None


@pytest.mark.integration
@HAS_GO
async def test_a_bucket_that_is_not_there_is_trouble_and_nothing_of_it_is_missing(
    s3: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _configure(s3, monkeypatch)

    with pytest.raises(Transient, match="NoSuchBucket"):
        await ObjectStore().measure("s3://no-such-bucket/a.csv")


@pytest.mark.integration
async def test_a_server_that_is_no_storage_is_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    async def not_found(asked: asyncio.StreamReader, answer: asyncio.StreamWriter) -> None:
        await asked.readuntil(b"\r\n\r\n")
        answer.write(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        await answer.drain()
        answer.close()

    async with await asyncio.start_server(not_found, "127.0.0.1", 0) as server:
        _configure(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", monkeypatch)

        with pytest.raises(Transient, match="it does not say"):
            await ObjectStore().measure("s3://landing/a.csv")


@pytest.mark.integration
@pytest.mark.parametrize("key", ["b//c.csv", "./c.csv", "../c.csv"])
async def test_a_key_that_is_in_no_uri_of_ours_is_named(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    contents = "".join(
        f"<Contents><Key>orders/{one}</Key><LastModified>2026-11-24T12:00:00Z</LastModified><Size>3</Size></Contents>"
        for one in ("a.csv", key)
    )
    body = f"<ListBucketResult><Name>landing</Name><IsTruncated>false</IsTruncated>{contents}</ListBucketResult>"

    async def list_objects(asked: asyncio.StreamReader, answer: asyncio.StreamWriter) -> None:
        await asked.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 200 OK\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        answer.write((head + body).encode())
        await answer.drain()
        answer.close()

    async with await asyncio.start_server(list_objects, "127.0.0.1", 0) as server:
        _configure(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", monkeypatch)

        with pytest.raises(Rejected, match=f"bad-uri: s3://landing/orders/ cannot be listed: .*{re.escape(key)}"):
            await ObjectStore().listed("s3://landing/orders/", None, 10)


@pytest.mark.integration
@HAS_GO
async def test_a_storage_that_is_away_is_transient(monkeypatch: pytest.MonkeyPatch) -> None:
    _configure(f"http://127.0.0.1:{free_port()}", monkeypatch)

    with pytest.raises(Transient, match="storage: s3://landing/"):
        await ObjectStore().listed("s3://landing/", None, 10)


@pytest.mark.parametrize(
    "place", ["la nding", "l\u00e4nding", "landing/a//b", "landing/a/../b", "landing/a\x00b", "landing/a\ud83d"]
)
async def test_names_that_the_storage_client_does_not_take_are_nobody_elses_trouble(place: str) -> None:
    uri = f"s3://{place}/c.csv"

    for asked in (ObjectStore().measure(uri), ObjectStore().listed(uri, None, 10)):
        with pytest.raises(Transient, match="storage: "):
            await asked


async def _measured(place: Place, uri: str) -> Measured:
    measured = await place.store.measure(uri)
    assert measured is not None
    return measured


def _configure(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    environ = {"ACCESS_KEY_ID": "test", "SECRET_ACCESS_KEY": "testtest", "REGION": "us-east-1"}
    for name, value in {"ENDPOINT_URL": endpoint, **environ}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    storage.bucket.cache_clear()


def _in_memory() -> Place:
    store = FakeStore()

    def put(uri: str) -> None:
        store.objects[uri] = Measured("v1", 3)

    return Place(store, "s3://landing/", put)


def _in_folder(folder: Path) -> Place:
    def put(uri: str) -> None:
        path = Path(uri.removeprefix("file://"))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"a,b")

    return Place(ObjectStore([f"file://{folder}/"]), f"file://{folder}/", put)


def _in_bucket(prefix: str) -> Place:
    def put(uri: str) -> None:
        obstore.put(storage.bucket("landing"), uri.removeprefix("s3://landing/"), b"a,b")

    return Place(ObjectStore(), prefix, put)
