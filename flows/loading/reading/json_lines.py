"""The bytes of a JSON file as blocks of whole lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def whole_lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Cut blocks of whole lines, each ended by a line feed, whatever the file's line ends are."""
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
