"""Expressions of RE2 over bytes: it reads each byte once, whatever the expression is, and holds up no other thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import re2

if TYPE_CHECKING:
    from collections.abc import Callable

Matches: TypeAlias = "Callable[[bytes], object | None]"
_MAX_PATTERN = 60_000  # letters, of some hundred columns: beyond, to look at each record is as fast
_MAX_MEMORY = 64 * 2**20  # of what RE2 has made of the expression so far; beyond it begins anew


def compiled(pattern: str) -> Matches | None:
    """The match of the whole of some bytes, of UTF-8; None of an expression that is too long."""
    written = pattern.encode()
    if len(written) > _MAX_PATTERN:
        return None
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1  # bytes: that they are UTF-8 is known
    options.never_capture = True
    options.log_errors = False
    options.max_mem = _MAX_MEMORY
    try:
        found: Matches = re2.compile(written, options).fullmatch
    except re2.error:
        return None
    return found
