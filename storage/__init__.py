"""What an object is now, what lies below a prefix, its bytes: the same for router, flows and commands.

One module a scheme, found by `of`. What goes wrong comes out as the few errors of `objects`, or as one of `AWAY`: each
side makes its own of them. Versions are `schemas.uris.version_mark`, so that both sides see the same one.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol, assert_never

from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError

from schemas.uris import scheme_of
from storage import local, s3
from storage.objects import Listed, Measured

# A name that obstore does not take is a ValueError; that no bucket can have one it finds out in a panic.
AWAY = (BaseError, OSError, ValueError)


# obstore tells it far below its first line.
_UNTRUSTED = re.compile(r"InvalidCertificate\(\s*(\w+)")


def told(error: Exception) -> str:
    """Say in one line what went wrong."""
    first, _, details = str(error).partition("\n\nDebug source")
    said = first[:300].rstrip(": ")
    if untrusted := _UNTRUSTED.search(details):
        return f"{said}: its certificate is not trusted ({untrusted[1]}); see AWS_CA_BUNDLE"
    if isinstance(error, PermissionDeniedError | UnauthenticatedError):
        return f"{said}; check the keys, their rights, the region and the clock"
    return said


class Storage(Protocol):
    """What a module of this package offers.

    No local file outside of the prefixes `allow` is there, whatever links lead to it.
    """

    async def measure(self, uri: str, allow: Sequence[str]) -> Measured | None:
        """Ask for an object's version and size; None when it is not there. Raises Unsaid."""

    async def listed(self, prefix: str, cursor: str | None, limit: int, allow: Sequence[str]) -> Sequence[Listed]:
        """List objects below a prefix in the order of their URIs, after `cursor`; fewer than `limit`: that is all.

        Raises Unlistable.
        """

    def look_up(self, uri: str, allow: Sequence[str]) -> Measured | None:
        """Ask the same as `measure`, and wait for the answer."""

    def pieces(self, uri: str, size: int) -> Iterator[bytes]:
        """Read all bytes of an object of this size. Raises Unreadable, and FileNotFoundError when it is gone."""

    def tail(self, uri: str, size: int, length: int) -> bytes:
        """Read the last bytes of an object of this size. Raises the same."""

    def put(self, file: Path, uri: str) -> None:
        """Copy a local file there; nobody ever sees half of it."""


def of(uri: str, credentials: str | None = None) -> Storage:
    """Find the storage of a URI's scheme, asked as the credentials of this name where it wants to know who asks.

    Raises UriError for a scheme that none is of.
    """
    scheme = scheme_of(uri)
    match scheme:
        case "s3":
            return s3.Buckets(credentials)
        case "file":
            return local
        case _:
            assert_never(scheme)
