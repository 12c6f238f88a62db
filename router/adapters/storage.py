"""Object storage: what an object's version and size are now."""

import asyncio

import obstore
from obstore.exceptions import BaseError

from router.errors import Transient
from router.ports import Measured
from schemas.storage import bucket, local_file
from schemas.uris import version_mark


class ObjectStore:
    """See `ports.Store`."""

    async def measure(self, uri: str) -> Measured | None:
        """One HEAD request, or one stat."""
        try:
            return await (_in_bucket(uri) if uri.startswith("s3://") else _on_disk(uri))
        except (BaseError, OSError) as error:
            raise Transient(f"storage: {uri}: {str(error)[:300]}") from error


async def _in_bucket(uri: str) -> Measured | None:
    name, _, key = uri.removeprefix("s3://").partition("/")
    try:
        meta = await obstore.head_async(bucket(name), key)
    except FileNotFoundError:
        return None
    modified = meta["last_modified"].timestamp()
    return Measured(version_mark(etag=meta["e_tag"], size=meta["size"], modified_seconds=modified), meta["size"])


async def _on_disk(uri: str) -> Measured | None:
    found = await asyncio.to_thread(local_file, uri)
    return None if found is None else Measured(*found)
