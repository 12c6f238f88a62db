"""Object storage, as `adapters.storage` asks it."""

from router.errors import Transient
from router.ports import Measured


class FakeStore:
    """See `ports.Store`. `objects` has each URI's version and size in bytes; a test lands files by writing there."""

    def __init__(self) -> None:
        self.away = False
        self.objects: dict[str, Measured] = {}

    async def measure(self, uri: str) -> Measured | None:
        if self.away:
            raise Transient("storage: away")
        return self.objects.get(uri)
