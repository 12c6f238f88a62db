"""The compressions that Spark's readers of text know, by the ending of a file's name, whatever its case.

One table decides. What is not in it is refused by name: Spark would take it for text. `.snappy` and `.lz4` are Hadoop's
own kinds, not what the programs of these names write.
"""

from __future__ import annotations

import bz2
import io
from typing import IO, TYPE_CHECKING, cast

import pyarrow as pa

from flows.loading.errors import Unfit
from flows.loading.reading.hadoop_blocks import lz4_blocks, snappy_blocks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

UNPACKED_BYTES = 2**20  # at once: a few bytes may unpack to gigabytes
_ENDINGS = {".gzip": ".gz", ".bz": ".bz2", ".bzip2": ".bz2", ".zstd": ".zst"}  # Spark knows the second by name
_UNKNOWN = (".zip", ".xz", ".br", ".7z", ".lzo", ".lzma", ".z", ".tar", ".tgz", ".rar")


def compression(uri: str) -> str | None:
    """The name of the file's compression, None for none.

    Raises:
        Unfit: Spark does not read it.
    """
    name = uri.lower()
    if other := next((known for ending, known in _ENDINGS.items() if name.endswith(ending)), None):
        raise Unfit(f"Spark does not know {name.rpartition('.')[2]!r} files by this name; let its name end in {other}")
    if name.endswith(_UNKNOWN):
        known = ", ".join(_UNPACKING)
        raise Unfit(f"compression {name.rpartition('.')[2]!r} is not supported; use one of {known}, or none")
    return next((known for known in _UNPACKING if name.endswith(f".{known}")), None)


def unpacked(pieces: Iterable[bytes], name: str | None) -> Iterator[bytes]:
    """The bytes without their compression, to the end of the last member; memory is bounded.

    Raises:
        Unfit: they are not compressed so, are cut off, or are followed by something else.
    """
    if name is None:
        yield from pieces
        return
    source = _Source(pieces)
    try:
        yield from _UNPACKING[name](source)
    except (OSError, EOFError, pa.ArrowException) as error:
        if source.trouble is not None:
            raise source.trouble from None
        raise Unfit(_reason(name, str(error))) from error


def _reason(name: str, said: str) -> str:
    if "runcated" in said or "ended before" in said:
        return f"truncated {'gzip' if name == 'gz' else name}: it ends in the middle of its compressed data"
    return f"not a {name} file, or a damaged one: {said}"


class _Source(io.RawIOBase):
    """The pieces as a file; what goes wrong beneath it is kept apart from what is wrong with the compression."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        super().__init__()
        self._pieces, self._rest = iter(pieces), b""
        self.trouble: Exception | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, into: bytearray) -> int:  # type: ignore[override]  # a Buffer, of which only this is used
        try:
            while not self._rest:
                self._rest = next(self._pieces)
        except StopIteration:
            return 0
        except Exception as error:
            self.trouble = error
            raise
        part = self._rest[: len(into)]
        into[: len(part)] = part
        self._rest = self._rest[len(part) :]
        return len(part)


def _arrow(name: str) -> Callable[[_Source], Iterator[bytes]]:
    def opened(source: _Source) -> Iterator[bytes]:
        return _read(cast("IO[bytes]", pa.CompressedInputStream(pa.PythonFile(source, "r"), name)))

    return opened


def _bz2(source: _Source) -> Iterator[bytes]:
    return _read(bz2.BZ2File(source))


def _read(opened: IO[bytes]) -> Iterator[bytes]:
    with opened as stream:
        while piece := stream.read(UNPACKED_BYTES):
            yield piece


_UNPACKING: dict[str, Callable[[_Source], Iterator[bytes]]] = {
    "gz": _arrow("gzip"),
    "deflate": _arrow("gzip"),  # it knows a zlib stream when it sees one
    "zst": _arrow("zstd"),
    "bz2": _bz2,  # Arrow fails on an empty stream among others
    "snappy": snappy_blocks,
    "lz4": lz4_blocks,
}
