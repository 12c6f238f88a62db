"""W3C's `traceparent`: by which trace, and which span of it, something goes on. https://www.w3.org/TR/trace-context/"""

import re
from collections.abc import Iterable
from typing import NamedTuple

MAX_TRACES_TOLD = 100
_FORM = re.compile(r"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")


class TraceParent(NamedTuple):
    """The parts of it, as text in hexadecimal; `flags` as a number, of which 1 means that it is sampled."""

    trace_id: str
    span_id: str
    flags: int


def parsed(text: str) -> TraceParent | None:
    """Read one; None when it is none, and then whoever got it begins a trace of his own."""
    found = _FORM.fullmatch(text)
    if found is None or not int(found[1], 16) or not int(found[2], 16):
        return None
    return TraceParent(found[1], found[2], int(found[3], 16))


def written(trace: TraceParent) -> str:
    """As version 00 writes it: what a later version says beside it is not ours to pass on."""
    return f"00-{trace.trace_id}-{trace.span_id}-{trace.flags:02x}"


def trace_ids(traceparents: Iterable[str]) -> str | None:
    """Name the traces of some files for a log, with a blank between, a hundred at most; None when there are none."""
    found = {trace.trace_id for text in traceparents if (trace := parsed(text)) is not None}
    return " ".join(sorted(found)[:MAX_TRACES_TOLD]) or None
