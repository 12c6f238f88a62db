"""The flow reads an object's bytes itself: all of them in pieces, or the last ones, or none because it is gone."""

import io
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pandas as pd  # type: ignore[import-untyped]  # its stubs are a package of their own
import pytest
from obstore.store import MemoryStore

from flows.loading.errors import Denied, Unfit
from flows.loading.reading import probe
from flows.loading.reading.looks import Look, look_at
from schemas.formats import Format
from schemas.manifest import ManifestFile
from storage import s3

CSV, JSON, PARQUET = (Format.model_validate(kind) for kind in ("csv", "json", "parquet"))


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> MemoryStore:
    store = MemoryStore()
    monkeypatch.setattr(s3, "bucket", lambda _name, _credentials: store)
    monkeypatch.setattr(s3, "RANGE_BYTES", 7)
    return store


def landed(bucket: MemoryStore, name: str, content: bytes) -> ManifestFile:
    bucket.put(name, content)
    seen = probe.look_up(f"s3://b/{name}", [])
    assert seen is not None
    return ManifestFile(uri=f"s3://b/{name}", version=seen.version, size=seen.size)


@pytest.mark.parametrize("content", [b"a", b"a,b\n1,2", b"a,b\n1,2\n3,4\n", b"0123456"])
def test_an_object_is_read_to_its_end_in_pieces(bucket: MemoryStore, content: bytes) -> None:
    file = landed(bucket, "a b+ü%.csv", content)

    assert file.size == len(content)
    assert b"".join(s3.Buckets(None).pieces(file.uri, file.size)) == content
    assert s3.Buckets(None).tail(file.uri, file.size, 1) == content[-1:]


def test_an_object_that_is_gone_is_not_taken_for_an_empty_one(bucket: MemoryStore) -> None:
    file = landed(bucket, "a.csv", b"a\n1\n")
    bucket.delete("a.csv")

    with pytest.raises(FileNotFoundError):
        look_at([file], CSV)


class NotFound(BaseHTTPRequestHandler):
    """Answers 404 to everything, in the words of its server."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        words = b"" if self.command == "HEAD" else getattr(self.server, "words", b"")
        self.send_response(404)
        self.send_header("content-length", str(len(words)))
        self.end_headers()
        self.wfile.write(words)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), NotFound) as server:
        Thread(target=server.serve_forever).start()
        environ = {"ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}", "REGION": "eu-central-1"}
        for name, value in {**environ, "ACCESS_KEY_ID": "a", "SECRET_ACCESS_KEY": "b"}.items():
            monkeypatch.setenv(f"AWS_{name}", value)
        yield server
        server.shutdown()


@pytest.mark.parametrize("words", ["", "<html>Not Found</html>", "<Error><Code>NoSuchBucket</Code></Error>"])
def test_an_object_is_missing_only_where_the_storage_says_so(server: ThreadingHTTPServer, words: str) -> None:
    uri = f"s3://bucket-{server.server_port}/a.csv"  # clients are kept by bucket
    vars(server)["words"] = words.encode()

    with pytest.raises(Denied, match="does not say that the object is not there"):
        probe.look_up(uri, [])

    vars(server)["words"] = b"<Error><Code>NoSuchKey</Code></Error>"
    assert probe.look_up(uri, []) is None


def test_a_look_tells_the_records_of_every_format(bucket: MemoryStore) -> None:
    table = io.BytesIO()
    pd.DataFrame({"a": range(5000), "b": [str(n) for n in range(5000)]}).to_parquet(table)
    csv, lines = landed(bucket, "a.csv", b"a\n1\n2\n"), landed(bucket, "a.json", b'{"a": 1}\n')
    parquet, cut = landed(bucket, "a.parquet", table.getvalue()), landed(bucket, "c.parquet", table.getvalue()[:-9])
    odd, empty = landed(bucket, "d.parquet", b"x" * 20 + b"PAR1"), landed(bucket, "e.parquet", b"")

    records = {
        name: found.records if isinstance(found, Look) else str(found)
        for format_, files in ((CSV, [csv]), (JSON, [lines]), (PARQUET, [parquet, cut, odd, empty]))
        for name, found in look_at(files, format_).items()
    }

    assert list(records.values()) == [
        2, 1, 5000, "it does not end as a parquet file does; it may be cut off, or be of another format",
        "it does not end as a parquet file does; it may be cut off, or be of another format",
        "0 bytes: not even an empty parquet file",
    ]  # fmt: skip


def test_an_empty_file_of_text_holds_nothing_and_an_empty_compressed_one_is_none(bucket: MemoryStore) -> None:
    plain, packed = landed(bucket, "a.csv", b""), landed(bucket, "a.csv.gz", b"")

    found = look_at([plain, packed], CSV)

    assert isinstance(found[plain.uri], Look)
    assert isinstance(found[packed.uri], Unfit)


def test_a_run_does_not_follow_a_link_out_of_the_allowed_prefixes(tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_bytes(b"a,b")
    (tmp_path / "landing").mkdir()
    (tmp_path / "landing" / "file.csv").symlink_to(tmp_path / "secret.csv")
    file = ManifestFile(uri=f"file://{tmp_path}/landing/file.csv", version="1-3", size=3)

    assert probe.seen([file], [f"file://{tmp_path}/landing/"]) == {file.uri: None}
    assert probe.seen([file], [f"file://{tmp_path}/"])[file.uri] is not None
