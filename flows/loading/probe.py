"""Ask the storage for the mark of each file: Spark reads by path, the ledger knows versions."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from obstore.store import LocalStore, S3Store

from flows.loading.errors import named_errors
from schemas.uris import version_mark

if TYPE_CHECKING:
    from collections.abc import Iterable

    from schemas.manifest import ManifestFile

CONCURRENCY = 32
_PATIENCE = timedelta(seconds=10)

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
    store, key = _at(uri)
    try:
        found = store.head(key)
    except FileNotFoundError:
        return None
    etag = None if isinstance(store, LocalStore) else found["e_tag"]  # a local eTag holds the inode: no event has it
    return version_mark(etag=etag, size=found["size"], modified_seconds=found["last_modified"].timestamp())


def head(uri: str, length: int) -> bytes:
    """The object's first bytes; it must not be empty."""
    store, key = _at(uri)
    with named_errors():
        return bytes(store.get_range(key, start=0, length=length))


def _at(uri: str) -> tuple[S3Store | LocalStore, str]:
    scheme, _, rest = uri.partition("://")
    if scheme == "file":
        return LocalStore(), rest
    bucket, _, key = rest.partition("/")
    return _bucket(bucket), key


@lru_cache(maxsize=16)
def _bucket(name: str) -> S3Store:
    """Credentials, region and endpoint come from `AWS_*` in the environment."""
    plain = os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://")
    return S3Store(
        name,
        client_options={"allow_http": plain, "timeout": _PATIENCE},
        retry_config={"max_retries": 2, "retry_timeout": _PATIENCE},
    )
