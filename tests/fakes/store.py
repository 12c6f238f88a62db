"""Object storage, as `adapters.storage` asks it."""

from collections.abc import Sequence

from router.errors import Rejected, Transient
from storage.objects import Listed, Measured


class FakeStore:
    """See `ports.storage.Store`.

    `objects` has each URI's version and size in bytes; a test lands files by writing there.

    Of what is `denied` it tells nothing, of what is `hidden` that it is not there.
    """

    def __init__(self) -> None:
        self.away = False
        self.denied: set[str] = set()
        self.hidden: set[str] = set()
        self.objects: dict[str, Measured] = {}

    async def measure(self, uri: str) -> Measured | None:
        if self.away:
            raise Transient("storage: away")
        if uri in self.denied:
            raise Transient(f"storage: {uri}: denied")
        return None if uri in self.hidden else self.objects.get(uri)

    async def listed(self, prefix: str, cursor: str | None, limit: int) -> Sequence[Listed]:
        if self.away:
            raise Transient("storage: away")
        uris = sorted(uri for uri in self.objects if uri.startswith(prefix) and uri > (cursor or ""))
        for uri in uris[:limit]:
            if "//" in uri.partition("://")[2]:
                raise Rejected("bad-uri", f"{prefix} cannot be listed: {uri}")
        return [Listed(uri, self.objects[uri]) for uri in uris[:limit]]
