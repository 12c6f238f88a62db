"""Blocks of JSON lines that hold nothing but what is expected: so Arrow's parser finds, and holds up no other thread.

Only what it refuses is looked at record by record. It refuses a key twice in an object, a key that is not expected and
a value of another type; not, as Spark and we must, all that is no line of JSON with one object in it. So it is given no
block in which a line may begin or end within an object, none with NaN, and none with a `null` beside an object, which
would end the process (pyarrow 26).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.json as pj

from flows.loading.reading.found import Tokens

if TYPE_CHECKING:
    from collections.abc import Mapping

_LEAST_BYTES = 32 * 1024  # of a block: below, to begin costs more than is won
_FIRST_LINES = 20  # of a file, which show that it has what another has
_PATIENCE = 4  # then no more blocks are tried
_NULL_BESIDE = re.compile(rb"}[ \t]*n")
_NO_NUMBER = re.compile(rb"[:,\[][ \t]*-?(?:NaN|Inf(?:inity)?)[ \t]*[,}\]]")
_SCALARS = {
    frozenset({"null"}): pa.null(),
    frozenset({"bool"}): pa.bool_(),
    frozenset({"int"}): pa.int64(),
    frozenset({"float"}): pa.float64(),
    frozenset({"int", "float"}): pa.float64(),
    frozenset({"str"}): pa.string(),
}


@dataclass(frozen=True, slots=True)
class Known:
    """Columns, and how Arrow is told to take nothing else."""

    columns: Tokens
    options: pj.ParseOptions


@dataclass(slots=True)
class Batch:
    """What the files of a batch share, looked at by several threads: the last columns learnt, for the next to begin."""

    known: Known | None = None
    in_vain: int = 0  # blocks that were tried in vain, more than others


class Expected:
    """What the next records of a file have, as it seems: what those before them had, or those of another file."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self._known = batch.known

    def split(self, block: bytes, root: Tokens) -> tuple[bytes, bytes]:
        """Those lines of a block that must be looked at, because `root` knows too little yet, and the others."""
        if self._known is None or len(block) < _LEAST_BYTES or self._batch.in_vain > _PATIENCE:
            return block, b""
        if _covers(root, self._known.columns):
            return b"", block
        end = 0
        for _ in range(_FIRST_LINES):
            end = block.find(b"\n", end) + 1 or len(block)
        return block[:end], block[end:]

    def records(self, block: bytes, root: Tokens) -> int | None:
        """How many records a block of whole lines has, if nothing is in it of which `root` does not know."""
        known = self._known
        if known is None or not _covers(root, known.columns) or (lines := _lines(block)) is None:
            return None
        reading = pj.ReadOptions(use_threads=False, block_size=len(block) + 1)
        try:
            found = pj.read_json(pa.BufferReader(block), reading, known.options).num_rows
        except pa.ArrowException:
            found = -1
        self._batch.in_vain = max(0, self._batch.in_vain + (-1 if found == lines else 1))
        return found if found == lines else None

    def learn(self, block: bytes, root: Tokens) -> None:
        """Expect what the file has, as far as it was looked at: the last time at this block."""
        if len(block) < _LEAST_BYTES or (self._known is not None and self._known.columns == root):
            return
        columns = Tokens()
        columns.merge(root)
        if (kind := _type(columns)) is not None:
            options = pj.ParseOptions(explicit_schema=pa.schema(list(kind)), unexpected_field_behavior="error")
            self._known = self._batch.known = Known(columns, options)


def _lines(block: bytes) -> int | None:
    """How many lines it has, if each begins and ends as an object does; within one a comma follows what has ended."""
    lines = block.count(b"\n") if block.startswith(b"{") and block.endswith(b"}\n") else 0
    if block.count(b"}\n{") + 1 != lines or _NULL_BESIDE.search(block) is not None:
        return None
    has_no_number = (b"NaN" in block or b"Inf" in block) and _NO_NUMBER.search(block) is not None
    return None if has_no_number else lines


def _type(tokens: Tokens) -> pa.DataType | None:
    """The type that holds these values; None when no type does."""
    if tokens.mixed:
        return None
    if tokens.fields is not None:
        return _struct(tokens.fields)
    if tokens.element is not None:
        element = _type(tokens.element)
        return None if element is None else pa.list_(element)
    return _SCALARS.get(frozenset(tokens.tokens - {"null"} or {"null"}))


def _struct(fields: Mapping[str, Tokens]) -> pa.StructType | None:
    types = {name: _type(one) for name, one in fields.items()}
    if not types or None in types.values():
        return None
    return pa.struct(list(types.items()))


def _covers(known: Tokens, other: Tokens) -> bool:
    """Whether nothing would be learnt of the other but a null."""
    return (
        known.tokens >= other.tokens - {"null"}
        and all(
            known.fields is not None and name in known.fields and _covers(known.fields[name], one)
            for name, one in (other.fields or {}).items()
        )
        and (other.element is None or (known.element is not None and _covers(known.element, other.element)))
    )
