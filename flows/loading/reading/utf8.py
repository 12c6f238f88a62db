"""Text is UTF-8 to its last byte, or it is refused: Spark's readers put U+FFFD where it is not, without a word."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING

from flows.loading.errors import Unfit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_BOM = codecs.BOM_UTF8
_FOREIGN = {  # the longer ones first
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}


def checked_utf8(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The pieces without byte order mark; none is longer or shorter for it, but perhaps the first.

    Raises:
        Unfit: they are not UTF-8, at which byte.
    """
    decoder, at, first = codecs.getincrementaldecoder("utf-8")("strict"), 0, True
    for piece in _with_a_whole_mark(pieces):
        pending = len(decoder.getstate()[0])
        if pending or not piece.isascii():
            _decode(decoder, piece, at - pending, first=first)
        yield piece.removeprefix(_BOM) if first else piece
        at, first = at + len(piece), False
    pending = len(decoder.getstate()[0])
    if pending:
        raise Unfit(f"not UTF-8: it ends within a character, at byte {at - pending}")


def _decode(decoder: codecs.IncrementalDecoder, piece: bytes, at: int, *, first: bool) -> None:
    try:
        decoder.decode(piece)
    except UnicodeDecodeError as error:
        name = next((name for mark, name in _FOREIGN.items() if first and piece.startswith(mark)), None)
        if name is not None:
            raise Unfit(f"not UTF-8: it begins with the byte order mark of {name}; write it as UTF-8") from error
        raise Unfit(f"not UTF-8: {error.reason} at byte {at + error.start}; write it as UTF-8") from error


def _with_a_whole_mark(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes; the first piece has at least four, if there are as many."""
    rest, begun = iter(pieces), b""
    for piece in rest:
        begun += piece
        if len(begun) >= len(codecs.BOM_UTF32_LE):
            break
    if begun:
        yield begun
    yield from rest
