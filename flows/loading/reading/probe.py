"""Ask the storage for each file: its mark and size, and its bytes. Spark reads by path, the ledger knows versions."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from flows.loading.errors import Denied
from flows.loading.translation import named_errors, reason_in
from schemas.storage import bucket, is_no_key, local_file
from schemas.uris import version_mark

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from obstore import ObjectMeta
    from obstore.store import S3Store

    from schemas.manifest import ManifestFile

CONCURRENCY = 32
PIECE_BYTES = 2**20
RANGE_BYTES = 4 * 2**20  # of an object, in one request: its client gives up after seconds


@dataclass(frozen=True, slots=True)
class Seen:
    """An object as it stands in the storage now: its version mark as in `schemas.uris`, its size in bytes."""

    version: str
    size: int


class Unreachable(Exception):
    """A file that is there and cannot be read, with the reason."""


def seen(files: Iterable[ManifestFile], allow: Sequence[str]) -> dict[str, Seen | None]:
    """By URI: what stands there now; None when there is no such object, or none within the prefixes `allow`.

    Raises:
        Infrastructure: the storage does not answer, or refuses.
    """
    wanted = [file.uri for file in files]
    with named_errors(), ThreadPoolExecutor(CONCURRENCY) as pool:
        return dict(zip(wanted, pool.map(partial(look_up, allow=allow), wanted), strict=True))


def look_up(uri: str, allow: Sequence[str]) -> Seen | None:
    """The same of one object."""
    if uri.startswith("file://"):
        found = local_file(uri, allow)
        return None if found is None else Seen(*found)
    meta = _meta(*_at(uri))
    if meta is None:
        return None
    mark = version_mark(etag=meta["e_tag"], size=meta["size"], modified_seconds=meta["last_modified"].timestamp())
    return Seen(mark, meta["size"])


def pieces(uri: str, size: int) -> Iterator[bytes]:
    """All bytes of an object of this size.

    Raises:
        FileNotFoundError: it is gone.
        Unreachable: a local file cannot be read.
    """
    if not uri.startswith("file://"):
        store, key = _at(uri)
        for start in range(0, size, RANGE_BYTES):
            yield bytes(store.get_range(key, start=start, end=min(size, start + RANGE_BYTES)))
        return
    with _local(), Path(uri.removeprefix("file://")).open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            yield piece


def tail(uri: str, size: int, length: int) -> bytes:
    """The last bytes of an object of this size. Raises the same."""
    if not uri.startswith("file://"):
        store, key = _at(uri)
        return bytes(store.get_range(key, start=size - length, length=length))
    with _local(), Path(uri.removeprefix("file://")).open("rb") as file:
        file.seek(size - length)
        return file.read(length)


@contextmanager
def _local() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise Unreachable(f"it cannot be read: {error.strerror or error}") from error


def _meta(store: S3Store, key: str) -> ObjectMeta | None:
    """A HEAD that finds nothing is asked again by GET, whose answer has words: is it the object, or the bucket?"""
    with suppress(FileNotFoundError):
        return store.head(key)
    try:
        return store.get(key).meta
    except FileNotFoundError as error:
        if is_no_key(str(error)):
            return None
        raise Denied(
            f"the storage does not say that the object is not there: {reason_in(str(error))}", target="storage"
        ) from error


def _at(uri: str) -> tuple[S3Store, str]:
    name, _, key = uri.removeprefix("s3://").partition("/")
    return bucket(name), key
