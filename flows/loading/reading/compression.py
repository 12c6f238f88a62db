"""The compressions that Spark's readers of text know, by the ending of a file's name, whatever its case.

One table decides. What is not in it is refused by name: Spark would take it for text, and has no memory left after a
`.lz4` file that is not Hadoop's own kind.
"""

from __future__ import annotations

import bz2
import io
from typing import IO, TYPE_CHECKING, cast

import pyarrow as pa

from flows.loading.errors import Unfit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

UNPACKED_BYTES = 2**20  # at once: a few bytes may unpack to gigabytes
_UNKNOWN = (".zip", ".xz", ".lz4", ".snappy", ".br", ".7z", ".lzo", ".lzma", ".z", ".tar", ".tgz", ".rar", ".zstd")


def compression(uri: str) -> str | None:
    """The name of the file's compression, None for none.

    Raises:
        Unfit: Spark does not read it.
    """
    name = uri.lower()
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
        with _UNPACKING[name](source) as stream:
            while piece := stream.read(UNPACKED_BYTES):
                yield piece
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


def _arrow(name: str) -> Callable[[_Source], IO[bytes]]:
    def opened(source: _Source) -> IO[bytes]:
        return cast("IO[bytes]", pa.CompressedInputStream(pa.PythonFile(source, "r"), name))

    return opened


_UNPACKING: dict[str, Callable[[_Source], IO[bytes]]] = {
    "gz": _arrow("gzip"),
    "deflate": _arrow("gzip"),  # it knows a zlib stream when it sees one
    "zst": _arrow("zstd"),
    "bz2": bz2.BZ2File,  # Arrow fails on an empty stream among others
}
