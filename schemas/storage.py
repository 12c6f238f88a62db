"""How both sides look at an object, so that they see the same version of it.

S3 is configured by the usual `AWS_*` variables; `AWS_ENDPOINT_URL` names other S3-like storage.
"""

import errno
import os
import stat
from collections.abc import Sequence
from datetime import timedelta
from functools import lru_cache
from pathlib import Path

from obstore.store import S3Store

from schemas.uris import version_mark

PATIENCE = timedelta(seconds=10)
RETRIES = 2


@lru_cache(maxsize=64)
def bucket(name: str) -> S3Store:
    """A client that gives up after seconds: whoever asks tries again by rules of its own."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL", "")
    return S3Store(
        name,
        client_options={"allow_http": endpoint.startswith("http://"), "timeout": PATIENCE},
        retry_config={"max_retries": RETRIES, "retry_timeout": PATIENCE},
        config={"endpoint": endpoint} if endpoint else None,
    )


def is_no_key(told: str) -> bool:
    """Whether the words of a 404 say that there is no such key: not that there is no bucket, nor anything else."""
    return "<Code>NoSuchKey</Code>" in told


def local_file(uri: str, allow: Sequence[str]) -> tuple[str, int] | None:
    """The version mark and size in bytes of a `file://` URI; None when no regular file can be there.

    What a symbolic link finds outside of the prefixes `allow` is not there either.

    Raises:
        OSError: the file system does not answer.
    """
    path = Path(uri.removeprefix("file://"))
    try:
        found = path.stat()
        if not _is_within(path, uri, allow):
            return None
    except FileNotFoundError:
        return None
    except OSError as error:
        if isinstance(error, NotADirectoryError) or error.errno == errno.ENAMETOOLONG:
            return None
        raise
    if not stat.S_ISREG(found.st_mode):
        return None
    mark = version_mark(etag=None, size=found.st_size, modified_seconds=found.st_mtime_ns // 1000 / 1e6)
    return mark, found.st_size


def _is_within(path: Path, uri: str, allow: Sequence[str]) -> bool:
    prefixes = [Path(prefix.removeprefix("file://")) for prefix in allow if uri.startswith(prefix)]
    return any(path.resolve().is_relative_to(prefix.resolve()) for prefix in prefixes)
