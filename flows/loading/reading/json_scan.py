"""A look at all bytes of a file of JSON lines that owes nothing to Spark: how many records does it hold?

Spark drops what follows a value in its line and reads an array as a row for each element. Pure, and with memory for the
longest line.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import numpy as np

from flows.loading.errors import Unfit
from flows.loading.reading.utf8 import checked_utf8

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_BLANKS = b" \t"
_SECOND = re.compile(rb"\}[ \t]*\{")  # perhaps another object in the same line, or a text that looks like it


def scan_json_lines(pieces: Iterable[bytes]) -> int | None:
    """The records in a file of JSON lines, an array counting its elements; None when only a parser could tell.

    Raises:
        Unfit: not UTF-8; a line that is not one whole object or array.
    """
    rows, line, exact = 0, 1, True
    for block in _whole_lines(checked_utf8(pieces)):
        found = _objects(block, line)
        rows, exact, line = rows + (found or 0), exact and found is not None, line + block.count(b"\n")
    return rows if exact else None


def _whole_lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Blocks of whole lines, each ended by a line feed, whatever the file's line ends are."""
    parts: list[bytes] = []
    for piece in pieces:
        end = max(piece.rfind(b"\n"), piece.rfind(b"\r", 0, len(piece) - 1)) + 1  # a CR at the end: does LF follow?
        if not end:
            parts.append(piece)
            continue
        yield _with_line_feeds(b"".join([*parts, piece[:end]]))
        parts = [piece[end:]]
    yield _with_line_feeds(b"".join(parts) + b"\n")


def _with_line_feeds(block: bytes) -> bytes:
    return block.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in block else block


def _objects(block: bytes, line: int) -> int | None:
    """The records in a block of whole lines, of which the first has this number."""
    data = np.frombuffer(block, np.uint8)
    ends = np.flatnonzero(data == ord("\n"))
    starts = np.concatenate([[0], ends[:-1] + 1])
    usual = (data[starts] == ord("{")) & (data[ends - 1] == ord("}"))
    suspects = {int(np.searchsorted(ends, found.start())) for found in _SECOND.finditer(block)}
    suspects.update(np.flatnonzero(~usual).tolist())
    rows, exact = int(ends.size) - len(suspects), True
    for index in sorted(suspects):
        found = _in_line(block[int(starts[index]) : int(ends[index])], line + index)
        rows, exact = rows + (found or 0), exact and found is not None
    return rows if exact else None


def _in_line(text: bytes, line: int) -> int | None:
    text = text.strip(_BLANKS)
    if not text:
        return 0
    if text[:1] not in {b"{", b"["}:
        raise Unfit(f"line {line} is not a JSON object: JSON lines hold one object in each line")
    if text[-1:] not in {b"}", b"]"}:
        raise Unfit(f"line {line} is not one whole JSON object: JSON lines hold one object in each line")
    try:
        value, end = json.JSONDecoder().raw_decode(text.decode())
    except (ValueError, RecursionError):
        return None  # Spark refuses it, or knows better
    if end < len(text.decode()):
        raise Unfit(f"line {line} goes on after its object: JSON lines hold one object in each line")
    return len(value) if isinstance(value, list) else 1
