"""Ask the storage for the mark of each file: Spark reads by path, the ledger knows versions."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from flows.loading.translation import named_errors
from schemas.storage import bucket, local_file
from schemas.uris import version_mark

if TYPE_CHECKING:
    from collections.abc import Iterable

    from obstore.store import S3Store

    from schemas.manifest import ManifestFile

CONCURRENCY = 32

Changed = Literal["missing", "superseded"]


def changed(files: Iterable[ManifestFile]) -> dict[str, Changed]:
    """The URIs whose object is gone, or is another version than the one recorded.

    Raises:
        Infrastructure: the storage does not answer.
        Rejected: the storage refuses.
    """
    wanted = list(files)
    with named_errors(), ThreadPoolExecutor(CONCURRENCY) as pool:
        marks = list(pool.map(mark, (file.uri for file in wanted)))
    return {
        file.uri: "missing" if found is None else "superseded"
        for file, found in zip(wanted, marks, strict=True)
        if found != file.version
    }


def mark(uri: str) -> str | None:
    """The object's version mark as in `schemas.uris`; None when there is no such object."""
    if uri.startswith("file://"):
        found = local_file(uri)
        return None if found is None else found[0]
    store, key = _at(uri)
    try:
        meta = store.head(key)
    except FileNotFoundError:
        return None
    return version_mark(etag=meta["e_tag"], size=meta["size"], modified_seconds=meta["last_modified"].timestamp())


def head(uri: str, length: int) -> bytes:
    """The object's first bytes; it must not be empty."""
    if uri.startswith("file://"):
        with named_errors(), Path(uri.removeprefix("file://")).open("rb") as file:
            return file.read(length)
    store, key = _at(uri)
    with named_errors():
        return bytes(store.get_range(key, start=0, length=length))


def _at(uri: str) -> tuple[S3Store, str]:
    name, _, key = uri.removeprefix("s3://").partition("/")
    return bucket(name), key
