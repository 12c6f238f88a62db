"""Hadoop's own way to pack snappy and lz4: blocks of chunks, each with its length before it.

    file  := block*
    block := length unpacked (4 bytes, big end first), chunk*     until as much is unpacked
    chunk := length packed (4 bytes), raw snappy or lz4

Hadoop ends a cut file without a word, ends a file at a block of length 0, and writes beyond its buffer where a chunk is
larger (a Java that ended in `malloc(): invalid size` was seen). So every block is unpacked here first.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from io import RawIOBase

MAX_CHUNK_BYTES = 2**18  # packed and unpacked: Hadoop's buffer
_FRAMES = (b"\x04\x22\x4d\x18", b"\xff\x06\x00\x00sNaPpY", b"\x82SNAPPY\x00")


def snappy_blocks(source: RawIOBase) -> Iterator[bytes]:
    """The bytes, chunk by chunk. Raises OSError and EOFError as `unpacked` knows them."""
    return _blocks(source, _snappy)


def lz4_blocks(source: RawIOBase) -> Iterator[bytes]:
    """The bytes, chunk by chunk. Raises OSError and EOFError as `unpacked` knows them."""
    return _blocks(source, _lz4)


def _blocks(source: RawIOBase, unpack: Callable[[bytes, int], bytes]) -> Iterator[bytes]:
    reading = _Reading(source)
    if reading.is_framed:
        raise OSError("it is in the standard framing, and Spark reads Hadoop's alone; use gz or zst")
    while (left := reading.length()) is not None:
        if not left and reading.length() is not None:
            raise OSError("something follows an empty block, and Hadoop ends there")
        while left:
            part = unpack(reading.chunk(), left)
            yield part
            left -= len(part)


class _Reading:
    """A file of blocks, or one in the framing that others have."""

    def __init__(self, source: RawIOBase) -> None:
        self._source = source
        self._begun = b""
        self._begun = self._take(max(map(len, _FRAMES)))
        self.is_framed = self._begun.startswith(_FRAMES)

    def length(self) -> int | None:
        """The next one; None at the file's end."""
        found = self._take(4)
        if not found:
            return None
        return int.from_bytes(_whole(found, 4), "big")

    def chunk(self) -> bytes:
        length = int.from_bytes(_whole(self._take(4), 4), "big")
        if not 0 < length <= MAX_CHUNK_BYTES:
            raise OSError(f"a chunk of {length} bytes, and Hadoop has room for {MAX_CHUNK_BYTES}")
        return _whole(self._take(length), length)

    def _take(self, wanted: int) -> bytes:
        found, self._begun = self._begun[:wanted], self._begun[wanted:]
        while len(found) < wanted and (more := self._source.read(wanted - len(found))):
            found += more
        return found


def _whole(found: bytes, wanted: int) -> bytes:
    if len(found) < wanted:
        raise EOFError("it ended before the end of a block")
    return found


def _snappy(chunk: bytes, left: int) -> bytes:
    size = _varint(chunk)
    if not 0 < size <= min(left, MAX_CHUNK_BYTES):
        raise OSError(f"a chunk unpacks to {size} bytes, of which Hadoop has no room for all")
    return bytes(pa.decompress(chunk, decompressed_size=size, codec="snappy", asbytes=True))


def _varint(chunk: bytes) -> int:
    """The number with which raw snappy begins: seven bits a byte, the low ones first."""
    size = 0
    for place, byte in enumerate(chunk[:5]):
        size |= (byte & 127) << (7 * place)
        if byte < 128:
            return size
    raise OSError("a chunk that does not say how long it is")


def _lz4(chunk: bytes, left: int) -> bytes:
    most = min(left, MAX_CHUNK_BYTES)
    if _fits(chunk, most) and not _fits(chunk, most - 1):
        size = most
    else:  # raw lz4 does not say: the smallest room in which it fits
        size = bisect_left(range(most + 1), 1, key=lambda room: _fits(chunk, room))
    if not 0 < size <= most:
        raise OSError("a chunk that is not lz4, or of which Hadoop has no room for all")
    return bytes(pa.decompress(chunk, decompressed_size=size, codec="lz4_raw", asbytes=True))


def _fits(chunk: bytes, room: int) -> bool:
    try:
        pa.decompress(chunk, decompressed_size=room, codec="lz4_raw")
    except (OSError, pa.ArrowException):
        return False
    return True
