"""Reading the end of a log as a person would: the errors, not the stack frames."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_SHOWN_LINES = 8
_LONGEST_LINE = 300
_READ_BYTES = 64 * 1024
_TELLING = re.compile(r"error|fatal|exception|refused|denied|cannot|could not|not found|failed", re.IGNORECASE)
_NOISE = re.compile(r"^\s+at |^\s*\.\.\. \d+ more|^--- \d{4}-|^\s*File \"|^\s*[~^]+\s*$")


def size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def last_words(path: Path, offset: int = 0) -> str:
    """The last telling lines written after `offset`, indented; "" when there are none."""
    with path.open("rb") as file:
        file.seek(max(offset, size(path) - _READ_BYTES))
        text = file.read().decode(errors="replace")
    lines = [line.rstrip() for line in text.splitlines() if line.strip() and not _NOISE.search(line)]
    telling = [line for line in lines if _TELLING.search(line)] or lines
    return "\n".join(f"  {line[:_LONGEST_LINE]}" for line in telling[-_SHOWN_LINES:])
