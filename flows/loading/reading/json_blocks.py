"""Blocks of JSON lines that hold nothing but what is expected: so one regular expression finds, for the whole block.

Only what it refuses is looked at record by record. It takes lines with one object each, whose keys are known, stand in
the known order, though any may be missing, and have values of the known kinds: so no key is there twice. It takes less
than JSON allows, where its parsers differ: no number that 64 bits may not hold, no half of a surrogate pair.
"""

from __future__ import annotations

import json
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from itertools import product
from threading import Lock
from typing import TYPE_CHECKING, Any

import re2

from flows.loading.reading import lines, plain
from flows.loading.reading.expressions import compiled
from flows.loading.reading.found import Tokens
from flows.loading.reading.types import MAX_DEPTH

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from concurrent.futures import Executor, Future

    from flows.loading.reading.expressions import Matches
    from flows.loading.reading.plain import Plain

LEAST_BYTES = 32 * 1024  # of a block: below, to begin costs more than is won
_FIRST_LINES = 20  # of a file, which show that it has what another has
_PATIENCE = 4  # then no more blocks are tried
_CORRECTIONS = 2  # then nothing is expected to be plain any more
_WHOLE = "(?:0|[1-9][0-9]{0,17})"
_HEX = "[0-9a-fA-F]"
_CHARACTER = f"(?:(?:[0-9a-cA-Ce-fE-F]{_HEX}|[dD][0-7]){_HEX}{{2}}|[dD][89abAB]{_HEX}{{2}}\\\\u[dD][c-fC-F]{_HEX}{{2}})"
_SCALARS = {
    "null": "null",
    "bool": "true|false",
    "int": f"-?{_WHOLE}",
    "float": f"-?{_WHOLE}(?:\\.[0-9]+)?(?:[eE][+-]?[0-9]{{1,2}})?",
    "str": f'"(?:[^"\\\\\\x00-\\x1f]|\\\\(?:["\\\\/bfnrt]|u{_CHARACTER}))*"',
}
_GAP = "[ \\t]*"


@dataclass(slots=True)
class Keys:
    """In which order keys were seen: by key, those that stood before it, and the keys of its values."""

    before: dict[str, set[str]] = field(default_factory=dict)
    within: dict[str, Keys] = field(default_factory=dict)

    def see(self, value: Any, depth: int = 1) -> None:
        """One more value of this place, as deep as types may be: an object, or an array, whose elements are of one."""
        if depth > MAX_DEPTH:
            return
        if type(value) is list:
            for one in value:
                self.see(one, depth + 1)
        elif type(value) is dict:
            last: tuple[str, ...] = ()
            for name, one in value.items():
                self.before.setdefault(name, set()).update(last)
                last = (name,)
                if type(one) in {dict, list}:
                    self.within.setdefault(name, Keys()).see(one, depth + 1)


@dataclass(frozen=True)
class Known:
    """Columns, the order of their keys, and how plain values are; `corrected`: how often some were not after all."""

    columns: Tokens
    keys: Keys
    plain: Mapping[str, Plain] = field(default_factory=dict)
    corrected: int = 0

    @cached_property
    def patterns(self) -> Mapping[str, str]:
        """By column, the expression for its values, where all of them are plain."""
        every = {name: plain.pattern(self.plain.get(name), one) for name, one in (self.columns.fields or {}).items()}
        return {name: pattern for name, pattern in every.items() if pattern is not None}

    @cached_property
    def matches(self) -> Matches | None:
        """The expression for lines with nothing else, once it is asked for.

        None where keys have no order, or are too many.
        """
        try:
            return compiled(f"(?:{_object(self.columns.fields or {}, self.keys, self.patterns)}{_GAP}\\n)*")
        except CycleError:
            return None

    def are_all_of(self, block: bytes) -> bool:
        """Whether a block has nothing else."""
        return self.matches is not None and self.matches(_with_commas(block)) is not None


@dataclass(slots=True)
class Batch:
    """What the files of a batch share, looked at by several threads: the last columns learnt, for the next to begin.

    `threads` begin with the next blocks of a file, where they are free. One file learns at a time, mostly for all.
    `closely`: expressions are made for small blocks too.
    """

    threads: Executor | None = None
    known: Known | None = None
    learning: Lock = field(default_factory=Lock, repr=False)
    in_vain: int = 0  # blocks that were tried in vain, more than others
    closely: bool = False

    def tries(self, block: bytes) -> bool:
        """Whether an expression for a block is worth its while."""
        return (self.closely or len(block) >= LEAST_BYTES) and not block.isspace() and self.in_vain <= _PATIENCE


@dataclass(frozen=True, slots=True)
class Asked:
    """What a thread was asked of a block that comes later: are these columns all of it?"""

    known: Known
    answer: Future[bool]


class Expected:
    """What the next records of a file have, as it seems: what those before them had, or those of another file."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self._known = batch.known
        self._was_in_vain = False
        self._plain: dict[str, Plain | None] | None = {}

    @property
    def plain(self) -> Mapping[str, Plain | None] | None:
        """By column, how all values in the file are spelled, if it is plain; None after a record without proof."""
        return self._plain

    def ahead(self, blocks: Iterable[bytes]) -> Iterator[tuple[bytes, Asked | None]]:
        """The blocks, while other threads begin with those that come next."""
        return lines.ahead(blocks, self._asked)

    def _asked(self, block: bytes) -> Asked | None:
        threads, known = self._batch.threads, self._known
        if threads is None or known is None or not self._batch.tries(block):
            return None
        return Asked(known, threads.submit(known.are_all_of, block))

    def split(self, block: bytes, root: Tokens) -> tuple[bytes, bytes]:
        """Those lines of a block that must be looked at, because `root` knows too little yet, and the others."""
        if self._known is None or not self._batch.tries(block):
            return block, b""
        if root.covers(self._known.columns):
            return b"", block
        end = 0
        for _ in range(_FIRST_LINES):
            end = block.find(b"\n", end) + 1 or len(block)
        return block[:end], block[end:]

    def records(self, block: bytes, root: Tokens, asked: Asked | None = None) -> int | None:
        """How many records a block of whole lines has, if nothing is in it of which `root` does not know.

        A thread that has begun with it is waited for.
        """
        known, self._was_in_vain = self._known, False
        if known is None or not block or not root.covers(known.columns):
            return None
        if asked is None or asked.known is not known or asked.answer.cancel():
            is_known = known.are_all_of(block)
        else:
            is_known = asked.answer.result()
        self._was_in_vain = not is_known
        self._batch.in_vain = max(0, self._batch.in_vain + (-1 if is_known else 1))
        if not is_known:
            return None
        self._spelled(known)
        return block.count(b"\n")

    def prove(self, block: bytes) -> None:
        """Find out whether the values of lines that were looked at are as plain as those of others."""
        if self._plain is None or not block.strip():
            return
        if self._known is not None and self._batch.in_vain <= _PATIENCE and self._known.are_all_of(block):
            self._spelled(self._known)
        else:
            self._plain = None

    def _spelled(self, known: Known) -> None:
        """Take in how the values of records are spelled that have nothing but this."""
        if self._plain is None:
            return
        for name, tokens in (known.columns.fields or {}).items():
            if not tokens.is_empty:
                found = known.plain[name] if name in known.patterns else None
                self._plain[name] = plain.joined(self._plain.get(name, found), found)

    def learn(self, block: bytes, root: Tokens) -> None:
        """Expect what the file has, as far as it was looked at: the last time at this block."""
        if not self._batch.tries(block):
            return
        with self._batch.learning:
            self._learn(block, root)

    def _learn(self, block: bytes, root: Tokens) -> None:
        columns, known, others = Tokens(), self._known, self._batch.known
        columns.merge(root)
        if others is not None and others is not known and others.columns == columns and others.are_all_of(block):
            learnt: Known | None = others  # learnt meanwhile
        elif known is not None and not self._was_in_vain and known.columns.covers(root):
            # its keys are known, in this order
            learnt = replace(known, columns=columns, plain=plain.of(columns, (), known.columns, known.plain))
        else:
            learnt = _learnt(columns, block, known or Known(Tokens(), Keys()))
        if learnt is None:
            self._batch.in_vain += 1
        else:
            self._known = self._batch.known = learnt


def _learnt(columns: Tokens, block: bytes, before: Known) -> Known | None:
    """These columns, with their keys in the order of all records so far, or else of this block's; None without any."""
    values = []
    for line in block.splitlines():
        with suppress(ValueError, RecursionError):
            values.append(json.loads(line, parse_int=plain.Number, parse_float=plain.Number))
    spelled = plain.of(columns, values, before.columns, before.plain)
    corrected = before.corrected + (not spelled.keys() >= before.plain.keys())
    ways = (spelled, {}) if corrected < _CORRECTIONS else ({},)  # plain values have longer expressions
    for how, begun in product(ways, (before.keys, Keys())):
        known = Known(columns, deepcopy(begun), how, corrected)
        for value in values:
            known.keys.see(value)
        if known.matches is not None:
            return known
    return None


def _with_commas(block: bytes) -> bytes:
    """The block with a comma behind the last value of each object and array, as behind the others.

    So an expression for it grows with the fields alone, though any may be missing.
    """
    return block.replace(b"}", b",}").replace(b"]", b",]")


def _object(fields: Mapping[str, Tokens], keys: Keys, patterns: Mapping[str, str]) -> str:
    """An object whose fields are there or not, in the order of these keys; of some the expression is known.

    Raises:
        CycleError: they have none.
    """
    names = [name for name in TopologicalSorter(keys.before).static_order() if name in fields]
    each = (
        f"(?:{_key(name)}{_GAP}:{_GAP}{_value(fields[name], keys.within.get(name, Keys()), patterns.get(name))}"
        f"{_GAP},{_GAP})?"
        for name in dict.fromkeys([*names, *fields])
    )
    return f"\\{{{_GAP}(?:,|{''.join(each)})\\}}"


def _value(tokens: Tokens, keys: Keys, pattern: str | None = None) -> str:
    """A value of these kinds, or null; the others by an expression, if it is known."""
    if pattern is not None:
        return f"(?:null|{pattern})"
    ways = [_SCALARS[one] for one in sorted(tokens.tokens | {"null"})]
    if tokens.fields is not None:
        ways.append(_object(tokens.fields, keys, {}))
    if tokens.element is not None:
        ways.append(f"\\[{_GAP}(?:,|(?:{_value(tokens.element, keys)}{_GAP},{_GAP})+)\\]")
    return f"(?:{'|'.join(ways)})"


def _key(name: str) -> str:
    """A key as writers spell it."""
    escaped: str = re2.escape(_with_commas(json.dumps(name, ensure_ascii=False).encode()).decode())
    return escaped
