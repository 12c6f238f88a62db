"""The beginning of a big file: a preview reads no more of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from schemas.formats.csv import Csv

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from flows.loading.reading.parts import Part
    from schemas.formats.json import Json

WHOLE_BYTES = 64 * 2**20  # a file of no more than so many is read whole
BYTES = 8 * 2**20
RECORDS = 10_000


@dataclass(slots=True)
class Counted:
    """Pieces, and how many bytes of them were taken."""

    pieces: Iterable[bytes]
    taken: int = 0

    def __iter__(self) -> Iterator[bytes]:
        for piece in self.pieces:
            self.taken += len(piece)
            yield piece


def of(pieces: Iterable[bytes], options: Csv | Json) -> bytes:
    """Take a text up to `BYTES`, and of that what ends with a line and is within no quotes, if there is such."""
    text = b""
    for piece in pieces:
        text += piece
        if len(text) >= BYTES:
            return _whole_lines(text, options.quote.encode() if isinstance(options, Csv) else b"")
    return text


def _whole_lines(text: bytes, quote: bytes) -> bytes:
    end = text.rfind(b"\n") + 1
    while end and quote and text.count(quote, 0, end) % 2:
        end = text.rfind(b"\n", 0, end - 1) + 1
    return text[:end] if end else text


def first(part: Part, records: int) -> Part:
    """The same of its first records: what is asked of them reads the file no further."""
    frame = part.frame.limit(records)
    held = frame.sparkSession.createDataFrame(frame.toArrow(), frame.schema)
    return replace(part, frame=held.coalesce(1))  # in the file's order
