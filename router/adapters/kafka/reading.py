"""What a broker sent, batch by batch, where no batch is an error: one that cannot be read becomes one record.

aiokafka's own reader raises at the first batch that it cannot decode, at the same offset for ever, and together with it
everything else that was fetched is lost to the caller.
"""

import struct
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

from aiokafka.consumer import fetcher
from aiokafka.record.default_records import DefaultRecordBatch, _DefaultRecordBatchPy
from aiokafka.record.legacy_records import LegacyRecordBatch

BASE = struct.Struct(">q")
LENGTH = struct.Struct(">i")  # behind the base offset, of all that follows
MAGIC_AT = 16
LAST_DELTA_AT = 23
COUNT_AT = 57
NEWEST_MAGIC = 2
SMALLEST = 26  # of the oldest format
HEADER_BYTES = 61  # of the newest format

RawBatch: TypeAlias = Any  # aiokafka's are final classes of C and of Python, by chance of its installation


class Unreadable(NamedTuple):
    """In the place of a record's checksum: why nothing of its batch can be read, and where that begins."""

    first: int
    reason: str


class Stub(NamedTuple):
    """As aiokafka's records; of a batch that cannot be read, at its last offset, so that what follows comes next."""

    offset: int
    checksum: Unreadable
    timestamp: int
    timestamp_type: int = 0
    key: bytes | None = None
    value: bytes | None = None
    headers: Sequence[tuple[str, bytes | None]] = ()


class Batch:
    """A producer's batch as aiokafka's fetcher asks for it; `following` is the offset at which the next one begins."""

    def __init__(self, data: bytes, following: int | None) -> None:
        self._data = data
        self.base_offset: int = BASE.unpack_from(data)[0]
        self._reason = ""
        try:
            self._raw = _opened(data)
        except Exception as error:  # noqa: BLE001 - whatever a decoder of bytes says, it says of these bytes
            self._raw, self._reason = None, _told(error)
        self.next_offset = self.base_offset + 1 + _last_delta(data) if self._raw is None else self._raw.next_offset
        if self._raw is None and following is not None and following > self.base_offset:
            self.next_offset = following  # what cannot be read may also lie about its end

    is_control_batch = property(lambda self: self._raw is not None and self._raw.is_control_batch)
    is_transactional = property(lambda self: self._raw is not None and self._raw.is_transactional)
    producer_id = property(lambda self: None if self._raw is None else self._raw.producer_id)

    def validate_crc(self) -> bool:
        """A wrong checksum is told by a record."""
        return True

    def __iter__(self) -> Iterator[Any]:
        return iter(self._records())

    def __next__(self) -> Any:
        """Of a control batch, its only record."""
        return next(iter(self))

    def _records(self) -> Sequence[Any]:
        if self._raw is not None:
            try:
                return _decoded(self._raw, self._data)
            except Exception as error:  # noqa: BLE001 - codecs have exceptions of their own; all mean these bytes
                self._reason = _told(error)
        return [Stub(self.next_offset - 1, Unreadable(self.base_offset, self._reason), _newest(self._data))]


class Fetched:
    """What was fetched of one partition, in the place of aiokafka's `MemoryRecords`."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def size_in_bytes(self) -> int:
        return len(self._data)

    def has_next(self) -> bool:
        """The last batch may be cut off; it is fetched again."""
        return self._at + SMALLEST <= len(self._data) and self._at + SMALLEST <= self._end() <= len(self._data)

    def next_batch(self) -> Batch:
        data = bytes(self._data[self._at : self._end()])
        self._at = self._end()
        is_followed = self._at + BASE.size <= len(self._data)
        return Batch(data, BASE.unpack_from(self._data, self._at)[0] if is_followed else None)

    def _end(self) -> int:
        length: int = LENGTH.unpack_from(self._data, self._at + BASE.size)[0]
        return self._at + BASE.size + LENGTH.size + length


# The name under which aiokafka's fetcher reads what came: it has no other way in.
fetcher.MemoryRecords = Fetched


class _Forgiving(bytearray):
    """Bytes whose text is read whatever it is: a header's name is a string in aiokafka, and any bytes in Kafka."""

    def __getitem__(self, key: Any) -> Any:
        part = super().__getitem__(key)
        return _Forgiving(part) if isinstance(part, bytearray) else part

    def decode(self, encoding: str = "utf-8", errors: str = "replace") -> str:
        return super().decode(encoding, errors)


def _opened(data: bytes) -> RawBatch:
    magic = data[MAGIC_AT]
    if magic > NEWEST_MAGIC:
        raise ValueError(f"its format {magic} is not known")
    if magic == NEWEST_MAGIC and len(data) < HEADER_BYTES:
        raise ValueError(f"its {len(data)} bytes are less than its header")
    raw = DefaultRecordBatch(data) if magic == NEWEST_MAGIC else LegacyRecordBatch(data, magic)
    if not raw.validate_crc():
        raise ValueError("its checksum is wrong: it was damaged on the broker's disk or on the way")
    return raw


def _decoded(raw: RawBatch, data: bytes) -> Sequence[Any]:
    try:
        return list(raw)
    except UnicodeDecodeError:
        forgiving = _DefaultRecordBatchPy(data)
        iter(forgiving)  # unpacks it
        forgiving._buffer = _Forgiving(forgiving._buffer)
        return list(forgiving)


def _last_delta(data: bytes) -> int:
    """How many offsets the batch has behind its first, by either of the two places that tell it."""
    if data[MAGIC_AT] < NEWEST_MAGIC or len(data) < HEADER_BYTES:
        return 0
    last: int = LENGTH.unpack_from(data, LAST_DELTA_AT)[0]
    count: int = LENGTH.unpack_from(data, COUNT_AT)[0]
    return max(0, last, count - 1)


def _newest(data: bytes) -> int:
    """The newest timestamp of the batch: the same each time it is read."""
    newest: int = BASE.unpack_from(data, 35)[0] if len(data) >= HEADER_BYTES and data[MAGIC_AT] == NEWEST_MAGIC else 0
    return newest


def _told(error: Exception) -> str:
    return str(error) if type(error) is ValueError else f"{type(error).__name__}: {error}"
