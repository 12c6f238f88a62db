"""The bytes of a text file as blocks of whole lines, and what is asked of them while those before are looked at."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

Asked = TypeVar("Asked")
_AHEAD = 4  # blocks, with which other threads begin


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


def ahead(blocks: Iterable[bytes], ask: Callable[[bytes], Asked]) -> Iterator[tuple[bytes, Asked]]:
    """The blocks, each with what was asked of it before those before it were taken."""
    waiting: deque[tuple[bytes, Asked]] = deque()
    for block in blocks:
        waiting.append((block, ask(block)))
        if len(waiting) > _AHEAD:
            yield waiting.popleft()
    yield from waiting


def _with_line_feeds(block: bytes) -> bytes:
    return block.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in block else block
