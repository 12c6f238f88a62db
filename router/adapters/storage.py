"""Object storage, as the stages ask it: what is wrong with an answer becomes Transient or Rejected."""

from collections.abc import Mapping, Sequence

import storage
from router.errors import Rejected, Transient
from storage.objects import Listed, Measured, Unlistable, Unsaid


class ObjectStore:
    """See `ports.storage.Store`.

    No local file outside of the prefixes `allow` is looked at, whatever links lead there. `credentials` are names of
    such, by the beginning of the URIs that they are for.
    """

    def __init__(self, allow: Sequence[str] = (), credentials: Mapping[str, str] = {}) -> None:
        self._allow = allow
        self._credentials = credentials

    async def measure(self, uri: str) -> Measured | None:
        """Ask for the object's version and size."""
        try:
            return await self._of(uri).measure(uri, self._allow)
        except Unsaid as error:
            raise Transient(f"storage: it does not say that {uri} is not there: {str(error)[:300]}") from error
        except storage.AWAY as error:
            raise Transient(f"storage: {uri}: {storage.told(error)}") from error

    async def listed(self, prefix: str, cursor: str | None, limit: int) -> Sequence[Listed]:
        """List one page of the objects below a prefix."""
        try:
            return await self._of(prefix).listed(prefix, cursor, limit, self._allow)
        except Unlistable as error:
            raise Rejected("bad-uri", f"{prefix} cannot be listed: {error}; move that object, or name files") from error
        except storage.AWAY as error:
            raise Transient(f"storage: {prefix}: {storage.told(error)}") from error

    def _of(self, uri: str) -> storage.Storage:
        return storage.of(uri, next((name for begin, name in self._credentials.items() if uri.startswith(begin)), None))
