"""Files of this machine, or of a share that it mounts."""

import asyncio
import errno
import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from heapq import nsmallest
from pathlib import Path

from schemas.uris import UriError, checked_uri, version_mark
from storage.objects import Listed, Measured, Unreadable

PIECE_BYTES = 2**20
_SCHEME = "file://"


async def measure(uri: str, allow: Sequence[str]) -> Measured | None:
    """Look at it in a thread: a share may hang."""
    return await asyncio.to_thread(look_up, uri, allow)


async def listed(prefix: str, cursor: str | None, limit: int, allow: Sequence[str]) -> Sequence[Listed]:
    """Walk all of the folder for each page."""
    return await asyncio.to_thread(_walked, prefix, cursor or "", limit, allow)


def look_up(uri: str, allow: Sequence[str]) -> Measured | None:
    """Look at a file; None when no regular file can be there.

    What a symbolic link finds outside of the prefixes `allow` is not there either.

    Raises:
        OSError: the file system does not answer.
    """
    path = _path(uri)
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
    return Measured(mark, found.st_size)


def pieces(uri: str, _size: int) -> Iterator[bytes]:
    """Read block by block."""
    with _readable(), _path(uri).open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            yield piece


def tail(uri: str, size: int, length: int) -> bytes:
    """Read from where the end begins."""
    with _readable(), _path(uri).open("rb") as file:
        file.seek(size - length)
        return file.read(length)


def put(file: Path, uri: str) -> None:
    """Copy it under another name first. A copy keeps its modification time: the same file stays the same version."""
    target = _path(uri)
    target.parent.mkdir(parents=True, exist_ok=True)
    landing = target.with_name(f".{target.name}.landing")
    shutil.copy2(file, landing)
    landing.rename(target)


def _path(uri: str) -> Path:
    return Path(uri.removeprefix(_SCHEME))


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise Unreadable(f"it cannot be read: {error.strerror or error}") from error


def _is_within(path: Path, uri: str, allow: Sequence[str]) -> bool:
    prefixes = [_path(prefix) for prefix in allow if uri.startswith(prefix)]
    return any(path.resolve().is_relative_to(prefix.resolve()) for prefix in prefixes)


def _walked(prefix: str, cursor: str, limit: int, allow: Sequence[str]) -> Sequence[Listed]:
    """A full page, as long as there are more: what is no regular file must not make it look like the last."""
    found: list[Listed] = []
    while wanted := limit - len(found):
        uris = nsmallest(wanted, (uri for uri in _below(prefix) if uri > cursor))
        files = [(uri, look_up(uri, allow)) for uri in uris]
        found += [Listed(uri, file) for uri, file in files if file is not None]
        if len(uris) < wanted:
            break
        cursor = uris[-1]
    return found


def _below(prefix: str) -> Iterator[str]:
    """What has a URI of ours: of another name the ledger could not be told."""
    for folder, _, names in os.walk(_path(prefix), onerror=_unless_gone):
        for name in names:
            uri = f"{_SCHEME}{Path(folder) / name}"
            with suppress(UriError):
                yield checked_uri(uri)


def _unless_gone(error: OSError) -> None:
    """By itself `os.walk` leaves out a folder that cannot be read."""
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        raise error
