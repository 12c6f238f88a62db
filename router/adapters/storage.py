"""Object storage: what an object's version and size are now, and what lies below a prefix."""

import asyncio
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from heapq import nsmallest
from pathlib import Path
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import BaseError, InvalidPathError

from router.errors import Rejected, Transient
from router.ports.discovery import Listed, Measured
from schemas.storage import bucket, is_no_key, local_file
from schemas.uris import UriError, checked_uri, version_mark

if TYPE_CHECKING:  # obstore has its types in stubs only
    from obstore import ObjectMeta
    from obstore.store import S3Store

# A name that obstore does not take is a ValueError; that no bucket can have one it finds out in a panic.
AWAY = (BaseError, OSError, ValueError)
_BUCKET = re.compile(r"[\w.-]+", re.ASCII)


class ObjectStore:
    """See `ports.discovery.Store`.

    No local file outside of the prefixes `allow` is looked at, whatever links lead there.
    """

    def __init__(self, allow: Sequence[str] = ()) -> None:
        self._allow = allow

    async def measure(self, uri: str) -> Measured | None:
        """One HEAD request, or one stat."""
        try:
            return await (_in_bucket(uri) if uri.startswith("s3://") else _on_disk(uri, self._allow))
        except AWAY as error:
            raise Transient(f"storage: {uri}: {str(error)[:300]}") from error

    async def listed(self, prefix: str, cursor: str | None, limit: int) -> Sequence[Listed]:
        """One page, or as many as the limit needs; of a local folder all of it is walked."""
        try:
            if prefix.startswith("s3://"):
                return await _page(prefix, cursor, limit)
            return await asyncio.to_thread(_walked, prefix, cursor or "", limit, self._allow)
        except InvalidPathError as error:  # of a key, with all of its page: it would be so again and again
            told = str(error).partition("\n")[0]
            raise Rejected("bad-uri", f"{prefix} cannot be listed: {told}; move that object, or name files") from error
        except AWAY as error:
            raise Transient(f"storage: {prefix}: {str(error)[:300]}") from error


async def _in_bucket(uri: str) -> Measured | None:
    name, _, key = uri.removeprefix("s3://").partition("/")
    try:
        meta = await obstore.head_async(_bucket(name), key)
    except FileNotFoundError:
        return await _in_words(name, key)
    return _measured(meta)


async def _in_words(name: str, key: str) -> Measured | None:
    """The answer to HEAD has no words: the same 404 may mean that the key, the bucket or the storage is not there."""
    try:
        found = await obstore.get_async(bucket(name), key, options={"range": (0, 1)})
    except FileNotFoundError as error:
        if is_no_key(str(error)):
            return None
        raise Transient(f"storage: it does not say that s3://{name}/{key} is not there: {str(error)[:300]}") from error
    return _measured(found.meta)


async def _page(prefix: str, cursor: str | None, limit: int) -> Sequence[Listed]:
    name, _, key = prefix.removeprefix("s3://").partition("/")
    place = f"s3://{name}/"
    found: list[Listed] = []
    offset = None if cursor is None else cursor.removeprefix(place)
    async for part in obstore.list(_bucket(name), key or None, offset=offset, chunk_size=limit):
        found += [Listed(place + meta["path"], _measured(meta)) for meta in part]
        if len(found) >= limit:
            break
    return found[:limit]


def _bucket(name: str) -> "S3Store":
    if not _BUCKET.fullmatch(name):
        raise ValueError(f"no bucket is named {name!r}")
    return bucket(name)


def _measured(meta: "ObjectMeta") -> Measured:
    modified = meta["last_modified"].timestamp()
    return Measured(version_mark(etag=meta["e_tag"], size=meta["size"], modified_seconds=modified), meta["size"])


def _walked(prefix: str, cursor: str, limit: int, allow: Sequence[str]) -> Sequence[Listed]:
    """A full page, as long as there are more: what is no regular file must not make it look like the last."""
    found: list[Listed] = []
    while wanted := limit - len(found):
        uris = nsmallest(wanted, (uri for uri in _below(prefix) if uri > cursor))
        files = [(uri, local_file(uri, allow)) for uri in uris]
        found += [Listed(uri, Measured(*file)) for uri, file in files if file is not None]
        if len(uris) < wanted:
            break
        cursor = uris[-1]
    return found


def _below(prefix: str) -> Iterator[str]:
    """What has a URI of ours: of another name the ledger could not be told."""
    for folder, _, names in os.walk(prefix.removeprefix("file://"), onerror=_unless_gone):
        for name in names:
            uri = f"file://{Path(folder) / name}"
            with suppress(UriError):
                yield checked_uri(uri)


def _unless_gone(error: OSError) -> None:
    """By itself `os.walk` leaves out a folder that cannot be read."""
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        raise error


async def _on_disk(uri: str, allow: Sequence[str]) -> Measured | None:
    found = await asyncio.to_thread(local_file, uri, allow)
    return None if found is None else Measured(*found)
