"""Text is in its encoding to the last byte, or it is refused: Spark puts U+FFFD where it is not, without a word."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING

from flows.loading.errors import Unfit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_BOM = codecs.BOM_UTF8
_MARKS = {  # the longer ones first
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
    codecs.BOM_UTF8: "UTF-8",
}
_ADVICE = "write it as UTF-8"


def as_utf8(pieces: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """The same text as UTF-8, without byte order mark; `encoding` is Python's name, of `schemas.formats.encodings`.

    Raises:
        Unfit: it is not in this encoding, at which byte; or its byte order mark says that it is in another.
    """
    if encoding == "utf-8":
        return checked_utf8(pieces, f"{_ADVICE}, or name its encoding")
    return _transcoded(_checked_mark(pieces, encoding), encoding)


def _checked_mark(pieces: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """The pieces, if they begin as text of this encoding does. Of UTF-16 without a mark Java and Python differ."""
    wanted = encoding.upper() if encoding in {"utf-16", "utf-32"} else None
    first = True
    for piece in _with_a_whole_mark(pieces):
        if first and (found := _mark(piece)) != wanted and not _may_be_text(found, encoding):
            raise Unfit(_wrong_mark(encoding, found))
        yield piece
        first = False


def _mark(piece: bytes) -> str | None:
    return next((name for mark, name in _MARKS.items() if piece.startswith(mark)), None)


def _may_be_text(mark: str | None, encoding: str) -> bool:
    """Whether what looks like the byte order mark of UTF-8 may be characters of two bytes or more."""
    return mark == "UTF-8" and encoding.endswith(("-le", "-be"))


def _wrong_mark(encoding: str, found: str | None) -> str:
    if found is None:
        return f"not {encoding}: it has no byte order mark; say {encoding}le or {encoding}be"
    return f"not {encoding}: it begins with the byte order mark of {found}; say encoding: {found.lower()}"


def _transcoded(pieces: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    decoder, at = codecs.getincrementaldecoder(encoding)("strict"), 0
    for piece in pieces:
        yield _text(decoder, piece, at - len(decoder.getstate()[0]), encoding).encode()
        at += len(piece)
    if pending := len(decoder.getstate()[0]):
        raise Unfit(f"not {encoding}: it ends within a character, at byte {at - pending}")


def _text(decoder: codecs.IncrementalDecoder, piece: bytes, at: int, encoding: str) -> str:
    try:
        return decoder.decode(piece)
    except UnicodeDecodeError as error:
        raise Unfit(f"not {encoding}: {error.reason} at byte {at + error.start}; name the encoding it has") from error


def checked_utf8(pieces: Iterable[bytes], advice: str = _ADVICE) -> Iterator[bytes]:
    """The pieces without byte order mark; none is longer or shorter for it, but perhaps the first.

    Raises:
        Unfit: they are not UTF-8, at which byte, and what to do about it.
    """
    decoder, at, first = codecs.getincrementaldecoder("utf-8")("strict"), 0, True
    for piece in _with_a_whole_mark(pieces):
        pending = len(decoder.getstate()[0])
        if pending or not piece.isascii():
            _decode(decoder, piece, at - pending, advice, first=first)
        yield piece.removeprefix(_BOM) if first else piece
        at, first = at + len(piece), False
    pending = len(decoder.getstate()[0])
    if pending:
        raise Unfit(f"not UTF-8: it ends within a character, at byte {at - pending}")


def _decode(decoder: codecs.IncrementalDecoder, piece: bytes, at: int, advice: str, *, first: bool) -> None:
    try:
        decoder.decode(piece)
    except UnicodeDecodeError as error:
        if first and (name := _mark(piece)) is not None and name != "UTF-8":
            raise Unfit(f"not UTF-8: it begins with the byte order mark of {name}; {advice}") from error
        raise Unfit(f"not UTF-8: {error.reason} at byte {at + error.start}; {advice}") from error


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
