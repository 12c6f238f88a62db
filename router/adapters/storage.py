"""Object storage by obstore: what an object's version and size are now.

S3 is configured by the usual `AWS_*` variables, with `AWS_ENDPOINT_URL` for other S3-like storage.
"""

from pathlib import Path

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, S3Store

from router.errors import Transient
from router.ports import Measured
from schemas.uris import version_mark


class ObjectStore:
    """See `ports.Store`. One client a bucket."""

    def __init__(self) -> None:
        self._buckets: dict[str, S3Store] = {}

    async def measure(self, uri: str) -> Measured | None:
        """One HEAD request, or one stat."""
        scheme, _, rest = uri.partition("://")
        bucket, _, key = rest.partition("/")
        store = self._bucket(bucket) if scheme == "s3" else _LOCAL
        try:
            meta = await obstore.head_async(store, key)
        except FileNotFoundError:
            return None
        except (BaseError, OSError) as error:
            raise Transient(f"storage: {uri}: {str(error)[:300]}") from error
        modified = meta["last_modified"].timestamp()
        etag = meta["e_tag"] if scheme == "s3" else None
        return Measured(version_mark(etag=etag, size=meta["size"], modified_seconds=modified), meta["size"])

    def _bucket(self, name: str) -> S3Store:
        if name not in self._buckets:
            self._buckets[name] = S3Store(name)
        return self._buckets[name]


_LOCAL = LocalStore(Path("/"))
