"""What producers say on `ingestion.file-arrivals`: a file has landed, or was removed. CloudEvents 1.0.

A producer writes e.g.

    {"specversion": "1.0", "id": "7f0c", "source": "/exports", "type": "autoloader.file.landed.v1",
     "time": "2026-11-24T13:39:02Z", "data": {"uri": "s3://landing/orders/2026/11/24/part-0001.csv"}}

with `size` (bytes) and `etag` in `data` where it knows them: what it leaves out is asked of the storage.
"""

from datetime import datetime
from typing import Literal

from schemas.base import Wire


class FileData(Wire):
    """The object: its URI as in `schemas.uris`, its size in bytes, its eTag."""

    uri: str
    size: int | None = None
    etag: str | None = None


class FileEvent(Wire):
    """`autoloader.file.landed.v1` or `autoloader.file.removed.v1`; `traceparent` is W3C's, if it belongs to a trace."""

    specversion: Literal["1.0"] = "1.0"
    id: str
    source: str
    type: Literal["autoloader.file.landed.v1", "autoloader.file.removed.v1"]
    time: datetime
    traceparent: str | None = None
    data: FileData

    def to_json(self) -> str:
        """Write the event as it goes to Kafka, without what is not known."""
        return self.model_dump_json(exclude_none=True)
