"""Objects in buckets, by obstore.

S3 is configured by the usual `AWS_*` variables, or by a set of them that has a name; `AWS_ENDPOINT_URL` names other
S3-like storage, `AWS_CA_BUNDLE` its CA.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import InvalidPathError
from obstore.store import S3Store

from schemas.connections import s3_connection
from schemas.uris import version_mark
from storage.credentials import environment
from storage.objects import Listed, Measured, Unlistable, Unsaid

if TYPE_CHECKING:  # obstore has its types in stubs only
    from obstore import ObjectMeta
    from obstore.store import ClientConfig, S3Credential, S3CredentialProvider

PATIENCE = timedelta(seconds=10)
RETRIES = 2
RANGE_BYTES = 4 * 2**20  # of an object, in one request: its client gives up after seconds
_SCHEME = "s3://"
_BUCKET = re.compile(r"[\w.-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Buckets:
    """All buckets, as these credentials see them: see `storage.credentials`."""

    credentials: str | None

    async def measure(self, uri: str, _allow: Sequence[str]) -> Measured | None:
        """Ask by one HEAD request; one that finds nothing is asked again by GET, whose answer has words."""
        store, key = self._at(uri)
        with suppress(FileNotFoundError):
            return _measured(await obstore.head_async(store, key))
        try:
            return _measured((await obstore.get_async(store, key, options={"range": (0, 1)})).meta)
        except FileNotFoundError as error:
            _believe(error)
            return None

    async def listed(self, prefix: str, cursor: str | None, limit: int, _allow: Sequence[str]) -> Sequence[Listed]:
        """List one page, or as many as the limit needs."""
        store, key = self._at(prefix)
        place = prefix.removesuffix(key)
        found: list[Listed] = []
        offset = None if cursor is None else cursor.removeprefix(place)
        try:
            async for part in obstore.list(store, key or None, offset=offset, chunk_size=limit):
                found += [Listed(place + meta["path"], _measured(meta)) for meta in part]
                if len(found) >= limit:
                    break
        except InvalidPathError as error:  # of a key, with all of its page: it would be so again and again
            raise Unlistable(str(error).partition("\n")[0]) from error
        return found[:limit]

    def look_up(self, uri: str, _allow: Sequence[str]) -> Measured | None:
        """Ask by HEAD and then by GET, as `measure` does."""
        store, key = self._at(uri)
        with suppress(FileNotFoundError):
            return _measured(store.head(key))
        try:
            return _measured(store.get(key).meta)
        except FileNotFoundError as error:
            _believe(error)
            return None

    def pieces(self, uri: str, size: int) -> Iterator[bytes]:
        """Read range by range."""
        store, key = self._at(uri)
        for start in range(0, size, RANGE_BYTES):
            yield bytes(store.get_range(key, start=start, end=min(size, start + RANGE_BYTES)))

    def tail(self, uri: str, size: int, length: int) -> bytes:
        """Read one range."""
        store, key = self._at(uri)
        return bytes(store.get_range(key, start=size - length, length=length))

    def put(self, file: Path, uri: str) -> None:
        """Upload it whole."""
        store, key = self._at(uri)
        obstore.put(store, key, file)

    def _at(self, uri: str) -> tuple[S3Store, str]:
        name, _, key = uri.removeprefix(_SCHEME).partition("/")
        if not _BUCKET.fullmatch(name):
            raise ValueError(f"no bucket is named {name!r}")
        return bucket(name, self.credentials), key


@lru_cache(maxsize=64)
def bucket(name: str, credentials: str | None = None) -> S3Store:
    """Keep a client that gives up after seconds: whoever asks tries again by rules of its own.

    Raises:
        SettingsError: a setting does not fit.
        PermissionError: there are no such credentials.
    """
    environ = environment(credentials, os.environ)
    connection = s3_connection(environ)
    endpoint, region = connection.endpoint or "", environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION", "")
    options: ClientConfig = {"allow_http": endpoint.startswith("http://"), "timeout": PATIENCE}
    if connection.trust.ca_file:
        options["root_certificate"] = connection.trust.pem()
    return S3Store(
        name,
        client_options=options,
        retry_config={"max_retries": RETRIES, "retry_timeout": PATIENCE},
        config={**({"endpoint": endpoint} if endpoint else {}), **({"region": region} if region else {})},
        # without it the client has the usual keys, or asks who this machine is
        credential_provider=None if credentials is None else _provider(environ),
    )


def _provider(environ: Mapping[str, str]) -> "S3CredentialProvider":
    keys: S3Credential = {
        "access_key_id": environ["AWS_ACCESS_KEY_ID"],
        "secret_access_key": environ["AWS_SECRET_ACCESS_KEY"],
        "token": environ.get("AWS_SESSION_TOKEN"),
        "expires_at": None,
    }
    return lambda: keys


def is_no_key(told: str) -> bool:
    """Whether the words of a 404 say that there is no such key: not that there is no bucket, nor anything else."""
    return "<Code>NoSuchKey</Code>" in told


def _believe(error: FileNotFoundError) -> None:
    """Believe that it is not there, if the storage says so of the key."""
    if not is_no_key(str(error)):
        raise Unsaid(str(error)) from error


def _measured(meta: "ObjectMeta") -> Measured:
    modified = meta["last_modified"].timestamp()
    return Measured(version_mark(etag=meta["e_tag"], size=meta["size"], modified_seconds=modified), meta["size"])
