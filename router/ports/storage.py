"""What discovery and resolution ask of the storage."""

from collections.abc import Sequence
from typing import Protocol

from storage.objects import Listed, Measured


class Store(Protocol):
    """The object storage, as discovery and resolution ask it."""

    async def measure(self, uri: str) -> Measured | None:
        """The object's version and size; None when it is not there."""

    async def listed(self, prefix: str, cursor: str | None, limit: int) -> Sequence[Listed]:
        """The objects below a prefix in the order of their URIs, after `cursor`; fewer than `limit`: that is all.

        Raises Rejected when an object's key cannot be in a URI of ours: see `schemas.uris`.
        """
